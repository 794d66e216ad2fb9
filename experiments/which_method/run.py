"""Every method that fits, on every mixture, through the front door: one line of JSON a run.

    python experiments/which_method/run.py RESULTS.jsonl [--cells NAME ...] [--methods NAME ...] [--mixtures 1-3]
        [--seeds N] [--set KEY=VALUE ...] [--iterations N] [--stft FRAME/HOP] [--part 1/2]

A run is `otowake.separate` from samples to samples, with the recipe's defaults and `sources` given.  What the file has
is not run again; mixture 1 of all cells comes before mixture 2, and seed 0 before seed 1, so that the file may be used
wherever the work was stopped.  Processes with --part 1/2 and 2/2 share the work and the file; lines are appended whole.

A line: cell, mixture, method (with its settings), seed, sources, microphones, iterations (asked for; null is the
recipe's), steps (done), stft, sdr and sdr_in (dB a source), wall_s, cpu_s, peak_mb (above what the process had before),
versions; or error, the sentence.
"""

import argparse
import ctypes
import gc
import itertools
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parents[2]))
from experiments.jsonlines import append, lines
from experiments.quality.mixtures import Mixture, audio_folder
from experiments.quality.score import sdr, unprocessed
from experiments.which_method.mixtures import CELLS, Cell, chosen, mixture, numbers

from otowake import separate
from otowake.core.errors import OtowakeError
from otowake.recipes import RECIPES
from otowake.spec import parse_settings, recipe
from otowake.tasks.door import versions

LEFT_OUT = ("rcscme",)  # finds one source and leaves all else as the rest: nothing to compare
AUTO = "auto"
Key = tuple[Any, ...]
Outcome = tuple[np.ndarray, dict[str, Any]]


@dataclass(frozen=True)
class Entry:
    """A method in the comparison.

    Args:
        name: with its settings, as the line has it.
        fits: whether there is sense in it for a cell.
        random: whether its result depends on the seed.
        iterations: asked for; None is the method's own number.
        separate: mixture, sources, seed -> sources at microphone 1 and what more the line says; or `OtowakeError`.
    """

    name: str
    fits: Callable[[Cell], bool]
    random: Callable[[], bool]
    iterations: int | None
    separate: Callable[[Mixture, int, int], Outcome]


# ---- what is run ------------------------------------------------------------------------------------------


def ours(
    method: str, settings: dict[str, str], iterations: int | None = None, stft: str | None = None, more: int = 1
) -> Entry:
    """A recipe, or "auto", through the front door; more: `seeds`, of which the best is taken."""

    def run(mixture: Mixture, sources: int, seed: int) -> Outcome:
        options = {"iterations": iterations, "stft": stft, "settings": settings, "seeds": more}
        done = separate(mixture.mixture, mixture.rate, method, sources=sources, seed=seed, **options)
        named = {"recipe": done.method} if method == AUTO else {}
        return done.sources, {"steps": done.iterations, "stft": done.settings["stft"], **named}

    if method != AUTO:
        parse_settings(recipe(method), settings)
    choices = {**settings, **({"stft": stft} if stft else {}), **({"seeds": more} if more > 1 else {})}
    name = " ".join([method, *(f"{key}={value}" for key, value in choices.items())])
    return Entry(name, lambda cell: _fits(method, cell), cache(lambda: _random(method, settings)), iterations, run)


def _fits(method: str, cell: Cell) -> bool:
    takes = "any" if method == AUTO else RECIPES[method].takes
    enough = {"any": True, "square": cell.microphones >= cell.sources, "more": cell.microphones > cell.sources}
    return enough.get(takes, False)


def _random(method: str, settings: dict[str, str]) -> bool:
    """Whether one iteration on a little noise differs from seed to seed."""
    noise = np.random.default_rng(0).standard_normal((3, 4096))
    try:
        first, second = (
            separate(noise, 16000, method, sources=2, seed=seed, iterations=1, settings=settings).sources
            for seed in (0, 1)
        )
    except OtowakeError:
        return True  # a settings' fault is told by every run of it
    return not np.array_equal(first, second)


def all_methods() -> list[str]:
    """Recipes for several channels."""
    return [name for name, listed in RECIPES.items() if listed.takes != "one" and name not in LEFT_OUT]


# ---- one run ----------------------------------------------------------------------------------------------


def measure(mixture: Mixture, entry: Entry, sources: int, seed: int) -> dict[str, Any]:
    """SDR, seconds and memory of one run, or the sentence that ended it."""
    rest = _memory(fresh=True)
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        y, more = entry.separate(mixture, sources, seed)
    except Exception as why:  # whatever it is, it is this run's, and the others go on
        return {"error": str(why) if isinstance(why, OtowakeError) else f"{type(why).__name__}: {why}"}
    spent = {"wall_s": round(time.perf_counter() - wall, 3), "cpu_s": round(time.process_time() - cpu, 3)}
    peak = _memory()
    spent["peak_mb"] = None if rest is None or peak is None else round(peak - rest, 1)
    if not np.isfinite(y).all():
        return {**more, **spent, "error": "The estimate is not finite."}
    return {**more, **_scores(mixture, y), **spent}


