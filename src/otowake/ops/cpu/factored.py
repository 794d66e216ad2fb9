"""Halves for B and for H, a few rows of v at a time: r, neg and pos of these rows stay in cache between the products.

The products are NumPy's, whose library is the faster one here; threads take slices of the rows.  What is added up and
in which order does not depend on the number of threads.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from torch import Tensor

from otowake.ops.cpu.arrays import flat, result, scratch
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.threads import in_threads

_CACHED = 2**15
"""Numbers of v at a time: r, neg and pos of them fit into a core's second cache."""
_SMALL = 10**6
"""Multiply-adds of a product: OpenBLAS makes no copies of the factors up to here, and is half as fast beyond."""
_SLICES = 4
"""Of the rows, for threads."""

Array = np.ndarray


class Problem(NamedTuple):
    """One item of a batch: v and r = B H + e, e for a row or for each bin; the cost's numbers in v's own precision."""

    v: Array
    B: Array
    H: Array
    e: Array
    cost: tuple[np.floating, ...]

    @property
    def slices(self) -> list[slice]:
        """Of the rows, for threads."""
        return list(_cut(slice(0, len(self.v)), -(-len(self.v) // _SLICES)))

    def blocks(self, rows: slice) -> Iterator[tuple[slice, Array, Array | None]]:
        """(rows, neg, pos) for a few rows after the other; no pos where it is 1."""
        frames = self.v.shape[1]
        height = max(1, min(_CACHED, _SMALL // len(self.H)) // frames)
        work = scratch("halves", (2, height, frames), self.v.dtype)
        for block in _cut(rows, height):
            r, neg = work[:, : block.stop - block.start]
            np.matmul(self.B[block], self.H, out=r)
            if len(self.cost) == 1:
                _kullback(self.v[block], self.e[block], r)
                yield block, r, None
            else:
                _halves(self.v[block], self.e[block], *self.cost, r, neg)
                yield block, neg, r


@kernel
def _raise(r, e):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """r <- r + e for one row; e may be one number."""
    if len(e) == 1:
        for t in range(len(r)):
            r[t] += e[0]
    else:
        for t in range(len(r)):
            r[t] += e[t]


@kernel
def _kullback(v, e, r):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """r <- v / (r + e)."""
    for i in range(v.shape[0]):
        _raise(r[i], e[i])
        for t in range(v.shape[1]):
            r[i, t] = v[i, t] / r[i, t]


@kernel
def _halves(v, e, one, c, a, g, r, neg):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """neg <- c (q + a)^g q pos and r <- pos = 1 / (r + e), where q = v pos."""
    for i in range(v.shape[0]):
        _raise(r[i], e[i])
        if g == 0:
            for t in range(v.shape[1]):
                p = one / r[i, t]
                r[i, t] = p
                neg[i, t] = c * v[i, t] * p * p
        elif g == -one:
            for t in range(v.shape[1]):
                p = one / r[i, t]
                q = v[i, t] * p
                r[i, t] = p
                neg[i, t] = c * q * p / (q + a)
        else:
            for t in range(v.shape[1]):
                p = one / r[i, t]
                q = v[i, t] * p
                r[i, t] = p
                neg[i, t] = c * q * p / np.sqrt(q + a)


def factored_bases(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    """Kernel of `ops.factored.factored_bases`."""
    return _each(v, B, H, e, cost, _bases, B)


def factored_activations(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    """Kernel of `ops.factored.factored_activations`."""
    return _each(v, B, H, e, cost, _activations, H)


def _each(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor, one: Callable[..., None], like: Tensor) -> Tensor:
    """Item by item of a batch."""
    numbers = cost.tolist() if len(cost) == 1 else [1.0, *cost.tolist()]
    items = [flat(x, 2) for x in (v, B, H, e.expand(*B.shape[:-1], -1))]
    out = np.empty((len(items[1]), 2, *like.shape[-2:]), dtype=items[0].dtype)
    typed = tuple(out.dtype.type(x) for x in numbers)
    for *item, found in zip(*items, out):
        vs, Bs, Hs, es = map(np.ascontiguousarray, item)
        one(Problem(vs, Bs, Hs, es, typed), *found)
    return result(out, v.shape[:-2])


def _bases(p: Problem, neg: Array, pos: Array) -> None:
    Ht = np.ascontiguousarray(p.H.T)
    squares = p.cost == (2.0,)

    def rows(own: slice) -> None:
        if squares:
            for block in _cut(own, max(1, _SMALL // p.H.size)):
                np.matmul(p.v[block], Ht, out=neg[block])
            return
        for block, n, q in p.blocks(own):
            np.matmul(n, Ht, out=neg[block])
            if q is not None:
                np.matmul(q, Ht, out=pos[block])

    in_threads(rows, p.slices)
    if squares:
        pos[:] = p.B @ (p.H @ Ht) + _times(p.e, p.H.T)
    elif len(p.cost) == 1:
        pos[:] = p.H.sum(1)


def _activations(p: Problem, neg: Array, pos: Array) -> None:
    if p.cost == (2.0,):
        frames = slice(0, p.v.shape[1])
        cut = list(_cut(frames, max(1, _SMALL // p.B.size)))
        in_threads(lambda own: np.matmul(p.B.T, p.v[:, own], out=neg[:, own]), cut)
        pos[:] = (p.B.T @ p.B) @ p.H + p.B.T @ p.e
        return

    out = (neg,) if len(p.cost) == 1 else (neg, pos)
    sums = scratch("sums", (len(p.slices), len(out), *neg.shape), neg.dtype)
    sums.fill(0)

    def rows(own: slice, to: Array) -> None:
        one = scratch("one", neg.shape, neg.dtype)
        for block, *halves in p.blocks(own):
            for half, total in zip(halves, to):
                if half is not None:
                    np.add(total, np.matmul(p.B[block].T, half, out=one), out=total)

    in_threads(rows, p.slices, list(sums))
    for total, half in zip(sums.swapaxes(0, 1), out):
        total.sum(0, out=half)
    if len(p.cost) == 1:
        pos[:] = p.B.sum(0)[:, None]


def _cut(rows: slice, most: int) -> Iterator[slice]:
    """Pieces of about one size, of at most so many rows each."""
    pieces = max(1, -(-(rows.stop - rows.start) // most))
    edges = [rows.start + (rows.stop - rows.start) * i // pieces for i in range(pieces + 1)]
    return map(slice, edges[:-1], edges[1:])


def _times(e: Array, Ht: Array) -> Array:
    """e Hᵀ, where e may be the same in every frame."""
    return e @ Ht if e.shape[1] == len(Ht) else e * Ht.sum(0)
