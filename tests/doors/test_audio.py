"""Whatever is handed in, the door gives a Recording or one sentence; what goes out comes back bit for bit."""

import math
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from kit import one_sentence, raw_wav, refusal

from otowake.core import files
from otowake.core.errors import AudioRefused
from otowake.signal import audio

RATE = 16_000
EXACT = [
    *[(suffix, subtype) for suffix in ("wav", "aiff", "caf", "w64", "rf64") for subtype in ("PCM_16", "PCM_24")],
    *[
        (suffix, subtype)
        for suffix in ("wav", "aiff", "caf", "w64", "rf64")
        for subtype in ("PCM_32", "FLOAT", "DOUBLE")
    ],
    *[("flac", "PCM_S8"), ("flac", "PCM_16"), ("flac", "PCM_24"), ("wav", "PCM_U8"), ("aiff", "PCM_S8")],
]
BITS = {"PCM_U8": 8, "PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}


def noise(channels=2, samples=3000, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (channels, samples))


def on_the_grid(subtype):
    """Every extreme and many steps between, as float64 that `subtype` holds exactly."""
    if subtype in ("FLOAT", "DOUBLE"):
        x = noise() * 10.0 ** np.random.default_rng(1).integers(-40, 4, (2, 3000))
        return x.astype(np.float32).astype(np.float64) if subtype == "FLOAT" else x
    full = 2 ** (BITS[subtype] - 1)
    steps = np.random.default_rng(1).integers(-full, full, (2, 3000))
    steps[:, :5] = [-full, -1, 0, 1, full - 1]
    return steps / full


@pytest.mark.parametrize(("suffix", "subtype"), EXACT)
def test_a_written_file_comes_back_bit_for_bit(tmp_path, suffix, subtype):
    x = on_the_grid(subtype)
    path = tmp_path / f"a.{suffix}"
    assert audio.write(path, x, RATE, subtype=subtype).clipped == 0
    first = audio.read(path)
    np.testing.assert_array_equal(first.samples, x)
    assert (first.rate, first.subtype, first.notes) == (RATE, subtype, ())
    again = tmp_path / f"b.{suffix}"
    audio.write(again, first.samples, first.rate, subtype=audio.fitting(again, first.subtype))
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("suffix", "subtype"), [("wav", "PCM_16"), ("wav", "PCM_24"), ("flac", "PCM_16"), ("wav", "FLOAT")]
)
def test_a_file_of_another_program_comes_back_bit_for_bit(tmp_path, suffix, subtype):
    """Longer than two blocks; libsndfile's own writer made the input."""
    theirs, ours = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    soundfile.write(theirs, noise(2, 150_001).T, RATE, subtype=subtype)
    recording = audio.read(theirs)
    audio.write(ours, recording.samples, recording.rate, subtype=recording.subtype)
    for dtype in ("int32", "float64"):
        np.testing.assert_array_equal(soundfile.read(theirs, dtype=dtype)[0], soundfile.read(ours, dtype=dtype)[0])


@pytest.mark.parametrize("suffix", ["ogg", "opus", "mp3"])
def test_lossy_formats_are_written_and_read(tmp_path, suffix):
    t = np.arange(RATE * 8) / RATE
    x = np.stack([0.5 * np.sin(2 * np.pi * 440 * t), 0.5 * np.sin(2 * np.pi * 220 * t)])
    audio.write(tmp_path / f"a.{suffix}", x, RATE)
    back = audio.read(tmp_path / f"a.{suffix}")
    assert back.samples.shape == x.shape
    assert back.notes == ()
    assert np.abs(back.samples - x).mean() < 0.2


