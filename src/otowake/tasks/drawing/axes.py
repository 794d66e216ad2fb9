"""Axes of seconds, of hertz on a logarithmic scale, and of levels as colours."""

from typing import Any

import numpy as np
from jaxtyping import Float

from otowake.tasks.drawing.figure import TEXT, placed

LOWEST = 50.0  # hertz
TICKS = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000)  # hertz
STEPS = (15, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # seconds between ticks of a long recording


def frequency_edges(rate: int, rows: int) -> Float[np.ndarray, "rows+1"]:
    """Hertz, from 50 to half the rate in even steps of pitch."""
    top = rate / 2
    return np.geomspace(min(LOWEST, top / 8), top, rows + 1)


def on_rows(
    a: Float[np.ndarray, "bins columns"], edges: Float[np.ndarray, "rows+1"], rate: int, join: np.ufunc = np.maximum
) -> Float[np.ndarray, "rows columns"]:
    """The bins of each row joined, by default the loudest; rows that hold less than one lie between two."""
    bins = len(a)
    position = edges / (rate / 2) * (bins - 1)
    first, last = np.ceil(position[:-1]).astype(int), np.ceil(position[1:]).astype(int)
    last[-1] = bins  # Nyquist itself belongs to the last row
    middle = np.sqrt(position[:-1] * position[1:])
    below = np.minimum(middle.astype(int), bins - 2)
    share = (middle - below).astype(np.float32)[:, None]
    rows = (1 - share) * a[below] + share * a[below + 1]
    full = last > first
    rows[full] = join(rows[full], join.reduceat(a, first[full], axis=0))
    return rows


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


def level_image(
    axes: Any, level: Float[np.ndarray, "rows columns"], extent: tuple[float, ...], top: float, deep: float
) -> Any:
    """Decibels as colours, the brightest at `top`, the darkest `deep` below it; the extent is that of the axes."""
    return axes.imshow(
        level, cmap="magma", vmin=top - deep, vmax=top, origin="lower", aspect="auto", extent=extent,
        interpolation="bilinear",
    )  # fmt: skip


def level_bar(figure: Any, image: Any, left: float, bottom: float, tall: float) -> None:
    """The scale of a level image, in inches."""
    bar = placed(figure, left, bottom, 0.16, tall)
    figure.colorbar(image, cax=bar, extend="min", extendfrac=0.02)
    bar.set_ylabel("Level (dBFS: 0 dB is a full-scale sine)", color=TEXT, fontsize=9)
    bar.tick_params(labelsize=8, colors=TEXT)
