"""Both halves of a multiplicative update of r = B H + e, and their quotient.

factor_ratio   (neg Aᵀ) / (pos Aᵀ) for any split gradient: two products of the linear-algebra library
bases_ratio    the same for costs log r + rho(v / r) with rho'(q) = c (q + a)^g, without forming r, neg and pos:
               r = B H + e,  q = v / r,  neg = c (q + a)^g q / r,  pos = 1 / r;   (neg Hᵀ) / (pos Hᵀ)
gains_ratio    (Bᵀ neg) / (Bᵀ pos) of the same
factors_moved  B and H after both updates, B before H, each by its quotient to a power
slope_weight   phi = c (v/r + a)^g / r of a given r
slope_cost     sum log r + rho(v / r), for g = -1 and a > 0 with rho(0) = 0, in double precision
"""

import torch
from torch import Tensor

from otowake.linalg.safe import divide, rooted
from otowake.ops.registry import Op


def factor_definition(neg: Tensor, pos: Tensor, A: Tensor) -> Tensor:
    return divide(neg @ A.mT, times(pos, A.mT))


def times(half: Tensor, A: Tensor) -> Tensor:
    """half @ A; a half that is one number, expanded over bins and frames, takes a sum in place of the product."""
    if half.stride()[-2:] == (0, 0):
        return (half[..., :1, :1] * A.sum(-2, keepdim=True)).expand(*A.shape[:-2], half.shape[-2], -1)
    return half @ A


def raised(q: Tensor, slope: Tensor) -> Tensor:
    """c (q + a)^g for slope = (c, a, g), with the short cuts that g allows."""
    c, a, g = slope.tolist()
    if g == 0:
        return q.new_ones(()).expand_as(q) * c
    base = q + a
    if g == -1:
        return c / base
    return c * torch.rsqrt(base) if g == -0.5 else c * base**g


def halves_of(v: Tensor, r: Tensor, cost: Tensor) -> tuple[Tensor, Tensor]:
    """neg and pos of r, for a cost of three numbers (a slope) or one (b of a beta divergence)."""
    if len(cost) == 1:
        b = cost.item()
        pos = r ** (b - 1)
        return v * pos / r, pos
    pos = 1 / r
    q = v * pos
    return raised(q, cost) * q * pos, pos


def bases_definition(v: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    return factor_definition(*halves_of(v, B @ H + e, slope), H)


def gains_definition(v: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    neg, pos = halves_of(v, B @ H + e, slope)
    return factor_definition(neg.mT, pos.mT, B.mT).mT.contiguous()


def moved_definition(v: Tensor, B: Tensor, H: Tensor, e: Tensor, power: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    x = power.item()
    B = B * rooted(bases_definition(v, B, H, e, slope), x)
    return B, H * rooted(gains_definition(v, B, H, e, slope), x)


def weight_definition(v: Tensor, r: Tensor, slope: Tensor) -> Tensor:
    pos = 1 / r
    return raised(v * pos, slope) * pos


def rho(q: Tensor, slope: Tensor) -> Tensor:
    """What `raised` is the derivative of; for g = -1 it is 0 at q = 0."""
    c, a, g = slope.tolist()
    return c * torch.log1p(q / a) if g == -1 else c / (g + 1) * (q + a) ** (g + 1)


def cost_definition(v: Tensor, r: Tensor, slope: Tensor) -> Tensor:
    return (torch.log(r) + rho(v / r, slope)).sum((-3, -2, -1), dtype=torch.float64)


POWERS = (0.0, -1.0, -0.5)
"""The g that kernels have a formula for."""
MOST_BASES = 16
"""More are faster in matrix products."""


def suits_kernel(seen: Tensor, B: Tensor, *rest: Tensor) -> bool:
    """Powers other than these are faster in the definition's vector functions, many bases in matrix products."""
    return B.shape[-1] <= MOST_BASES and rest[-1][2].item() in POWERS


_SCHEMA = "(Tensor v, Tensor B, Tensor H, Tensor e, Tensor slope) -> Tensor"
factor_ratio = Op("factor_ratio", factor_definition, None, "(Tensor neg, Tensor pos, Tensor A) -> Tensor")
"""(neg, pos: *b n f t, A: *b n k t) -> *b n f k; transposed views give the other factor."""
bases_ratio = Op("bases_ratio", bases_definition, "ratio", _SCHEMA, suits_kernel)
"""(v: *b n f t, B: *b n f k, H: *b n k t, e: *b n 1|f 1, slope: 3) -> *b n f k."""
gains_ratio = Op("gains_ratio", gains_definition, "ratio", _SCHEMA, suits_kernel)
"""The same arguments -> *b n k t."""
factors_moved = Op(
    "factors_moved",
    moved_definition,
    "ratio",
    "(Tensor v, Tensor B, Tensor H, Tensor e, Tensor power, Tensor slope) -> (Tensor, Tensor)",
    suits_kernel,
)
"""The same arguments and a power -> B and H."""


def _each_cell(v: Tensor, r: Tensor, slope: Tensor) -> bool:
    return slope[2].item() in POWERS and r.shape == v.shape


slope_weight = Op(
    "slope_weight",
    weight_definition,
    "ratio",
    "(Tensor v, Tensor r, Tensor slope) -> Tensor",
    _each_cell,
)
"""(v, r: *b n f t, slope: 3) -> phi: *b n f t."""
slope_cost = Op(
    "slope_cost",
    cost_definition,
    "cost",
    "(Tensor v, Tensor r, Tensor slope) -> Tensor",
    _each_cell,
)
"""(v, r: *b n f t, slope: 3) -> *b."""
