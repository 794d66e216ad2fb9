"""The mixtures of the experiment, made in memory, the same every time: numbered draws of every cell.

A cell is a kind of recording: sounds, how many of them, how many microphones, the room.

    speech-2-200 ... music-4-office   the grid: as many microphones as sources, 8 s at 16 kHz
    fixture     2 talkers, 2 microphones, RT60 0.2 s          four    2 talkers, 4 microphones, RT60 0.3 s, 8 kHz, 10 s
    under       3 talkers, 2 microphones, RT60 0.2 s         office  2 talkers, 2 microphones, the measured office
    three       3 talkers, 3 microphones, RT60 0.4 s         band    2 instruments, 2 microphones, RT60 0.2 s

What mixture 3 of a cell is made of is drawn from the words "speech-2-200 3": other talkers, another place.  Images at
microphone 1 have equal power; no noise.

    python experiments/which_method/mixtures.py [--cells NAME ...] [--mixtures 1-3] [--make]      lists them
"""

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2]))
from experiments.quality.mixtures import AEW, AMEN, AXB, LIBRI, MUSIC, Mixture, Recipe, audio_folder, make

from otowake.core.errors import OtowakeError

TALKERS = (
    *("F_1069-133699-0000", "F_150-126107-0000", "F_1898-145702-0000", "F_1926-143879-0000", "F_2817-142371-0000"),
    *("F_3440-171006-0000", "F_40-121026-0000", "F_4297-13006-0000", "F_6147-34605-0000", "F_8238-274553-0000"),
    *("F_83-11691-0000", "F_887-123289-0000", "M_1235-135883-0000", "M_1355-39947-0000", "M_2136-5140-0000"),
    *("M_3242-67153-0000", "M_405-130894-0000", "M_460-172357-0000", "M_5678-43301-0000", "M_6209-34599-0000"),
    *("M_6925-80680-0000", "M_831-130739-0000", "M_8609-262281-0000", "M_911-128684-0000"),
)
PARTS = (  # of one piece: whoever plays the same part plays the same notes, and cannot be told apart
    *(("oboe", "trumpet", "horn"), ("flute", "violin", "clarinet")),
    *(("piano", "harpsichord"), ("trombone", "bassoon", "cello")),
)
APART = 35.0  # degrees at least between sources
CLOSE = 15.0  # the same where the office has no places for more: four sources
SEEN = (20.0, 160.0)  # degrees along the array between which sources stand in simulated rooms
ASIDE = 0.5  # metres at most from the middle of the room
SPACINGS = {"4mic3cm": 0.03, "8mic": 0.12}
FIRST = {"4mic3cm": 14 * 0.03, "8mic": 0.03}  # metres: y of the first microphone of the office's arrays, at x = 0


@dataclass(frozen=True)
class Cell:
    """A kind of recording.  rt60: seconds, None is the measured office."""

    name: str
    sounds: str
    sources: int
    microphones: int
    rt60: float | None
    rate: int = 16000
    seconds: float = 8.0


def _room(rt60: float | None) -> str:
    return "office" if rt60 is None else f"{1000 * rt60:.0f}"


GRID = tuple(
    Cell(f"{sounds}-{n}-{_room(rt60)}", sounds, n, n, rt60)
    for sounds in ("speech", "music")
    for n in (2, 3, 4)
    for rt60 in (0.2, 0.4, 0.6, None)
)
FIGURES = (
    Cell("fixture", "speech", 2, 2, 0.2),
    Cell("under", "speech", 3, 2, 0.2),
    Cell("four", "speech", 2, 4, 0.3, 8000, 10.0),
    Cell("office", "speech", 2, 2, None),
    Cell("three", "speech", 3, 3, 0.4),
    Cell("band", "music", 2, 2, 0.2),
)
CELLS = {cell.name: cell for cell in (*GRID, *FIGURES)}


def chosen(patterns: Sequence[str]) -> list[Cell]:
    """Cells by name, by pattern (speech-2-*), or by the words grid, figures and all; in the order of the grid."""
    words = {"all": list(CELLS), "grid": [cell.name for cell in GRID], "figures": [cell.name for cell in FIGURES]}
    wanted = [name for pattern in patterns for name in words.get(pattern, [pattern])]
    for pattern in wanted:
        if not any(fnmatch(name, pattern) for name in CELLS):
            raise OtowakeError(f"There is no cell {pattern}: choose from grid, figures, all, {', '.join(CELLS)}.")
    return [cell for name, cell in CELLS.items() if any(fnmatch(name, pattern) for pattern in wanted)]


def mixture(cell: Cell, number: int, audio: Path) -> Mixture:
    """Mixture `number`, from 1, of a cell."""
    return make(drawn(cell, number), audio)


def drawn(cell: Cell, number: int) -> Recipe:
    """What that mixture is made of."""
    name = f"{cell.name} {number}"
    rng = np.random.default_rng(list(name.encode()))
    sounds = _talkers(cell, number, rng) if cell.sounds == "speech" else _players(cell, rng)
    recipe = Recipe(name, cell.name, sounds, cell.rt60, (), cell.seconds, cell.microphones, cell.rate)
    return _in_office(recipe, cell, number, rng) if cell.rt60 is None else _in_room(recipe, cell, rng)


