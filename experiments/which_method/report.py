"""The figures of README.md and of the guide's page, from the results.

    python experiments/which_method/report.py [RESULTS.jsonl ...]            prints them
    python experiments/which_method/report.py --write [RESULTS.jsonl ...]    puts them between the marks of both pages

Without files it reads all of results/.  Runs with --iterations are trials and left out.
"""

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2]))
from experiments.jsonlines import lines
from experiments.quality.report import filled
from experiments.quality.score import markdown
from experiments.which_method.mixtures import CELLS, FIGURES, GRID

from otowake.recipes import RECIPES

HERE = Path(__file__).resolve().parent
PAGES = (HERE / "README.md", HERE.parents[1] / "docs" / "guide" / "which-method.md")
NOTHING = "No results yet."
WITHIN = 1.0  # dB below the best: as good, where a cheaper method is looked for
Line = dict[str, Any]
Scores = dict[tuple[str, str], dict[int, list[float]]]  # (method, cell) -> mixture -> SDR improvements, one a seed


class Results:
    """What was measured, summed up: a mixture counts once, by the median over its seeds."""

    def __init__(self, found: Iterable[Line]) -> None:
        self.lines = [line for line in found if line["iterations"] is None and line["cell"] in CELLS]
        self.scores: Scores = defaultdict(lambda: defaultdict(list))
        for line in self.lines:
            if "error" not in line:
                gain = statistics.mean(line["sdr"]) - statistics.mean(line["sdr_in"])
                self.scores[line["method"], line["cell"]][line["mixture"]].append(gain)

    def methods(self, cells: Iterable[str]) -> list[str]:
        """That have a line in one of these cells: recipes in their order, each with its settings; then peers."""
        wanted = set(cells)
        named = {line["method"] for line in self.lines if line["cell"] in wanted}
        order = [*RECIPES, "auto"]
        return sorted(named, key=lambda m: (order.index(_first(m)) if _first(m) in order else len(order), m))

    def gains(self, method: str, cell: str) -> list[float]:
        return [statistics.median(seeds) for seeds in self.scores.get((method, cell), {}).values()]

    def most(self, cell: str) -> int:
        """Mixtures that any method has of a cell."""
        return max((len(runs) for (_, other), runs in self.scores.items() if other == cell), default=0)

    def of(self, method: str, cells: Iterable[str], word: str) -> list[Any]:
        """What the lines of a method say under `word`, errors apart."""
        wanted = set(cells)
        mine = [line for line in self.lines if line["method"] == method and line["cell"] in wanted]
        return [line[word] for line in mine if "error" not in line and line.get(word) is not None]


def _first(method: str) -> str:
    return method.split(" ")[0]


# ---- the grid ---------------------------------------------------------------------------------------------


def grid(results: Results, sounds: str, told: Callable[[list[float]], str]) -> str:
    """Methods x (sources, room): `told` of the mixtures of a cell; in the last row, how many there are."""
    cells = [cell for cell in GRID if cell.sounds == sounds]
    methods = results.methods(cell.name for cell in cells)
    if not methods:
        return NOTHING
    best = {cell.name: _best(results, cell.name, methods) for cell in cells}
    rows = [("sources, room", *(f"{cell.sources}, {_room(cell.name)}" for cell in cells))]
    for method in methods:
        rows.append((method, *(_cell(results, method, cell.name, best[cell.name], told) for cell in cells)))
    return markdown([*rows, ("mixtures", *(str(results.most(cell.name)) for cell in cells))])


def _room(cell: str) -> str:
    room = cell.split("-")[-1]
    return room if room == "office" else f"{int(room) / 1000:g} s"


def _best(results: Results, cell: str, methods: Iterable[str]) -> str | None:
    medians = {method: results.gains(method, cell) for method in methods}
    full = {m: statistics.median(gains) for m, gains in medians.items() if gains and len(gains) == results.most(cell)}
    return max(full, key=lambda method: full[method], default=None)


def _cell(results: Results, method: str, cell: str, best: str | None, told: Callable[[list[float]], str]) -> str:
    """The best of a column in bold; of fewer mixtures than others have, their number behind it."""
    gains = results.gains(method, cell)
    if not gains:
        return "-"
    few = f" ({len(gains)})" if len(gains) < results.most(cell) else ""
    return f"**{told(gains)}**" if method == best else told(gains) + few


def median(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f}"


def half(values: Sequence[float]) -> str:
    """From the first to the third quartile."""
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
    return f"{low:.1f} to {high:.1f}"


def price(results: Results) -> str:
    """Median CPU seconds and MB of a run: 8 s at 16 kHz."""
    counts = sorted({cell.microphones for cell in GRID})
    methods = results.methods(cell.name for cell in GRID)
    if not methods:
        return NOTHING
    rows = [("method", *(f"s, {m} mics" for m in counts), *(f"MB, {m} mics" for m in counts))]
    for method in methods:
        cells = [[cell.name for cell in GRID if cell.microphones == m] for m in counts]
        rows.append(
            (method, *(_spent(results, method, names, word) for word in ("cpu_s", "peak_mb") for names in cells))
        )
    return markdown(rows)


