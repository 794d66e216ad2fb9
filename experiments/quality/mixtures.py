"""The mixtures of the quality comparison, made in memory, the same every time.

As many microphones as sources; images at microphone 1 have equal power; no noise.  Simulated rooms measure
6.5 x 5.2 x 3 m with a linear array of 5 cm spacing and sources 1.5 m away; the office is measured (two
loudspeakers 0.5 m away and 93 degrees apart, two microphones at 9 cm).

    python experiments/quality/mixtures.py [--audio FOLDER]      lists them
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from scipy.signal import fftconvolve

from otowake.core.errors import OtowakeError
from otowake.signal.audio import read
from otowake.simulate import Room, around, linear, middle, simulate
from otowake.simulate.room import PEAK

RATE = 16000
SIZE = (6.5, 5.2, 3.0)
LIBRI, ARCTIC, MUSIC, LOOPS, OFFICE = (
    "speech_libri/{}.flac",
    "speech_arctic/cmu_arctic_us_{}.wav",
    "music_gm/fluid_{}.flac",
    "loops_sonicpi/{}.flac",
    "rirs_office_ula/rir_source{}_{}_16k.flac",
)


@dataclass(frozen=True)
class Recipe:
    """One mixture: which sounds (each one or more files, one after another), from where, in which room.

    Args:
        rt60: seconds; None is the measured office.
        azimuths: degrees, seen along the array.
        microphones: in simulated rooms; 0 is as many as sources.
        aside: metres by which the array stands beside the middle of a simulated room.
        turn: degrees by which array and sources are turned together.
        places: of the sources in the office: positions of geometry.json, from 1.
        array, heard: in the office: which array, and which of its microphones, from 0.
    """

    name: str
    kind: str
    sounds: tuple[tuple[str, ...], ...]
    rt60: float | None
    azimuths: tuple[float, ...] = ()
    seconds: float = 9.0
    microphones: int = 0
    rate: int = RATE
    aside: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0
    places: tuple[int, ...] = (1, 3)
    array: str = "4mic3cm"
    heard: tuple[int, ...] = (0, 3)


@dataclass(frozen=True, eq=False)
class Mixture:
    """What is separated and what should come out.

    Args:
        name, kind: kind is speech2, speech3, music2, music3, office2 or more2.
        mixture: (m, samples), peak at most 0.9.
        images: (n, samples), each source as microphone 1 hears it.
        rate: Hz.
    """

    name: str
    kind: str
    mixture: np.ndarray
    images: np.ndarray
    rate: int


def _files(pattern: str, *names: str) -> tuple[tuple[str, ...], ...]:
    return tuple((pattern.format(name),) for name in names)


AEW = tuple(ARCTIC.format(f"aew_a000{k}") for k in (1, 2, 3))
AXB = tuple(ARCTIC.format(f"axb_a000{k}") for k in (4, 5, 6))
AMEN = (LOOPS.format("loop_amen"),) * 6  # a drum loop of 1.75 s, as it is meant to be used

RECIPES = (
    Recipe("libri-fm-200", "speech2", _files(LIBRI, "F_40-121026-0000", "M_405-130894-0000"), 0.2, (45, 130)),
    Recipe("libri-ff-200", "speech2", _files(LIBRI, "F_1069-133699-0000", "F_8238-274553-0000"), 0.2, (60, 150)),
    Recipe("arctic-200", "speech2", (AEW, AXB), 0.2, (30, 100), 8.0),
    Recipe("libri-mm-300", "speech2", _files(LIBRI, "M_2136-5140-0000", "M_6925-80680-0000"), 0.3, (45, 130)),
    Recipe("libri-mf-300", "speech2", _files(LIBRI, "M_1235-135883-0000", "F_887-123289-0000"), 0.3, (70, 120)),
    Recipe("arctic-300", "speech2", (AXB, AEW), 0.3, (40, 140), 8.0),
    Recipe(
        "libri-fmf-200",
        "speech3",
        _files(LIBRI, "F_2817-142371-0000", "M_460-172357-0000", "F_3440-171006-0000"),
        0.2,
        (30, 80, 140),
    ),
    Recipe(
        "libri-mfm-300",
        "speech3",
        _files(LIBRI, "M_8609-262281-0000", "F_150-126107-0000", "M_5678-43301-0000"),
        0.3,
        (40, 95, 150),
    ),
    Recipe("piano-flute-200", "music2", _files(MUSIC, "piano", "flute"), 0.2, (45, 130)),
    Recipe("trumpet-cello-200", "music2", _files(MUSIC, "trumpet", "cello"), 0.2, (60, 150)),
    Recipe("drums-piano-200", "music2", (AMEN, *_files(MUSIC, "piano")), 0.2, (40, 110)),
    Recipe("oboe-harpsichord-300", "music2", _files(MUSIC, "oboe", "harpsichord"), 0.3, (45, 130)),
    Recipe("violin-bassoon-300", "music2", _files(MUSIC, "violin", "bassoon"), 0.3, (30, 100)),
    Recipe(
        "piano-clarinet-trombone-200",
        "music3",
        _files(MUSIC, "piano", "clarinet", "trombone"),
        0.2,
        (35, 90, 145),
    ),
    Recipe("drums-horn-cello-300", "music3", (AMEN, *_files(MUSIC, "horn", "cello")), 0.3, (30, 80, 140)),
    Recipe("office-fm", "office2", _files(LIBRI, "F_83-11691-0000", "M_831-130739-0000"), None),
    Recipe("office-mf", "office2", _files(LIBRI, "M_911-128684-0000", "F_1898-145702-0000"), None),
    Recipe("office-ff", "office2", _files(LIBRI, "F_4297-13006-0000", "F_6147-34605-0000"), None),
)
NAMES = tuple(recipe.name for recipe in RECIPES)

MORE = (
    Recipe("more-fm-300", "more2", RECIPES[0].sounds, 0.3, (45, 130), microphones=4),
    Recipe("more-ff-300", "more2", RECIPES[1].sounds, 0.3, (60, 150), microphones=4),
    Recipe("more-mm-300", "more2", RECIPES[3].sounds, 0.3, (45, 130), microphones=4),
    Recipe("more-mf-300", "more2", RECIPES[4].sounds, 0.3, (70, 120), microphones=4),
)
"""Four microphones for two voices; not part of the comparison of determined methods."""


def audio_folder() -> Path:
    """The environment's OTOWAKE_AUDIO, or shared/audio beside the checkout."""
    return Path(os.environ.get("OTOWAKE_AUDIO") or Path(__file__).resolve().parents[3] / "shared" / "audio")


