"""Kernels of `ops.fused`: powers, scales and weights of a few bins live in cache only."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from otowake.linalg.safe import loading
from otowake.ops.cpu.arrays import bins_first, flat, result, scratch
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.covariance import hermitian, many, of_many, of_two
from otowake.ops.cpu.demix import radius
from otowake.ops.cpu.model import modelled, weighted
from otowake.ops.cpu.ratio import TOGETHER, arguments, cut, from_slices, moved
from otowake.ops.cpu.registers import FRAMES, apart, count, room, set
from otowake.ops.cpu.sweep import swept
from otowake.ops.cpu.threads import over_bins
from otowake.ops.cpu.vectors import spread
from otowake.ops.projection import ip1_steps

Arrays = list[np.ndarray]
_LOADING = loading(torch.empty((), dtype=torch.complex128))


@kernel
def _factors(X, W, B, H, e, cost, x, tiny, to, sums, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """`ratio.moved` of v = |W X|^2, which is there for some bins at a time; W: f n 1 m."""
    (_, M, T), (N, _, K) = X.shape, B.shape
    y, some = np.empty((M, 2, room(T)), e.dtype), np.empty((TOGETHER, K), e.dtype)
    v, neg, pos = np.empty((N, TOGETHER, room(T)), e.dtype), np.empty(room(T), e.dtype), np.empty(room(T), e.dtype)
    for s in range(len(edges) - 1):
        sums[s] = 0
        for f in range(edges[s], edges[s + 1], TOGETHER):
            g = min(f + TOGETHER, edges[s + 1])
            for i in range(f, g):
                apart(X[i], 0, y)
                for n in range(N):
                    for t in range(0, v.shape[2], count(y)):
                        set(radius(y, W[i, n], t), v[n, i - f], t)
            for n in range(N):
                p, b, c = v[n, : g - f], B[n, f:g], to[n, f:g]
                moved(p, b, H[n], e[n, f:g], cost, x, tiny, c, some, neg, pos, sums[s, n])


@kernel
def _covariances(X, W, B, H, e, cost, many, V, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """W: f n 1 m;  many: `covariance.many`."""
    (_, M, T), N = X.shape, len(B)
    width, even, none = room(min(T, FRAMES)), N + N % 2, spread(0, e)
    x, weights, sums = np.empty((M, 2, width)), np.empty((even, width)), np.empty((even, M, M, 2))
    y, phi = np.empty((M, 2, width), e.dtype), np.zeros((even, width), e.dtype)
    for f in range(lo, hi):
        sums[:] = 0
        for first in range(0, T, width):
            if cost[3] != 0:
                apart(X[f], first, y)
            for n in range(N):
                for t in range(0, min(T - first, width), count(e)):
                    v = none if cost[3] == 0 else radius(y, W[f, n], t)
                    set(weighted(v, modelled(B[n, f], H[n], e[n, f], first + t), cost), phi[n], t)
            if many is None:
                of_two(X[f], first, phi, sums)
            else:
                of_many(X[f], first, phi, x, weights, sums)
        hermitian(sums, T, V[f])


@kernel
def _unit_rows(W, C, to, gain):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    bins, N, M = W.shape
    for n in range(N):
        power = gain[n] - gain[n]
        for f in range(bins):
            for i in range(M):
                a = W[f, n, i]
                power += (a.real * a.real + a.imag * a.imag) * C[f, i, i].real
                for j in range(i):
                    power += 2 * (a * C[f, i, j] * W[f, n, j].conjugate()).real
        gain[n] = bins / power if power > 0 else 1
        scale = np.sqrt(gain[n])
        for f in range(bins):
            for i in range(M):
                to[f, n, i] = W[f, n, i] * scale


def demixed_step(
    X: Tensor, W: Tensor, B: Tensor, H: Tensor, e: Tensor, power: Tensor, slope: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Kernel of `ops.fused.demixed_step`."""
    arrays, numbers = arguments(B, H, e, power, slope)
    b, h, w = np.empty_like(arrays[0]), arrays[1].copy(), np.array(flat(W, 3), order="C")
    for some, (*old, es), own, gains, rows in zip(seen(X, W), zip(*arrays), b, h, w):
        from_slices(_factors, B.shape[-2], [*some, *old, es, *numbers, own], old[1], numbers[1:], gains)
        V = scratch("covariances", (*rows.shape, rows.shape[-1]), np.dtype(np.complex128))
        over_bins(_covariances, len(V), *some, own, gains, es, numbers[0], many(X.shape[-3]), V)
        swept(ip1_steps(W.shape[-1]), V, rows, _LOADING)
    batch = W.shape[:-3]
    return result(b, batch), cut(h, H), result(w, batch)


def modelled_covariance(X: Tensor, W: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.fused.modelled_covariance`."""
    arrays, (cost, _) = arguments(B, H, e, slope)
    V = torch.empty((*W.shape, X.shape[-3]), dtype=torch.complex128)
    for some, *model, to in zip(seen(X, W), *arrays, flat(V, 4)):
        over_bins(_covariances, len(to), *some, *model, cost, many(X.shape[-3]), to)
    return V


def seen(X: Tensor, W: Tensor) -> Iterator[Arrays]:
    """X: f m t and W: f n 1 m of each item, in the precision of X."""
    for x, w in zip(flat(X, 3), flat(W.to(X.dtype).unsqueeze(-2), 4)):
        yield [bins_first(x), np.ascontiguousarray(w)]


def unit_rows(W: Tensor, C: Tensor) -> tuple[Tensor, Tensor]:
    """Kernel of `ops.fused.unit_rows`."""
    ws, cs = flat(W, 3), flat(C, 3)
    to, gain = np.empty(ws.shape, ws.dtype), np.zeros((len(ws), ws.shape[2]), ws.real.dtype)
    for w, c, *own in zip(ws, cs, to, gain):
        _unit_rows(np.ascontiguousarray(w), np.ascontiguousarray(c), *own)
    return result(to, W.shape[:-3]), result(gain, W.shape[:-3])
