"""Foreign bytes: a liar, a bomb, a cut file or a mutant is a Recording or one sentence, soon."""

import os
import struct
import time

import numpy as np
import pytest
import soundfile
from kit import raw_wav, refusal

from otowake.core.errors import AudioRefused
from otowake.signal import audio

RATE = 16_000


def noise(channels=2, samples=3000, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (channels, samples))


def liar():
    """A FLAC of 99 bytes that claims 68 719 476 735 frames, and then holds noise."""
    info = struct.pack(">HH", 4096, 4096) + bytes(6) + ((44100 << 44) | (15 << 36) | (2**36 - 1)).to_bytes(8, "big")
    return b"fLaC\x80\x00\x00\x22" + info + bytes(16) + np.random.default_rng(0).bytes(57)


def test_files_that_are_not_there_or_not_audio(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("RIFF is a word; this is text.\n" * 50)
    (tmp_path / "page.flac").write_text("<!doctype html>")
    assert refusal(tmp_path / "nothing.wav").code == "missing"
    assert refusal(tmp_path / "text.wav" / "a.wav").code == "missing"
    assert refusal(tmp_path).code == "directory"
    assert refusal(tmp_path / "empty.wav").code == "empty"
    assert refusal(tmp_path / "text.wav").code == "not-audio"
    assert refusal(tmp_path / "page.flac").code == "not-audio"
    assert refusal(tmp_path / "a\0b.wav").code == "unreadable"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    assert refusal(tmp_path / "pipe.wav").code == "not-a-file"


@pytest.mark.parametrize("suffix", ["wav", "aiff", "w64", "rf64"])
def test_an_interrupted_file_is_used_as_far_as_it_goes_with_a_note(tmp_path, suffix):
    whole, cut = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    audio.write(whole, noise(), RATE, subtype="PCM_16")
    cut.write_bytes(whole.read_bytes()[:6000])
    recording = audio.read(cut)
    count = recording.samples.shape[1]
    assert 1000 < count < 1500
    np.testing.assert_array_equal(recording.samples, audio.read(whole).samples[:, :count])
    assert len(recording.notes) == 1
    assert f"{count} samples" in recording.notes[0]


def test_a_cut_flac_is_damaged(tmp_path):
    audio.write(tmp_path / "a.flac", noise(2, 50_000), RATE)
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "b.flac").write_bytes(data[: len(data) // 2])
    assert refusal(tmp_path / "b.flac").code == "damaged"


def test_a_wav_written_into_a_pipe_has_no_size_and_needs_no_note(tmp_path):
    raw_wav(tmp_path / "a.wav", noise())
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(data)
    recording = audio.read(tmp_path / "a.wav")
    assert recording.samples.shape == (2, 3000)
    assert recording.notes == ()


def test_a_header_that_claims_512_gib_is_refused_at_once(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "liar.flac"
    path.write_bytes(liar())
    assert len(liar()) == 99
    assert soundfile.info(path).frames == 68_719_476_735
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    assert refusal(path).code in ("damaged", "empty")
    assert time.perf_counter() - begin < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB on Linux


def test_a_bomb_stops_at_the_limit(tmp_path):
    soundfile.write(tmp_path / "bomb.flac", np.zeros((2_000_000, 2)), RATE)
    assert (tmp_path / "bomb.flac").stat().st_size < 20_000
    assert refusal(tmp_path / "bomb.flac", limits=audio.Limits(samples=1_000_000)).code == "too-long"
    assert audio.read(tmp_path / "bomb.flac", limits=audio.Limits(samples=4_000_000)).samples.size == 4_000_000


def seeds(folder):
    """Small files of many formats, as bytes: what the mutations start from."""
    plan = [("wav", "PCM_16"), ("wav", "FLOAT"), ("wav", "PCM_U8"), ("wav", "IMA_ADPCM"), ("flac", "PCM_16")]
    plan += [("aiff", "PCM_24"), ("ogg", "VORBIS"), ("ogg", "OPUS"), ("mp3", "MPEG_LAYER_III")]
    plan += [("caf", "ALAC_16"), ("caf", "PCM_24"), ("w64", "PCM_24"), ("rf64", "PCM_16")]
    for suffix, subtype in plan:
        path = folder / f"seed.{suffix}"
        soundfile.write(path, 0.5 * noise(2, 1200).T, RATE, format=suffix.upper(), subtype=subtype)
        yield suffix, path.read_bytes()


def mutated(data, rng):
    """Flipped bytes, mostly in the header; a cut; a doubled piece; extreme 32-bit numbers."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 8)):
        out[rng.integers(0, min(len(out), 128 if rng.random() < 0.7 else len(out)))] = rng.integers(0, 256)
    if rng.random() < 0.3:
        at = int(rng.integers(4, min(len(out), 100)))
        out[at : at + 4] = [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"][rng.integers(0, 3)]
    if rng.random() < 0.2:
        out = out[: rng.integers(1, len(out))]
    if rng.random() < 0.1:
        at = int(rng.integers(0, len(out)))
        out[at:at] = out[at : at + 64]
    return bytes(out)


def test_300_mutated_files_give_a_recording_or_a_refusal(tmp_path, capfd):
    seed = 20_240
    rng = np.random.default_rng(seed)
    inputs = list(seeds(tmp_path))
    outcomes = {"taken": 0, "refused": 0}
    for number in range(300):
        suffix, data = inputs[number % len(inputs)]
        path = tmp_path / f"mutant-{seed}-{number}.{suffix}"
        path.write_bytes(mutated(data, rng))
        try:
            recording = audio.read(path)
        except AudioRefused:
            outcomes["refused"] += 1
        else:
            outcomes["taken"] += 1
            assert np.isfinite(recording.samples).all()
            assert len(recording.names) == len(recording.samples) > 0
        path.unlink()
    assert min(outcomes.values()) > 30
    assert capfd.readouterr() == ("", "")


def test_the_decoders_chatter_does_not_reach_the_user_and_stderr_comes_back(tmp_path, capfd):
    audio.write(tmp_path / "a.mp3", noise(2, 20_000), RATE)
    data = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "b.mp3").write_bytes(data[: len(data) // 2])
    audio.read(tmp_path / "b.mp3")
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"
