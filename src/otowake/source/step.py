"""One step of a nonnegative factor A, from both halves of the derivative of a cost in it to its change q = A_new / A.

Bound      of the cost, for each entry:   pos q^high / high  -  neg q^low / low  +  quad q^2 / 2      (q^0 / 0: log q)
mm         its minimum:   q = (neg / pos)^(1 / (high - low));   with quad where low = 0, high = 1:
           q = 2 neg / (pos + sqrt(pos^2 + 4 quad neg));   with quad elsewhere: quad joins pos, and high is at least 2
me         majorisation-equalisation: where the bound is back at its value of q = 1, on the other side of the minimum;
           q = (1 - a) q_mm + a q_me descends, too, as the bound is convex
heuristic  q = neg / pos, which jumps further than mm and is not proved outside of 0 <= b <= 2

Source     Fevotte & Idier 2011, sections 3 and 4; the roots with quad: docs/papers/psnmf.md.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.linalg.safe import divide, rooted, tiny

Factor = Float[Tensor, "*b n _ _"]


class Bound(NamedTuple):
    """neg, pos >= 0: halves of the derivative, times nothing;  quad >= 0 or None;  low <= 1 <= high."""

    neg: Factor
    pos: Factor
    quad: Factor | None
    low: float
    high: float


Rule = Callable[[Bound], Factor]
"""Bound -> q."""


def mm(bound: Bound) -> Factor:
    """The minimum of the bound: never raises the cost."""
    neg, pos, quad, low, high = bound
    if quad is None:
        return rooted(divide(neg, pos), 1 / (high - low))
    if (low, high) == (0.0, 1.0):
        return divide(2 * neg, pos + torch.sqrt(pos**2 + 4 * quad * neg))
    return rooted(divide(neg, pos + quad), 1 / (max(high, 2.0) - low))


def heuristic(bound: Bound) -> Factor:
    """q = neg / pos."""
    neg, pos, quad, *_ = bound
    return divide(neg, pos if quad is None else pos + quad)


@dataclass(frozen=True)
class Me:
    """Majorisation-equalisation, relaxed; where a penalty brings a quad it is mm.

    Args:
        a: from 0 (mm) to below 1 (all the way, where the cost may stand still).
    """

    a: float = 0.95
    proved = True

    def __post_init__(self) -> None:
        if not 0 <= self.a < 1:
            raise OtowakeError(f"Me: a must be from 0 to below 1, got {self.a:g}; try 0.95.")

    def __call__(self, bound: Bound) -> Factor:
        least = mm(bound)
        if bound.quad is not None:
            return least
        return (1 - self.a) * least + self.a * equal(bound, least)


def equal(bound: Bound, least: Factor) -> Factor:
    """The other q where the bound is what it is at 1, by bisection of log q; 0 where there is none."""
    neg, pos, _, low, high = bound
    rho = divide(neg, pos)
    if (low, high) == (-1.0, 1.0):
        return rho
    if (low, high) == (1.0, 2.0):
        return (2 * rho - 1).clamp_min(0)
    least = least.clamp_min(tiny(least))
    inner = torch.log(least)
    beyond = 2 * inner + (math.log(high / low) / (high - low) if low > 0 else 0.0)
    outer = torch.where(rho > 1, beyond, torch.full_like(inner, math.log(tiny(least))))
    for _ in range(64):
        middle = (inner + outer) / 2
        above = _integral(middle, high) > rho * _integral(middle, low)
        inner, outer = torch.where(above, inner, middle), torch.where(above, middle, outer)
    return torch.exp(inner)


def _integral(u: Factor, power: float) -> Factor:
    """(q^power - 1) / power of u = log q."""
    return u if power == 0 else torch.expm1(power * u) / power


RULES: dict[str, Rule] = {"mm": mm, "heuristic": heuristic, "me": Me()}
"""Every rule by name; mm and me are proved."""
