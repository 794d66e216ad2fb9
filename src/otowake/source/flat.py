"""No source model: every bin of a source has the same scale.  With a pooled density: independent vector analysis.

Model    r_nft = r_n        nothing to update; r_n only carries the scale that the gauge moves here

Source   Ono 2011 (AuxIVA), where the density alone holds the bins of a source together.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.method import Split
from otowake.core.types import Gain, Power


class FlatState(NamedTuple):
    """r: *b n 1 1; it broadcasts over bins and frames."""

    r: Float[Tensor, "*b n #f 1"]


@dataclass(frozen=True)
class Flat:
    """The same scale in every bin."""

    proved = True

    def init(self, v: Power, seed: int) -> FlatState:
        return FlatState(torch.ones_like(v[..., :1, :1]))

    def psd(self, z: FlatState) -> Power:
        return z.r

    def penalty(self, z: Any) -> float:
        return 0.0

    def update(self, z: FlatState, split: Split) -> FlatState:
        return z

    def rescale(self, z: FlatState, g: Gain) -> FlatState:
        return FlatState(z.r * g)
