"""A picture of a factorisation: a row for each component, its spectrum on the left and when it sounds on the right.

Spectra in decibels below their own loudest bin over a logarithmic frequency axis, activations as shares of their own
loudest frame; components of one group stand together and have one colour.
"""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from jaxtyping import Float

from otowake.signal.stft import Stft
from otowake.tasks.drawing.axes import frequency_axis, frequency_edges, time_axis
from otowake.tasks.drawing.figure import COLOURS, FAINT, TEXT, WIDTH, heading, new_figure, placed, save
from otowake.tasks.drawing.levels import COLUMNS

POINTS = 400  # of a spectrum
DEPTH = 50.0  # decibels that a row of spectra is high
NUMBERS, NAMES, GAP, RIGHT, TOP, BOTTOM = 0.45, 1.25, 0.25, 0.2, 0.4, 0.55  # inches
SPECTRA = 3.2  # inches of the left half
TALL, SHORT, HIGHEST = 0.55, 0.16, 12.0  # inches a row, and of all rows, as far as rows of `SHORT` allow it
MOST = 60.0  # inches of all rows of hundreds of components


def factors(
    path: str | PathLike[str],
    spectra: Float[np.ndarray, "f k"],
    activations: Float[np.ndarray, "k t"],
    stft: Stft,
    samples: int,
    rate: int,
    *,
    groups: Sequence[int] = (),
    names: Sequence[str] = (),
) -> None:
    """Draws bases and activations as a PNG file.

    Args:
        path: the PNG file; it appears whole or not at all.
        spectra, activations: nonnegative; of the bins and frames of `stft`.
        samples: how long the recording is.
        groups: of each component, from 0; names: of the groups; by default each component is on its own.

    Raises:
        OtowakeError: the file cannot be written.
    """
    k = spectra.shape[1]
    of = np.asarray(groups if len(groups) else range(k))
    order = np.argsort(of, kind="stable")
    row = min(float(np.clip(HIGHEST / k, SHORT, TALL)), MOST / k)
    figure = new_figure(WIDTH, TOP + k * row + BOTTOM)
    left, right = _halves(figure, k * row, NUMBERS + (NAMES if len(names) else 0.0))
    f, levels = _levels(spectra, rate)
    t, courses = _courses(activations, stft, rate)
    seconds = samples / rate
    for place, which in enumerate(order):
        colour = COLOURS[of[which] % len(COLOURS)] if len(groups) else COLOURS[0]
        for axes, x, y in ((left, f, levels[:, which]), (right, t, courses[which])):
            axes.fill_between(x, k - 1 - place, k - 1 - place + 0.92 * y, color=colour, linewidth=0)
    _label(left, right, [f"{which + 1}" for which in order], of[order], names, row)
    left.set_xlim(f[0], f[-1])
    right.set_xlim(0.0, seconds)
    frequency_axis(left.xaxis, 2 ** f[0], 2 ** f[-1])
    left.set_xlabel("Frequency (Hz)", color=TEXT)
    time_axis(right, seconds)
    heading(left, "Spectra", f"{DEPTH:g} dB a row")
    heading(right, "Activations", "each relative to its loudest frame")
    save(figure, path)


def _halves(figure: Any, tall: float, margin: float) -> list[Any]:
    """The axes of spectra and of activations."""
    places = ((margin, SPECTRA), (margin + SPECTRA + GAP, WIDTH - margin - SPECTRA - GAP - RIGHT))
    axes = [placed(figure, x, BOTTOM, width, tall) for x, width in places]
    for one in axes:
        one.spines[["top", "right", "left"]].set_visible(False)
        one.tick_params(left=False)
    return axes


def _levels(spectra: Float[np.ndarray, "f k"], rate: int) -> tuple[Any, Any]:
    """log2 of hertz, and 0 to 1 of `DEPTH`: the loudest bin between neighbouring points, or what lies between bins."""
    bins = len(spectra)
    edges = frequency_edges(rate, POINTS)
    position = edges / (rate / 2) * (bins - 1)
    first, last = np.floor(position[:-1]).astype(int), np.ceil(position[1:]).astype(int)
    middle = np.sqrt(position[:-1] * position[1:])
    rows = np.stack([np.interp(middle, np.arange(bins), column) for column in spectra.T], 1)
    for i in np.flatnonzero(last - first > 2):
        rows[i] = spectra[first[i] + 1 : last[i]].max(0)
    loudest = rows.max(0)
    share = np.divide(rows, loudest, out=np.zeros_like(rows), where=loudest > 0)
    decibels = 20 * np.log10(np.maximum(share, 10 ** (-DEPTH / 20)))
    return np.log2(np.sqrt(edges[:-1] * edges[1:])), 1 + decibels / DEPTH


def _courses(activations: Float[np.ndarray, "k t"], stft: Stft, rate: int) -> tuple[Any, Any]:
    """Seconds, and 0 to 1: of neighbouring frames that fall on one column the loudest."""
    k, frames = activations.shape
    wide = -(-frames // COLUMNS)
    padded = np.pad(activations, ((0, 0), (0, -frames % wide)))
    courses = padded.reshape(k, -1, wide).max(-1)
    loudest = courses.max(1, keepdims=True)
    share = np.divide(courses, loudest, out=np.zeros_like(courses), where=loudest > 0)
    middle = (np.arange(courses.shape[1]) + 0.5) * wide + 0.5
    return (middle * stft.hop - stft.n_fft / 2) / rate, share


def _label(left: Any, right: Any, numbers: list[str], of: Any, names: Sequence[str], row: float) -> None:
    """Numbers of components; lines between groups, and their names where there is room."""
    k = len(numbers)
    every = max(1, round(0.14 / row))
    at = np.arange(k)[::-1] + 0.35
    left.set_yticks(at[::every], numbers[::every])
    right.set_yticks([])
    for axes in (left, right):
        axes.set_ylim(0, k)
    ends = np.flatnonzero(np.diff(of)) + 1
    for start, end in zip([0, *ends], [*ends, k]):
        if names:
            left.text(
                -0.13, k - (start + end) / 2, names[of[start]], transform=left.get_yaxis_transform(),
                ha="right", va="center", fontsize=9, color=TEXT,
            )  # fmt: skip
        for axes in (left, right) if end < k and names else ():
            axes.axhline(k - end, color=FAINT, linewidth=0.5)