def mixtures(audio: Path, names: tuple[str, ...] = NAMES) -> Iterator[Mixture]:
    """Makes the named mixtures, one by one, from the recordings in `audio`.  Errors: `OtowakeError`."""
    known = [recipe.name for recipe in (*RECIPES, *MORE)]
    unknown = set(names) - set(known)
    if unknown:
        raise OtowakeError(f"There is no mixture {min(unknown)}: choose from {', '.join(known)}.")
    for recipe in (*RECIPES, *MORE):
        if recipe.name in names:
            yield make(recipe, audio)


def make(recipe: Recipe, audio: Path) -> Mixture:
    dry = [_sound(files, audio, recipe) for files in recipe.sounds]
    images = _office(dry, recipe, audio) if recipe.rt60 is None else _room(dry, recipe)
    return Mixture(recipe.name, recipe.kind, images.sum(0), images[:, 0], recipe.rate)


def _sound(files: tuple[str, ...], audio: Path, recipe: Recipe) -> np.ndarray:
    sound = np.concatenate([_mono(audio / file, recipe.rate) for file in files])
    count = round(recipe.seconds * recipe.rate)
    return np.pad(sound[:count], (0, max(0, count - len(sound))))


def _mono(path: Path, rate: int) -> np.ndarray:
    recording = read(path)
    samples = recording.samples.mean(0)
    return samples if recording.rate == rate else soxr.resample(samples, recording.rate, rate)


def _room(dry: list[np.ndarray], recipe: Recipe) -> np.ndarray:
    """(n, m, samples) images in a simulated room."""
    centre = np.add(middle(SIZE), (*recipe.aside, 0.0))
    places = around(centre, np.add(recipe.azimuths, recipe.turn), 1.5, 0.1)
    array = linear(recipe.microphones or len(dry), 0.05, centre, recipe.turn)
    return simulate(dry, recipe.rate, Room(array, places, SIZE, rt60=recipe.rt60 or 0.0)).images


def _office(dry: list[np.ndarray], recipe: Recipe, audio: Path) -> np.ndarray:
    """(n, m, samples) images in the measured office."""
    paths = [audio / OFFICE.format(place, recipe.array) for place in recipe.places]
    responses = [read(path).samples[list(recipe.heard)] for path in paths]
    images = np.stack([fftconvolve(s[None], h, axes=-1)[:, : len(s)] for s, h in zip(dry, responses, strict=True)])
    images /= np.sqrt((images[:, :1] ** 2).mean(-1, keepdims=True))
    return PEAK / np.abs(images.sum(0)).max() * images


def main() -> None:
    parser = argparse.ArgumentParser(description="Lists the mixtures of the quality comparison.")
    parser.add_argument("--audio", type=Path, default=audio_folder(), help="folder of the recordings")
    for made in mixtures(parser.parse_args().audio):
        m, samples = made.mixture.shape
        what = f"{len(made.images)} sources, {m} microphones, {samples / made.rate:g} s"
        print(f"{made.name:28} {made.kind:8} {what}")


if __name__ == "__main__":
    main()