def _talkers(cell: Cell, number: int, rng: np.random.Generator) -> tuple[tuple[str, ...], ...]:
    """The first two mixtures of "fixture" are CMU Arctic's two talkers, in both orders."""
    names = [TALKERS[k] for k in rng.permutation(len(TALKERS))[: cell.sources]]
    if cell.name == "fixture" and number <= 2:
        return ((AEW, AXB), (AXB, AEW))[number - 1]
    return tuple((LIBRI.format(name),) for name in names)


def _players(cell: Cell, rng: np.random.Generator) -> tuple[tuple[str, ...], ...]:
    """Instruments that play different parts, or the drum loop for one of them."""
    voices = [((MUSIC.format(part[rng.integers(len(part))])),) for part in PARTS]
    band = [*voices, AMEN]
    return tuple(band[k] for k in rng.permutation(len(band))[: cell.sources])


def _in_room(recipe: Recipe, cell: Cell, rng: np.random.Generator) -> Recipe:
    low, high = SEEN
    room = high - low - APART * (cell.sources - 1)
    angles = low + np.sort(rng.uniform(0, room, cell.sources)) + APART * np.arange(cell.sources)
    azimuths = tuple(round(float(angle), 1) for angle in rng.permutation(angles))
    x, y = rng.uniform(-ASIDE, ASIDE, 2)
    return replace(recipe, azimuths=azimuths, aside=(round(x, 2), round(y, 2)), turn=float(rng.integers(360)))


def _in_office(recipe: Recipe, cell: Cell, number: int, rng: np.random.Generator) -> Recipe:
    """Odd numbers take the array of 4 microphones 3 cm apart, as widely as it goes; even ones the 8, 12 cm apart."""
    array = "4mic3cm" if number % 2 else "8mic"
    widest = {2: (0, 3), 3: (0, 1, 3), 4: (0, 1, 2, 3)}[cell.microphones]
    neighbours = [tuple(range(k, k + cell.microphones)) for k in range(8 - cell.microphones + 1)]
    sets = _apart(array, [widest] if number % 2 else neighbours, cell.sources)
    heard = list(sets)[rng.integers(len(sets))]
    places = sets[heard][rng.integers(len(sets[heard]))]
    shuffled = tuple(places[k] for k in rng.permutation(cell.sources))
    return replace(recipe, array=array, heard=heard, places=shuffled)


def _apart(array: str, choices: list[tuple[int, ...]], sources: int) -> dict[tuple[int, ...], list[tuple[int, ...]]]:
    """Microphones, and the sets of the office's positions that they see in different directions."""
    for least in (APART, CLOSE):
        found = {heard: _sets(array, heard, sources, least) for heard in choices}
        if any(found.values()):
            return {heard: sets for heard, sets in found.items() if sets}
    raise OtowakeError(f"The office has no {sources} positions {CLOSE:g} degrees apart.")


def _sets(array: str, heard: tuple[int, ...], sources: int, least: float) -> list[tuple[int, ...]]:
    angles = {place: _direction(place, array, heard) for place in range(1, 10)}
    pairs = {ends: abs(angles[ends[0]] - angles[ends[1]]) for ends in itertools.combinations(angles, 2)}
    return [
        places
        for places in itertools.combinations(angles, sources)
        if all(pairs[ends] >= least for ends in itertools.combinations(places, 2))
    ]


def _direction(place: int, array: str, heard: tuple[int, ...]) -> float:
    """Degrees from straight ahead; the nine positions stand on a grid in front of the array (geometry.json)."""
    x = (0.33, 0.61, 0.90)[(place - 1) // 3]
    y = (0.10, 0.44, 0.78)[(place - 1) % 3]
    middle = FIRST[array] + SPACINGS[array] * float(np.mean(heard))
    return float(np.rad2deg(np.arctan2(y - middle, x)))


def numbers(text: str) -> list[int]:
    """'1-3' or '2' or '1,4-6' as numbers."""
    ends = [part.split("-") for part in text.split(",")]
    return [k for end in ends for k in range(int(end[0]), int(end[-1]) + 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Lists the mixtures of the experiment.")
    parser.add_argument("--audio", type=Path, default=audio_folder(), help="folder of the recordings")
    parser.add_argument("--cells", nargs="+", default=["all"], help="names, patterns, grid, figures or all")
    parser.add_argument("--mixtures", type=numbers, default=[1], help="which, such as 1-3")
    parser.add_argument("--make", action="store_true", help="make each, too, and say how long it is")
    given = parser.parse_args()
    for cell in chosen(given.cells):
        for number in given.mixtures:
            recipe = drawn(cell, number)
            where = recipe.azimuths or (recipe.array, recipe.heard, recipe.places)
            print(recipe.name, json.dumps([Path(files[0]).stem for files in recipe.sounds]), where)
            if given.make:
                print("   ", mixture(cell, number, given.audio).mixture.shape)


if __name__ == "__main__":
    main()
