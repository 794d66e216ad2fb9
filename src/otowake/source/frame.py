"""One scale a frame: the time-varying source model.

Model    r_nft = r_nt >= e
Update   r <- max( r [ sum_f neg r / sum_f pos r ]^(1/(high - low)), e )
         the exact minimiser where the cost is c r^high - a r^low (Gauss: r_nt = mean_f v), a descent step where such a
         curve lies above it (t); the cost is quasi-convex in each r_nt, so the bound keeps the descent.

Source   Ono 2012 (AuxIVA with a time-varying Gaussian source).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.method import Split
from otowake.core.types import Gain, Power
from otowake.linalg.safe import divide, rooted, variance_floor


class FrameState(NamedTuple):
    """r: *b n 1 t;  e: the least that r may be, *b n 1 1."""

    r: Float[Tensor, "*b n #f t"]
    e: Float[Tensor, "*b n #f 1"]


@dataclass(frozen=True)
class Frame:
    """The same scale in all bins of a frame."""

    proved = True

    def init(self, v: Power, seed: int) -> FrameState:
        e = torch.full_like(v[..., :1, :1], variance_floor(v))
        return FrameState(torch.maximum(v.mean(-2, keepdim=True), e), e)

    def psd(self, z: FrameState) -> Power:
        return z.r

    def penalty(self, z: Any) -> float:
        return 0.0

    def update(self, z: FrameState, split: Split) -> FrameState:
        split.by_ratios("Frame")
        low, high = split.powers
        neg, pos = split(z.r)
        a, c = ((G * z.r).mean(-2, keepdim=True) for G in (neg, pos))  # r differs over f after a gain for each bin
        q = rooted(divide(a, c), 1 / (high - low))
        return z._replace(r=torch.maximum(z.r * q, z.e))

    def rescale(self, z: FrameState, g: Gain) -> FrameState:
        return FrameState(z.r * g, z.e * g)
