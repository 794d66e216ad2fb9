"""Halves of the derivative in B, or in H, of a cost of v and r = B H + e: what a multiplicative update divides.

Cost numbers   three, (c, a, g): log r + rho(v / r) with rho'(q) = c (q + a)^g:   neg = c (q + a)^g q / r,  pos = 1 / r
               one, (b): beta divergence:   neg = v r^(b-2),  pos = r^(b-1);  b = 2 needs no r: (B H) Hᵀ = B (H Hᵀ)
Products       factored_bases: neg Hᵀ and pos Hᵀ;  factored_activations: Bᵀ neg and Bᵀ pos; neg first
Updates        factored_moved: B and H after both, B before H, each by its quotient to a power, (neg / pos)^x
"""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from otowake.core.method import Factored
from otowake.linalg.safe import divide, rooted
from otowake.ops.ratio import POWERS, halves_of, times
from otowake.ops.registry import Op, constants

Pair = tuple[Tensor, Tensor]


def products(neg: Tensor, pos: Tensor, B: Tensor, H: Tensor, bases: bool) -> Pair:
    """neg Hᵀ and pos Hᵀ, or Bᵀ neg and Bᵀ pos."""
    if bases:
        return neg @ H.mT, times(pos, H.mT)
    return B.mT @ neg, times(pos.mT, B).mT


def bases_definition(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    return torch.stack(products(*halves_of(v, B @ H + e, cost), B, H, True), -3)


def activations_definition(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    return torch.stack(products(*halves_of(v, B @ H + e, cost), B, H, False), -3)


def moved_definition(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor, x: Tensor) -> Pair:
    B = B * rooted(divide(*bases_definition(v, B, H, e, cost).unbind(-3)), x.item())
    return B, H * rooted(divide(*activations_definition(v, B, H, e, cost).unbind(-3)), x.item())


def _suits(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor, x: Tensor | None = None) -> bool:
    return len(cost) == 1 or cost[2].item() in POWERS


_SCHEMA = "(Tensor v, Tensor B, Tensor H, Tensor e, Tensor cost) -> Tensor"
factored_bases = Op("factored_bases", bases_definition, "factored", _SCHEMA, _suits)
"""(v: *b f t, B: *b f k, H: *b k t, e: *b 1|f 1|t, cost: 1 or 3) -> *b 2 f k."""
factored_activations = Op("factored_activations", activations_definition, "factored", _SCHEMA, _suits)
"""The same arguments -> *b 2 k t."""
factored_moved = Op(
    "factored_moved",
    moved_definition,
    "factored",
    "(Tensor v, Tensor B, Tensor H, Tensor e, Tensor cost, Tensor x) -> (Tensor, Tensor)",
    _suits,
)
"""The same arguments and the power x: 1 -> B and H."""


def known(v: Tensor, cost: Tensor) -> Factored:
    """Of a cost that the ops know; v: *b 1 f t."""
    v = v.squeeze(-3).contiguous()

    def halves(B: Tensor, H: Tensor, e: Tensor, bases: bool) -> Pair:
        op = factored_bases if bases else factored_activations
        neg, pos = op(v, *_joined(B, H, e), cost).unbind(-3)
        return _apart(neg, H, bases), _apart(pos, H, bases)

    def moved(B: Tensor, H: Tensor, e: Tensor, x: float) -> Pair:
        b, h = factored_moved(v, *_joined(B, H, e), cost, constants(x))
        return _apart(b, H, True), _apart(h, H, False)

    return Factored(halves, moved)


def general(at: Callable[[Tensor], Pair]) -> Factored:
    """Of any split gradient of the sum, r: *b 1 f t -> (neg, pos)."""

    def halves(B: Tensor, H: Tensor, e: Tensor, bases: bool) -> Pair:
        Bs, Hs, es = _joined(B, H, e)
        neg, pos = (x.squeeze(-3) for x in at((Bs @ Hs + es).unsqueeze(-3)))
        neg, pos = products(neg, pos, Bs, Hs, bases)
        return _apart(neg, H, bases), _apart(pos, H, bases)

    return by(halves)


def by(halves: Callable[[Tensor, Tensor, Tensor, bool], Pair]) -> Factored:
    """Whose factors move by the halves' own quotients."""

    def moved(B: Tensor, H: Tensor, e: Tensor, x: float) -> Pair:
        B = B * rooted(divide(*halves(B, H, e, True)), x)
        return B, H * rooted(divide(*halves(B, H, e, False)), x)

    return Factored(halves, moved)


def above(factored: Factored, rest: Tensor) -> Factored:
    """The same where other sources explain `rest`, *b 1 f t."""
    floor = lru_cache(1)(lambda e: e + rest)

    def halves(B: Tensor, H: Tensor, e: Tensor, bases: bool) -> Pair:
        return factored.halves(B, H, floor(e), bases)

    def moved(B: Tensor, H: Tensor, e: Tensor, x: float) -> Pair:
        return factored.moved(B, H, floor(e), x)

    return Factored(halves, moved)


def _joined(B: Tensor, H: Tensor, e: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All bases side by side, *b f nk; all activations, *b nk t; the floors' sum *b 1|f 1|t."""
    if B.shape[-3] == 1:
        return B.squeeze(-3), H.squeeze(-3), e.squeeze(-3)
    return B.movedim(-3, -2).flatten(-2), H.flatten(-3, -2), e.sum(-3)


def _apart(half: Tensor, H: Tensor, bases: bool) -> Tensor:
    """The shape of B, or of H, again."""
    n, k = H.shape[-3:-1]
    if n == 1:
        return half.unsqueeze(-3)
    return half.unflatten(-1, (n, k)).movedim(-2, -3) if bases else half.unflatten(-2, (n, k))
