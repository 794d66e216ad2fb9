"""How well a method separates the mixtures: one STFT for everybody, one measure, one line of JSON a run.

A method is an `Entry`: a function from X (m, f, t) to Y (n, f, t), the parts at microphone 1.  `run` appends
a line to a file for every (mixture, entry, STFT, seed) that the file does not have yet, so that it may be
stopped and started at will; `table` sums the file up.

    python experiments/quality/score.py RESULTS.jsonl ...        prints the table
"""

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fast_bss_eval
import numpy as np
import torch
from scipy.signal import istft, stft

sys.path.append(str(Path(__file__).resolve().parents[2]))
from experiments.jsonlines import append, lines

if TYPE_CHECKING:
    from experiments.quality.mixtures import Mixture

Separate = Callable[[np.ndarray, int, int, int], np.ndarray]  # X, bases, iterations, seed -> Y

TAPS = 512  # of the filter that BSS eval allows a reference to go through
BASES = {
    "speech2": 2,
    "speech3": 2,
    "office2": 2,
    "music2": 10,
    "music3": 10,
    "more2": 2,
}  # of every source, if it has any
Key = tuple[Any, ...]
Runs = dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class Entry:
    """A method in the comparison.  seeds: how many different starts; 1 where nothing in it is random."""

    name: str
    iterations: int
    seeds: int
    separate: Separate


@dataclass(frozen=True)
class Grid:
    """A Hann STFT by scipy, scaled so that the mean power of the mixture's bins is 1."""

    n_fft: int
    hop: int

    def analyse(self, x: np.ndarray) -> tuple[np.ndarray, float]:
        """(m, samples) to (m, f, t) and the scale that was taken out of it."""
        X = stft(x, window="hann", nperseg=self.n_fft, noverlap=self.n_fft - self.hop)[2]
        scale = float(np.sqrt((np.abs(X) ** 2).mean()))
        return X / scale, scale

    def synthesise(self, Y: np.ndarray, scale: float, samples: int) -> np.ndarray:
        """(n, f, t) to (n, samples)."""
        y = istft(scale * Y, window="hann", nperseg=self.n_fft, noverlap=self.n_fft - self.hop)[1]
        return y[..., :samples]


GRIDS = (Grid(4096, 1024), Grid(2048, 512))


def sdr(images: np.ndarray, estimates: np.ndarray, permute: bool = True) -> np.ndarray:
    """(n,) SDR in dB of BSS eval version 3, (n, samples) against (n, samples), in the best permutation."""
    pair = [torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64)) for x in (images, estimates)]
    return fast_bss_eval.bss_eval_sources(*pair, filter_length=TAPS, compute_permutation=permute)[0].numpy()


@lru_cache(maxsize=1)
def unprocessed(mixture: "Mixture") -> np.ndarray:
    """(n,) SDR in dB of microphone 1 as it is."""
    return sdr(mixture.images, np.repeat(mixture.mixture[:1], len(mixture.images), axis=0), permute=False)


def measure(mixture: "Mixture", entry: Entry, grid: Grid, seed: int) -> dict[str, Any]:
    """One run: SDR improvements in dB and CPU seconds, or the error that ended it."""
    X, scale = grid.analyse(mixture.mixture)
    start = time.process_time()
    try:
        Y = entry.separate(X, BASES[mixture.kind], entry.iterations, seed)
    except (np.linalg.LinAlgError, FloatingPointError) as why:
        return {"error": f"{type(why).__name__}: {why}"}
    seconds = time.process_time() - start
    y = grid.synthesise(Y, scale, mixture.mixture.shape[1])
    if not np.isfinite(y).all():
        return {"error": "the estimate is not finite", "cpu_s": round(seconds, 3)}
    gain = sdr(mixture.images, y) - unprocessed(mixture)
    return {"sdri": [round(float(g), 3) for g in gain], "cpu_s": round(seconds, 3)}


def run(mixtures: Iterable["Mixture"], entries: Sequence[Entry], grids: Sequence[Grid], path: Path) -> None:
    """Appends to `path` what it does not have yet."""
    torch.set_num_threads(1)
    done = {_key(line) for line in lines(path)}
    for mixture in mixtures:
        for line, entry, grid in _plan(mixture, entries, grids):
            if _key(line) not in done:
                line |= measure(mixture, entry, grid, line["seed"])
                append(path, line)
                print(*_key(line), line.get("sdri", line.get("error")), file=sys.stderr, flush=True)


