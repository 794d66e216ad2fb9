"""Multiplicative updates of r = B H + e, bin by bin: r, neg and pos are never in memory as wholes.

One sweep over the bins does both factors: the bases of a bin are moved first, and what they give to the halves of H
comes from the same bin, still in cache.  Slices of bins sum into halves of their own, always the same four, so bits do
not depend on the number of threads.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from otowake.linalg.safe import tiny
from otowake.ops.cpu.arrays import flat, result, scratch, whole
from otowake.ops.cpu.compile import kernel, part
from otowake.ops.cpu.model import halved, modelled, powered, typed, weighted
from otowake.ops.cpu.registers import at, count, get, put, room, set
from otowake.ops.cpu.threads import in_threads, over_bins, slices
from otowake.ops.cpu.vectors import spread, total

TOGETHER = 4
"""Bins whose halves are added to those of H at once: sums of H are read and written as often."""


@part
def _bases_ratio(v, B, H, e, cost, tiny, neg, pos, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """out <- (neg Hᵀ) / (pos Hᵀ) of one bin; neg, pos: room for a row."""
    K, step = len(B), count(v)
    for t in range(0, len(v), step):
        x, y = halved(at(v, t), modelled(B, H, e, t), cost)
        set(x, neg, t)
        set(y, pos, t)
    for k in range(0, K, 2):
        g, h = H[k], H[min(k + 1, K - 1)]
        a, b, c, d = spread(0, v), spread(0, v), spread(0, v), spread(0, v)
        for t in range(0, len(v), step):
            x, y, s, u = get(neg, t), get(pos, t), get(g, t), get(h, t)
            a += x * s
            b += y * s
            c += x * u
            d += y * u
        out[k] = total(a) / max(total(b), tiny)
        if k + 1 < K:
            out[k + 1] = total(c) / max(total(d), tiny)


@part
def _gains_halves(v, B, H, e, cost, some, neg, pos):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """neg, pos += halves of H from as many bins as v has rows, `TOGETHER` at most; some: room for those rows of B."""
    last = len(v) - 1
    i, j, k = min(1, last), min(2, last), min(3, last)
    for f in range(len(some)):
        for n in range(B.shape[1]):
            some[f, n] = B[f, n] if f <= last else 0
    for t in range(0, v.shape[1], count(v)):
        a, p = halved(at(v[0], t), modelled(B[0], H, e[0], t), cost)
        b, q = halved(at(v[i], t), modelled(B[i], H, e[i], t), cost)
        c, r = halved(at(v[j], t), modelled(B[j], H, e[j], t), cost)
        d, s = halved(at(v[k], t), modelled(B[k], H, e[k], t), cost)
        for n in range(B.shape[1]):
            w, x, y, z = some[0, n], some[1, n], some[2, n], some[3, n]
            set(get(neg[n], t) + w * a + x * b + y * c + z * d, neg[n], t)
            set(get(pos[n], t) + w * p + x * q + y * r + z * s, pos[n], t)


@part
def moved(v, B, H, e, cost, x, tiny, to, some, neg, pos, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """to <- B of some bins after its update, sums (2 k t) += halves of H with that; the others: room to work in."""
    for f in range(len(v)):
        _bases_ratio(v[f], B[f], H, e[f], cost, tiny, neg, pos, to[f])
        for k in range(B.shape[1]):
            to[f, k] = B[f, k] * powered(to[f, k], x, tiny)
    _gains_halves(v, to, H, e, cost, some, sums[0], sums[1])


@kernel
def _bases(v, B, H, e, cost, tiny, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Rows lo .. hi of (sources x bins)."""
    bins, T = v.shape[1:]
    neg, pos = np.empty(room(T), v.dtype), np.empty(room(T), v.dtype)
    for i in range(lo, hi):
        n, f = i // bins, i % bins
        _bases_ratio(v[n, f], B[n, f], H[n], e[n, f], cost, tiny, neg, pos, out[n, f])


