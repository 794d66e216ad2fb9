"""A picture of a recording before and after its band was extended: one scale, frequency in even steps."""

from os import PathLike

import numpy as np
from jaxtyping import Float

from otowake.signal.stft import Stft
from otowake.tasks.drawing.axes import level_bar, level_image, time_axis
from otowake.tasks.drawing.figure import TEXT, WIDTH, heading, new_figure, placed, save
from otowake.tasks.drawing.levels import column_width, decibels, full_scale, loudest
from otowake.tasks.drawing.panels import brightest

Samples = Float[np.ndarray, "samples"]
WINDOW = 0.03  # seconds
RANGE = 100.0  # decibels: high bands are faint
HEIGHT, LEFT, ACROSS, BOTTOM, TALL, GAP = 5.6, 0.8, 8.0, 0.476, 2.156, 0.448  # inches


def bands(
    path: str | PathLike[str],
    before: Samples,
    rate: int,
    after: Samples,
    new: int,
    cut: float,
    titles: tuple[str, ...] = ("Before", "After"),
) -> None:
    """Draws both below each other as a PNG file, with a line where the first one's content ends.

    Args:
        path: the PNG file; it appears whole or not at all.
        before, after: one channel each, at `rate` and `new` in hertz, 1.0 is full scale.
        cut: Hz.
        titles: of the panels.

    Raises:
        OSError: the file cannot be written.
    """
    figure = new_figure(WIDTH, HEIGHT)
    levels = [_levels(np.asarray(x), r) for x, r in ((before, rate), (after, new))]
    top = brightest(*levels)
    sounds = zip(levels, titles, (before, after), (rate, new), strict=True)
    for i, (level, title, x, r) in enumerate(sounds):
        axes = placed(figure, LEFT, BOTTOM + (1 - i) * (TALL + GAP), ACROSS, TALL)
        axes.set_facecolor("black")
        image = level_image(axes, level, (0.0, len(x) / r, 0.0, r / 2000), top, RANGE)
        axes.set_xlim(0.0, len(x) / r)
        axes.set_ylim(0.0, max(rate, new) / 2000)
        axes.axhline(cut / 1000, color="white", linewidth=0.9, linestyle=(0, (6, 4)))
        axes.set_ylabel("Frequency (kHz)", color=TEXT)
        axes.tick_params(labelbottom=i == 1)
        axes.annotate(
            f"{cut:.0f} Hz", (1, cut / 1000), (-4, 3), ("axes fraction", "data"), "offset points",
            ha="right", color="white", fontsize=8,
        )  # fmt: skip
        heading(axes, title, f"{r} Hz")
    time_axis(axes, len(x) / r)
    level_bar(figure, image, LEFT + ACROSS + 0.2, BOTTOM, 2 * TALL + GAP)
    save(figure, path)


def _levels(x: Samples, rate: int) -> Float[np.ndarray, "rows columns"]:
    """(bins, columns) in dBFS."""
    n_fft = 2 ** max(6, round(np.log2(rate * WINDOW)))
    stft = Stft(n_fft, n_fft // 4)
    return decibels(loudest(x, stft, column_width(len(x), stft), stft.bins) / full_scale(stft))
