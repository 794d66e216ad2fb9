"""Three sounds from two microphones by masks and by MNMF, and a talker in noise that comes from everywhere."""

from pathlib import Path

import numpy as np
from gallery import MUSIC, smaller, sound, table

import otowake
from otowake.signal.rate import resampled
from otowake.simulate import Room, Scene, around, linear, middle, simulate
from otowake.tasks.drawing.masks import masks
from otowake.tasks.drawing.spectrograms import spectrograms

RATE, SECONDS, HEARD = 16_000, 8, 5
SIZE = (6.0, 5.0, 3.0)  # metres
NAMES = ("The woman", "The man", "The piano")
DIRECTIONS = 24  # of the noise


def make(out: Path) -> dict[str, str]:
    """Pictures and sounds into `out`; tables as texts."""
    return {"three": table(three(out)), "noise": table(noise(out))}


def read(path: Path) -> np.ndarray:
    recording = otowake.read(path)
    return resampled(recording.samples[:1, : SECONDS * recording.rate], recording.rate, RATE)[0]


def talker(n: int) -> np.ndarray:
    """The woman's recording hums at 60 Hz, far below her voice: that goes."""
    spectrum = np.fft.rfft(read(MUSIC.parent / f"two-talkers-ref{n}.flac"))
    spectrum[: (100 if n == 1 else 0) * SECONDS] = 0
    return np.fft.irfft(spectrum, SECONDS * RATE)


def heard(out: Path, sounds: dict[str, np.ndarray]) -> None:
    for name, y in sounds.items():
        sound(out / f"{name}.ogg", y[: HEARD * RATE], RATE)


# ---- three of two ------------------------------------------------------------------------------------------


def three(out: Path) -> list[list[str]]:
    """Both talkers and a piano, 8 cm between two microphones."""
    centre = middle(SIZE)
    room = Room(linear(2, 0.08, centre), around(centre, (40.0, 140.0, 90.0), 1.2, 0.1), SIZE, rt60=0.15)
    scene = simulate([talker(1), talker(2), read(MUSIC / "piano.flac")], RATE, room)
    x, truth = scene.mixture, scene.images[:, 0]
    found = {name: otowake.separate(x, RATE, name, sources=3) for name in ("cacgmm", "fastmnmf", "mnmf")}
    scores = {name: otowake.evaluate(truth, np.asarray(one.sources), x[0]) for name, one in found.items()}
    told, best = found["cacgmm"], np.asarray(found["mnmf"].sources)[scores["mnmf"].permutation]
    masks(
        out / "masks.png", x[0], np.asarray(told.masks)[scores["cacgmm"].permutation], told.transform, RATE, names=NAMES
    )
    smaller(out / "masks.png")
    heard(out, {"three": x[0], **dict(zip(("woman", "man", "piano"), best))})
    rows = [["", *NAMES], ["the mixture", *decibels(scores["cacgmm"].mixture.sdr)]]
    return rows + [[f"`{name}`", *decibels(score.sdr)] for name, score in scores.items()]


# ---- one in noise ------------------------------------------------------------------------------------------


def noise(out: Path) -> list[list[str]]:
    """The woman, and as much power of noise from all around."""
    rows = [["microphones", "before", "`consistent_ilrma`, its best output", "`rcscme`", "`rcscme`: the noise"]]
    for microphones in (2, 3, 4):
        scene = surrounded(microphones)
        x, truth = scene.mixture, np.stack([scene.images[0, 0], scene.images[1:, 0].sum(0)])
        demixed = np.asarray(otowake.separate(x, RATE, "consistent_ilrma").sources)
        ours = otowake.separate(x, RATE, "rcscme")
        target, rest = np.asarray(ours.sources)[0], np.asarray(ours.rest)
        least = otowake.evaluate(truth[:1], demixed, x[0])
        good, left = (otowake.evaluate(one[None], y[None], x[0]) for one, y in zip(truth, (target, rest)))
        sdrs = (good.mixture.sdr, least.sdr, good.sdr, left.sdr)
        rows.append([f"{microphones}", *(f"{float(sdr[0]):.1f} dB" for sdr in sdrs)])
        if microphones == 4:
            shown = np.stack([demixed[least.permutation[0]], target, truth[0]])
            names = ["Demixed (consistent ILRMA)", "Freed from noise (RCSCME)", "The truth"]
            spectrograms(out / "noise.png", x[0], shown, RATE, names=names)
            smaller(out / "noise.png")
            heard(out, {"noisy": x[0], "demixed": shown[0], "freed": target})
    return rows


def surrounded(microphones: int) -> Scene:
    """Each of many directions has a noise of its own, whose power falls by 3 dB an octave."""
    samples, centre = SECONDS * RATE, middle(SIZE)
    white = np.fft.rfft(np.random.default_rng(0).standard_normal((DIRECTIONS, samples)))
    pink = np.fft.irfft(white / np.sqrt(np.fft.rfftfreq(samples, 1 / RATE).clip(100.0)), samples)
    far = around(centre, 7.0 + np.arange(DIRECTIONS) * 360.0 / DIRECTIONS, 2.1, 0.3)
    places = np.concatenate([around(centre, (70.0,), 1.2, 0.1), far], axis=1)
    balance = (0.0, *[-10 * float(np.log10(DIRECTIONS))] * DIRECTIONS)
    room = Room(linear(microphones, 0.05, centre), places, SIZE, rt60=0.2, balance=balance)
    return simulate([talker(1), *pink], RATE, room)


def decibels(values: np.ndarray) -> list[str]:
    return [f"{value:.1f} dB" for value in values]