@kernel
def _gains(v, B, H, e, cost, sums, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """sums: slices n 2 k t."""
    some = np.empty((TOGETHER, B.shape[2]), v.dtype)
    for s in range(len(edges) - 1):
        sums[s] = 0
        for n in range(len(B)):
            for f in range(edges[s], edges[s + 1], TOGETHER):
                g = min(f + TOGETHER, edges[s + 1])
                _gains_halves(v[n, f:g], B[n, f:g], H[n], e[n, f:g], cost, some, sums[s, n, 0], sums[s, n, 1])


@kernel
def _both(v, B, H, e, cost, x, tiny, to, sums, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """to <- B after its update; sums: slices n 2 k t, halves of H with that."""
    T, some = v.shape[2], np.empty((TOGETHER, B.shape[2]), v.dtype)
    neg, pos = np.empty(room(T), v.dtype), np.empty(room(T), v.dtype)
    for s in range(len(edges) - 1):
        sums[s] = 0
        for n in range(len(B)):
            for f in range(edges[s], edges[s + 1], TOGETHER):
                g = min(f + TOGETHER, edges[s + 1])
                b, c = B[n, f:g], to[n, f:g]
                moved(v[n, f:g], b, H[n], e[n, f:g], cost, x, tiny, c, some, neg, pos, sums[s, n])


@kernel
def _added(sums, x, tiny, H, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """out <- H (neg / pos)^x of the halves that slices have summed, n k t."""
    for n in range(sums.shape[1]):
        for k in range(sums.shape[3]):
            for t in range(sums.shape[4]):
                neg, pos = sums[0, n, 0, k, t], sums[0, n, 1, k, t]
                for s in range(1, len(sums)):
                    neg += sums[s, n, 0, k, t]
                    pos += sums[s, n, 1, k, t]
                out[n, k, t] = H[n, k, t] * powered(neg / max(pos, tiny), x, tiny)


@kernel
def _weight(v, r, cost, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Numbers lo .. hi."""
    for t in range(lo, hi, count(v)):
        put(weighted(at(v, t), at(r, t), cost), out, t)


def slope_weight(v: Tensor, r: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.ratio.slope_weight`."""
    vs, rs = (x.detach().contiguous().view(-1).numpy() for x in (v, r))
    out = np.empty_like(vs)
    over_bins(_weight, len(vs), vs, rs, typed(slope, vs.dtype), out)
    return torch.from_numpy(out).reshape(v.shape)


def arguments(B: Tensor, H: Tensor, e: Tensor, *cost: Tensor) -> tuple[list[np.ndarray], list[Any]]:
    """B, H in whole vectors and e: n f of each item of a batch;  cost, power where there is one, and `tiny`."""
    es = flat(e, 3)[..., 0]
    es = es if e.shape[-2] == B.shape[-2] else es.repeat(B.shape[-2], -1)
    arrays = [np.ascontiguousarray(flat(B, 3)), whole(flat(H, 3)), np.ascontiguousarray(es)]
    number = arrays[0].dtype.type
    return arrays, [typed(cost[-1], arrays[0].dtype), *(number(x.item()) for x in cost[:-1]), number(tiny(B))]


def bases_ratio(v: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.ratio.bases_ratio`."""
    arrays, numbers = arguments(B, H, e, slope)
    out = np.empty_like(arrays[0])
    for *item, to in zip(np.ascontiguousarray(flat(v, 3)), *arrays, out):
        over_bins(_bases, B.shape[-3] * B.shape[-2], *item, *numbers, to)
    return result(out, B.shape[:-3])


def gains_ratio(v: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.ratio.gains_ratio`."""
    arrays, (cost, least) = arguments(B, H, e, slope)
    out = np.empty_like(arrays[1])
    for *item, to in zip(np.ascontiguousarray(flat(v, 3)), *arrays, out):
        from_slices(_gains, B.shape[-2], [*item, cost], np.ones_like(to), (type(least)(1), least), to)
    return cut(out, H)


def factors_moved(v: Tensor, B: Tensor, H: Tensor, e: Tensor, power: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Kernel of `ops.ratio.factors_moved`."""
    arrays, numbers = arguments(B, H, e, power, slope)
    b, h = np.empty_like(arrays[0]), arrays[1].copy()
    for *item, own, gains in zip(np.ascontiguousarray(flat(v, 3)), *arrays, b, h):
        from_slices(_both, B.shape[-2], [*item, *numbers, own], item[2], numbers[1:], gains)
    return result(b, B.shape[:-3]), cut(h, H)


def cut(x: np.ndarray, like: Tensor) -> Tensor:
    """H cut to the bases and frames that there are."""
    bases, frames = like.shape[-2:]
    return result(np.ascontiguousarray(x[..., :bases, :frames]), like.shape[:-3])


def from_slices(
    kernel: Any, bins: int, args: list[Any], H: np.ndarray, numbers: Sequence[Any], out: np.ndarray
) -> None:
    """out <- H times the quotient (to a power; `tiny`) of halves that slices of the bins have summed apart."""
    edges = slices(bins)
    sums = scratch("gains", (len(edges) - 1, len(H), 2, H.shape[1] - 1, H.shape[2]), H.dtype)
    in_threads(lambda some, first: kernel(*args, sums[first:], some), edges)
    _added(sums, *numbers, H, out)