def _scores(mixture: Mixture, y: np.ndarray) -> dict[str, Any]:
    """SDR of the estimates and of the mixture, or the sentence: a silent estimate has none."""
    try:
        scores = {"sdr": sdr(mixture.images, y), "sdr_in": unprocessed(mixture)}
    except (ValueError, RuntimeError, np.linalg.LinAlgError) as why:
        return {"error": f"The estimate cannot be scored: {type(why).__name__}: {why}"}
    if not np.isfinite(scores["sdr"]).all():
        return {"error": "The estimate cannot be scored: an infinite SDR, is one silent?"}
    return {name: [round(float(value), 3) for value in values] for name, values in scores.items()}


def _memory(fresh: bool = False) -> float | None:
    """MB that the process has had at most since `fresh`, which forgets what it had before; None without /proc."""
    try:
        if fresh:
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except (OSError, AttributeError):
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, flags=re.MULTILINE)
    return int(found[1]) / 1024 if found else None


# ---- all runs ---------------------------------------------------------------------------------------------


def work(
    cells: Sequence[Cell], mixtures: Sequence[int], seeds: int, part: tuple[int, int] = (1, 1)
) -> Iterator[tuple[Cell, int, int]]:
    """Cell, mixture and seed, breadth first; of `part[1]` shares the `part[0]`-th."""
    order = [(cell, number, seed) for number in mixtures for seed in range(seeds) for cell in cells]
    yield from itertools.islice(order, part[0] - 1, None, part[1])


def carry_out(
    entries: Sequence[Entry], jobs: Iterator[tuple[Cell, int, int]], path: Path, audio: Path, about: dict[str, str]
) -> None:
    """Appends to `path` what it does not have yet."""
    torch.set_num_threads(1)
    for cell, number, seed in jobs:
        done = {_key(line) for line in lines(path)}
        made = None
        for entry in (entry for entry in entries if entry.fits(cell)):
            line = _line(cell, number, seed, entry)
            if _key(line) in done or (seed > 0 and not entry.random()):
                continue
            made = made or mixture(cell, number, audio)
            line |= measure(made, entry, cell.sources, seed)
            append(path, {**line, "versions": about})
            told = [line.get("error")] if "error" in line else [_gain(line), f"{line['cpu_s']:.1f} s", line["peak_mb"]]
            print(cell.name, number, entry.name, seed, *told, file=sys.stderr, flush=True)


def _line(cell: Cell, number: int, seed: int, entry: Entry) -> dict[str, Any]:
    return {
        "cell": cell.name,
        "mixture": number,
        "method": entry.name,
        "seed": seed,
        "sources": cell.sources,
        "microphones": cell.microphones,
        "iterations": entry.iterations,
    }


def _key(line: dict[str, Any]) -> Key:
    return tuple(line[word] for word in ("cell", "mixture", "method", "seed", "iterations"))


def _gain(line: dict[str, Any]) -> str:
    return f"{np.mean(line['sdr']) - np.mean(line['sdr_in']):+.2f} dB"


def warmed(entries: Sequence[Entry]) -> None:
    """Runs each once on noise, so that no compiling and no importing is in the first measurement."""
    for sources, microphones in ((2, 2), (2, 3)):
        cell = replace(CELLS["fixture"], sources=sources, microphones=microphones)
        noise = np.random.default_rng(0).standard_normal((microphones, 16000))
        for entry in (entry for entry in entries if entry.fits(cell)):
            short = Mixture("noise", "noise", noise, noise[:sources], 16000)
            try:
                entry.separate(short, sources, 0)
            except OtowakeError:
                continue


def commit() -> str:
    """Of the checkout, with a + where files differ from it."""
    here = Path(__file__).parent
    told = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=here, capture_output=True, text=True)
    return told.stdout.strip() or "unknown"


def parser(text: str) -> argparse.ArgumentParser:
    """The options that peers.py has, too."""
    made = argparse.ArgumentParser(description=text)
    made.add_argument("results", type=Path, help="JSON lines; what is there already is not run again")
    made.add_argument("--audio", type=Path, default=audio_folder(), help="folder of the recordings")
    made.add_argument("--cells", nargs="+", default=["grid"], help="names, patterns, grid, figures or all")
    made.add_argument("--mixtures", type=numbers, default=[1], help="which, such as 1-3")
    made.add_argument("--seeds", type=int, default=1, help="starts of the methods that begin at random")
    made.add_argument("--iterations", type=int, help="by default the method's own number")
    made.add_argument("--part", type=_part, default=(1, 1), help="1/2 and 2/2: two processes share the work")
    return made


def _part(text: str) -> tuple[int, int]:
    which, of = map(int, text.split("/"))
    if not 1 <= which <= of:
        raise ValueError(text)
    return which, of


def main() -> None:
    options = parser("Runs the recipes on the mixtures of the experiment.")
    options.add_argument("--methods", nargs="+", default=["all"], help='recipes, "all" of them, "auto"')
    options.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="of all methods named")
    options.add_argument("--stft", help="frame/hop; by default the recipe's")
    options.add_argument("--best-of", type=int, default=1, help="seeds of a run, of which the lowest cost is taken")
    given = options.parse_args()
    settings = dict(pair.split("=", 1) for pair in given.set)
    names = [name for word in given.methods for name in (all_methods() if word == "all" else [word])]
    try:
        entries = [ours(name, settings, given.iterations, given.stft, given.best_of) for name in names]
        jobs = work(chosen(given.cells), given.mixtures, given.seeds, given.part)
    except OtowakeError as why:
        sys.exit(str(why))
    warmed([ours(name, settings, 1, more=1) for name in names])
    carry_out(entries, jobs, given.results, given.audio, {**versions(), "commit": commit()})


if __name__ == "__main__":
    main()
