"""Pictures of a separation: every sound on one time axis and one absolute scale, and the cost's way down.

    level(t, f) = 20 log10(|STFT(t, f)| / |STFT of a full-scale sine|)      in dBFS, never normalised a panel

A column shows the loudest frame it covers, a row the loudest bin, or what lies between two bins where rows
are finer than bins.  Levels are computed block by block: an hour needs no more memory than a minute.
"""

from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from otowake.core.files import atomic
from otowake.signal.stft import Stft

Levels = Float[np.ndarray, "rows columns"]

COLUMNS, ROWS = 1200, 256  # of one panel, about a pixel each
BLOCK = 2**20  # samples transformed at once: about 40 MB at a hop of a quarter
RANGE = 80.0  # decibels between the darkest and the brightest colour
LOWEST = 50.0  # hertz
SILENCE = 1e-15  # -300 dB: the level of digital silence
DPI = 110
PANEL, GAP, TOP, BOTTOM, LEFT, RIGHT, WIDTH = 1.6, 0.4, 0.4, 0.6, 0.8, 1.2, 10.0  # inches; whole pixels
DRAWN = 2.8  # inches of a panel that is drawn over
TALLEST = 5.5  # inches of the colour bar
TICKS = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000)  # hertz
STEPS = (15, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # seconds between ticks of a long recording
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
TEXT, FAINT, LINE = "#222222", "#666666", "#3b528b"


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
    sounds = [mixture, *sources] + ([] if rest is None else [rest])
    titles = names or [f"Source {i + 1}" for i in range(len(sources))]
    labels = ["Mixture", *titles, *([] if rest is None else ["Rest"])]
    grid = _grid(len(mixture), rate)
    levels = [_levels(np.asarray(x), grid) for x in sounds]
    _draw(path, levels, [_title(name, x, mixture) for name, x in zip(labels, sounds)], grid, over)


def cost_curve(path: str | PathLike[str], costs: Sequence[float], *, method: str = "") -> None:
    """Draws the cost over the iterations as a PNG file.

    Args:
        path: the PNG file; it appears whole or not at all.
        costs: before the first and after each iteration, in nats; what is not finite is left out.
        method: its name, for the title.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib.ticker import MaxNLocator

    k, y = np.arange(len(costs)), np.asarray(costs, dtype=float)
    k, y = k[np.isfinite(y)], y[np.isfinite(y)]
    y, unit = _thousands(y)
    figure = new_figure(6.8, 3.4)
    axes = figure.add_axes((0.125, 0.15, 0.85, 0.75))
    axes.plot(k, y, color=LINE, linewidth=1.6, marker="o", markersize=3 if len(k) <= 60 else 0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_xlabel("Iteration", color=TEXT)
    axes.set_ylabel(f"Cost ({unit})", color=TEXT)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    heading(axes, f"Cost of {method}" if method else "Cost", _descent(k, y))
    save(figure, path)


# ------------------------------------------------------------------------------------------------ levels


def _grid(samples: int, rate: int) -> Grid:
    """Windows of about 50 ms; the hop follows the width of a column, down to an eighth of the window."""
    import torch

    n_fft = 2 ** max(6, round(np.log2(rate * 0.05)))
    hop = n_fft // 4
    while hop > n_fft // 16 and samples // hop < COLUMNS:
        hop //= 2
    stft = Stft(n_fft, hop)
    sine = torch.sin(torch.arange(4 * n_fft) * (torch.pi / 2))  # a quarter of the rate lies on a bin
    full = stft.forward(sine).abs()
    middle = full[..., full.shape[-1] // 2]  # away from both ends
    top = rate / 2
    edges = np.geomspace(min(LOWEST, top / 8), top, ROWS + 1)
    width = max(hop, -(-samples // COLUMNS))
    return Grid(stft, float(middle.max()), edges, width, max(samples, 1), rate)


def _levels(x: Float[np.ndarray, "samples"], grid: Grid) -> Levels:
    """(rows, columns) in dBFS."""
    loudest = np.zeros((grid.columns, grid.stft.bins), dtype=np.float32)
    for centres, magnitude in pieces(x, grid.stft):
        column = centres // grid.width
        first = np.flatnonzero(np.diff(column, prepend=-1))
        here = column[first]
        loudest[here] = np.maximum(loudest[here], np.maximum.reduceat(magnitude, first, axis=0))
    return 20.0 * np.log10(np.maximum(_rows(np.ascontiguousarray(loudest.T), grid) / grid.full, SILENCE))


def pieces(x: Float[np.ndarray, "samples"], stft: Stft) -> Iterator[tuple[Any, Any]]:
    """Yields (centre of each frame in samples, |STFT| (frames, bins)), a stretch of the sound at a time.

    Neighbouring pieces overlap by a window, whose frames are dropped: where a sound is cut, it splatters over
    all frequencies.
    """
    import torch

    step = BLOCK // stft.hop * stft.hop
    for start in range(0, len(x), step):
        low = max(start - stft.n_fft, 0)
        piece = np.ascontiguousarray(x[low : start + step + stft.n_fft], dtype=np.float32)
        magnitude = stft.forward(torch.from_numpy(piece)).abs().mT.contiguous().numpy()
        centres = low + (np.arange(len(magnitude)) + 1) * stft.hop - stft.n_fft // 2
        keep = (centres >= start) & (centres < min(start + step, len(x)))
        yield centres[keep], magnitude[keep]


def _rows(magnitude: Float[np.ndarray, "bins columns"], grid: Grid) -> Levels:
    """The loudest bin of each row; rows that hold less than a bin interpolate between their neighbours."""
    bins = grid.stft.bins
    position = grid.edges / (grid.rate / 2) * (bins - 1)
    first, last = np.ceil(position[:-1]).astype(int), np.ceil(position[1:]).astype(int)
    last[-1] = bins  # Nyquist itself belongs to the last row
    middle = np.sqrt(position[:-1] * position[1:])
    below = np.minimum(middle.astype(int), bins - 2)
    share = (middle - below).astype(np.float32)[:, None]
    rows = (1 - share) * magnitude[below] + share * magnitude[below + 1]
    full = last > first
    loudest = np.maximum.reduceat(magnitude, first[full], axis=0)
    rows[full] = np.maximum(rows[full], loudest)
    return rows


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


def _signed(decibels: float) -> str:
    return f"{decibels:+.1f}".replace("-", "\N{MINUS SIGN}") if round(decibels, 1) else "0.0"


# ------------------------------------------------------------------------------------------------ drawing


def _draw(path: Any, levels: list[Levels], titles: list[tuple[str, str]], grid: Grid, over: Any) -> None:
    panel = PANEL if over is None else DRAWN
    height = TOP + len(levels) * (panel + GAP) - GAP + BOTTOM
    figure = new_figure(WIDTH, height)
    top = _top(levels[0])
    seconds, columns = grid.samples / grid.rate, grid.columns * grid.width / grid.rate
    low, high = np.log2(grid.edges[[0, -1]])
    across = (WIDTH - LEFT - RIGHT) / WIDTH
    for i, (level, title) in enumerate(zip(levels, titles)):
        bottom = height - TOP - panel - i * (panel + GAP)
        axes = figure.add_axes((LEFT / WIDTH, bottom / height, across, panel / height))
        image = axes.imshow(
            level, cmap="magma", vmin=top - RANGE, vmax=top, origin="lower", aspect="auto",
            extent=(0.0, columns, low, high), interpolation="bilinear",
        )  # fmt: skip
        axes.set_xlim(0.0, seconds)
        frequency_axis(axes.yaxis, grid.edges[0], grid.edges[-1])
        axes.tick_params(labelbottom=i == len(levels) - 1)
        heading(axes, *title)
        if over is not None:
            over(axes, i)
    time_axis(axes, seconds)
    figure.text(0.14 / WIDTH, 0.5, "Frequency (Hz)", rotation=90, va="center", color=TEXT, fontsize=9)
    _scale(figure, image, height)
    save(figure, path)


def _top(levels: Levels) -> float:
    """The loudest level, rounded up to 5 dB, so that pictures of similar recordings share a scale."""
    loudest = float(levels.max())
    return 0.0 if loudest < -250.0 else 5.0 * float(np.ceil(loudest / 5.0))


def frequency_axis(axis: Any, low: float, high: float) -> None:
    """Ticks of an axis in log2 of hertz."""
    ticks = [f for f in TICKS if low * 0.99 <= f <= high]
    axis.set_ticks(np.log2(ticks), [f"{f // 1000}k" if f >= 1000 else f"{f}" for f in ticks])


def time_axis(axes: Any, seconds: float) -> None:
    """Seconds, or minutes and seconds from two minutes on."""
    if seconds < 120.0:
        axes.set_xlabel("Time (s)", color=TEXT)
        return
    step = next((s for s in STEPS if seconds / s <= 10), 3600 * -(-seconds // 36_000))
    ticks = np.arange(0, seconds, step).astype(int)
    axes.set_xticks(ticks, [f"{s // 60}:{s % 60:02}" for s in ticks])
    axes.set_xlabel("Time (min:s)", color=TEXT)


def heading(axes: Any, name: str, note: str) -> None:
    """A title on the left, a remark on the right, and the house's small print."""
    axes.set_title(name, loc="left", fontsize=10, fontweight="bold", color=TEXT, pad=4)
    axes.set_title(note, loc="right", fontsize=9, color=FAINT, pad=4)
    axes.tick_params(labelsize=8, colors=TEXT, which="both")
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(9)


def _scale(figure: Any, image: Any, height: float) -> None:
    tall = min(height - TOP - BOTTOM, TALLEST)
    bar = figure.add_axes(((WIDTH - RIGHT + 0.2) / WIDTH, (height - TOP - tall) / height, 0.16 / WIDTH, tall / height))
    figure.colorbar(image, cax=bar, extend="min", extendfrac=0.02)
    bar.set_ylabel("Level (dBFS: 0 dB is a full-scale sine)", color=TEXT, fontsize=9)
    bar.tick_params(labelsize=8, colors=TEXT)


def _thousands(y: Any) -> tuple[Any, str]:
    """The numbers in a unit that keeps them below a thousand, and its name."""
    loudest = float(np.max(np.abs(y), initial=0.0))
    power = 3 * int(np.log10(loudest) // 3) if loudest >= 1000.0 else 0
    return (y / 10.0**power, f"10{str(power).translate(RAISED)} nats") if power else (y, "nats")


def _descent(k: Any, y: Any) -> str:
    if len(y) < 2:
        return ""
    first, last = (f"{value:#.5g}".replace("-", "\N{MINUS SIGN}") for value in y[[0, -1]])
    return f"from {first} to {last} in {k[-1]} iteration{'s' if k[-1] != 1 else ''}"


def new_figure(width: float, height: float) -> Any:
    """A figure of its own: pyplot's global state would leak into a program that uses otowake as a library."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Any, path: str | PathLike[str]) -> None:
    """As a PNG file, whole or not at all."""
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", pil_kwargs={"compress_level": 3})  # 6 takes twice the time
