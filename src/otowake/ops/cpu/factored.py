"""Halves for B and for H, and both updates, a few rows of v at a time: r, neg and pos of these rows stay in cache.

A floor e that is the same in all frames is one more basis, [B e], whose activations are 1.  Threads take slices of the
rows; what is added up and in which order does not depend on the number of threads.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import flat, padded, scratch
from otowake.ops.cpu.compile import kernel, part
from otowake.ops.cpu.model import halved, powered
from otowake.ops.cpu.products import FLAT, TALL, flat_product, tall_product
from otowake.ops.cpu.registers import at, count, get, room, set
from otowake.ops.cpu.threads import in_threads, slices
from otowake.ops.cpu.vectors import root

_ROWS, _FRAMES = 24, 1024
"""Of v at a time, whole tiles and whole vectors: r, neg and pos of them fit into a core's second cache.  More rows
where there are fewer frames."""

Array = np.ndarray


class Problem(NamedTuple):
    """One item of a batch: v and r = B H + e, e for a row or for each bin; the cost's numbers in v's own precision.

    H: [H; 1] in whole vectors of frames;  Ht: Hᵀ in whole vectors of bases;  G: [H; 1] Hᵀ
    cost: (1, c, a, g); for beta divergences (1, 0, 0, 0) if b = 1, (1, -2, 0, 0) if b = 2 and r is not asked for as
    pos Hᵀ = [B e] G, else (1, -1, b - 2, 0).
    """

    v: Array
    B: Array
    e: Array
    H: Array
    Ht: Array
    G: Array
    cost: tuple[np.floating, ...]


class Work(NamedTuple):
    """Of some rows: b = [B e], r and then pos, neg, and their products with Hᵀ."""

    b: Array
    r: Array
    neg: Array
    to_neg: Array
    to_pos: Array


@part
def _put(neg, pos, old, x, tiny, out, i, k):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Both halves where there is room for two, else what moves by them: old (neg / pos)^x."""
    if len(out) == 2:
        out[0, i, k], out[1, i, k] = neg, pos
    else:
        out[0, i, k] = old[i, k] * powered(neg / max(pos, tiny), x, tiny)


@kernel
def _halve(v, cost, r, neg):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """r <- pos = 1 / r and neg <- c (q + a)^g q pos, where q = v pos; Kullback-Leibler: neg <- v / r."""
    one, c, a, g = cost
    (rows, frames), step = v.shape, count(v)
    for f in range(rows):
        if c == -2:
            for t in range(0, frames, step):
                set(at(v[f], t), neg[f], t)
        elif c == 0:
            for t in range(0, frames, step):
                set(at(v[f], t) / get(r[f], t), neg[f], t)
        elif c < 0:
            if a == -1.5:  # beta 1/2, without a power
                for t in range(0, frames, step):
                    set(one / (get(r[f], t) * root(get(r[f], t))), neg[f], t)
            else:
                for t in range(frames):
                    neg[f, t] = one if a == 0 else r[f, t] ** a
            for t in range(0, frames, step):
                set(get(r[f], t) * get(neg[f], t), r[f], t)
                set(at(v[f], t) * get(neg[f], t), neg[f], t)
        else:
            for t in range(0, frames, step):
                x, y = halved(at(v[f], t), get(r[f], t), cost)
                set(x, neg[f], t)
                set(y, r[f], t)


@part
def _halves(p, w, i, j, t, u):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """neg of rows i .. j and frames t .. u, and rows and vectors behind it with anything in them; w.r <- pos."""
    if p.cost[1] == -2 and j + TALL[0] < len(p.v):  # neg is v; behind the last row there is nothing to read
        return p.v[i : j + TALL[0], t:u]
    if p.cost[1] != -2:
        each, many, width = p.e.shape[1] > 1, p.B.shape[1] + 1, room(u - t)
        rows = (j - i + FLAT[0] - 1) // FLAT[0] * FLAT[0]
        if each:
            for f in range(i, j):
                for s in range(t, u):
                    w.r[f - i, s - t] = p.e[f, s]
        flat_product(w.b[:rows, :many], p.H[:many, t : t + width], w.r[:rows, :width], each)
    _halve(p.v[i:j, t:u], p.cost, w.r, w.neg)
    return w.neg[:, : u - t]