def _plan(
    mixture: "Mixture", entries: Sequence[Entry], grids: Sequence[Grid]
) -> Iterator[tuple[dict[str, Any], Entry, Grid]]:
    before = [round(float(value), 3) for value in unprocessed(mixture)]
    for grid in grids:
        for entry in entries:
            for seed in range(entry.seeds):
                yield _line(mixture, entry, grid, seed) | {"unprocessed": before}, entry, grid


def _line(mixture: "Mixture", entry: Entry, grid: Grid, seed: int) -> dict[str, Any]:
    return {
        "mixture": mixture.name,
        "kind": mixture.kind,
        "method": entry.name,
        "n_fft": grid.n_fft,
        "hop": grid.hop,
        "bases": BASES[mixture.kind],
        "iterations": entry.iterations,
        "seed": seed,
    }


def _key(line: dict[str, Any]) -> Key:
    return tuple(line[word] for word in ("mixture", "method", "n_fft", "hop", "bases", "iterations", "seed"))


def table(paths: Sequence[Path], kinds: Sequence[str] = ()) -> str:
    """Mean SDR improvement in dB: the median over mixtures of their medians over seeds, a column a kind.

    "half of them" are the quartiles over all mixtures, "seeds" the median over mixtures of the distance
    between the best and the worst start.  Runs that ended in an error are left out of all that, and counted.
    """
    found = collected(paths)
    kinds = kinds or [kind for kind in BASES if any(kind in runs for runs in found.values())]
    rows = [("STFT", "method", "steps", *kinds, "all", "half of them", "seeds", "failed")]
    for (stft_name, method, steps), runs in sorted(found.items(), key=_order):
        rows.append((stft_name, method, str(steps), *_cells(runs, kinds)))
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table that is also read without its machinery; words to the left, figures to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    words = [column[-1].strip("*")[:1].isalpha() for column in zip(*rows, strict=True)]
    lines = ["-" * width if word else "-" * (width - 1) + ":" for width, word in zip(widths, words, strict=True)]
    rows = [rows[0], lines, *rows[1:]]
    return "\n".join("| " + " | ".join(_padded(row, widths, words)) + " |" for row in rows)


def _padded(row: Sequence[str], widths: Sequence[int], words: Sequence[bool]) -> list[str]:
    cells = zip(row, widths, words, strict=True)
    return [cell.ljust(width) if word else cell.rjust(width) for cell, width, word in cells]


def _order(row: tuple[Key, Runs]) -> Key:
    (stft_name, method, steps), _ = row
    return (-int(stft_name.split("/")[0]), method, steps)


def _cells(runs: Runs, kinds: Sequence[str]) -> list[str]:
    of_kind = {kind: [statistics.median(v) for v in runs[kind].values()] for kind in kinds if kind in runs}
    every = [value for values in of_kind.values() for value in values]
    starts = [max(v) - min(v) for kind in of_kind for v in runs[kind].values() if len(v) > 1]
    low, _, high = statistics.quantiles(every, n=4, method="inclusive") if len(every) > 1 else (every * 3)[:3]
    return [
        *(f"{statistics.median(of_kind[k]):.2f}" if k in of_kind else "-" for k in kinds),
        f"{statistics.median(every):.2f}",
        f"{low:.1f} to {high:.1f}",
        f"{statistics.median(starts):.1f}" if starts else "-",
        str(len(runs.get("failed", ()))),
    ]


def collected(paths: Sequence[Path]) -> dict[Key, Runs]:
    """(STFT, method, iterations) -> kind -> mixture -> mean SDR improvements, one a seed."""
    runs: dict[Key, Runs] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for line in (line for path in paths for line in lines(path)):
        row = (f"{line['n_fft']}/{line['hop']}", line["method"], line["iterations"])
        if "sdri" in line:
            runs[row][line["kind"]][line["mixture"]].append(statistics.mean(line["sdri"]))
        else:
            runs[row]["failed"][f"{line['mixture']} {line['seed']}"].append(0.0)
    return runs


if __name__ == "__main__":
    print(table([Path(word) for word in sys.argv[1:]]))
