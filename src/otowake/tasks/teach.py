"""What a fit by exemplars gets wrong of the band above: each exemplar, fitted by the others, teaches it.

Model    ln a - ln m = d(x) + noise, in bands of the spectrum above:  a the exemplar, m what the others make of it
         d a Gaussian process around its mean, kernel exp(-|x - y|² / w), w the median of |x - y|², noise as strong as d
         x: ln of the levels of a in bands below the cut and of m in bands above, each at mean 0 and deviation 1; and
         of the level below the cut within 0.4 s on each side, at mean 0 and deviation 2
Taught   d(x) = mean + k(x) (K + I)^-1 (ln a - ln m - mean)
Used     m exp(d(x)) for a recording's own m: of what is likely, the mean in dB

Around   A breath before speech and a sibilant within are the same below the cut in any one frame; what is around tells.

Bands    tents over evenly spaced middles: they add up to 1 in each bin, so they serve to average and to lead from band
         to band
Source   regression by a Gaussian process: Rasmussen & Williams 2006, equation 2.25; a second learner that learns from
         what the first makes of examples it was not given: Wolpert 1992
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.linalg.safe import UNTOLD, divide

LOW, HIGH = 20, 16  # bands below and above the cut
LEAST = 0.05  # of the widest deviation: bands that hardly vary are not blown up
AROUND = 0.4  # seconds on each side
WEIGHT = 2.0  # of what is around
LOUD = 1e-4  # of the loudest frame's power: quieter ones do not count for the level


@dataclass(frozen=True, eq=False)
class Bands:
    """Tents over the bins `first` to `last`: bands f, each column adds up to 1 (as the last one does beyond them)."""

    first: int
    last: int
    bins: int
    most: int

    @property
    def tents(self) -> Float[Tensor, "bands f"]:
        count = max(1, min(self.most, self.last - self.first))
        at = (torch.arange(self.bins, dtype=torch.float64).clamp(self.first, self.last) - self.first) * (count - 1)
        where = at / max(self.last - self.first, 1)
        return (1 - (where - torch.arange(count, dtype=torch.float64)[:, None]).abs()).clamp_min(0)

    @property
    def means(self) -> Float[Tensor, "bands f"]:
        """Averages over each band."""
        tents = self.tents.clone()
        tents[:, : self.first], tents[:, self.last + 1 :] = 0, 0
        return divide(tents, tents.sum(1, keepdim=True))


@dataclass(frozen=True, eq=False)
class Teacher:
    """Knows exemplars and what the others make of each.

    Args:
        A: f t, the exemplars' amplitudes.
        M: f t, the others' models of them.
        around: f t, what was around them.
        kept: bins that are known of recordings.
    """

    A: Float[Tensor, "f t"]
    M: Float[Tensor, "f t"]
    around: Float[Tensor, "f t"]
    kept: int

    def corrected(
        self, A: Float[Tensor, "f t"], M: Float[Tensor, "f t"], around: Float[Tensor, "f t"]
    ) -> Float[Tensor, "f t"]:
        """The model M of a recording of which A, and what is around, is known below, as it should have been above."""
        X, x = self._seen(self.A, self.M, self.around), self._seen(A, M, around)
        mean, size = X.mean(0), X.std(0, correction=0)
        size = size.clamp_min(LEAST * float(size.max()))
        weight = torch.ones_like(size)
        weight[-1] = WEIGHT
        X, x = (weight * divide(z - mean, size) for z in (X, x))
        high = self._high
        D = (high.means @ (told(self.A, self.level) - told(self.M, self.level))).mT
        d = regressed(X, D, x)
        return M * (d @ high.tents).mT.exp()

    @property
    def level(self) -> Tensor:
        return level(self.A[: self.kept])

    @property
    def _high(self) -> Bands:
        return Bands(self.kept, len(self.A) - 1, len(self.A), HIGH)

    def _seen(
        self, A: Float[Tensor, "f t"], M: Float[Tensor, "f t"], around: Float[Tensor, "f t"]
    ) -> Float[Tensor, "t bands"]:
        one = level(A[: self.kept])
        low = Bands(1, self.kept - 1, len(self.A), LOW).means[:, : self.kept]
        power = low @ (A[: self.kept] / one).square()
        near = (around[: self.kept] / one).square().sum(0, keepdim=True)
        level_below, level_near = ((q + UNTOLD**2).log() for q in (power, near))
        return torch.cat([level_below, self._high.means @ told(M, one), level_near]).mT


def told(A: Float[Tensor, "f t"], one: Tensor) -> Float[Tensor, "f t"]:
    """ln of amplitudes in units of a level."""
    return (A / one).clamp_min(UNTOLD).log()


def around(A: Float[Tensor, "f t"], frames: float) -> Float[Tensor, "f t"]:
    """The root of the mean power within 0.4 s on each side, of so many frames a second."""
    reach = round(AROUND * frames)
    power = torch.nn.functional.avg_pool1d(A.square(), 2 * reach + 1, 1, reach, count_include_pad=False)
    return power.sqrt()


def level(A: Float[Tensor, "f t"]) -> Tensor:
    """The root of the mean power of the frames within 40 dB of the loudest."""
    power = A.square().sum(0)
    return power[power > LOUD * power.max()].mean().sqrt()


def regressed(
    X: Float[Tensor, "k bands"], D: Float[Tensor, "k f"], x: Float[Tensor, "t bands"]
) -> Float[Tensor, "t f"]:
    """The process's mean at x, where D was seen at X."""
    plain = "donot_use_mm_for_euclid_dist"  # exact for neighbours
    apart, near = (torch.cdist(z, X, compute_mode=plain).square() for z in (X, x))
    width = apart[~torch.eye(len(X), dtype=torch.bool)].median()
    K, k = (torch.exp(-divide(z, width)) for z in (apart, near))
    mean = D.mean(0)
    return k @ torch.linalg.solve(K + torch.eye(len(X), dtype=K.dtype), D - mean) + mean