def test_steps_are_rounded_and_full_scale_is_a_wall_not_a_wrap(tmp_path):
    x = np.array([0.4, 0.6, -0.6, 40000.0, -40000.0, 32768.0]) / 32768
    written = audio.write(tmp_path / "a.wav", x, RATE, subtype="PCM_16")
    assert (written.clipped, written.peak) == (2, 40000 / 32768)
    steps = audio.read(tmp_path / "a.wav").samples[0] * 32768
    np.testing.assert_array_equal(steps, [0, 1, -1, 32767, -32768, 32767])
    assert audio.write(tmp_path / "a.wav", x, RATE, subtype="FLOAT").clipped == 0


def test_the_nearest_sample_format_is_found():
    assert audio.fitting("a.wav", "PCM_16") == "PCM_16"
    assert audio.fitting("a.flac", "FLOAT") == "PCM_24"
    assert audio.fitting("a.flac", "PCM_U8") == "PCM_S8"
    assert audio.fitting("a.wav", "VORBIS") == "FLOAT"
    assert audio.fitting("a.caf", "ALAC_24") == "PCM_24"
    assert audio.fitting("a.opus", "PCM_16") == "OPUS"


def test_channels_are_named_after_the_file(tmp_path):
    audio.write(tmp_path / "duo.wav", noise(2), RATE)
    audio.write(tmp_path / "solo.wav", noise(1)[0], RATE)
    assert audio.read(tmp_path / "duo.wav").names == ("duo-ch0", "duo-ch1")
    recording = audio.read(tmp_path / "solo.wav")
    assert recording.names == ("solo",)
    assert recording.seconds == 3000 / RATE


def test_files_are_stacked_and_must_agree(tmp_path):
    for name, samples, rate in (("a", 3000, RATE), ("b", 3000, RATE), ("c", 2999, RATE), ("d", 3000, 8000)):
        audio.write(tmp_path / f"{name}.wav", noise(1, samples), rate)
    a, b, c, d = (tmp_path / f"{name}.wav" for name in "abcd")
    assert audio.stack([a, b]).samples.shape == (2, 3000)
    assert audio.stack([a, b]).names == ("a", "b")
    with pytest.raises(AudioRefused, match=r"a\.wav has 3000 samples and .*c\.wav 2999"):
        audio.stack([a, b, c])
    with pytest.raises(AudioRefused, match=r"a\.wav has 16000 Hz and .*d\.wav 8000 Hz"):
        audio.stack([a, d])
    with pytest.raises(AudioRefused, match="name at least one"):
        audio.stack([])
    with pytest.raises(AudioRefused, match="at most 3"):
        audio.stack([a, b, a, b], limits=audio.Limits(channels=3))


def test_a_file_without_samples_is_refused_in_both_directions(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 2)), RATE)
    assert refusal(tmp_path / "a.wav").code == "empty"
    with pytest.raises(AudioRefused, match="no samples"):
        audio.write(tmp_path / "b.wav", np.zeros((2, 0)), RATE)


@pytest.mark.parametrize("rate", [1, 999, 768_001, 2**31 - 1])
def test_sample_rates_that_no_sound_has_are_refused(tmp_path, rate):
    assert refusal(raw_wav(tmp_path / "a.wav", noise(), rate)).code == "rate"
    with pytest.raises(AudioRefused, match="Hz"):
        audio.write(tmp_path / "b.wav", noise(), rate)


