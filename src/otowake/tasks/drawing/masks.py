"""Who is where: the mixture in the colours of its sources, and below it the share that each has in every bin.

The mixture's panel is paper: the louder a bin the more ink, in the colour of whom it belongs to.  Where a pixel covers
several bins its share is that of their energy.
"""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from jaxtyping import Float

from otowake.signal.stft import Stft
from otowake.tasks.drawing.axes import frequency_axis, frequency_edges, on_rows, time_axis
from otowake.tasks.drawing.factors import COLOURS
from otowake.tasks.drawing.figure import TEXT, WIDTH, heading, new_figure, placed, save
from otowake.tasks.drawing.levels import COLUMNS, SILENCE
from otowake.tasks.drawing.spectrograms import BOTTOM, GAP, LEFT, PANEL, RIGHT, ROWS, TOP

INK = 60.0  # decibels from white paper to full colour
LOUD = 99.5  # percent of the bins are below full colour

Cells = Float[np.ndarray, "rows columns"]


def masks(
    path: str | PathLike[str],
    mixture: Float[np.ndarray, "samples"],
    shares: Float[np.ndarray, "n f t"],
    stft: Stft,
    rate: int,
    *,
    names: Sequence[str] | None = None,
) -> None:
    """Draws the shares of sources in the bins of a recording, as a PNG file.

    Args:
        path: the PNG file; it appears whole or not at all.
        mixture: one channel, samples at `rate` in hertz.
        shares: of each source in the bins and frames of `stft`, 0 to 1; they add up to 1.
        names: of the sources; by default Source 1, Source 2, ...

    Raises:
        OSError: the file cannot be written.
    """
    power = _power(mixture, stft)
    edges = frequency_edges(rate, ROWS)
    energy = _pixels(power, edges, rate)
    held = [_pixels(share * power, edges, rate) for share in shares]
    plain = [_pixels(share, edges, rate) / _pixels(np.ones_like(power), edges, rate) for share in shares]
    seen = [np.divide(h, energy, out=p, where=energy > 0) for h, p in zip(held, plain)]
    whole = max(float(power.sum()), SILENCE)
    notes = [f"{float((share * power).sum()) / whole:.0%} of the energy" for share in shares]
    titles = names or [f"Source {n + 1}" for n in range(len(shares))]
    colours = [_rgb(COLOURS[n % len(COLOURS)]) for n in range(len(shares))]
    mixed = sum(share[..., None] * colour for share, colour in zip(seen, colours))
    pictures = [1 - _ink(energy)[..., None] * (1 - mixed)]
    pictures += [1 - share[..., None] * (1 - colour) for share, colour in zip(seen, colours)]
    heads = [("Who is where in the mixture", f"the louder, the more colour: {INK:g} dB"), *zip(titles, notes)]
    _draw(path, pictures, heads, stft, (len(mixture), rate), edges)


def _power(mixture: Float[np.ndarray, "samples"], stft: Stft) -> Float[np.ndarray, "f t"]:
    """Relative to the loudest sample, so that any unit may come in."""
    import torch

    x = np.asarray(mixture, dtype=np.float64)
    peak = np.abs(x).max(initial=0.0)
    return stft.forward(torch.from_numpy(x / peak if peak else x)).abs().square().numpy()


def _pixels(a: Float[np.ndarray, "f t"], edges: Float[np.ndarray, "rows+1"], rate: int) -> Cells:
    """Sums over the bins and frames of each pixel."""
    wide = -(-a.shape[-1] // COLUMNS)
    columns = np.pad(a, ((0, 0), (0, -a.shape[-1] % wide))).reshape(len(a), -1, wide).sum(-1)
    return on_rows(columns, edges, rate, np.add)


def _ink(energy: Cells) -> Cells:
    level = 10 * np.log10(np.maximum(energy, SILENCE**2))
    return np.clip((level - np.percentile(level, LOUD)) / INK + 1, 0, 1) * (energy > 0)


def _rgb(colour: str) -> Float[np.ndarray, "3"]:
    from matplotlib.colors import to_rgb

    return np.array(to_rgb(colour))


def _draw(
    path: Any, pictures: list[Any], heads: list[tuple[str, str]], stft: Stft, length: tuple[int, int], edges: Any
) -> None:
    samples, rate = length
    height = TOP + len(pictures) * (PANEL + GAP) - GAP + BOTTOM
    figure = new_figure(WIDTH, height)
    low, high = np.log2(edges[[0, -1]])
    wide = -(-stft.frames(samples) // COLUMNS)
    columns = pictures[0].shape[1]
    start = (0.5 * stft.hop - stft.n_fft / 2) / rate  # half a hop before the middle of the first frame
    extent = (start, start + columns * wide * stft.hop / rate, low, high)
    for i, (picture, head) in enumerate(zip(pictures, heads)):
        bottom = height - TOP - PANEL - i * (PANEL + GAP)
        axes = placed(figure, LEFT, bottom, WIDTH - LEFT - RIGHT, PANEL)
        axes.imshow(picture.clip(0, 1), origin="lower", aspect="auto", extent=extent, interpolation="nearest")
        axes.set_xlim(0.0, samples / rate)
        frequency_axis(axes.yaxis, edges[0], edges[-1])
        axes.tick_params(labelbottom=i == len(pictures) - 1)
        heading(axes, *head)
    time_axis(axes, samples / rate)
    figure.text(0.14 / WIDTH, 0.5, "Frequency (Hz)", rotation=90, va="center", color=TEXT, fontsize=9)
    _bar(figure, height)
    save(figure, path)


def _bar(figure: Any, height: float) -> None:
    """From white paper to full colour."""
    tall = PANEL
    axes = placed(figure, WIDTH - RIGHT + 0.2, height - TOP - 2 * PANEL - GAP, 0.16, tall)
    full = _rgb(COLOURS[0])
    steps = np.linspace(0, 1, 64)[:, None, None]
    axes.imshow(1 - steps * (1 - full), origin="lower", aspect="auto", extent=(0, 1, 0, 100))
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.set_xticks([])
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("Share (%)", color=TEXT, fontsize=9)
    axes.tick_params(labelsize=8, colors=TEXT)
