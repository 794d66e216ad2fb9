"""Panels of levels below each other, on one time axis and one scale: what is left to draw when sounds have been seen.

Nothing here needs torch, so that a process can draw that has not got it (`cli/easel.py`).
"""

from collections.abc import Callable
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from otowake.tasks.drawing.axes import frequency_axis, level_bar, level_image, time_axis
from otowake.tasks.drawing.figure import TEXT, WIDTH, heading, new_figure, placed, save

Levels = Float[np.ndarray, "rows columns"]

ROWS = 256  # of one panel, about a pixel each
RANGE = 80.0  # decibels between the darkest and the brightest colour
PANEL, GAP, TOP, BOTTOM, LEFT, RIGHT = 1.6, 0.4, 0.4, 0.6, 0.8, 1.2  # inches; whole pixels
DRAWN = 2.8  # inches of a panel that is drawn over
TALLEST = 5.5  # inches of the colour bar


class Picture(NamedTuple):
    """levels: of each panel, in dBFS, the first sets the scale;  titles: of each and a remark;  edges: of rows, hertz;
    seconds: of the sounds;  wide: seconds that the columns span."""

    levels: list[Levels]
    titles: list[tuple[str, str]]
    edges: Float[np.ndarray, "rows+1"]
    seconds: float
    wide: float


def panels(path: str | PathLike[str], picture: Picture, over: Callable[[Any, int], None] | None = None) -> None:
    """Draws a PNG file, which appears whole or not at all.

    Args:
        over: draws over a panel, given its axes (seconds and log2 of hertz) and its number from 0.

    Raises:
        OtowakeError: the file cannot be written.
    """
    levels, titles, edges, seconds, wide = picture
    panel = PANEL if over is None else DRAWN
    height = TOP + len(levels) * (panel + GAP) - GAP + BOTTOM
    figure = new_figure(WIDTH, height)
    top = brightest(levels[0])
    low, high = np.log2(edges[[0, -1]])
    for i, (level, title) in enumerate(zip(levels, titles)):
        bottom = height - TOP - panel - i * (panel + GAP)
        axes = placed(figure, LEFT, bottom, WIDTH - LEFT - RIGHT, panel)
        image = level_image(axes, level, (0.0, wide, low, high), top, RANGE)
        axes.set_xlim(0.0, seconds)
        frequency_axis(axes.yaxis, edges[0], edges[-1])
        axes.tick_params(labelbottom=i == len(levels) - 1)
        heading(axes, *title)
        if over is not None:
            over(axes, i)
    time_axis(axes, seconds)
    figure.text(0.14 / WIDTH, 0.5, "Frequency (Hz)", rotation=90, va="center", color=TEXT, fontsize=9)
    tall = min(height - TOP - BOTTOM, TALLEST)
    level_bar(figure, image, WIDTH - RIGHT + 0.2, height - TOP - tall, tall)
    save(figure, path)


def brightest(*levels: Float[np.ndarray, "rows columns"]) -> float:
    """The loudest level, rounded up to 5 dB, so that pictures of similar recordings share a scale."""
    top = max(float(level.max()) for level in levels)
    return 0.0 if top < -250.0 else 5.0 * float(np.ceil(top / 5.0))
