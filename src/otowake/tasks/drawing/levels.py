"""Levels of a sound in columns about a pixel wide, computed block by block: an hour needs no more memory than a minute.

    level(t, f) = 20 log10(|STFT(t, f)| / |STFT of a full-scale sine|)      in dBFS

A column shows the loudest frame it covers.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from otowake.signal.stft import Stft

COLUMNS = 1200  # of one panel, about a pixel each
BLOCK = 2**20  # samples transformed at once: about 40 MB at a hop of a quarter
SILENCE = 1e-15  # -300 dB: the level of digital silence


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


def column_width(samples: int, stft: Stft) -> int:
    """Samples a column."""
    return max(stft.hop, -(-samples // COLUMNS))


def loudest(
    x: Float[np.ndarray, "samples"], stft: Stft, width: int, rows: int, seen: Callable[[Any], Any] = lambda bins: bins
) -> Float[np.ndarray, "rows columns"]:
    """The loudest frame of each column; `seen` makes `rows` rows of the bins of frames, (frames, bins)."""
    picture = np.zeros((-(-max(len(x), 1) // width), rows), dtype=np.float32)
    for centres, magnitude in pieces(x, stft):
        column = centres // width
        first = np.flatnonzero(np.diff(column, prepend=-1))
        here = column[first]
        picture[here] = np.maximum(picture[here], np.maximum.reduceat(seen(magnitude), first, axis=0))
    return np.ascontiguousarray(picture.T)


def full_scale(stft: Stft) -> float:
    """|STFT| of a sine that just fits into [-1, 1]."""
    import torch

    sine = torch.sin(torch.arange(4 * stft.n_fft) * (torch.pi / 2))  # a quarter of the rate lies on a bin
    full = stft.forward(sine).abs()
    return float(full[..., full.shape[-1] // 2].max())  # away from both ends


def decibels(magnitude: Any) -> Any:
    """Of amplitudes, -300 for silence."""
    return 20.0 * np.log10(np.maximum(magnitude, SILENCE))
