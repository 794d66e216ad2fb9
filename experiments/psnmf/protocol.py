"""The published experiment of penalised supervised NMF: instruments, songs, spectrograms, teachers, methods.

Instruments   eleven, in four parts; for each a scale of two octaves (training) and its part of a piece (test)
Songs         two instruments of different parts at equal power, either of them the target: 45 pairs, 90 songs
Spectrogram   |X|, mean 1; 44.1 kHz, Hann 4096/2048
Training      the target's scale ~ F G, Kullback-Leibler, K = 27
Separation    the song ~ F G + H U, F as it was trained, L = 50 columns of H at unit length, a penalty on FᵀH

Source        Kitamura, Saruwatari, Yagi, Shikano, Takahashi, Kondo 2013; what it does not say: README.md.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.divergence.beta import Beta
from otowake.divergence.penalty import Cosine, Orthogonal, Penalty, unit_templates
from otowake.signal.audio import read
from otowake.signal.stft import Stft
from otowake.source import Nmf, Stack
from otowake.source.nmf import Given
from otowake.spatial.observed import Observed

PARTS = {
    "melody1": ("oboe", "trumpet", "horn"),
    "melody2": ("flute", "violin", "clarinet"),
    "midrange": ("piano", "harpsichord"),
    "bass": ("trombone", "bassoon", "cello"),
}
SHORT = {
    "oboe": "ob",
    "trumpet": "tp",
    "horn": "hr",
    "flute": "fl",
    "violin": "vn",
    "clarinet": "cl",
    "piano": "pf",
    "harpsichord": "hp",
    "trombone": "tb",
    "bassoon": "fg",
    "cello": "vc",
}  # the original's names
PART = {name: part for part, names in PARTS.items() for name in names}
RATE = 44100
STFT = Stft(4096, 2048)
K, L = 27, 50
TRAINING = 500  # sweeps
KL = Beta(1.0)
WEIGHTS = 72
RANGE = {"snmf": None, "orthogonal": (-1.0, 5.0), "cosine": (-3.0, 3.0)}  # powers of ten
KINDS: dict[str, type[Orthogonal] | type[Cosine]] = {"orthogonal": Orthogonal, "cosine": Cosine}


@dataclass(frozen=True)
class Song:
    """A target, and what else is heard."""

    target: str
    other: str

    @property
    def name(self) -> str:
        return f"{self.target}+{self.other}"


def songs() -> list[Song]:
    """All 90, in an order that is the same every time and in which any first few are a fair choice."""
    every = [Song(*pair) for pair in permutations(PART, 2) if PART[pair[0]] != PART[pair[1]]]
    return [every[i] for i in np.random.default_rng(0).permutation(len(every))]


@dataclass(frozen=True)
class Library:
    """Where the recordings are: `music_gm` as rendered, or the original's `YMH/<part>` beside `scaleData`."""

    folder: Path

    def melody(self, name: str) -> np.ndarray:
        if self._original.is_dir():
            return _mono(_named(self._original / PART[name], name))
        return _mono(self.folder / f"fluid_{name}.flac")

    def scale(self, name: str) -> np.ndarray:
        if self._original.is_dir():
            near = [path for path in (self.folder / "scaleData", self._original / "scaleData") if path.is_dir()]
            if not near:
                raise OtowakeError(f"{self.folder} has YMH but no scaleData; it holds the scales for training.")
            return _mono(_named(near[0], name))
        return _mono(self.folder / f"fluid_{name}_scale.flac")

    def sources(self, song: Song) -> np.ndarray:
        """Target and other, (2, samples), of unit power; their sum is the song."""
        pair = [self.melody(song.target), self.melody(song.other)]
        samples = min(map(len, pair))
        both = np.stack([x[:samples] for x in pair])
        return both / np.sqrt((both**2).mean(1, keepdims=True))

    @property
    def _original(self) -> Path:
        return self.folder / "YMH"


def _named(folder: Path, name: str) -> Path:
    """The sound file of an instrument: its name or the original's two letters are a word of the file's."""
    found = [path for path in _sounds(folder) if {name, SHORT[name]} & set(re.split("[^a-z]+", path.stem.lower()))]
    ours = [path for path in found if "ymh" in path.stem.lower() or "ymh" in path.parent.name.lower()] or found
    if len(ours) != 1:
        names = ", ".join(path.name for path in _sounds(folder)) or "no sound files"
        raise OtowakeError(f"{folder}: one file must have {name} or {SHORT[name]} in its name; it holds {names}.")
    return ours[0]


def _sounds(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".wav", ".flac"))


def _mono(path: Path) -> np.ndarray:
    recording = read(path)
    if recording.rate != RATE:
        raise OtowakeError(f"{path} has {recording.rate} Hz, the experiment is about {RATE} Hz.")
    return recording.samples.mean(0)


def spectrogram(x: np.ndarray, device: str = "cpu") -> tuple[Tensor, float]:
    """X: 1 f t in single precision with mean |X| = 1, and the scale that was taken out."""
    X = STFT.forward(torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)))
    scale = float(X.abs().mean())
    return (X / scale)[None].to(device), scale


def teacher(library: Library, name: str, seed: int, device: str = "cpu") -> Tensor:
    """F: f k, the bases of an instrument's scale as the training leaves them."""
    X, _ = spectrogram(library.scale(name), device)
    method = Separator(Nmf(K), Observed(KL, 1, power_of_v=1))
    return fitted(method, X, TRAINING, seed).B[0]


def method(kind: str, F: Tensor, weights: Tensor | None) -> Separator:
    """The target is known by F, the rest is not: with weights, a batch of penalised models."""
    penalties: tuple[Penalty, ...] = ()
    if weights is not None:
        penalties = (KINDS[kind](unit_templates(F), weights[:, None, None, None]),)
    rest = Nmf(L, penalties=penalties, norm=2)
    return Separator(Stack((Nmf(K, given=Given(F)), rest)), Observed(KL, 2, power_of_v=1))


def courses(m: Separator, X: Tensor, seed: int) -> Iterator[object]:
    """The source model's state after 0, 1, 2, ... sweeps.

    What `iterate(m, X)` yields, without what a single channel repeats in vain: |X| and the last power.
    """
    s = m.init(X, seed)
    split = m.spatial.split(m.spatial.observe(X, s.p), s.p)
    z = s.z
    while True:
        yield z
        z = m.source.update(z, split)


def fitted(m: Separator, X: Tensor, sweeps: int, seed: int) -> object:
    return next(z for k, z in enumerate(courses(m, X, seed)) if k == sweeps)


def weights_of(kind: str, count: int = WEIGHTS) -> list[float]:
    """Weights mu spread evenly over the decades of the method; SNMF has 0 only."""
    span = RANGE[kind]
    return [0.0] if span is None else [float(f"{mu:.4g}") for mu in np.logspace(*span, count)]
