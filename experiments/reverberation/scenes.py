"""Recordings whose reverberation time is known, made in memory, the same every time.

Two microphones 5 cm apart in three simulated rooms, or 9 cm apart in a measured office; 1 to 3 sources of equal power.
Half 0 of the talkers and instruments is for choosing numbers, half 1 for reporting: they share no sound.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from scipy.signal import fftconvolve

from otowake.signal.audio import read
from otowake.simulate import Room, around, linear, middle, simulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "quality"))

RATE, SECONDS = 16_000, 10.0
ROOMS = (((6.5, 5.2, 3.0), 1.5), ((7.5, 6.0, 3.2), 1.0), ((5.0, 4.0, 2.6), 1.2))
"""Sides in metres, and metres from the array to the sources."""
ASKED = (0.2, 0.4, 0.6, 0.9)
"""Seconds; what the responses then have is measured."""
AZIMUTHS = (45.0, 90.0, 135.0)
OFFICE_PAIR = (0, 3)


@dataclass(frozen=True, eq=False)
class Scene:
    """A recording (2, samples) of `sources` sounds of a kind, and the reverberation time in s of its responses."""

    kind: str
    asked: float | None
    sources: int
    seconds: float
    samples: np.ndarray


def scenes(audio: Path, half: int) -> Iterator[Scene]:
    """All of one half.  One generator chooses sounds, in this order, whatever is done with the scenes."""
    rng = np.random.default_rng(half)
    for size, distance in ROOMS:
        for asked in ASKED:
            heard = _responses(size, distance, asked)
            for kind in ("speech", "music"):
                for n in (1, 2, 3):
                    yield _scene(kind, asked, heard[:n], _sounds(audio, kind, half, n, rng))
    for place in range(9):
        for n in (1, 2):
            yield _scene("office", None, _office(audio, place, n), _sounds(audio, "speech", half, n, rng))


def decay_time(response: np.ndarray) -> float:
    """Seconds for 60 dB, from the backward integral of h^2 between -5 and -35 dB (Schroeder 1965)."""
    energy = np.cumsum(response[::-1] ** 2)[::-1]
    level = 10 * np.log10(energy / energy[0] + 1e-30)
    at = np.flatnonzero((level < -5) & (level > -35))
    return -60 / (np.polyfit(at, level[at], 1)[0] * RATE)


def _scene(kind: str, asked: float | None, heard: list[np.ndarray], dry: list[np.ndarray]) -> Scene:
    images = np.stack([fftconvolve(s[None], h, axes=-1)[:, : len(s)] for s, h in zip(dry, heard, strict=True)])
    images /= np.sqrt((images[:, :1] ** 2).mean(-1, keepdims=True))
    return Scene(kind, asked, len(dry), float(np.mean([decay_time(h[0]) for h in heard])), images.sum(0))


def _responses(size: tuple[float, float, float], distance: float, asked: float) -> list[np.ndarray]:
    """(2, taps) for each of the places: what is heard of an impulse."""
    centre = middle(size)
    room = Room(
        linear(2, 0.05, centre), around(centre, AZIMUTHS, distance, 0.1), size, rt60=asked, balance=None
    )  # levels stay as they are: impulses are equal
    impulse = np.eye(1, round((asked + 0.3) * RATE))[0]
    return list(simulate([impulse] * len(AZIMUTHS), RATE, room).images)


def _office(audio: Path, place: int, n: int) -> list[np.ndarray]:
    numbers = [(place + 4 * k) % 9 + 1 for k in range(n)]
    files = [audio / f"rirs_office_ula/rir_source{number}_4mic3cm_16k.flac" for number in numbers]
    return [read(file).samples[list(OFFICE_PAIR)] for file in files]


def _sounds(audio: Path, kind: str, half: int, n: int, rng: np.random.Generator) -> list[np.ndarray]:
    if kind == "speech":
        files = sorted((audio / "speech_libri").glob("*.flac"))
    else:
        files = [file for file in sorted((audio / "music_gm").glob("*.flac")) if "scale" not in file.name]
    own = files[half::2]
    return [_dry(own[k]) for k in rng.choice(len(own), n, replace=False)]


def _dry(file: Path) -> np.ndarray:
    recording = read(file)
    x = recording.samples.mean(0)
    x = x if recording.rate == RATE else soxr.resample(x, recording.rate, RATE)
    count = round(SECONDS * RATE)
    return np.pad(x[:count], (0, max(0, count - len(x))))
