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
from otowake.tasks.drawing.figure import COLOURS, TEXT, WIDTH, heading, new_figure, placed, save
from otowake.tasks.drawing.levels import COLUMNS, SILENCE
from otowake.tasks.drawing.panels import BOTTOM, GAP, LEFT, PANEL, RIGHT, ROWS, TOP

INK = 60.0  # decibels from white paper to full colour
LOUD = 99.5  # percent of the bins are below full colour

DARK = -290.0  # decibels: digital silence
NARROW = 0.15  # inches to the right where there is no scale
SCALE = f"the louder, the more colour: {INK:g} dB"

Picture = Float[np.ndarray, "rows columns 3"]
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
    power, edges = _power(mixture, mixture, stft), frequency_edges(rate, ROWS)
    seen = _seen(power, shares, edges, rate)
    whole = max(float(power.sum()), SILENCE)
    notes = [f"{float((share * power).sum()) / whole:.0%} of the energy" for share in shares]
    titles = names or [f"Source {n + 1}" for n in range(len(shares))]
    pictures = [painted(mixture, shares, stft, rate)]
    pictures += [_ink(share, _colour(n)) for n, share in enumerate(seen)]
    heads = [("Who is where in the mixture", SCALE), *zip(titles, notes)]
    draw(path, pictures, heads, stft, (len(mixture), rate), bar=len(pictures) > 1)


def painted(
    x: Float[np.ndarray, "samples"],
    shares: Float[np.ndarray, "n f t"],
    stft: Stft,
    rate: int,
    beside: Float[np.ndarray, "samples"] | None = None,
    ink: float = INK,
) -> Picture:
    """A sound as a picture for `draw`: the louder the more ink, in the colours of whom its bins belong to.

    Args:
        x, shares, stft, rate: as `mixture` and the others of `masks`.
        beside: the sound whose loudest bins have full colour, where several are to be compared; None is x itself.
        ink: decibels from white paper to full colour.
    """
    beside, edges = x if beside is None else beside, frequency_edges(rate, ROWS)
    power = _power(x, beside, stft)
    mixed = sum(share[..., None] * _colour(n) for n, share in enumerate(_seen(power, shares, edges, rate)))
    own, model = (
        10 * np.log10(np.maximum(_pixels(p, edges, rate), SILENCE**2)) for p in (power, _power(beside, beside, stft))
    )
    return _ink(np.clip((own - np.percentile(model, LOUD)) / ink + 1, 0, 1) * (own > DARK), mixed)


# ------------------------------------------------------------------------------------------------ pixels


def _power(
    x: Float[np.ndarray, "samples"], beside: Float[np.ndarray, "samples"], stft: Stft
) -> Float[np.ndarray, "f t"]:
    """Relative to the loudest sample, so that any unit may come in."""
    import torch

    y, peak = np.asarray(x, dtype=np.float64), float(np.abs(beside).max(initial=0.0))
    return stft.forward(torch.from_numpy(y / peak if peak else y)).abs().square().numpy()


def _seen(power: Float[np.ndarray, "f t"], shares: Float[np.ndarray, "n f t"], edges: Any, rate: int) -> list[Cells]:
    """The shares of the energy of each pixel; where there is none, of its bins."""
    energy, area = _pixels(power, edges, rate), _pixels(np.ones_like(power), edges, rate)
    plain = [_pixels(share, edges, rate) / area for share in shares]
    return [
        np.divide(_pixels(share * power, edges, rate), energy, out=p, where=energy > SILENCE**2)
        for share, p in zip(shares, plain)
    ]


def _pixels(a: Float[np.ndarray, "f t"], edges: Float[np.ndarray, "rows+1"], rate: int) -> Cells:
    """Sums over the bins and frames of each pixel."""
    wide = -(-a.shape[-1] // COLUMNS)
    columns = np.pad(a, ((0, 0), (0, -a.shape[-1] % wide))).reshape(len(a), -1, wide).sum(-1)
    return on_rows(columns, edges, rate, np.add)


def _ink(amount: Cells, colour: Any) -> Picture:
    """On white paper; the colour one for all or of each pixel."""
    return (1 - amount[..., None] * (1 - colour)).clip(0, 1)


def _colour(n: int) -> Float[np.ndarray, "3"]:
    from matplotlib.colors import to_rgb

    return np.array(to_rgb(COLOURS[n % len(COLOURS)]))


# ------------------------------------------------------------------------------------------------ drawing


def draw(
    path: str | PathLike[str],
    pictures: Sequence[Picture],
    heads: Sequence[tuple[str, str]],
    stft: Stft,
    length: tuple[int, int],
    *,
    bar: bool = False,
) -> None:
    """Pictures below each other as a PNG file.

    Args:
        pictures: as `painted` makes them.
        heads: the title of each and the remark beside it.
        length: samples and rate of the sounds.
        bar: whether a scale of shares stands beside the second picture.

    Raises:
        OSError: the file cannot be written.
    """
    samples, rate = length
    height = TOP + len(pictures) * (PANEL + GAP) - GAP + BOTTOM
    figure, right = new_figure(WIDTH, height), RIGHT if bar else NARROW
    edges = np.log2(frequency_edges(rate, ROWS)[[0, -1]])
    wide = -(-stft.frames(samples) // COLUMNS) * stft.hop
    start = 0.5 * stft.hop - stft.n_fft / 2  # half a hop before the middle of the first frame
    extent = (start / rate, (start + pictures[0].shape[1] * wide) / rate, *edges)
    for i, (picture, head) in enumerate(zip(pictures, heads)):
        axes = placed(figure, LEFT, height - TOP - PANEL - i * (PANEL + GAP), WIDTH - LEFT - right, PANEL)
        axes.imshow(picture, origin="lower", aspect="auto", extent=extent, interpolation="nearest")
        axes.set_xlim(0.0, samples / rate)
        frequency_axis(axes.yaxis, *2**edges)
        axes.tick_params(labelbottom=i == len(pictures) - 1)
        heading(axes, *head)
    time_axis(axes, samples / rate)
    figure.text(0.14 / WIDTH, 0.5, "Frequency (Hz)", rotation=90, va="center", color=TEXT, fontsize=9)
    if bar:
        _bar(figure, height)
    save(figure, path)


def _bar(figure: Any, height: float) -> None:
    """From white paper to full colour."""
    axes = placed(figure, WIDTH - RIGHT + 0.2, height - TOP - 2 * PANEL - GAP, 0.16, PANEL)
    steps = _ink(np.linspace(0, 1, 64)[:, None], _colour(0))
    axes.imshow(steps, origin="lower", aspect="auto", extent=(0, 1, 0, 100))
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.set_xticks([])
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("Share (%)", color=TEXT, fontsize=9)
    axes.tick_params(labelsize=8, colors=TEXT)
