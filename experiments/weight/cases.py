"""Sounds with examples of them, and pairs of sounds: some to choose a rule with, others to see what it is worth.

Parts       an instrument's scale, and its part of a piece: the same piece for all, so notes begin together
Speech      a talker's other utterances, and one that is not among them
Halves      the first half of a recording, and the second: guitars, drums, a trumpet, a song, a band

No sound of a test pair is heard in a pair for choosing, nor in an example of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from pathlib import Path

import numpy as np

import otowake
from otowake.signal.rate import resampled

PART = {"oboe": 1, "horn": 1, "flute": 2, "piano": 3, "bassoon": 4}
PART |= {"trumpet": 1, "violin": 2, "clarinet": 2, "harpsichord": 3, "trombone": 4, "cello": 4}
INSTRUMENTS = {
    "development": ("oboe", "horn", "flute", "piano", "bassoon"),
    "test": ("trumpet", "violin", "clarinet", "harpsichord", "trombone", "cello"),
}
SPEAKERS = {"development": ("F_1998", "M_1688"), "test": ("F_3080", "M_2033")}
UTTERANCE = 5  # is heard; the first five are the examples
WITH_SPEECH = {"development": ("oboe", "piano"), "test": ("violin", "harpsichord", "cello")}
BANDS = {"development": ("armygeddon", "chaos_god"), "test": ("internal_degeneration", "mutilated_mime")}
HALVES = {
    "compus": "loops_sonicpi/loop_compus",
    "roll": "loops_sonicpi/drum_roll",
    "fifths": "guitar12/g05_sonicpi_e_fifths",
    "em9": "guitar12/g06_sonicpi_em9",
    "jazz": "guitar12/g07_fluidr3_jazz",
    "clean": "guitar12/g08_fluidr3_clean",
    "muted": "guitar12/g09_fluidr3_muted",
    "overdrive": "guitar12/g10_fluidr3_overdrive",
    "solo": "music_librosa/trumpet_solo",
    "song": "music_librosa/karissa_hobbs_fishin_20s",
}
LOOPS = {
    "development": (("compus", "fifths"), ("compus", "jazz"), ("compus", "muted")),
    "test": (("roll", "clean"), ("roll", "overdrive"), ("solo", "song"), ("solo", "roll"), ("song", "em9")),
}
MUSIC, SPEECH = 22_050, 16_000  # Hz


@dataclass(frozen=True)
class Case:
    """A mixture of two sounds at equal power, of which one is known by its examples.  half: development or test."""

    half: str
    kind: str
    target: str
    other: str

    @property
    def name(self) -> str:
        return f"{self.target}+{self.other}"

    @property
    def rate(self) -> int:
        return SPEECH if "speech" in self.kind else MUSIC


def cases(half: str) -> Iterator[Case]:
    """Every pair, either sound the target, in an order in which any first few are a fair choice."""
    names = INSTRUMENTS[half]
    parts = [("parts", a, b) for i, a in enumerate(names) for b in names[i + 1 :] if PART[a] != PART[b]]
    spoken = [("speech and music", who, name) for who in SPEAKERS[half] for name in WITH_SPEECH[half]]
    talkers = [("speech and speech", *SPEAKERS[half])]
    bands = [("guitar and band", f"{name}_guitar", f"{name}_rest") for name in BANDS[half]]
    loops = [("loops", a, b) for a, b in LOOPS[half]]
    every = [*parts, *spoken, *talkers, *bands, *loops]
    for i in np.random.default_rng(0).permutation(len(every)):
        kind, *pair = every[i]
        for target, other in permutations(pair):
            yield Case(half, kind, target, other)


def sources(audio: Path, case: Case) -> np.ndarray:
    """Target and other, (2, samples), of unit power; their sum is the mixture."""
    pair = [_heard(audio, name, case.rate) for name in (case.target, case.other)]
    both = np.stack([x[: min(map(len, pair))] for x in pair])
    return both / np.sqrt((both**2).mean(1, keepdims=True))


@lru_cache(maxsize=64)
def known(audio: Path, name: str, rate: int) -> otowake.Bases:
    """What `otowake learn` makes of the examples."""
    return otowake.learn([x[None] for x in _examples(audio, name, rate)], rate)


def _heard(audio: Path, name: str, rate: int) -> np.ndarray:
    if name in PART:
        return _read(audio / f"music_gm/fluid_{name}.flac", rate)
    if (audio / "speech_libri_multi" / name).is_dir():
        return _utterances(audio, name, rate)[UTTERANCE]
    whole = _read(_file(audio, name), rate)
    return whole[len(whole) // 2 :]


def _examples(audio: Path, name: str, rate: int) -> list[np.ndarray]:
    if name in PART:
        return [_read(audio / f"music_gm/fluid_{name}_scale.flac", rate)]
    if (audio / "speech_libri_multi" / name).is_dir():
        return _utterances(audio, name, rate)[:UTTERANCE]
    whole = _read(_file(audio, name), rate)
    return [whole[: len(whole) // 2]]


def _utterances(audio: Path, name: str, rate: int) -> list[np.ndarray]:
    files = sorted((audio / "speech_libri_multi" / name).glob("*.flac"))
    return [_read(path, rate) for path in files[: UTTERANCE + 1]]


def _file(audio: Path, name: str) -> Path:
    return audio / (f"{HALVES[name]}.flac" if name in HALVES else f"music_fof_muldjord/{name}.flac")


def _read(path: Path, rate: int) -> np.ndarray:
    recording = otowake.read(path)
    return resampled(recording.samples.mean(0), recording.rate, rate)
