"""Where a recording's band ends, and what lies above.

Edge    the frequency at which the long-term spectrum falls farthest: the median of the 15 % below it over the loudest
        of all that is 12 % above it or more.  A fall of 35 dB is no instrument's and no voice's own: measured on 28
        recordings of both, theirs are 37 dB at most (where a synthesiser's samples end), of resampled ones 41 to 75.
        The band ends halfway down (in dB); from 0.9 of half the rate on, the fall is the converter's own.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.linalg.safe import divide
from otowake.signal.stft import Stft

BELOW, ABOVE, FALL = 0.15, 0.12, 35.0
FULL = 0.9  # of half the rate: nearer to it converters fade out
LOWEST = 300.0  # Hz
WINDOW = 0.03  # seconds


def band_end(x: Float[Tensor, "*b samples"], rate: int) -> float:
    """Hz: where the sound's content ends; half the rate, or where it falls off a cliff before."""
    n_fft = 2 ** math.ceil(math.log2(rate * WINDOW))
    peak = x.abs().amax()
    X = Stft(n_fft, n_fft // 2).forward(divide(x, peak))
    whole = X[..., 1:-2] if X.shape[-1] > 3 else X  # a sound that begins or ends abruptly splatters over the others
    return spectrum_end(whole.abs().square().mean(-1).reshape(-1, X.shape[-2]).mean(0), rate)


def spectrum_end(power: Float[Tensor, " f"], rate: int) -> float:
    """The same of a long-term power spectrum."""
    level = 10 * torch.log10(power.double().clamp_min(torch.finfo(torch.float32).tiny))
    bins = len(level)
    hertz = rate / 2 / (bins - 1)
    above = level.flip(0).cummax(0).values.flip(0)
    fall, at, middle = 0.0, bins, 0.0
    for i in range(max(4, round(LOWEST / hertz)), bins - 5):
        beyond = i + max(4, int(ABOVE * i))
        if beyond >= bins - 1:
            break
        below = float(level[i - max(4, int(BELOW * i)) : i + 1].median())
        if below - float(above[beyond]) > fall:
            fall, at, middle = below - float(above[beyond]), beyond, (below + float(above[beyond])) / 2
    if fall < FALL:
        return rate / 2
    end = hertz * float((level[: at + 1] > middle).nonzero().max())
    return rate / 2 if end > FULL * rate / 2 else end


def from_on(y: Float[Tensor, "*b samples"], rate: int, start: float, full: float) -> Float[Tensor, "*b samples"]:
    """Nothing of y below `start`, all of it from `full` on, without delay; the sound is taken as one round."""
    f = torch.fft.rfftfreq(y.shape[-1], 1 / rate, dtype=y.dtype, device=y.device)
    ramp = torch.sin(torch.pi / 2 * ((f - start) / (full - start)).clamp(0, 1)) ** 2
    return torch.fft.irfft(torch.fft.rfft(y) * ramp, n=y.shape[-1])
