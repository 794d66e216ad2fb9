"""Pictures of a separation: every sound on one time axis and one absolute scale, in dBFS, never normalised a panel.

A column shows the loudest frame it covers, a row the loudest bin, or what lies between two bins where rows
are finer than bins.
"""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from otowake.signal.stft import Stft
from otowake.tasks.drawing.axes import frequency_edges, on_rows
from otowake.tasks.drawing.figure import minus
from otowake.tasks.drawing.levels import BLOCK, COLUMNS, column_width, decibels, full_scale, loudest
from otowake.tasks.drawing.panels import ROWS, Levels, Picture
from otowake.tasks.drawing.panels import panels as drawn


class Grid(NamedTuple):
    """Where the rows and columns of a panel lie: one for all panels of a picture."""

    stft: Stft
    full: float  # |STFT| of a full-scale sine
    edges: Float[np.ndarray, "rows+1"]  # hertz
    width: int  # samples a column
    samples: int
    rate: int

    @property
    def columns(self) -> int:
        return -(-self.samples // self.width)


def spectrograms(
    path: str | PathLike[str],
    mixture: Float[np.ndarray, "samples"],
    sources: Float[np.ndarray, "n samples"],
    rate: int,
    *,
    rest: Float[np.ndarray, "samples"] | None = None,
    names: Sequence[str] | None = None,
    over: Callable[[Any, int], None] | None = None,
) -> None:
    """Draws the mixture and each of its parts below each other, as a PNG file.

    All panels share one colour scale in dBFS (0 dB is a sine that just fits into [-1, 1]), which ends at the
    mixture's loudest spot, rounded up to 5 dB, and spans 80 dB.  Each title gives the sound's level over the
    whole file.

    Args:
        path: the PNG file; it appears whole or not at all.
        mixture, sources, rest: one channel each, samples at `rate` in hertz, 1.0 is full scale.
        names: of the sources; by default Source 1, Source 2, ...
        over: draws over a panel, given its axes (seconds and log2 of hertz) and its number from 0.

    Raises:
        OSError: the file cannot be written.
    """
    seen = Panels(mixture, rate)
    for n, x in enumerate(sources):
        seen.see(n, names[n] if names else f"Source {n + 1}", x)
    if rest is not None:
        seen.see(len(sources), "Rest", rest)
    drawn(path, seen.picture(), over)


class Panels:
    """What is seen of sounds that come one at a time, each in a place of its own, from 0, below the mixture."""

    def __init__(self, mixture: Float[np.ndarray, "samples"], rate: int) -> None:
        self._mixture, self._grid = mixture, _grid(len(mixture), rate)
        self._seen: dict[int, tuple[tuple[str, str], Levels]] = {}
        self.see(-1, "Mixture", mixture)

    def see(self, place: int, name: str, x: Float[np.ndarray, "samples"]) -> None:
        """Takes the place of what was seen there before."""
        self._seen[place] = _title(name, x, self._mixture), _levels(np.asarray(x), self._grid)

    def picture(self) -> Picture:
        """All of them, for `panels`."""
        titles, levels = zip(*(self._seen[place] for place in sorted(self._seen)), strict=True)
        samples, width, rate = self._grid.samples, self._grid.width, self._grid.rate
        return Picture(
            list(levels), list(titles), self._grid.edges, samples / rate, -(-samples // width) * width / rate
        )


# ------------------------------------------------------------------------------------------------ levels


def _grid(samples: int, rate: int) -> Grid:
    """Windows of about 50 ms; the hop follows the width of a column, down to an eighth of the window."""
    n_fft = 2 ** max(6, round(np.log2(rate * 0.05)))
    hop = n_fft // 4
    while hop > n_fft // 16 and samples // hop < COLUMNS:
        hop //= 2
    stft = Stft(n_fft, hop)
    edges = frequency_edges(rate, ROWS)
    return Grid(stft, full_scale(stft), edges, column_width(samples, stft), max(samples, 1), rate)


def _levels(x: Float[np.ndarray, "samples"], grid: Grid) -> Levels:
    """(rows, columns) in dBFS."""
    return decibels(on_rows(loudest(x, grid.stft, grid.width, grid.stft.bins), grid.edges, grid.rate) / grid.full)


def _title(name: str, x: Float[np.ndarray, "samples"], mixture: Float[np.ndarray, "samples"]) -> tuple[str, str]:
    level, whole = _level(x), _level(mixture)
    text = "silent" if level == -np.inf else f"{_signed(level)} dBFS"
    if x is not mixture and np.isfinite([level, whole]).all():
        text += f"  ({_signed(level - whole)} dB re mixture)"
    return name, text


def _level(x: Float[np.ndarray, "samples"]) -> float:
    """Of the whole sound, in decibels; 0 is a full-scale sine."""
    parts = [x[start : start + BLOCK] for start in range(0, len(x), BLOCK)]
    peak = max((float(np.abs(part).max()) for part in parts), default=0.0)
    if peak == 0.0:
        return -np.inf
    power = sum(float(np.sum(np.square(part / peak))) for part in parts)  # 1e-200 squared would vanish
    return 20.0 * np.log10(peak) + 10.0 * np.log10(2.0 * power / len(x))


def _signed(level: float) -> str:
    return minus(f"{level:+.1f}") if round(level, 1) else "0.0"
