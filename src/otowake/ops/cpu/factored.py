"""Halves for B and for H, a few rows of v at a time: r, neg and pos of these rows stay in cache between the products.

The products are NumPy's, whose library is the faster one here; where it has threads it uses them inside of a product.
"""

from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor

from otowake.ops.cpu.arrays import flat, result

_ROWS = 32
"""Of v at a time: with a thousand frames the work arrays fill a quarter of a megabyte or two."""

Array = np.ndarray


def factored_bases(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    """Kernel of `ops.factored.factored_bases`."""
    return _each(v, B, H, e, cost, _bases, B)


def factored_activations(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    """Kernel of `ops.factored.factored_activations`."""
    return _each(v, B, H, e, cost, _activations, H)


def _each(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor, one: Callable[..., None], like: Tensor) -> Tensor:
    """Item by item of a batch."""
    vs, Bs, Hs, es = (np.ascontiguousarray(flat(x, 2)) for x in (v, B, H, e.expand(*B.shape[:-1], 1)))
    out = np.zeros((len(vs), 2, *like.shape[-2:]), dtype=vs.dtype)
    for b in range(len(vs)):
        one(vs[b], Bs[b], Hs[b], es[b], cost.tolist(), out[b])
    return result(out, v.shape[:-2])


def _bases(v: Array, B: Array, H: Array, e: Array, cost: list[float], out: Array) -> None:
    Ht = np.ascontiguousarray(H.T)
    if cost == [2.0]:
        for rows in _slices(len(v)):  # twice as fast as in one piece
            np.matmul(v[rows], Ht, out=out[0, rows])
        out[1] = B @ (H @ Ht) + e * H.sum(1)
        return
    if cost == [1.0]:
        out[1] = H.sum(1)

    def product(rows: slice, b: Array, neg: Array, pos: Array | None) -> None:
        np.matmul(neg, Ht, out=out[0, rows])
        if pos is not None:
            np.matmul(pos, Ht, out=out[1, rows])

    _by_rows(v, B, H, e, cost, product)


def _activations(v: Array, B: Array, H: Array, e: Array, cost: list[float], out: Array) -> None:
    if cost == [2.0]:
        np.matmul(B.T, v, out=out[0])
        out[1] = (B.T @ B) @ H + B.T @ e
        return
    if cost == [1.0]:
        out[1] = B.sum(0)[:, None]
    one = np.empty_like(out[0])

    def product(rows: slice, b: Array, neg: Array, pos: Array | None) -> None:
        np.matmul(b.T, neg, out=one)
        np.add(out[0], one, out=out[0])
        if pos is not None:
            np.matmul(b.T, pos, out=one)
            np.add(out[1], one, out=out[1])

    _by_rows(v, B, H, e, cost, product)


def _by_rows(v: Array, B: Array, H: Array, e: Array, cost: list[float], product: Callable[..., None]) -> None:
    """product(rows, B[rows], neg, pos) for a few rows after the other, r = [B e] [H; 1]; no pos where it is 1."""
    r_all, q_all = (np.empty((_ROWS, v.shape[1]), dtype=v.dtype) for _ in range(2))
    Be, H1 = np.hstack([B, e]), np.vstack([H, np.ones_like(H[:1])])
    for rows in _slices(len(v)):
        r, q = (x[: rows.stop - rows.start] for x in (r_all, q_all))
        np.matmul(Be[rows], H1, out=r)
        if cost == [1.0]:
            np.divide(v[rows], r, out=q)
            product(rows, B[rows], q, None)
            continue
        np.reciprocal(r, out=r)
        np.multiply(v[rows], r, out=q)
        _negative(q, r, *cost)
        product(rows, B[rows], q, r)


def _slices(rows: int) -> Iterator[slice]:
    return (slice(first, min(first + _ROWS, rows)) for first in range(0, rows, _ROWS))


def _negative(q: Array, pos: Array, c: float, a: float, g: float) -> None:
    """q <- c (q + a)^g q pos."""
    if g == 0:
        np.multiply(q, pos, out=q)
        if c != 1:
            np.multiply(q, c, out=q)
        return
    base = q + q.dtype.type(a)
    if g == -0.5:
        np.sqrt(base, out=base)
    np.divide(q, base, out=q)
    np.multiply(q, pos, out=q)
    np.multiply(q, q.dtype.type(c), out=q)