def test_the_extreme_sample_rates_and_channel_counts_are_taken(tmp_path):
    for rate in (1_000, 768_000):
        assert audio.read(raw_wav(tmp_path / "a.wav", noise(), rate)).rate == rate
    audio.write(tmp_path / "b.wav", noise(64, 10), RATE)
    assert audio.read(tmp_path / "b.wav").samples.shape == (64, 10)
    assert refusal(raw_wav(tmp_path / "c.wav", noise(65, 10))).code == "channels"
    with pytest.raises(AudioRefused, match="transpose"):
        audio.write(tmp_path / "d.wav", noise(2, 100).T, RATE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_with_their_place(tmp_path, value):
    x = noise(2, 100_000)
    x[1, 80_000] = value
    error = refusal(raw_wav(tmp_path / "a.wav", x))
    assert error.code == "non-finite"
    assert "channel 1, sample 80000 (5.000 s)" in str(error)
    assert refusal(tmp_path / "a.wav", limits=audio.Limits(peak=math.inf)).code == "non-finite"
    with pytest.raises(AudioRefused, match=r"channel 1, sample 80000 \(5.000 s\)"):
        audio.write(tmp_path / "b.wav", x, RATE)
    assert not (tmp_path / "b.wav").exists()


def test_a_huge_gain_is_refused_unless_it_is_asked_for(tmp_path):
    audio.write(tmp_path / "a.wav", 1e8 * noise(), RATE)
    error = refusal(tmp_path / "a.wav")
    assert error.code == "too-loud"
    assert "scale it" in str(error)
    assert np.abs(audio.read(tmp_path / "a.wav", limits=audio.Limits(peak=math.inf)).samples).max() > 1e7
    with pytest.raises(AudioRefused, match="beyond"):
        audio.write(tmp_path / "b.wav", np.array([1e39]), RATE)  # more than a 32-bit float holds


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("a.xyz", {}, "suffix"),
        ("a", {}, "suffix"),
        ("a.flac", {"subtype": "FLOAT"}, "does not hold FLOAT"),
        ("a.wav", {"subtype": "NONSENSE"}, "does not hold"),
        ("a.opus", {"rate": 44_100}, "44100 Hz"),
        ("no/a.wav", {}, "does not exist"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(tmp_path, name, options, word):
    with one_sentence(word):
        audio.write(tmp_path / name, noise(), options.pop("rate", RATE), **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("x", [np.zeros((2, 3, 4)), np.ones(5, dtype=int), np.ones(5, dtype=complex), np.array("a")])
def test_arrays_that_are_not_samples_are_refused(tmp_path, x):
    with pytest.raises(AudioRefused, match="give floats"):
        audio.write(tmp_path / "a.wav", x, RATE)


def test_the_same_samples_are_the_same_file(tmp_path):
    for suffix in ("wav", "aiff"):
        paths = [tmp_path / f"{name}.{suffix}" for name in "ab"]
        audio.write(paths[0], noise(), RATE)
        stamp = paths[0].read_bytes()
        place = stamp.find(b"PEAK")
        assert stamp[place + 12 : place + 16] == bytes(4)
        audio.write(paths[1], noise(), RATE)
        assert paths[1].read_bytes() == stamp


def run(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path, suffix):
    code = """
import resource, sys
import numpy as np
from otowake.core.errors import OtowakeError
from otowake.signal.audio import write
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write(sys.argv[1], np.random.default_rng(0).uniform(-1, 1, (2, 200_000)), 16_000)
except OtowakeError as error:
    print(error)
"""
    target = tmp_path / f"a.{suffix}"
    target.write_bytes(b"old")
    result = run(code, target)
    assert "larger than the system allows" in result.stdout, result.stderr
    assert result.stderr == ""
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_opening_the_door_loads_neither_torch_nor_soundfile():
    code = "import sys, otowake.signal.audio; print([m for m in ('torch', 'soundfile') if m in sys.modules])"
    assert run(code).stdout.strip() == "[]"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_killed_writers_leave_whole_files(tmp_path):
    code = """
import sys
import numpy as np
from otowake.signal.audio import write
x = np.random.default_rng(0).uniform(-1, 1, (2, 100_000))
print("ready", flush=True)
while True:
    write(sys.argv[1], x, 16_000, subtype="PCM_16")
"""
    target = tmp_path / "a.wav"
    for attempt in range(4):
        child = subprocess.Popen([sys.executable, "-c", code, target], stdout=subprocess.PIPE, text=True)
        child.stdout.readline()
        time.sleep(0.15 + 0.003 * attempt)
        child.kill()
        child.communicate()
        if target.exists():
            recording = audio.read(target)
            assert recording.samples.shape == (2, 100_000)
            assert recording.notes == ()
    files.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
