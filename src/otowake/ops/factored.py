"""Halves of the derivative in B, or in H, of a cost of v and r = B H + e: what a multiplicative update divides.

Cost numbers   three, (c, a, g): log r + rho(v / r) with rho'(q) = c (q + a)^g:   neg = c (q + a)^g q / r,  pos = 1 / r
               one, (b): beta divergence:   neg = v r^(b-2),  pos = r^(b-1);  b = 2 needs no r: (B H) Hᵀ = B (H Hᵀ)
Products       factored_bases: neg Hᵀ and pos Hᵀ;  factored_activations: Bᵀ neg and Bᵀ pos; neg first
"""

from collections.abc import Callable

import torch
from torch import Tensor

from otowake.ops.ratio import POWERS, halves_of, times
from otowake.ops.registry import Op

Pair = tuple[Tensor, Tensor]
Halves = Callable[[Tensor, Tensor, Tensor, bool], Pair]
"""(B: *b n f k, H: *b n k t, e: *b n 1|f 1|t, whether of B) -> neg and pos of B, or of H."""


def products(neg: Tensor, pos: Tensor, B: Tensor, H: Tensor, bases: bool) -> Pair:
    """neg Hᵀ and pos Hᵀ, or Bᵀ neg and Bᵀ pos."""
    if bases:
        return neg @ H.mT, times(pos, H.mT)
    return B.mT @ neg, times(pos.mT, B).mT


def bases_definition(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    return torch.stack(products(*halves_of(v, B @ H + e, cost), B, H, True), -3)


def activations_definition(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    return torch.stack(products(*halves_of(v, B @ H + e, cost), B, H, False), -3)


def _suits(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> bool:
    """The costs that have a formula of their own; others are as fast in the definition's vector functions."""
    return cost.item() in (1.0, 2.0) if len(cost) == 1 else cost[2].item() in POWERS


def _bases_kernel(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    from otowake.ops.cpu.factored import factored_bases

    return factored_bases(v, B, H, e, cost)


def _activations_kernel(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    from otowake.ops.cpu.factored import factored_activations

    return factored_activations(v, B, H, e, cost)


_SCHEMA = "(Tensor v, Tensor B, Tensor H, Tensor e, Tensor cost) -> Tensor"
factored_bases = Op("factored_bases", bases_definition, _bases_kernel, _SCHEMA, _suits)
"""(v: *b f t, B: *b f k, H: *b k t, e: *b 1|f 1|t, cost: 1 or 3) -> *b 2 f k."""
factored_activations = Op("factored_activations", activations_definition, _activations_kernel, _SCHEMA, _suits)
"""The same arguments -> *b 2 k t."""


def known(v: Tensor, cost: Tensor) -> Halves:
    """Of a cost that the ops know; v: *b 1 f t."""
    v = v.squeeze(-3).contiguous()

    def halves(B: Tensor, H: Tensor, e: Tensor, bases: bool) -> Pair:
        Bs, Hs, es = _joined(B, H, e)
        op = factored_bases if bases else factored_activations
        neg, pos = op(v, Bs, Hs, es, cost).unbind(-3)
        return _apart(neg, pos, H, bases)

    return halves


def general(at: Callable[[Tensor], Pair]) -> Halves:
    """Of any split gradient of the sum, r: *b 1 f t -> (neg, pos)."""

    def halves(B: Tensor, H: Tensor, e: Tensor, bases: bool) -> Pair:
        Bs, Hs, es = _joined(B, H, e)
        neg, pos = (x.squeeze(-3) for x in at((Bs @ Hs + es).unsqueeze(-3)))
        return _apart(*products(neg, pos, Bs, Hs, bases), H, bases)

    return halves


def _joined(B: Tensor, H: Tensor, e: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All bases side by side, *b f nk; all activations, *b nk t; the floors' sum *b 1|f 1|t."""
    floor = e.sum(-3) if e.shape[-3] > 1 else e.squeeze(-3)  # torch's sum of one is slower than a copy
    return B.movedim(-3, -2).flatten(-2), H.flatten(-3, -2), floor


def _apart(neg: Tensor, pos: Tensor, H: Tensor, bases: bool) -> Pair:
    """The shapes of B, or of H, again."""
    n, k = H.shape[-3:-1]
    if not bases:
        return neg.unflatten(-2, (n, k)), pos.unflatten(-2, (n, k))
    return neg.unflatten(-1, (n, k)).movedim(-2, -3), pos.unflatten(-1, (n, k)).movedim(-2, -3)