def _spent(results: Results, method: str, cells: Sequence[str], word: str) -> str:
    values = results.of(method, cells, word)
    if not values:
        return "-"
    middle = statistics.median(values)
    return f"{middle:.0f}" if word == "peak_mb" or middle >= 10 else f"{middle:.1f}"


def choice(results: Results) -> str:
    """A row a cell: the best method by its median, and the cheapest that is as good to `WITHIN` dB."""
    rows = [("recording", "best", "dB", "s", f"cheapest within {WITHIN:g} dB", "dB", "s", "mixtures")]
    for cell in GRID:
        methods = results.methods([cell.name])
        best = _best(results, cell.name, methods)
        if best is not None:
            rows.append((_words(cell.name), *_chosen(results, cell.name, best, methods), str(results.most(cell.name))))
    return markdown(rows) if len(rows) > 1 else NOTHING


def _words(cell: str) -> str:
    sounds, n, _ = cell.split("-")
    room = _room(cell)
    return f"{sounds}, {n} sources, {'the office' if room == 'office' else f'RT60 {room}'}"


def _chosen(results: Results, cell: str, best: str, methods: Sequence[str]) -> list[str]:
    scores = {method: results.gains(method, cell) for method in methods}
    medians = {m: statistics.median(gains) for m, gains in scores.items() if len(gains) == results.most(cell)}
    seconds = {method: statistics.median(results.of(method, [cell], "cpu_s")) for method in medians}
    cheap = min((m for m in medians if medians[m] >= medians[best] - WITHIN), key=lambda m: seconds[m])
    return [word for m in (best, cheap) for word in (m, f"{medians[m]:.1f}", f"{seconds[m]:.1f}")]


# ---- the classes ------------------------------------------------------------------------------------------


def figure(results: Results, cell: str) -> str:
    """One class, the best method first.  "seeds differ by": the median over mixtures of best less worst start."""
    methods = sorted(results.methods([cell]), key=lambda m: -statistics.median(results.gains(m, cell) or [-1e9]))
    if not methods:
        return NOTHING
    heads = ("median", "half of them", "mixtures", "seeds", "seeds differ by", "s", "MB", "failed")
    rows = [("method", "STFT", "steps", *heads)]
    for method in methods:
        rows.append((method, _one(results, method, cell, "stft"), _one(results, method, cell, "steps")))
        rows[-1] += tuple(_summary(results, method, cell))
    return markdown(rows)


def short(results: Results, cell: str) -> str:
    """The same for the guide: recipes as they are."""
    own = [method for method in results.methods([cell]) if method in RECIPES and results.gains(method, cell)]
    if not own:
        return NOTHING
    rows = [("method", "dB", "half of them", "s")]
    for method in sorted(own, key=lambda m: -statistics.median(results.gains(m, cell))):
        gains = results.gains(method, cell)
        rows.append((method, median(gains), half(gains), _spent(results, method, [cell], "cpu_s")))
    return markdown(rows)


def _one(results: Results, method: str, cell: str, word: str) -> str:
    return ", ".join(sorted({str(value) for value in results.of(method, [cell], word)})) or "-"


def _summary(results: Results, method: str, cell: str) -> list[str]:
    runs = results.scores.get((method, cell), {})
    gains = results.gains(method, cell)
    starts = [max(seeds) - min(seeds) for seeds in runs.values() if len(seeds) > 1]
    failed = sum("error" in line for line in results.lines if (line["method"], line["cell"]) == (method, cell))
    return [
        f"{statistics.median(gains):.2f}" if gains else "-",
        half(gains) if gains else "-",
        str(len(runs)),
        f"{statistics.median(map(len, runs.values())):g}" if runs else "0",
        f"{statistics.median(starts):.1f}" if starts else "-",
        _spent(results, method, [cell], "cpu_s"),
        _spent(results, method, [cell], "peak_mb"),
        str(failed),
    ]


def figures(results: Results) -> dict[str, Callable[[], str]]:
    """Every table by its mark."""
    made: dict[str, Callable[[], str]] = {"choice": lambda: choice(results), "price": lambda: price(results)}
    for sounds in ("speech", "music"):
        made[sounds] = lambda sounds=sounds: grid(results, sounds, median)
        made[f"{sounds}_half"] = lambda sounds=sounds: grid(results, sounds, half)
    for cell in FIGURES:
        made[cell.name] = lambda name=cell.name: figure(results, name)
        made[f"{cell.name}_short"] = lambda name=cell.name: short(results, name)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints the figures of the experiment.")
    parser.add_argument("results", type=Path, nargs="*", help="by default all of results/")
    parser.add_argument("--write", action="store_true", help="put them into the pages")
    given = parser.parse_args()
    paths = given.results or sorted((HERE / "results").glob("*.jsonl"))
    made = figures(Results(line for path in paths for line in lines(path)))
    if given.write:
        for page in PAGES:
            page.write_text(filled(page.read_text(encoding="utf-8"), made), encoding="utf-8")
    else:
        print("\n\n".join(f"{name}\n\n{make()}" for name, make in made.items()))


if __name__ == "__main__":
    main()
