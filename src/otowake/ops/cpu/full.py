"""Covariances of full rank, some frames of one bin at a time: R, its inverse and u are rows of frames in cache.

Hermitian matrices are lower triangles: [i, j, t] with j <= i, real and imaginary parts apart.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import bins_first, flat
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.model import typed
from otowake.ops.cpu.threads import over_bins

_FRAMES = 256
"""At a time."""


@kernel
def _mixed(S, r, e, f, lo, Vr, Vi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """R = sum_n r_n S_n + e I of bin f, frames from lo on."""
    M, width = Vr.shape[0], Vr.shape[2]
    for i in range(M):
        for j in range(i + 1):
            re, im = Vr[i, j], Vi[i, j]
            for t in range(width):
                re[t] = e if i == j else 0
                im[t] = 0
            for n in range(r.shape[0]):
                a, b, row = S[n, f, i, j].real, S[n, f, i, j].imag, r[n, f, lo : lo + width]
                if i == j:
                    for t in range(width):
                        re[t] += a * row[t]
                else:
                    for t in range(width):
                        re[t] += a * row[t]
                        im[t] += b * row[t]


@kernel
def _inverted(one, Vr, Vi, cr, ci, p):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """R <- -R^-1 by a sweep of each pivot; c and p are scratch."""
    M, width = Vr.shape[0], Vr.shape[2]
    for k in range(M):
        pivot = Vr[k, k]
        for t in range(width):
            p[t] = one / pivot[t]
            pivot[t] = -p[t]
        for i in range(M):
            if i != k:
                re, im = (Vr[i, k], Vi[i, k]) if i > k else (Vr[k, i], Vi[k, i])
                sign = one if i > k else -one
                to_re, to_im = cr[i], ci[i]
                for t in range(width):
                    a, b = re[t], im[t]
                    to_re[t], to_im[t] = a, sign * b
                    re[t], im[t] = a * p[t], b * p[t]
        for i in range(M):
            for j in range(i + 1):
                if i != k and j != k:
                    re, im, ar, ai, br, bi = Vr[i, j], Vi[i, j], cr[i], ci[i], cr[j], ci[j]
                    for t in range(width):
                        re[t] -= (ar[t] * br[t] + ai[t] * bi[t]) * p[t]
                        im[t] -= (ai[t] * br[t] - ar[t] * bi[t]) * p[t]


@kernel
def _applied(X, f, lo, Vr, Vi, ur, ui):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """u = R^-1 x of what `_inverted` left."""
    M, width = ur.shape
    ur[:], ui[:] = 0, 0
    for j in range(M):
        x = X[f, j, lo : lo + width]
        for i in range(M):
            re, im = (Vr[i, j], Vi[i, j]) if i >= j else (Vr[j, i], Vi[j, i])
            to_re, to_im = ur[i], ui[i]
            if i == j:
                for t in range(width):
                    to_re[t] -= re[t] * x[t].real
                    to_im[t] -= re[t] * x[t].imag
            elif i > j:
                for t in range(width):
                    to_re[t] -= re[t] * x[t].real - im[t] * x[t].imag
                    to_im[t] -= re[t] * x[t].imag + im[t] * x[t].real
            else:
                for t in range(width):
                    to_re[t] -= re[t] * x[t].real + im[t] * x[t].imag
                    to_im[t] -= re[t] * x[t].imag - im[t] * x[t].real


@kernel
def _weighed(X, f, lo, ur, ui, cost, w):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """w = c (q + a)^g of q = x^H u >= 0."""
    one, c, a, g = cost
    M, width = ur.shape
    w[:] = 0
    for i in range(M):
        x, re, im = X[f, i, lo : lo + width], ur[i], ui[i]
        for t in range(width):
            w[t] += x[t].real * re[t] + x[t].imag * im[t]
    if g == 0:
        w[:] = c
    elif g == -one:
        for t in range(width):
            w[t] = c / (max(w[t], 0) + a)
    else:
        for t in range(width):
            w[t] = c / np.sqrt(max(w[t], 0) + a)


@kernel
def _solved(X, S, r, e, cost, f, lo, V, c, u, w):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """-R^-1, u and w of bin f, frames from lo on."""
    _mixed(S, r, e[f], f, lo, V[0], V[1])
    _inverted(cost[0], V[0], V[1], c[0], c[1], w)
    _applied(X, f, lo, V[0], V[1], u[0], u[1])
    _weighed(X, f, lo, u[0], u[1], cost, w)


@kernel
def _halves(X, S, r, e, cost, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bins lo .. hi."""
    (_, M, T), two = X.shape, cost[0] + cost[0]
    for first in range(0, T, _FRAMES):
        width = min(_FRAMES, T - first)
        V, c = np.empty((2, M, M, width), r.dtype), np.empty((2, M, width), r.dtype)
        u, w = np.empty((2, M, width), r.dtype), np.empty(width, r.dtype)
        for f in range(lo, hi):
            _solved(X, S, r, e, cost, f, first, V, c, u, w)
            for n in range(r.shape[0]):
                neg, pos = out[0, n, f, first : first + width], out[1, n, f, first : first + width]
                neg[:], pos[:] = 0, 0
                for i in range(M):
                    for j in range(i + 1):
                        a, b = S[n, f, i, j].real, S[n, f, i, j].imag
                        re, im, ar, ai, br, bi = V[0, i, j], V[1, i, j], u[0, i], u[1, i], u[0, j], u[1, j]
                        if i == j:
                            for t in range(width):
                                neg[t] += a * (ar[t] * ar[t] + ai[t] * ai[t])
                                pos[t] -= a * re[t]
                        else:
                            a, b = two * a, two * b
                            for t in range(width):
                                neg[t] += a * (ar[t] * br[t] + ai[t] * bi[t]) + b * (ai[t] * br[t] - ar[t] * bi[t])
                                pos[t] -= a * re[t] + b * im[t]
                for t in range(width):
                    neg[t] = max(neg[t] * w[t], 0)
                    pos[t] = max(pos[t], 0)


