"""Halves of the derivative of d(v | B H + e) in B or in H, for a sum over all sources at once: few large products.

General    r = sum_n B_n H_n + e_n as one product;  neg, pos of r;  (neg Hᵀ, pos Hᵀ), or (Bᵀ neg, Bᵀ pos)
b = 1      pos = 1: its products are row sums
b = 2      pos = r: (B H) Hᵀ = B (H Hᵀ), and r is never formed
"""

from collections.abc import Callable

from torch import Tensor

Pair = tuple[Tensor, Tensor]
Halves = Callable[[Tensor, Tensor, Tensor, bool], Pair]
"""(B: *b n f k, H: *b n k t, e: *b n 1|f 1, whether of B) -> neg and pos of B, or of H."""


def joined(B: Tensor, H: Tensor, e: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All bases side by side, *b f nk; all activations, *b nk t; the floors' sum *b 1|f 1."""
    return B.movedim(-3, -2).flatten(-2), H.flatten(-3, -2), e.sum(-3)


def apart(neg: Tensor, pos: Tensor, B: Tensor, H: Tensor, bases: bool) -> Pair:
    """The shapes of B, or of H, again."""
    n, k = H.shape[-3:-1]
    if bases:
        both = (x.unflatten(-1, (n, k)).movedim(-2, -3) for x in (neg, pos))
    else:
        both = (x.unflatten(-2, (n, k)) for x in (neg, pos))
    first, second = both
    return first, second


def general(at: Callable[[Tensor], Pair]) -> Halves:
    """Of any split gradient of the sum, r: *b 1 f t -> (neg, pos)."""

    def halves(B: Tensor, H: Tensor, e: Tensor, bases: bool) -> Pair:
        Bs, Hs, es = joined(B, H, e)
        neg, pos = (x.squeeze(-3) for x in at((Bs @ Hs + es).unsqueeze(-3)))
        products = (neg @ Hs.mT, pos @ Hs.mT) if bases else (Bs.mT @ neg, Bs.mT @ pos)
        return apart(*products, B, H, bases)

    return halves


def kullback_leibler(v: Tensor) -> Halves:
    """b = 1; v: *b 1 f t."""

    def halves(B: Tensor, H: Tensor, e: Tensor, bases: bool) -> Pair:
        Bs, Hs, es = joined(B, H, e)
        q = v.squeeze(-3) / (Bs @ Hs + es)
        if bases:
            return apart(q @ Hs.mT, Hs.sum(-1).unsqueeze(-2).expand_as(Bs), B, H, bases)
        return apart(Bs.mT @ q, Bs.sum(-2).unsqueeze(-1).expand_as(Hs), B, H, bases)

    return halves


def frobenius(v: Tensor) -> Halves:
    """b = 2; v: *b 1 f t."""

    def halves(B: Tensor, H: Tensor, e: Tensor, bases: bool) -> Pair:
        Bs, Hs, es = joined(B, H, e)
        x = v.squeeze(-3)
        if bases:
            return apart(x @ Hs.mT, Bs @ (Hs @ Hs.mT) + es * Hs.sum(-1).unsqueeze(-2), B, H, bases)
        return apart(Bs.mT @ x, (Bs.mT @ Bs) @ Hs + (Bs.mT @ es.expand(*es.shape[:-2], Bs.shape[-2], 1)), B, H, bases)

    return halves

