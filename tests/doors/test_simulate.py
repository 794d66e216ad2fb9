"""Simulated rooms: the parts add up, the asked levels and times are there, every refusal is one sentence."""

import builtins
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from kit import one_sentence
from typer.testing import CliRunner

from otowake.cli.simulate import simulate as command
from otowake.core.errors import OtowakeError
from otowake.simulate import Room, around, circular, linear, middle, simulate

pytest.importorskip("pyroomacoustics", reason="needs the extra: pip install 'otowake[simulate]'")

RATE = 16000
SIZE = (6.0, 5.0, 3.0)
CENTRE = middle(SIZE)


def bursts(seed: int, seconds: float = 1.0) -> np.ndarray:
    """Noise that comes and goes, different for every seed."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    return rng.standard_normal(n) * (1.2 + np.sin(2 * np.pi * (2 + seed) * np.arange(n) / RATE))


def room(n: int = 2, m: int = 2, **changes) -> Room:
    places = around(CENTRE, np.linspace(40, 140, n), 1.5, 0.1)
    return Room(**{"microphones": linear(m, 0.05, CENTRE), "sources": places, "size": SIZE} | changes)


def decibels(x: np.ndarray) -> float:
    return float(10 * np.log10((x**2).mean()))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 2), (3, 4)])
def test_the_mixture_is_the_sum_of_its_parts(n, m):
    scene = simulate([bursts(k) for k in range(n)], RATE, room(n, m, snr_db=20.0))
    assert scene.images.shape == (n, m, RATE)
    assert np.abs(scene.mixture - scene.images.sum(0) - scene.noise).max() <= 1e-12
    assert max(np.abs(scene.mixture).max(), np.abs(scene.images).max()) == pytest.approx(0.9)


def test_sources_have_equal_power_at_microphone_1():
    scene = simulate([bursts(1), 100 * bursts(2), 1e-9 * bursts(3)], RATE, room(3))
    assert np.ptp([decibels(image) for image in scene.images[:, 0]]) < 1e-9


def test_a_balance_is_kept():
    scene = simulate([bursts(1), bursts(2)], RATE, room(balance=(0.0, -6.0)))
    assert decibels(scene.images[0, 0]) - decibels(scene.images[1, 0]) == pytest.approx(6)
    own = [simulate([g * bursts(1), bursts(2)], RATE, room(balance=None)).images[:, 0] for g in (1, 10)]
    first, louder = (decibels(images[0]) - decibels(images[1]) for images in own)
    assert louder - first == pytest.approx(20)


@pytest.mark.parametrize("snr", [-5.0, 10.0, 40.0])
def test_the_noise_has_the_asked_level(snr):
    scene = simulate([bursts(1), bursts(2)], RATE, room(snr_db=snr))
    assert decibels(scene.images.sum(0)) - decibels(scene.noise) == pytest.approx(snr, abs=0.1)


def test_without_noise_there_is_none():
    assert not simulate([bursts(1)], RATE, room(1)).noise.any()


def test_the_same_arguments_give_the_same_scene():
    sounds = [bursts(1), bursts(2)]
    one, same, other = (simulate(sounds, RATE, room(snr_db=30.0, seed=s)) for s in (3, 3, 4))
    assert np.array_equal(one.mixture, same.mixture)
    assert one.geometry == same.geometry
    assert not np.array_equal(one.noise, other.noise)


@pytest.mark.parametrize("rt60", [0.2, 0.3, 0.5])
def test_the_reverberation_time_is_about_as_asked(rt60):
    scene = simulate([bursts(1)], RATE, room(1, rt60=rt60))
    assert scene.geometry["rt60_measured_s"] == pytest.approx(rt60, rel=0.35)


def delay(a: np.ndarray, b: np.ndarray, finer: int = 16) -> float:
    """Samples by which b is later than a, from their cross-correlation on a finer grid."""
    n = len(a)
    cross = np.fft.irfft(np.conj(np.fft.rfft(a, 2 * n)) * np.fft.rfft(b, 2 * n), 2 * n * finer)
    peak = int(np.argmax(cross))
    return (peak if peak < n * finer else peak - 2 * n * finer) / finer


@pytest.mark.parametrize("azimuth", [10.0, 60.0, 90.0, 170.0])
def test_sound_arrives_when_the_geometry_says(azimuth):
    pair, place = linear(2, 0.3, CENTRE), around(CENTRE, [azimuth], 1.5)
    scene = simulate([bursts(1)], RATE, Room(pair, place, SIZE, rt60=0.0))
    near, far = np.linalg.norm(pair - place, axis=0)
    expected = (far - near) / scene.geometry["sound_speed_m_s"] * RATE
    assert delay(*scene.mixture) == pytest.approx(expected, abs=0.1)


def test_a_shorter_source_is_followed_by_silence():
    scene = simulate([bursts(1, 1.0), bursts(2, 0.25)], RATE, room(rt60=0.0))
    assert scene.mixture.shape == (2, RATE)
    assert np.abs(scene.images[1, :, RATE // 2 :]).max() < 1e-12


def test_arrays_and_places():
    assert np.allclose(np.diff(linear(4, 0.05, CENTRE)[0]), 0.05)
    assert np.allclose(linear(2, 1.0, (0.0, 0.0, 0.0), 90.0)[1], [-0.5, 0.5])
    ring = circular(6, 0.1, CENTRE)
    assert np.allclose(np.linalg.norm(ring - np.reshape(CENTRE, (3, 1)), axis=0), 0.1)
    assert np.allclose(around((1.0, 2.0, 1.0), [90.0], 2.0, 0.1)[:, 0], [1, 4, 1.1])
    scene = simulate([bursts(1)], RATE, Room(ring, around(CENTRE, [30.0], 1.5), SIZE))
    assert scene.geometry["azimuths_deg"] == [pytest.approx(30)]
    assert json.loads(json.dumps(scene.geometry)) == scene.geometry


TWO = [bursts(1), bursts(2)]
REFUSED = {
    "no source": ([], RATE, room(), "no source"),
    "silent": ([bursts(1), np.zeros(100)], RATE, room(), "Source 2 is silent"),
    "empty": ([np.zeros(0)], RATE, room(1), "Source 1 is silent"),
    "NaN": ([bursts(1), np.full(9, np.nan)], RATE, room(), "Source 2 has NaN"),
    "two channels": ([np.ones((2, 9))], RATE, room(1), "one channel"),
    "rates": (TWO, [RATE, 8000], room(), "resample"),
    "rate": (TWO, 0, room(), "rate is 0"),
    "nothing arrives": (
        [np.eye(1, 9)[0]],
        RATE,
        room(1, sources=around(CENTRE, [90.0], 2.0)),
        "longer sound",
    ),
    "places": (TWO, RATE, room(3), "2 sounds and 3 places"),
    "outside": (TWO, RATE, room(sources=around(CENTRE, [40.0, 140.0], 4.0)), "Source 2 at .* outside"),
    "mic outside": (TWO, RATE, room(microphones=linear(2, 9.0, CENTRE)), "Microphone 1 at .* outside"),
    "NaN place": (TWO, RATE, room(microphones=np.full((3, 2), np.nan)), "outside"),
    "no place": (TWO, RATE, room(sources=np.ones((3, 0))), "shape"),
    "on top": (TWO, RATE, room(microphones=around(CENTRE, [40.0], 1.5, 0.1)), "on top of source 1"),
    "rt60 too short": (TWO, RATE, room(rt60=0.01), "too short"),
    "rt60 too long": (TWO, RATE, room(rt60=9.0), "ask for less"),
    "rt60 negative": (TWO, RATE, room(rt60=-1.0), "0 or more"),
    "rt60 NaN": (TWO, RATE, room(rt60=float("nan")), "0 or more"),
    "size": (TWO, RATE, room(size=(6.0, 0.0, 3.0)), "three sides"),
    "snr": (TWO, RATE, room(snr_db=float("inf")), "finite"),
    "balance": (TWO, RATE, room(balance=(1.0,)), "each a level"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_one_sentence(case):
    sounds, rate, place, words = REFUSED[case]
    with one_sentence(words):
        simulate(sounds, rate, place)


@pytest.mark.parametrize("make", [lambda: linear(0, 0.05, CENTRE), lambda: circular(3, 0.0, CENTRE)])
def test_arrays_that_cannot_be_are_refused(make):
    with pytest.raises(OtowakeError, match="give"):
        make()


def test_a_missing_library_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "pyroomacoustics":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OtowakeError, match=r"pip install 'otowake\[simulate\]'"):
        simulate(TWO, RATE, room())


# ---- the command --------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    soundfile.write(tmp_path / "a.wav", 0.1 * bursts(1, 1.0), RATE, subtype="FLOAT")
    both = np.stack([bursts(2, 0.5), bursts(3, 0.5)], axis=1)
    soundfile.write(tmp_path / "b.wav", 0.1 * both[: RATE // 4], RATE // 2, subtype="FLOAT")
    return [str(tmp_path / "a.wav"), str(tmp_path / "b.wav")]


def run(*words: str):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, list(words))


def test_the_command_writes_a_scene(files, tmp_path):
    done = run(*files, "-o", str(tmp_path / "made"), "--snr", "30", "--azimuths", "50,120")
    assert done.exit_code == 0, done.output
    parts = [soundfile.read(tmp_path / "made" / f"{name}.wav")[0] for name in ("mixture", "image1", "image2")]
    assert [part.shape for part in parts] == [(RATE, 2)] * 3
    rest = parts[0] - parts[1] - parts[2]
    assert decibels(parts[0] - rest) - decibels(rest) == pytest.approx(30, abs=0.1)
    for words in ("b.wav has 8000 Hz: resampled", "b.wav has 2 channels", "followed by 0.50 s of silence"):
        assert words in done.output


def test_the_command_speaks_json(files, tmp_path):
    words = [
        "--array",
        "circular",
        "--mics",
        "3",
        "--room",
        "5x4x2.5",
        "--seconds",
        "0.5",
        "--format",
        "flac",
    ]
    done = run(*files, "-o", str(tmp_path), "--json", *words)
    report = json.loads(done.stdout)
    assert report == json.loads((tmp_path / "scene.json").read_text())
    assert report["geometry"]["room_m"] == [5, 4, 2.5]
    assert soundfile.info(tmp_path / report["mixture"]).frames == RATE // 2
    assert report["images"] == ["image1.flac", "image2.flac"]
    microphones = np.array(report["geometry"]["microphones_m"])
    assert np.linalg.norm(microphones[0] - microphones[1]) == pytest.approx(0.05, abs=1e-5)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--room", "6by5"], "--room"),
        (["--room", "6x5"], "three sides"),
        (["--azimuths", "40"], "2 sources"),
        (["--seconds", "0"], "--seconds"),
        (["--rate", "0"], "--rate"),
        (["--rt60", "0.01"], "too short"),
        (["--mics", "0"], "give 1 to 64"),
        (["--mics", "65"], "give 1 to 64"),
        (["--spacing", "nan"], "spacing is nan m"),
        (["--spacing", "9"], "Microphone 1 at .* is outside the room"),
        (["--distance", "9"], "Source 1 at .* is outside the room"),
        (["--azimuths", "40,nan"], "not all angles"),
        (["--azimuths", "40,90,140"], "3 directions for 2 sources"),
        (["--room", "6x5x3x2"], "three sides"),
        (["--seconds", "inf"], "--seconds inf"),
        (["--rate", "100000000"], "outside 1000 to 768000 Hz"),
    ],
)
def test_the_command_refuses(files, tmp_path, words, sentence):
    done = run(*files, "-o", str(tmp_path / "made"), *words)
    assert isinstance(done.exception, OtowakeError)
    assert re.search(sentence, str(done.exception))
    assert "\n" not in str(done.exception)
    assert not (tmp_path / "made").exists()


def test_the_command_does_not_overwrite_a_source(files, tmp_path):
    source = Path(files[0]).rename(tmp_path / "image1.wav")
    done = run(str(source), "-o", str(tmp_path))
    assert isinstance(done.exception, OtowakeError)
    assert "one of the sources" in str(done.exception)
