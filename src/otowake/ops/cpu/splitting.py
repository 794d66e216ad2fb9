"""Kernels of `ops.splitting`: a bin's sources are formed where they are used and are never in memory as wholes.

X lies as demixing leaves it, bins behind microphones.  Pulls are multiplied and summed in double precision whatever the
data's: they become W.
"""

from typing import cast

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import flat, padded, result
from otowake.ops.cpu.compile import kernel, part
from otowake.ops.cpu.demix import source
from otowake.ops.cpu.registers import FRAMES, apart, at, count, fine, get, put, room, set
from otowake.ops.cpu.threads import in_threads, over_bins, slices
from otowake.ops.cpu.vectors import spread, total


@part
def _products(d, x, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """out += sum over some frames of d x^H; d: n 2 frames, x: m 2 frames, out: n m 2, all double."""
    none, last = spread(0, x), len(x) - 1
    for n in range(len(d)):
        dr, di = d[n, 0], d[n, 1]
        for m in range(0, len(x), 2):
            k = min(m + 1, last)
            xr, xi, yr, yi = x[m, 0], x[m, 1], x[k, 0], x[k, 1]
            a, b, c, e = none, none, none, none
            for t in range(0, len(dr), count(dr)):
                p, q, r, s, u, v = get(dr, t), get(di, t), get(xr, t), get(xi, t), get(yr, t), get(yi, t)
                a += p * r + q * s
                b += q * r - p * s
                c += p * u + q * v
                e += q * u - p * v
            out[n, m, 0] += total(a)
            out[n, m, 1] += total(b)
            if m < last:
                out[n, k, 0] += total(c)
                out[n, k, 1] += total(e)


@kernel
def _pull(X, D, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """out: f n m 2."""
    (M, _, T), (Q, N) = X.shape, D.shape[:2]
    width = room(min(T, FRAMES))
    x, d = np.empty((M, 2, width)), np.empty((N, 2, width))
    for f in range(lo, hi):
        out[f] = 0
        for first in range(0, T, width):
            apart(X[:, f], first, x)
            for n in range(N):
                for t in range(0, width, count(x)):
                    re, im = fine(D[0, n, f], first + t)
                    for q in range(1, Q):
                        a, b = fine(D[q, n, f], first + t)
                        re += a
                        im += b
                    set(re, d[n, 0], t)
                    set(im, d[n, 1], t)
            _products(d, x, out[f])


@kernel
def _ahead(X, W, D, Z, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    (M, _, T), (Q, N) = X.shape, D.shape[:2]
    x = np.empty((M, 2, room(min(T, FRAMES))), X.real.dtype)
    for f in range(lo, hi):
        for first in range(0, T, x.shape[2]):
            apart(X[:, f], first, x)
            for n in range(N):
                for t in range(0, x.shape[2], count(x)):
                    re, im = source(x, W[f, n], t)
                    for q in range(Q):
                        a, b = at(D[q, n, f], first + t)
                        put((re + a, im + b), Z[q, n, f], first + t)


@kernel
def _step(X, W, Z, S, D, relax, to, out, sizes, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """to: D after the step, out: f n m 2, sizes: f 2."""
    (M, _, T), (Q, N), none = X.shape, D.shape[:2], spread(0, relax)
    width = room(min(T, FRAMES))
    y, x, d = np.empty((M, 2, width), relax.dtype), np.empty((M, 2, width)), np.empty((N, 2, width))
    for f in range(lo, hi):
        out[f], sizes[f] = 0, 0
        for first in range(0, T, width):
            apart(X[:, f], first, y)
            apart(X[:, f], first, x)
            for n in range(N):
                away, own = none, none
                for t in range(0, width, count(y)):
                    re, im = source(y, W[f, n], t)
                    own += re * re + im * im
                    g, h = none, none
                    for q in range(Q):
                        (a, b), (u, v) = at(S[q, n, f], first + t), at(D[q, n, f], first + t)
                        away += (a - re) * (a - re) + (b - im) * (b - im)
                        c, e = at(Z[q, n, f], first + t)
                        c, e = c - a - u, e - b - v
                        put((u + relax[0] * c, v + relax[0] * e), to[q, n, f], first + t)
                        g += c
                        h += e
                    set(g, d[n, 0], t)
                    set(h, d[n, 1], t)
                sizes[f, 0] += total(away)
                sizes[f, 1] += total(own)
            _products(d, x, out[f])


@kernel
def _squares(Z, sums, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """sums: slices n frames."""
    for s in range(len(edges) - 1):
        sums[s] = 0
        for n in range(len(Z)):
            for f in range(edges[s], edges[s + 1]):
                z, row = Z[n, f], sums[s, n]
                for t in range(0, len(row), count(row)):
                    re, im = fine(z, t)
                    set(get(row, t) + re * re + im * im, row, t)


def dual_pull(X: Tensor, D: Tensor) -> Tensor:
    """Kernel of `ops.splitting.dual_pull`."""
    out = _matrices(X, D)
    for x, d, to in zip(flat(X, 3), flat(D, 4), out):
        over_bins(_pull, len(to), np.ascontiguousarray(x), np.ascontiguousarray(d), to)
    return _numbers(out, X)


def dual_ahead(X: Tensor, W: Tensor, D: Tensor) -> Tensor:
    """Kernel of `ops.splitting.dual_ahead`."""
    Z = torch.empty(D.shape, dtype=D.dtype)
    for x, w, d, to in zip(flat(X, 3), flat(W.to(X.dtype), 3), flat(D, 4), flat(Z, 4)):
        over_bins(_ahead, len(w), np.ascontiguousarray(x), np.ascontiguousarray(w), np.ascontiguousarray(d), to)
    return Z


def dual_step(X: Tensor, W: Tensor, Z: Tensor, S: Tensor, D: Tensor, relax: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Kernel of `ops.splitting.dual_step`."""
    new, out = torch.empty(D.shape, dtype=D.dtype), _matrices(X, D)
    sizes, part = np.empty((*out.shape[:2], 2)), relax.to(D.real.dtype).numpy()
    duals = zip(*(flat(d, 4) for d in (Z, S, D)))
    for x, w, zsd, *own in zip(flat(X, 3), flat(W.to(X.dtype), 3), duals, flat(new, 4), out, sizes):
        inputs = (np.ascontiguousarray(z) for z in (w, *zsd))
        over_bins(_step, len(w), np.ascontiguousarray(x), *inputs, part, *own)
    return new, _numbers(out, X), result(sizes.sum(1), X.shape[:-3])


def frame_sizes(Z: Tensor) -> Tensor:
    """Kernel of `ops.splitting.frame_sizes`."""
    out = torch.empty((*Z.shape[:-2], 1, Z.shape[-1]), dtype=Z.real.dtype)
    for z, to in zip(flat(Z, 3), flat(out, 3)):
        to[:, 0] = _sizes(np.ascontiguousarray(z))
    return out


def _sizes(Z: np.ndarray) -> np.ndarray:
    """n f t -> n t."""
    (N, _, T), edges = Z.shape, slices(Z.shape[1])
    sums = np.empty((len(edges) - 1, N, padded(T)))
    in_threads(lambda some, first: _squares(Z, sums[first:], some), edges)
    return cast(np.ndarray, np.sqrt(sums.sum(0))[:, :T])


def _matrices(X: Tensor, D: Tensor) -> np.ndarray:
    """Room for real and imaginary parts of f n m of each item."""
    return np.empty((X.shape[:-3].numel(), X.shape[-2], D.shape[-3], X.shape[-3], 2))


def _numbers(parts: np.ndarray, X: Tensor) -> Tensor:
    return result(parts.view(np.complex128)[..., 0], X.shape[:-3])
