"""The reverberation time of a room, from whatever was recorded in it.

Model    after a sound has ended its level falls by 60 / T dB a second (T: reverberation time in s): a free decay
         sounds that die away by themselves fall more slowly, so that the fastest falls of a recording are the room's
Levels   L_bt in dB, of half-octave bands b of 350 to 5000 Hz, in frames of 64 ms; power is averaged over channels
Falls    d_bt(w) = - w * slope of the least-squares line through L_b over a window of w seconds that begins at t
         D_b(w) = the fall that a share q of these windows exceeds: it grows with w
Estimate T_b = 60 w / D where D_b(w) = D:   (D, q) = (25 dB, 1 %), else (20 dB, 2 %), else (16 dB, 5 %)
         T = median over bands of T_b; their quartiles say how much the bands agree

The three pairs (D, q) are the only numbers that were fitted: of pairs for which T of real recordings in rooms of known
T is right on average, without a curve in between (experiments/reverberation).

Source   Wen, Habets, Naylor 2008 (slopes in many windows and bands, and a statistic of the steep ones: the spectral
         decay distribution); Ratnam et al. 2003 (the fastest decays are the room's).  Ours: windows as long as a fall
         takes, in place of one length and a polynomial.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from otowake.linalg.safe import EMPTY

FRAME, HOP = 0.064, 0.016
"""Seconds."""
LOWEST, HIGHEST, WIDTH = 350.0, 5000.0, 0.5
"""Of the bands: hertz, hertz, octaves."""
WINDOWS = [0.06 * 2 ** (k / 4) for k in range(18)]
"""Seconds: 0.06 to 1.1, so that T is between 0.1 and 4."""
FALLS = ((25.0, 0.01), (20.0, 0.02), (16.0, 0.05))
"""dB, and the share of windows that fall by more."""
SHORTEST, LONGEST = 2.0, 120.0
"""Seconds: shorter recordings hold too few decays; of longer ones the beginning is looked at."""
FEWEST_BANDS, MOST_CHANNELS = 3, 8
DISAGREEMENT = 2.5
"""Upper over lower quartile of T_b: beyond, what falls is not one room."""
BLOCK = 64  # frames at once


class Reverberation(NamedTuple):
    """A reverberation time in seconds, and the quartiles of the bands' own times: the nearer, the surer."""

    seconds: float
    low: float
    high: float


def reverberation(x: Float[Tensor, "channels samples"], rate: int) -> Reverberation | None:
    """The reverberation time in which a recording was made; None where nothing in it tells.

    Nothing tells in recordings that are silent, shorter than 2 s, or steady, in noise less than about 16 dB below the
    sound, and where bands disagree by more than a factor of 2.5.  Of long recordings the first two minutes are looked
    at, of many channels the first eight.  Half of the times of speech are right within 10 %, of music within 20 %: what
    rings by itself makes short times longer, and held notes hide long ones.  Noise makes them longer.

    Args:
        x: finite samples of one recording, at any level.
        rate: samples a second.
    """
    x = x[:MOST_CHANNELS, : round(LONGEST * rate)]
    if x.shape[-1] < SHORTEST * rate or not bool(x.any()):
        return None
    L = levels(x / x.abs().amax(), rate)
    if len(L) < FEWEST_BANDS:
        return None
    lengths = [n for n in (round(w / HOP) for w in WINDOWS) if n < L.shape[-1] // 2]
    falls = torch.stack([_falls(L, n) for n in lengths], -1)
    for k, (fall, _) in enumerate(FALLS):
        found = _agreed([_time(lengths, band, fall) for band in falls[:, k].tolist()])
        if found is not None:
            return found
    return None


def levels(x: Float[Tensor, "channels samples"], rate: int) -> Float[Tensor, "_ t"]:
    """In dB, of each band that holds something; NaN in frames of digital silence."""
    n_fft, hop = 2 * round(FRAME * rate / 2), round(HOP * rate)
    of_band = _bands(n_fft, rate).to(x.dtype)
    window = torch.hann_window(n_fft, dtype=x.dtype)
    frames = x.unfold(-1, n_fft, hop).split(BLOCK, -2)
    parts = [torch.fft.rfft(part * window).abs().square().mean(0) @ of_band.mT for part in frames]
    P = torch.cat(parts).mT
    mean = P.mean(-1, keepdim=True)
    some = mean[:, 0] > EMPTY * mean.sum()
    P, mean = P[some], mean[some]
    return torch.where(EMPTY * mean < P, 10 * torch.log10(P / mean), torch.nan)


def _bands(n_fft: int, rate: int) -> Bool[Tensor, "_ f"]:
    """Ones in the bins of each band that lies below the highest frequency of the recording."""
    f = torch.arange(n_fft // 2 + 1) * rate / n_fft
    edges = LOWEST * 2 ** (WIDTH * torch.arange(64))
    edges = edges[edges <= min(HIGHEST, 0.45 * rate)].unsqueeze(-1)
    return (f >= edges[:-1]) & (f < edges[1:])


def _falls(L: Float[Tensor, "_ t"], n: int) -> Float[Tensor, "_ _"]:
    """D_b(w) of each band, w = n frames, for each of the shares; windows with digital silence do not count."""
    along = torch.arange(n, dtype=L.dtype) - (n - 1) / 2
    line = -n * along / (along**2).sum()
    d = torch.nn.functional.conv1d(L.unsqueeze(1), line.expand(1, 1, -1))[:, 0]
    shares = torch.tensor([1 - share for _, share in FALLS], dtype=L.dtype)
    return torch.nanquantile(d, shares, dim=-1).mT


def _time(lengths: list[int], falls: list[float], fall: float) -> float:
    """T_b, between two windows on a logarithmic scale; infinite where no window falls as far."""
    for k, d in enumerate(falls):
        if d >= fall:
            n = float(lengths[k])
            if k and falls[k - 1] < fall:
                share = (fall - falls[k - 1]) / (d - falls[k - 1])
                return 60 / fall * HOP * lengths[k - 1] * (n / lengths[k - 1]) ** share
            return 60 / d * HOP * n
    return torch.inf


def _agreed(times: list[float]) -> Reverberation | None:
    times = sorted(times)
    low, middle, high = (times[len(times) * k // 4] for k in (1, 2, 3))
    return Reverberation(middle, low, high) if high <= DISAGREEMENT * low and high < torch.inf else None
