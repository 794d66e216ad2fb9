"""Recordings that no one should make: each is separated into finite sounds, or refused in one sentence."""

import json
import os
import struct

import numpy as np
import pytest
from kit import QUICK, is_root, left_over, mixture, parts, quickly, recording, refused, refuses


def one_of_two(capsys, folder, *words):
    """Separates; the outcome has to be one of the two that are allowed: the report, or None when refused."""
    answer = quickly(capsys, "separate", *words, "-o", folder / "out", "--json", *QUICK)
    assert not left_over(folder)
    if answer[0]:
        assert refused(answer), answer
        assert not (folder / "out").exists()
        return None
    report = json.loads(answer[1])
    assert not answer[2]
    for samples in parts(folder / "out").values():
        assert np.isfinite(samples).all()
    return report


def said(report, *words):
    """Some note or diagnostic has one of the words."""
    text = json.dumps([report["notes"], report["diagnostics"]]).lower()
    return any(word in text for word in words)


def silent(x):
    return 0 * x


def dead_one(x):
    return x * np.array([1, 0, 1])[: len(x), None]


def duplicated(x):
    return np.concatenate([x[:1], x[:1], x[2:]])


def rank_two(x):
    return np.stack([x[0], x[1], 0.5 * x[0] - 0.3 * x[1]])


def constant(x):
    return 0 * x + 0.25


HURT = [
    ("silence", 2, silent), ("a dead channel of 2", 2, dead_one), ("a dead channel of 3", 3, dead_one),
    ("a duplicated channel of 2", 2, duplicated), ("a duplicated channel of 3", 3, duplicated),
    ("rank 2 on 3 channels", 3, rank_two), ("a constant", 2, constant),
]  # fmt: skip


@pytest.mark.parametrize(("channels", "hurt"), [h[1:] for h in HURT], ids=[h[0] for h in HURT])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_recordings_that_lack_something(tmp_path, capsys, channels, hurt, subtype):
    source = recording(tmp_path / "mix.wav", hurt(mixture(channels)), subtype)
    report = one_of_two(capsys, tmp_path, source)
    if report is not None:
        assert said(report, "silen", "dead", "rank", "same", "inactive", "reduc", "alike", "constant", "copy"), report


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_sample_that_is_no_number(tmp_path, capsys, value):
    x = mixture()
    x[1, 1234] = value
    assert one_of_two(capsys, tmp_path, recording(tmp_path / "mix.wav", x, "FLOAT")) is None


def test_clipped(tmp_path, capsys):
    source = recording(tmp_path / "mix.wav", np.clip(20 * mixture(), -1, 1 - 2**-15))
    assert one_of_two(capsys, tmp_path, source) is not None


@pytest.mark.parametrize("samples", [0, 1, 2, 100, 513])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_very_short(tmp_path, capsys, samples, subtype):
    source = recording(tmp_path / "mix.wav", mixture()[:, :samples], subtype)
    report = one_of_two(capsys, tmp_path, source)
    assert samples or report is None
    if report is not None:
        assert {part.shape[1] for part in parts(tmp_path / "out").values()} == {samples}


@pytest.mark.parametrize("gain", [1e-8, 1e-30, 1e4, 1e8])
def test_any_gain(tmp_path, capsys, gain):
    x = mixture()
    report = one_of_two(capsys, tmp_path, recording(tmp_path / "mix.wav", gain * x, "FLOAT"))
    if report is not None:
        total = sum(part[0] for part in parts(tmp_path / "out").values())
        assert np.abs(total - gain * x[0]).max() <= 1e-6 * gain * np.abs(x[0]).max()


def test_more_channels_than_are_taken(tmp_path, capsys):
    source = recording(tmp_path / "mix.wav", np.tile(mixture(1, 2000), (65, 1)))
    assert one_of_two(capsys, tmp_path, source) is None


def test_more_sources_than_microphones(tmp_path, capsys):
    source = recording(tmp_path / "mix.wav")
    assert one_of_two(capsys, tmp_path, source, "--sources", "5", "--method", "ilrma") is None
    assert len(one_of_two(capsys, tmp_path, source, "--sources", "5")["files"]) == 8


# ---- files that lie ---------------------------------------------------------------------------------------


def lying_flac():
    """99 bytes that claim 2^36 - 1 frames: a STREAMINFO block and nothing that could be decoded."""
    rate, channels, bits, frames = 44_100, 2, 16, 2**36 - 1
    packed = rate << 44 | (channels - 1) << 41 | (bits - 1) << 36 | frames
    info = struct.pack(">HH", 4096, 4096) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    return (b"fLaC" + bytes([0x80]) + len(info).to_bytes(3, "big") + info).ljust(99, b"\0")