@kernel
def _sweep(p, w, x, tiny, own, negs, poss, first, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """own <- halves for B, or B after its update (`_put`); then sums for H of each slice, with that B.

    Where there is no room for one of them it is not done.  Of pos in H there is the first column if b = 1, where it is
    the same in all frames, and Bᵀ [B e] if b = 2.
    """
    c, frames, bases = p.cost[1], p.v.shape[1], p.B.shape[1]
    for s in range(len(edges) - 1):
        for i in range(edges[s], edges[s + 1], len(w.r)):
            j, m, more = min(i + len(w.r), edges[s + 1]), first + s, i > edges[s]
            rows, bt = (j - i + TALL[0] - 1) // TALL[0] * TALL[0], w.b[: j - i, : negs.shape[1]].T
            for f in range(i, j):
                for k in range(bases):
                    w.b[f - i, k] = p.B[f, k]
                w.b[f - i, bases] = p.e[f, 0] if p.e.shape[1] == 1 else 0
            for turn in range(0 if len(own) > 0 else 1, 2 if len(negs) > 0 else 1):
                for t in range(0, frames, _FRAMES):
                    u = min(t + _FRAMES, frames)
                    neg, pos, width = _halves(p, w, i, j, t, u), w.r[:, : u - t], room(u - t)
                    if turn == 0:
                        tall_product(neg, p.Ht[t:u, :], w.to_neg[:rows, :], t > 0)
                    else:
                        flat_product(bt, neg[: j - i, :], negs[m, :, t : t + width], more)
                    if c == 0 or c == -2:
                        continue
                    if turn == 0:
                        tall_product(pos, p.Ht[t:u, :], w.to_pos[:rows, :], t > 0)
                    else:
                        flat_product(bt, pos[: j - i, :], poss[m, :, t : t + width], more)
                if turn == 0:
                    if c == -2:
                        tall_product(w.b[:, : bases + 1], p.G[: bases + 1, :], w.to_pos[:rows, :], c > 0)
                    for f in range(i, j):
                        for k in range(bases):
                            half = p.G[bases, k] if c == 0 else w.to_pos[f - i, k]
                            _put(w.to_neg[f - i, k], half, p.B, x, tiny, own, f, k)
                            w.b[f - i, k] = own[0, f, k]
                elif c == -2:
                    flat_product(bt, w.b[: j - i, :], poss[m, :, :], more)
                elif c == 0:
                    for k in range(bases):
                        total = poss[m, k, 0] if more else x - x
                        for f in range(j - i):
                            total += bt[k, f]
                        poss[m, k, 0] = total


@kernel
def _add(c, H, negs, poss, pos, x, tiny, old, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """out <- halves for H, or H after its update (`_put`), from the sums of all slices; pos: room for its half."""
    bases, frames = old.shape
    for sums in (negs, poss):
        for s in range(1, len(sums)):
            for k in range(bases):
                for t in range(0, sums.shape[2], count(sums)):
                    set(get(sums[0, k], t) + get(sums[s, k], t), sums[0, k], t)
    if c == -2:
        flat_product(poss[0, :, : bases + 1], H[: bases + 1, :], pos[:, :], c > 0)
    for k in range(bases):
        for t in range(frames):
            half = pos[k, t] if c == -2 else poss[0, k, 0 if c == 0 else t]
            _put(negs[0, k, t], half, old, x, tiny, out, k, t)


@kernel
def _prepare(H, wide, Ht, G):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """H, Ht and G of a problem."""
    bases, frames = H.shape
    for k in range(wide.shape[0]):
        for t in range(wide.shape[1]):
            wide[k, t] = (H[k, t] if t < frames else 0) if k < bases else k == bases
    for t in range(frames):
        for k in range(Ht.shape[1]):
            Ht[t, k] = H[k, t] if k < bases else 0
    tall_product(wide[:, :frames], Ht[:, :], G[:, :], frames < 0)


def factored_bases(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    """Kernel of `ops.factored.factored_bases`."""
    out = torch.empty((*v.shape[:-2], 2, *B.shape[-2:]), dtype=v.dtype)
    for p, halves in zip(_problems(v, B, H, e, cost), flat(out, 3)):
        _swept(p, 1, halves, *_sums(p, 0))
    return out


def factored_activations(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Tensor:
    """Kernel of `ops.factored.factored_activations`."""
    out = torch.empty((*v.shape[:-2], 2, *H.shape[-2:]), dtype=v.dtype)
    for p, old, halves in zip(_problems(v, B, H, e, cost), flat(H, 2), flat(out, 3)):
        _summed(p, 1, halves[:0], old, halves)
    return out


def factored_moved(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Kernel of `ops.factored.factored_moved`."""
    b, h = (torch.empty_like(factor, memory_format=torch.contiguous_format) for factor in (B, H))
    for p, old, to_b, to_h in zip(_problems(v, B, H, e, cost), *(flat(factor, 2) for factor in (H, b, h))):
        _summed(p, x.item(), to_b[None], old, to_h[None])
    return b, h


def _swept(p: Problem, x: float, own: Array, negs: Array, poss: Array) -> None:
    numbers = _numbers(p, x)
    in_threads(lambda some, first: _sweep(p, _work(p), *numbers, own, negs, poss, first, some), slices(len(p.v)))


def _numbers(p: Problem, x: float) -> tuple[np.floating, np.floating]:
    """The power, and the least that is divided by."""
    return p.v.dtype.type(x), np.finfo(p.v.dtype).tiny


def _summed(p: Problem, x: float, own: Array, old: Array, out: Array) -> None:
    negs, poss = _sums(p, len(slices(len(p.v))) - 1)
    _swept(p, x, own, negs, poss)
    _add(p.cost[1], p.H, negs, poss, scratch("pos", negs.shape[1:], negs.dtype), *_numbers(p, x), old, out)


def _problems(v: Tensor, B: Tensor, H: Tensor, e: Tensor, cost: Tensor) -> Iterator[Problem]:
    """Item by item of a batch."""
    items = [flat(x, 2) for x in (v, B, H, e.expand(*B.shape[:-1], -1))]
    b, *more = cost.tolist()
    square = (-2.0, 0.0, 0.0) if e.shape[-1] == 1 else (-1.0, 0.0, 0.0)
    numbers = (b, *more) if more else {1.0: (0.0, 0.0, 0.0), 2.0: square}.get(b, (-1.0, b - 2, 0.0))
    typed = tuple(map(items[0].dtype.type, (1.0, *numbers)))
    for item in zip(*items):
        vs, Bs, Hs, es = map(np.ascontiguousarray, item)
        (bases, frames), rows = Hs.shape, _tiles(len(Hs) + 1, TALL)
        shapes = (rows, padded(frames)), (frames, padded(bases)), (rows, padded(bases))
        wide, Ht, G = (scratch(f"factors {n}", shape, Hs.dtype) for n, shape in enumerate(shapes))
        _prepare(Hs, wide, Ht, G)
        yield Problem(vs, Bs, es, wide, Ht, G, typed)


def _work(p: Problem) -> Work:
    """This thread's."""
    (frames, columns), bases = p.Ht.shape, p.B.shape[1]
    across = padded(min(frames, _FRAMES))
    widths = padded(_tiles(bases, FLAT) + 1), across, across, columns, columns
    rows = _FRAMES // across * _ROWS
    w = Work(*(scratch(f"work {n}", (rows, width), p.v.dtype) for n, width in enumerate(widths)))
    w.b[:, bases:] = 0
    return w


def _sums(p: Problem, pieces: int) -> tuple[Array, Array]:
    """Room for Bᵀ neg and Bᵀ pos of slices, and of rows and columns behind them."""
    bases, frames = _tiles(p.B.shape[1], FLAT), p.H.shape[1]
    few = padded(bases + 1) if p.cost[1] in (0, -2) else frames
    negs, poss = (scratch(f"sums {n}", (pieces, bases, width), p.v.dtype) for n, width in enumerate((frames, few)))
    return negs, poss


def _tiles(rows: int, tile: tuple[int, int]) -> int:
    """So many rows, or more, that are whole tiles."""
    return -(-rows // tile[0]) * tile[0]
