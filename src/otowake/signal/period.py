"""The period of a spectrum: the pitch of one note, whatever its harmonics' sizes and whether the first is there.

Autocorrelation  c(s) = sum_f b_f^2 cos(2 pi f s / n_fft), over that of the window
Difference       d(s) = c(0) - c(s);    d'(s) = d(s) / mean of d(1..s)
Period           the first dip of d' that is nearly as deep as the deepest; its clarity is 1 - d'

Source   de Cheveigne & Kawahara 2002, equations 7 and 8 and step 4, here from spectra and not from samples.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.linalg.safe import divide
from otowake.signal.pitch import hertz
from otowake.signal.stft import Stft

FINE = 80_000  # lags a second: where they are coarser, twice the period may fit better than the period
NEARLY = 0.02  # a dip this much higher than the deepest one may be the period: longer periods fit as well


class Heard(NamedTuple):
    """Of each spectrum. pitch: MIDI number, not rounded, NaN where nothing repeats;  clarity: 1 of a perfect period."""

    pitch: Float[Tensor, " k"]
    clarity: Float[Tensor, " k"]


def heard(B: Float[Tensor, "f k"], rate: int, stft: Stft, lowest: int = 24, highest: int = 108) -> Heard:
    """The pitch of each column of amplitudes.

    Args:
        B: f k, amplitudes >= 0.
        rate: samples a second.
        stft: the transform whose bins these are.
        lowest, highest: MIDI numbers between which pitches are looked for.
    """
    finer = max(1, math.ceil(FINE / rate))
    first = max(2, int(finer * rate / hertz(highest + 0.5)))
    last = min(finer * stft.n_fft // 2 - 2, int(finer * rate / hertz(lowest - 0.5)) + 1)
    dips = _differences(B.double(), stft, finer, last + 2)
    middle = dips[first : last + 1]
    dip = (middle < dips[first - 1 : last]) & (middle <= dips[first + 1 : last + 2])
    depth = torch.where(dip, middle, torch.full_like(middle, torch.inf))
    near = depth <= depth.amin(0) + NEARLY
    at = near.to(torch.uint8).argmax(0) + first  # the first of them
    found = dip.any(0) & (B.sum(0) > 0)
    period, least = _between(dips, at)
    pitch = 69 + 12 * torch.log2(finer * rate / period / 440.0)
    return Heard(
        torch.where(found, pitch, torch.full_like(pitch, torch.nan)),
        torch.where(found, (1 - least).clamp(0, 1), torch.zeros_like(least)),
    )


def _differences(B: Float[Tensor, "f k"], stft: Stft, finer: int, lags: int) -> Float[Tensor, "_ k"]:
    """d' of each column at so many lags, from 0 in steps of 1 / finer samples."""
    long = finer * stft.n_fft
    c = torch.fft.irfft(B.square(), n=long, dim=0)[:lags]
    window = torch.fft.irfft(torch.fft.rfft(stft.window(B)).abs().square(), n=long)[:lags]
    c = divide(c, c[0]) / (window / window[0]).unsqueeze(-1)
    d = (1 - c).clamp_min(0)
    lag = torch.arange(len(d), dtype=d.dtype).unsqueeze(-1)
    return torch.where(lag > 0, divide(d * lag, d.cumsum(0)), torch.ones_like(d))


def _between(d: Float[Tensor, "_ k"], at: Tensor) -> tuple[Tensor, Tensor]:
    """Where the parabola through a dip and its neighbours is lowest, and how low."""
    left, low, right = (d.gather(0, (at + step).unsqueeze(0)).squeeze(0) for step in (-1, 0, 1))
    curve = left - 2 * low + right
    shift = divide(left - right, 2 * curve).clamp(-0.5, 0.5)
    return at + shift, low - (left - right) * shift / 4
