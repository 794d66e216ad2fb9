"""Nonnegative matrix factorisation as a source model: few bases, each with its own course in time.

Model    r = R^(2/p),  R = B H + e        B, H >= 0; e > 0 is frozen: a component that is never updated
Updates  B <- B * [ (neg' Hᵀ) / (pos' Hᵀ) ]^x,  then the same for H with R made anew
         neg' = neg dr/dR, pos' = pos dr/dR; x is the MM exponent of the cost in R: no update raises the cost
Scale    r -> g r:  B -> g^(p/2) B,  e -> g^(p/2) e

Source   Kitamura, Ono, Sawada, Kameoka, Saruwatari 2016, equations 42-45; the exponent for any domain p and cost:
         Mogami et al. 2018; the frozen floor: docs/decisions/0003-numbers.md.
"""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from otowake.core.method import Split
from otowake.core.random import uniform
from otowake.core.types import Gain, Power
from otowake.linalg.safe import rooted, variance_floor
from otowake.ops import bases_ratio, factor_ratio, gains_ratio
from otowake.source.domain import checked, pulled_back, to_power


class NmfState(NamedTuple):
    """B: bases *b n f k;  H: activations *b n k t;  e: frozen floor *b n f 1, in units of R."""

    B: Float[Tensor, "*b n f k"]
    H: Float[Tensor, "*b n k t"]
    e: Float[Tensor, "*b n #f 1"]


@dataclass(frozen=True)
class Nmf:
    """Each source is a sum of `bases` spectra with gains over time.

    Args:
        bases: spectra a source; 2 suits speech, 10 to 30 music.
        domain: p, the power of the amplitude in which the spectra add up (2: power, 1: amplitude).
    """

    bases: int = 2
    domain: float = 2.0

    def __post_init__(self) -> None:
        checked("Nmf", self.bases, self.domain)

    def init(self, v: Power, seed: int) -> NmfState:
        """B, H ~ U(0.1, 1), the same for each item of a batch."""
        *batch, n, f, t = v.shape
        B = uniform(seed, (n, f, self.bases), v, stream=0).expand(*batch, -1, -1, -1)
        H = uniform(seed, (n, self.bases, t), v, stream=1).expand(*batch, -1, -1, -1)
        e = v.new_full((*batch, n, f, 1), variance_floor(v) ** (self.domain / 2))
        return NmfState(B.clone(), H.clone(), e)

    def psd(self, z: NmfState) -> Power:
        return to_power(z.B @ z.H + z.e, self.domain)

    def update(self, z: NmfState, split: Split) -> NmfState:
        x = split.exponent(2 / self.domain)
        if self.domain == 2 and split.fused is not None:
            v, slope = split.fused
            z = z._replace(B=z.B * rooted(bases_ratio(v, *z, slope), x))
            return z._replace(H=z.H * rooted(gains_ratio(v, *z, slope), x))
        neg, pos = pulled_back(self.psd(z), split, self.domain)
        z = z._replace(B=z.B * rooted(factor_ratio(neg, pos, z.H), x))
        neg, pos = pulled_back(self.psd(z), split, self.domain)
        return z._replace(H=z.H * rooted(factor_ratio(neg.mT, pos.mT, z.B.mT).mT, x))

    def rescale(self, z: NmfState, g: Gain) -> NmfState:
        a = g ** (self.domain / 2)
        return z._replace(B=z.B * a, e=z.e * a)