@kernel
def _turned(X, S, r, e, cost, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bins lo .. hi."""
    (_, M, T), zero = X.shape, cost[0] - cost[0]
    out[:, :, lo:hi] = 0
    for first in range(0, T, _FRAMES):
        width = min(_FRAMES, T - first)
        V, c = np.empty((2, M, M, width), r.dtype), np.empty((2, M, width), r.dtype)
        u, w = np.empty((2, M, width), r.dtype), np.empty(width, r.dtype)
        both = np.empty((2, width), r.dtype)
        product_re, product_im = both[0], both[1]
        for f in range(lo, hi):
            _solved(X, S, r, e, cost, f, first, V, c, u, w)
            for i in range(M):
                for j in range(i + 1):
                    re, im, ar, ai, br, bi = V[0, i, j], V[1, i, j], u[0, i], u[1, i], u[0, j], u[1, j]
                    for t in range(width):
                        product_re[t] = w[t] * (ar[t] * br[t] + ai[t] * bi[t])
                        product_im[t] = w[t] * (ai[t] * br[t] - ar[t] * bi[t])
                    for n in range(r.shape[0]):
                        row = r[n, f, first : first + width]
                        a, b, x, y = zero, zero, zero, zero
                        for t in range(width):
                            a -= row[t] * re[t]
                            x += row[t] * product_re[t]
                        if i != j:
                            for t in range(width):
                                b -= row[t] * im[t]
                                y += row[t] * product_im[t]
                            out[0, n, f, j, i] += complex(a, -b)
                            out[1, n, f, j, i] += complex(x, -y)
                        out[0, n, f, i, j] += complex(a, b)
                        out[1, n, f, i, j] += complex(x, y)


def full_halves(X: Tensor, S: Tensor, r: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.full.full_halves`."""
    *batch, _, f, t = X.shape
    return _each(_halves, X, S, r, e, slope, torch.empty((*batch, 2, S.shape[-4], f, t), dtype=r.dtype))


def full_turned(X: Tensor, S: Tensor, r: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.full.full_turned`."""
    *batch, m, f, _ = X.shape
    return _each(_turned, X, S, r, e, slope, torch.empty((*batch, 2, S.shape[-4], f, m, m), dtype=S.dtype))


def _each(kernel: Any, X: Tensor, S: Tensor, r: Tensor, e: Tensor, slope: Tensor, out: Tensor) -> Tensor:
    """Item by item of a batch, in the precision of S."""
    X, r, e = X.to(S.dtype), r.to(S.real.dtype).expand(*r.shape[:-2], *X.shape[-2:]), e.to(S.real.dtype)
    inner = out.ndim - X.ndim + 3
    for x, s, row, least, to in zip(flat(X, 3), flat(S, 4), flat(r, 3), flat(e[..., 0], 1), flat(out, inner)):
        s, row, least = map(np.ascontiguousarray, (s, row, least))
        over_bins(kernel, len(least), bins_first(x), s, row, least, typed(slope, row.dtype), to)
    return out
