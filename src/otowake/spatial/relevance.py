"""Sources that are not needed go out: a cost for each source, by the share of the recording that it holds.

Model    N_nm: power of source n in channel m, of all cells;  D_m: of the channel;  a_n = mean_m N_nm / D_m
Cost     l F T sum_n log( 1 + a_n / a_0 ),   a_0 = 1e-4: next to free for the loud, less the quieter, nothing for none
Bound    log below its tangent:  c_n N_nm / D_m,  c_n = l F T / (M (a_n + a_0));  then, n and d being relative changes,
         n / d <= n^2 / 2 + d^-2 / 2,  each a power of a sum, hence Jensen's:  powers -2 and 2
         where D is the recording's own power the tangent is all:  power 1

Ratios of powers in one channel: no gain that a gauge may hand over changes them.

Source   Tan & Fevotte 2013 (automatic relevance determination, section 3: the logarithm that is left when the inverse
         gamma prior's scales are at their best); that of sources' shares and its bound: docs/papers/fastmnmf.md.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.types import Cost
from otowake.linalg.safe import NEGLIGIBLE, divide

POWERS = -2.0, 2.0
"""Of the bound, where D grows with N."""


class Held(NamedTuple):
    """N: powers of sources in channels *b n m;  D: of the channels *b 1 m;  weight: l F T."""

    N: Float[Tensor, "*b n m"]
    D: Float[Tensor, "*b 1 m"]
    weight: float


def relevance_cost(held: Held) -> Cost:
    return held.weight * torch.log1p(_shares(held) / NEGLIGIBLE).sum(-1)


def slopes(held: Held) -> tuple[Float[Tensor, "*b 1 m"], Float[Tensor, "*b n m"]]:
    """Both halves of the derivative: minus that in D_m, and that in N_nm."""
    c = held.weight / (held.N.shape[-1] * (_shares(held) + NEGLIGIBLE)).unsqueeze(-1)
    return divide(divide((c * held.N).sum(-2, keepdim=True), held.D), held.D), divide(c, held.D)


def check_relevance(name: str, weight: float) -> None:
    if not 0 <= weight < float("inf"):
        raise OtowakeError(f"{name}: relevance must be 0 or more, and finite, got {weight:g}; 0.1 is usual.")


def _shares(held: Held) -> Float[Tensor, "*b n"]:
    """a_n."""
    return divide(held.N, held.D).mean(-1)
