"""Halves for B and for H, a few rows of v at a time: r, neg and pos of these rows stay in cache between the products.

The products are those of SciPy's BLAS, called by compiled loops, and with v itself (b = 2) our own; threads take slices
of the rows.  What is added up and in which order does not depend on the number of threads.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from otowake.linalg.safe import tiny
from otowake.ops.cpu.arrays import flat, scratch
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.model import halved, powered
from otowake.ops.cpu.products import columns, fits, flat_product, tall_product
from otowake.ops.cpu.registers import at, count, put
from otowake.ops.cpu.threads import in_threads, slices

_CACHED = 2**15
"""Numbers of v at a time: r, neg and pos of them fit into a core's second cache."""
_SMALL = 10**6
"""Multiply-adds of a product: OpenBLAS makes no copies of the factors up to here, and is half as fast beyond."""

Array = np.ndarray


class Problem(NamedTuple):
    """One item of a batch: v and r = B H + e, e for a row or for each bin; the cost's numbers in v's own precision.

    cost: (1, c, a, g); for beta divergences (1, 0, 0, 0) if b = 1, (1, -2, 0, 0) if b = 2, else (1, -1, b - 2, 0).
    """

    v: Array
    B: Array
    H: Array
    e: Array
    cost: tuple[np.floating, ...]

    @property
    def tiled(self) -> bool:
        """Whether products with v itself are ours."""
        bases, frames = self.H.shape
        return self.cost[1] == -2 and fits(np.diff(slices(len(self.v))).min(), bases, frames, self.v.dtype)

    @property
    def height(self) -> int:
        """Rows at a time; 0 in tiles."""
        return 0 if self.tiled else max(1, min(_CACHED, _SMALL // len(self.H)) // self.v.shape[1])

    def halves(self) -> tuple[Array, Array]:
        """Room for pos and neg of as many rows as are done at a time."""
        r, neg = scratch("halves", (2, min(self.height, len(self.v)), self.v.shape[1]), self.v.dtype)
        return r, neg


@kernel
def _block(v, B, H, e, cost, r, neg):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """r <- pos = 1 / (B H + e) and neg <- c (q + a)^g q pos, where q = v pos; Kullback-Leibler: r <- v / (B H + e)."""
    np.dot(B, H, r)
    one, c, a, g = cost
    for i in range(v.shape[0]):
        if e.shape[1] == 1:
            for t in range(v.shape[1]):
                r[i, t] += e[i, 0]
        else:
            for t in range(v.shape[1]):
                r[i, t] += e[i, t]
        if c == 0:
            for t in range(v.shape[1]):
                r[i, t] = v[i, t] / r[i, t]
        elif c < 0:
            if a == -1.5:  # beta 1/2, without a power
                for t in range(v.shape[1]):
                    neg[i, t] = one / (r[i, t] * np.sqrt(r[i, t]))
            else:
                for t in range(v.shape[1]):
                    neg[i, t] = r[i, t] ** a
            for t in range(v.shape[1]):
                r[i, t] *= neg[i, t]
                neg[i, t] *= v[i, t]
        else:
            for t in range(0, v.shape[1], count(v)):
                x, y = halved(at(v[i], t), at(r[i], t), cost)
                put(x, neg[i], t)
                put(y, r[i], t)


@kernel
def _bases(v, B, H, Ht, e, cost, r, neg, to_neg, to_pos, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """neg Hᵀ and pos Hᵀ, rows of each slice in turn."""
    for s in range(len(edges) - 1):
        for i in range(edges[s], edges[s + 1], r.shape[0]):
            j = min(i + r.shape[0], edges[s + 1])
            x, y = r[: j - i], neg[: j - i]
            _block(v[i:j], B[i:j], H, e[i:j], cost, x, y)
            if cost[1] == 0:
                np.dot(x, Ht, to_neg[i:j])
            else:
                np.dot(y, Ht, to_neg[i:j])
                np.dot(x, Ht, to_pos[i:j])


@kernel
def _activations(v, B, H, e, cost, r, neg, one, to_neg, to_pos, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bᵀ neg and Bᵀ pos, a sum for the rows of each slice."""
    for s in range(len(edges) - 1):
        for i in range(edges[s], edges[s + 1], r.shape[0]):
            j = min(i + r.shape[0], edges[s + 1])
            first = i == edges[s]
            x, y = r[: j - i], neg[: j - i]
            _block(v[i:j], B[i:j], H, e[i:j], cost, x, y)
            if cost[1] == 0:
                _add(B[i:j], x, one, to_neg[s], first)
            else:
                _add(B[i:j], y, one, to_neg[s], first)
                _add(B[i:j], x, one, to_pos[s], first)


@kernel
def _add(B, x, one, to, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """to <- to + Bᵀ x, or Bᵀ x where it is the first."""
    if first:
        np.dot(B.T, x, to)
        return
    np.dot(B.T, x, one)
    for k in range(one.shape[0]):
        for t in range(one.shape[1]):
            to[k, t] += one[k, t]


@kernel
def _observed_bases(v, Ht, height, to, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """v Hᵀ; columns of Hᵀ are whole vectors where there is room for tiles (height 0)."""
    for s in range(len(edges) - 1):
        i, j = edges[s], edges[s + 1]
        if height == 0:
            tall_product(v[i:j], Ht, to[i:j])
        else:
            for k in range(i, j, height):
                m = min(k + height, j)
                np.dot(v[k:m], Ht, to[k:m])


@kernel
def _observed_activations(B, v, height, one, to, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bᵀ v, a sum for the rows of each slice."""
    for s in range(len(edges) - 1):
        i, j = edges[s], edges[s + 1]
        if height == 0:
            flat_product(B[i:j].T, v[i:j], to[s])
        else:
            for k in range(i, j, height):
                m = min(k + height, j)
                _add(B[k:m], v[k:m], one, to[s], k == i)


@kernel
def _quotient(neg, pos, x, tiny, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """(neg / pos)^x."""
    for i in range(neg.shape[0]):
        for k in range(neg.shape[1]):
            out[i, k] = powered(neg[i, k] / max(pos[i, k], tiny), x, tiny)


def factored_bases(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    """Kernel of `ops.factored.factored_bases`."""
    out = torch.empty((*v.shape[:-2], 2, *B.shape[-2:]), dtype=v.dtype)
    for p, (neg, pos) in zip(_problems(v, B, H, e, cost), flat(out, 3)):
        _of_bases(p, neg, pos)
    return out


def factored_activations(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    """Kernel of `ops.factored.factored_activations`."""
    out = torch.empty((*v.shape[:-2], 2, *H.shape[-2:]), dtype=v.dtype)
    for p, (neg, pos) in zip(_problems(v, B, H, e, cost), flat(out, 3)):
        _of_activations(p, neg, pos)
    return out


def bases_change(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor, x: Tensor) -> Tensor:
    """Kernel of `ops.factored.bases_change`."""
    out = torch.empty_like(B, memory_format=torch.contiguous_format)
    return _divided(_of_bases, _problems(v, B, H, e, cost), x, out)


def activations_change(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor, x: Tensor) -> Tensor:
    """Kernel of `ops.factored.activations_change`."""
    out = torch.empty_like(H, memory_format=torch.contiguous_format)
    return _divided(_of_activations, _problems(v, B, H, e, cost), x, out)


def _divided(halves: Callable[..., None], problems: Iterable[Problem], x: Tensor, out: Tensor) -> Tensor:
    for p, q in zip(problems, flat(out, 2)):
        neg, pos = scratch("both", (2, *q.shape), q.dtype)
        halves(p, neg, pos)
        _quotient(neg, pos, q.dtype.type(x.item()), q.dtype.type(tiny(out)), q)
    return out


def _problems(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Iterator[Problem]:
    """Item by item of a batch."""
    items = [flat(x, 2) for x in (v, B, H, e.expand(*B.shape[:-1], -1))]
    b, *more = cost.tolist()
    numbers = (b, *more) if more else {1.0: (0.0, 0.0, 0.0), 2.0: (-2.0, 0.0, 0.0)}.get(b, (-1.0, b - 2, 0.0))
    typed = tuple(map(items[0].dtype.type, (1.0, *numbers)))
    for item in zip(*items):
        vs, Bs, Hs, es = map(np.ascontiguousarray, item)
        yield Problem(vs, Bs, Hs, es, typed)


def _of_bases(p: Problem, neg: Array, pos: Array) -> None:
    v, B, H, e, cost = p
    edges = slices(len(v))
    if cost[1] == -2:
        x = scratch("products", (len(v), columns(len(H), H.dtype) if p.tiled else len(H)), H.dtype)
        Ht = np.zeros((len(H[0]), x.shape[1]), H.dtype)
        Ht[:, : len(H)] = H.T
        in_threads(lambda some, _: _observed_bases(v, Ht, p.height, x, some), edges)
        neg[:] = x[:, : len(H)]
        np.matmul(B, H @ H.T, out=pos)
        np.add(pos, e @ H.T if e.shape[1] == H.shape[1] else e * H.sum(1), out=pos)
        return
    Ht = np.ascontiguousarray(H.T)
    in_threads(lambda some, _: _bases(v, B, H, Ht, e, cost, *p.halves(), neg, pos, some), edges)
    if cost[1] == 0:
        pos[:] = Ht.sum(0)


def _of_activations(p: Problem, neg: Array, pos: Array) -> None:
    v, B, H, e, cost = p
    edges = slices(len(v))
    sums = scratch("sums", (2, len(edges) - 1, *H.shape), neg.dtype)

    def rows(some: Array, first: int) -> None:
        one = scratch("one", H.shape, neg.dtype)
        if cost[1] == -2:
            _observed_activations(B, v, p.height, one, sums[0, first:], some)
        else:
            _activations(v, B, H, e, cost, *p.halves(), one, *sums[:, first:], some)

    in_threads(rows, edges)
    sums[0].sum(0, out=neg)
    if cost[1] == -2:
        np.matmul(B.T @ B, H, out=pos)
        np.add(pos, B.T @ e, out=pos)
    else:
        pos[:] = B.sum(0)[:, None] if cost[1] == 0 else sums[1].sum(0)
