"""Recordings in blocks: sounds keep their places, sums stay exact, what is done is kept, odd blocks are survived."""

import json

import numpy as np
import pytest
import soundfile
from kit import RATE, mixture, recording, refuses, stopped

from otowake.cli import long
from otowake.cli.main import main
from otowake.core.errors import OtowakeError
from otowake.metrics import evaluate
from otowake.opening import ONWARD
from otowake.tasks.blocks import Done, Plan, joined, ordered
from otowake.tasks.separate import separate

QUICK = ("--method", "auxiva", "--stft", "512/128", "--iterations", "3", "--block", "1")


def run(*words):
    return main(list(map(str, words)))


def files(folder):
    """Bytes of what was written, but for the report, which has seconds in it."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix == ".wav"}


def report(folder):
    return json.loads(next(folder.glob("*-separation.json")).read_text())


def sums(folder, expected):
    parts = [soundfile.read(path, dtype="int16")[0].astype(int) for path in sorted(folder.glob("*.wav"))]
    return np.array_equal(sum(parts), expected)


# ---- blocks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 99, 100, 101, 140, 141, 160, 239, 240, 1000])
@pytest.mark.parametrize("size", [7, 64, 5000])
def test_blocks_cover_the_recording_whatever_the_parts(samples, size):
    x = np.arange(2 * samples, dtype=float).reshape(2, samples)
    parts = [x[:, start : start + size] for start in range(0, samples, size)]
    found = list(Plan(8000, 100, 20).cut(parts))
    assert found[0].start == 0
    assert found[-1].start + found[-1].x.shape[-1] == samples
    for one in found:
        assert np.array_equal(one.x, x[:, one.start : one.start + one.x.shape[-1]])
        assert one.x.shape[-1] == min(100, samples)
    for one, after in zip(found, found[1:]):
        assert one.start < after.start <= one.start + 80


def pieces(rng, samples=500, sources=3, length=100, overlap=20):
    """Sounds cut into blocks that have them in another order each."""
    sounds = rng.standard_normal((sources, samples))
    done = []
    for part in Plan(8000, length, overlap).cut([sounds]):
        order = rng.permutation(sources) if part.start else np.arange(sources)
        done.append(Done(part.start, part.x.sum(0), part.x[order], {}))
    return sounds, done


def test_joined_blocks_are_the_sounds_in_the_order_of_the_first():
    sounds, done = pieces(np.random.default_rng(0))
    alike = {}
    stretches = list(joined(done, 3, 20, alike.__setitem__))
    np.testing.assert_allclose(np.concatenate([s.sounds for s in stretches], -1), sounds, atol=1e-12)
    np.testing.assert_allclose(np.concatenate([s.heard for s in stretches], -1), sounds.sum(0), atol=1e-12)
    assert list(alike) == [one.start for one in done[1:]]
    assert min(alike.values()) > 1 - 1e-9


def test_a_block_with_fewer_sounds_has_silence_for_the_others():
    sounds, done = pieces(np.random.default_rng(1))
    done[1] = done[1]._replace(sounds=done[1].sounds[:1])
    whole = np.concatenate([s.sounds for s in joined(done, 3, 20)], -1)
    assert whole.shape == sounds.shape
    middle = whole[:, done[1].start + 20 : done[2].start]
    assert sorted(np.abs(middle).max(-1) > 0) == [False, False, True]


def test_order_is_by_likeness_and_silence_is_like_all():
    rng = np.random.default_rng(2)
    before = rng.standard_normal((3, 50))
    sounds, least = ordered(before[[2, 0, 1]], before, 50)
    assert np.array_equal(sounds, before)
    assert least == pytest.approx(1)
    assert ordered(np.zeros((3, 50)), before, 50)[1] == 1


# ---- the command ------------------------------------------------------------------------------------------------


@pytest.fixture
def talk(tmp_path):
    return recording(tmp_path / "talk.wav", mixture(samples=4 * RATE + 77))


def test_sounds_add_up_and_are_as_long_as_the_recording(talk, tmp_path):
    assert run("separate", talk, "-o", tmp_path / "out", *QUICK) == 0
    heard = soundfile.read(talk, dtype="int16")[0][:, 0].astype(int)
    assert sums(tmp_path / "out", heard)
    told = report(tmp_path / "out")
    assert told["settings"]["block"] == 1
    assert [one["from"] for one in told["blocks"][:3]] == pytest.approx([0, 0.9, 1.8])
    assert "blocks of 1 s" in told["notes"][0]
    assert not list(tmp_path.glob("out/*unfinished*"))


def test_why_auto_took_its_method_is_told(talk, tmp_path):
    words = ("--stft", "512/128", "--iterations", "1", "--block", "1")
    assert run("separate", talk, "-o", tmp_path / "out", *words) == 0
    assert report(tmp_path / "out")["why"].startswith("2 microphones")


def test_what_was_stopped_goes_on_with_the_same_bits(talk, tmp_path, monkeypatch):
    assert run("separate", talk, "-o", tmp_path / "whole", *QUICK) == 0
    separated, done = Plan.separated, []

    def stops(self, part, *rest):
        if len(done) == 2:
            raise OtowakeError("The power went out.")
        done.append(part.start)
        return separated(self, part, *rest)

    monkeypatch.setattr(Plan, "separated", stops)
    assert run("separate", talk, "-o", tmp_path / "out", *QUICK) == 2
    assert not list((tmp_path / "out").glob("*.wav"))
    again = []
    monkeypatch.setattr(
        Plan, "separated", lambda self, part, *rest: again.append(part.start) or separated(self, part, *rest)
    )
    assert run("separate", talk, "-o", tmp_path / "out", *QUICK) == 0
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert len(again) == len(report(tmp_path / "out")["blocks"]) - 2


def test_ctrl_c_says_what_is_kept(tmp_path):
    x = recording(tmp_path / "long.wav", mixture(samples=60 * RATE))
    words = ("separate", x, "-o", tmp_path / "out", *QUICK, "-v")
    end = stopped(*words, once="minutes: ")
    assert end.code == 130
    assert end.seconds < 8
    assert "nothing was written" in end.err
    assert not (tmp_path / "out").exists()
    end = stopped(*words, once="block 1 is done")
    assert end.code == 130
    assert "the same command goes on from there" in end.err
    assert (tmp_path / "out" / "long-unfinished" / "00000.npz").is_file()


def test_other_wishes_begin_anew(talk, tmp_path, monkeypatch):
    folder = tmp_path / "talk-unfinished"
    kept = long.Kept(folder, {"seed": 0})
    kept.put(0, Done(0, np.ones(5), np.ones((1, 5)), {"rest": False}))
    assert 0 in long.Kept(folder, {"seed": 0})
    assert 0 not in long.Kept(folder, {"seed": 1})


def test_silence_and_a_dead_microphone_in_between(tmp_path):
    x = mixture(samples=6 * RATE)
    x[:, 2 * RATE : 4 * RATE] = 0
    x[1, 5 * RATE :] = x[0, 5 * RATE :]
    path = recording(tmp_path / "odd.wav", x)
    assert run("separate", path, "-o", tmp_path / "out", *QUICK) == 0
    assert sums(tmp_path / "out", soundfile.read(path, dtype="int16")[0][:, 0].astype(int))
    notes = " ".join(report(tmp_path / "out")["notes"])
    assert "It is silent" in notes
    assert "independent signal" in notes


def test_microphones_of_their_own_files(tmp_path):
    x = mixture(samples=3 * RATE)
    paths = [recording(tmp_path / f"m{c}.wav", x[c]) for c in range(2)]
    assert run("separate", "--stack", *paths, "-o", tmp_path / "out", *QUICK) == 0
    assert sums(tmp_path / "out", soundfile.read(paths[0], dtype="int16")[0].astype(int))


@pytest.mark.parametrize(("x", "rate", "said"), [
    (mixture(1, 3 * RATE - 9), RATE, "lengths"), (mixture(1, 9 * RATE + 9), RATE, "lengths"),
    (mixture(1, 3 * RATE), 2 * RATE, f"{2 * RATE}"),
])  # fmt: skip
def test_files_that_are_not_of_one_recording(tmp_path, capsys, x, rate, said):
    first = recording(tmp_path / "m0.wav", mixture(1, 3 * RATE))
    other = recording(tmp_path / "m1.wav", x, rate=rate)
    refuses(capsys, tmp_path, ("separate", "--stack", first, other, "-o", tmp_path / "out", *QUICK), said)


def test_every_microphone_and_a_part_that_clips(tmp_path):
    path = recording(tmp_path / "talk.wav", 0.99 * mixture(samples=3 * RATE) / 0.5)
    assert run("separate", path, "-o", tmp_path / "out", *QUICK, "--images", "all") == 0
    parts = [soundfile.read(one)[0] for one in sorted((tmp_path / "out").glob("*.wav"))]
    np.testing.assert_allclose(sum(parts), soundfile.read(path)[0], atol=1e-6)


@pytest.mark.parametrize("seconds", ["0", "9"])
def test_short_ones_stay_in_one_piece(talk, tmp_path, seconds):
    assert run("separate", talk, "-o", tmp_path / "out", *QUICK[:-1], seconds, "--no-plots") == 0
    assert "blocks" not in report(tmp_path / "out")


def test_all_silent(tmp_path, capsys):
    path = recording(tmp_path / "none.wav", np.zeros((2, 3 * RATE)))
    assert run("separate", path, "-o", tmp_path / "out", *QUICK) == 2
    assert "silent" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*.wav"))


# ---- going on from block to block ------------------------------------------------------------------------------

WARM = ("--method", "auxiva", "--stft", "512/128", "--iterations", "30", "--block", "3", "--no-plots")


def stay(seconds, seeds=(0,)):
    """(images n m samples) of two sounds; at equal times for each seed they come from other places."""
    rng, samples = np.random.default_rng(5), seconds * RATE
    at = np.arange(samples) / RATE
    sounds = np.stack([(0.05 + np.sin(np.pi * (1.3 + n) * at + n) ** 4) * rng.laplace(size=samples) for n in range(2)])
    pieces = []
    for k, seed in enumerate(seeds):
        filters = np.random.default_rng(seed).standard_normal((2, 2, 16)) * 0.6 ** np.arange(16)
        images = np.stack([[np.convolve(s, h)[:samples] for h in hs] for s, hs in zip(sounds, filters)])
        pieces.append(images[..., k * samples // len(seeds) : (k + 1) * samples // len(seeds)])
    images = np.concatenate(pieces, -1)
    return 0.5 * images / np.abs(images.sum(0)).max()


def sdr(images, sounds, start, end):
    part = np.s_[:, start * RATE : end * RATE]
    return evaluate(images[:, 0][part], sounds[part], taps=32).sdr.mean()


def separated(tmp_path, images, *words):
    path = recording(tmp_path / "talk.wav", images.sum(0))
    assert run("separate", path, "-o", tmp_path / "out", *(words or WARM)) == 0
    sounds = np.stack([soundfile.read(one)[0] for one in sorted((tmp_path / "out").glob("*-source*.wav"))])
    return sounds, report(tmp_path / "out")


def test_blocks_that_go_on_are_as_good_as_those_that_begin_anew(tmp_path, monkeypatch):
    images = stay(12)
    (tmp_path / "cold").mkdir()
    warm, told = separated(tmp_path, images)
    assert [one.get("onward", False) for one in told["blocks"]] == [False, *[True] * (len(told["blocks"]) - 1)]
    assert all(one["iterations"] == ONWARD for one in told["blocks"][1:])
    monkeypatch.setattr("otowake.tasks.separate.onward", lambda *_: None)
    cold, told = separated(tmp_path / "cold", images)
    assert not any(one.get("onward") for one in told["blocks"])
    assert sdr(images, warm, 3, 12) > sdr(images, cold, 3, 12) - 0.5


def test_who_moves_is_followed(tmp_path):
    images = stay(24, (0, 9))
    sounds, _ = separated(tmp_path, images)
    assert sdr(images, sounds, 18, 24) > sdr(images, sounds, 3, 9) - 2


def test_a_method_that_cannot_go_on_says_so(tmp_path):
    words = ("--method", "cacgmm", "--stft", "512/128", "--iterations", "3", "--block", "2", "--no-plots")
    _, told = separated(tmp_path, stay(6), *words)
    assert any("begins every block anew" in note for note in told["notes"])


def test_filters_that_do_not_fit_are_left(tmp_path):
    x = stay(2).sum(0)
    options = {"method": "auxiva", "stft": "512/128", "iterations": 7}
    first = separate(x, RATE, **options)
    assert separate(x, RATE, begin=first.filters, **options).onward
    assert not separate(x, RATE, begin=first.filters, **(options | {"stft": "256/64"})).onward
    assert not separate(x, RATE, begin={"Q": first.filters["W"]}, **options).onward
    assert not separate(x, RATE, begin=first.filters, **(options | {"method": "hva"})).onward