def truncated_wav(tmp_path):
    return recording(tmp_path / "whole.wav").read_bytes()[:5000]


FILES = {
    "a text file": ("mix.wav", lambda _: b"this is not a sound\n" * 20),
    "an empty file": ("mix.wav", lambda _: b""),
    "only a header": ("mix.wav", lambda folder: recording(folder / "whole.wav").read_bytes()[:44]),
    "half a header": ("mix.wav", lambda folder: recording(folder / "whole.wav").read_bytes()[:20]),
    "a WAV cut short": ("mix.wav", truncated_wav),
    "a FLAC that claims 2^36 frames": ("mix.flac", lambda _: lying_flac()),
    "zeros": ("mix.flac", lambda _: bytes(4096)),
}


@pytest.mark.parametrize(("name", "made"), FILES.values(), ids=FILES)
def test_files_that_lie(tmp_path, capsys, name, made):
    source = tmp_path / name
    source.write_bytes(made(tmp_path))
    report = one_of_two(capsys, tmp_path, source)
    if report is not None:  # a recording that was cut short is taken as far as it goes, and that is said
        assert name == "mix.wav"
        assert said(report, "end", "short", "claim")


@pytest.mark.parametrize("name", ["missing.wav", ".", "folder.wav", "folder.wav/mix.wav"])
def test_no_file_at_all(tmp_path, capsys, name):
    (tmp_path / "folder.wav").mkdir()
    assert one_of_two(capsys, tmp_path, tmp_path / name) is None


NAMES = {
    "a dash": "-", "Japanese": "ドラム 音", "quotes": "a'b\"c", "two lines": "new\nline", "long": "x" * 240,
    "no text": "\udcff",
}  # fmt: skip


@pytest.mark.parametrize("stem", NAMES.values(), ids=NAMES)
def test_names_that_are_hard_to_write(tmp_path, capsys, stem):
    source = recording(tmp_path / "mix.wav").rename(tmp_path / f"{stem}.wav")
    answer = quickly(capsys, "separate", *QUICK, "-o", tmp_path / "out", "--no-plots", "--json", "--", source)
    assert answer[0] == 0 or refused(answer), answer
    assert not left_over(tmp_path)


@pytest.mark.parametrize("words", ["separate .", "learn .", "extract . --example .", "parts .", "extend . --example .",
                                   "transcribe .", "notes . --list", "evaluate . --estimate ."])  # fmt: skip
def test_a_folder_is_no_recording(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuses(capsys, tmp_path, words.split(), "directory")


# ---- places that take nothing -----------------------------------------------------------------------------


def test_a_folder_that_may_not_be_written(tmp_path, capsys, monkeypatch):
    source = recording(tmp_path / "mix.wav")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    if is_root():  # root may write everywhere; ask as if it might not
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    for out in (closed, closed / "deep" / "er"):
        refuses(capsys, tmp_path, ("separate", source, *QUICK, "-o", out), str(closed))


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a file system that takes no files")
def test_a_file_system_that_takes_no_files(tmp_path, capsys):
    source = recording(tmp_path / "mix.wav")
    assert refused(quickly(capsys, "separate", source, *QUICK, "-o", "/proc/otowake"))


@pytest.fixture
def limit(tmp_path_factory, capsys):
    """Sets how large a file may become: a full disk looks much the same."""
    folder = tmp_path_factory.mktemp("warm")  # libraries fill their caches first
    quickly(capsys, "separate", recording(folder / "mix.wav"), *QUICK)
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [500, 20_000, 60_000], ids=["sounds", "a picture", "the other picture"])
def test_a_disk_that_fills_up_at_any_file(tmp_path, capsys, limit, size):
    source = recording(tmp_path / "mix.wav", mixture(samples=4000))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mix-source1.wav").write_text("old")
    limit(size)
    refuses(capsys, tmp_path, ("separate", source, *QUICK, "-o", tmp_path / "out"), str(tmp_path / "out" / "mix-"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mix-source1.wav"]
    assert (tmp_path / "out" / "mix-source1.wav").read_text() == "old"


def test_a_new_folder_goes_again_when_the_disk_is_full(tmp_path, capsys, limit):
    source = recording(tmp_path / "mix.wav")
    limit(500)
    assert refused(quickly(capsys, "separate", source, *QUICK, "-o", tmp_path / "out" / "deep"))
    assert os.listdir(tmp_path) == ["mix.wav"]
