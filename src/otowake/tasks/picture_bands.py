"""A picture of a recording before and after its band was extended: one scale, frequency in even steps.

level(t, f) = 20 log10(|STFT(t, f)| / |STFT of a full-scale sine|)      in dBFS
"""

from os import PathLike
from typing import Any

import numpy as np
from jaxtyping import Float

from otowake.signal.stft import Stft
from otowake.tasks.pictures import COLUMNS, SILENCE, TEXT, heading, new_figure, save

Samples = Float[np.ndarray, "samples"]
WINDOW = 0.03  # seconds
RANGE = 100.0  # decibels: high bands are faint
WIDE, HIGH, LEFT, ACROSS, TALL = 10.0, 5.6, 0.08, 0.80, 0.385  # inches, and shares of them


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
    figure = new_figure(WIDE, HIGH)
    levels = [_levels(np.asarray(x), r) for x, r in ((before, rate), (after, new))]
    top = 5.0 * float(np.ceil(max(level.max() for level in levels) / 5.0))
    sounds = zip(levels, titles, (before, after), (rate, new), strict=True)
    for i, (level, title, x, r) in enumerate(sounds):
        axes = figure.add_axes((LEFT, 0.55 - 0.465 * i, ACROSS, TALL), facecolor="black")
        image = axes.imshow(
            level, cmap="magma", vmin=top - RANGE, vmax=top, origin="lower", aspect="auto", interpolation="bilinear",
            extent=(0.0, len(x) / r, 0.0, r / 2000),
        )  # fmt: skip
        axes.set_xlim(0.0, len(x) / r)
        axes.set_ylim(0.0, max(rate, new) / 2000)
        axes.axhline(cut / 1000, color="white", linewidth=0.9, linestyle=(0, (6, 4)))
        axes.set_ylabel("Frequency (kHz)", color=TEXT, fontsize=9)
        axes.tick_params(labelbottom=i == 1)
        axes.annotate(
            f"{cut:.0f} Hz",
            (1, cut / 1000),
            (-4, 3),
            ("axes fraction", "data"),
            "offset points",
            ha="right",
            color="white",
            fontsize=8,
        )
        heading(axes, title, f"{r} Hz")
    axes.set_xlabel("Time (s)", color=TEXT, fontsize=9)
    bar = figure.add_axes((LEFT + ACROSS + 0.02, 0.085, 0.016, TALL + 0.465))
    figure.colorbar(image, cax=bar, extend="min", extendfrac=0.02)
    bar.set_ylabel("Level (dBFS: 0 dB is a full-scale sine)", color=TEXT, fontsize=9)
    bar.tick_params(labelsize=8, colors=TEXT)
    save(figure, path)


def _levels(x: Samples, rate: int) -> Any:
    """(bins, columns) in dBFS; a column shows the loudest frame it covers."""
    import torch

    n_fft = 2 ** max(6, round(np.log2(rate * WINDOW)))
    stft = Stft(n_fft, n_fft // 4)
    width = max(1, -(-stft.frames(len(x)) // COLUMNS))
    columns = []
    step = stft.hop * width * 256
    for start in range(0, len(x), step):
        low = max(start - n_fft, 0)
        piece = torch.from_numpy(np.ascontiguousarray(x[low : start + step + n_fft], dtype=np.float32))
        frames = stft.forward(piece).abs()[:, (start - low) // stft.hop :][:, : width * 256]
        frames = frames[:, : -(-(min(step, len(x) - start)) // stft.hop)]
        full = torch.nn.functional.pad(frames, (0, -frames.shape[1] % width))
        columns.append(full.reshape(len(full), -1, width).amax(-1))
    return 20 * np.log10(np.maximum(torch.cat(columns, -1).numpy() / (n_fft / 4), SILENCE))
