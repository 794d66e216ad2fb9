"""Y = W X, |W X|^2 and |W_n X|^2 over microphones, bin by bin, some frames at a time."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import bins_first, flat
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.threads import over_bins

FRAMES = 256
"""At a time: what is made of them stays in the first cache."""


@kernel
def apart(X, f, lo, re, im):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Real and imaginary rows of bin f, frames from lo on."""
    for m in range(re.shape[0]):
        x, a, b = X[f, m, lo : lo + re.shape[1]], re[m], im[m]
        for t in range(len(x)):
            a[t] = x[t].real
            b[t] = x[t].imag


@kernel
def _row(w, re, im, a, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """a + i b <- sum_m w_m x_m."""
    for m in range(len(w)):
        c, d, x, y = w[m].real, w[m].imag, re[m], im[m]
        if m == 0:
            for t in range(len(a)):
                a[t] = c * x[t] - d * y[t]
                b[t] = c * y[t] + d * x[t]
        else:
            for t in range(len(a)):
                a[t] += c * x[t] - d * y[t]
                b[t] += c * y[t] + d * x[t]


@kernel
def _demix(X, W, Y, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    (_, M, T), real = X.shape, X[0, 0, 0].real
    for first in range(0, T, FRAMES):
        width = min(FRAMES, T - first)
        re, im = np.full((M, width), real), np.full((M, width), real)
        a, b = np.full(width, real), np.full(width, real)
        for f in range(lo, hi):
            apart(X, f, first, re, im)
            for n in range(W.shape[1]):
                _row(W[f, n], re, im, a, b)
                y = Y[n, f, first : first + width]
                for t in range(width):
                    y[t] = complex(a[t], b[t])


@kernel
def _power(X, W, v, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _, M, T = X.shape
    for first in range(0, T, FRAMES):
        width = min(FRAMES, T - first)
        re, im = np.empty((M, width), v.dtype), np.empty((M, width), v.dtype)
        a, b = np.empty(width, v.dtype), np.empty(width, v.dtype)
        for f in range(lo, hi):
            apart(X, f, first, re, im)
            for n in range(W.shape[1]):
                _row(W[f, n], re, im, a, b)
                y = v[n, f, first : first + width]
                for t in range(width):
                    y[t] = a[t] * a[t] + b[t] * b[t]


@kernel
def _radius(X, W, q, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _, M, T = X.shape
    for first in range(0, T, FRAMES):
        width = min(FRAMES, T - first)
        re, im = np.empty((M, width), q.dtype), np.empty((M, width), q.dtype)
        a, b = np.empty(width, q.dtype), np.empty(width, q.dtype)
        for f in range(lo, hi):
            apart(X, f, first, re, im)
            for n in range(W.shape[1]):
                y = q[n, f, first : first + width]
                y[:] = 0
                for m in range(M):
                    _row(W[f, n, m], re, im, a, b)
                    for t in range(width):
                        y[t] += a[t] * a[t] + b[t] * b[t]


def demixed(X: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.demix.demixed`."""
    return _each(_demix, X, W, 3, X.dtype)


def demixed_power(X: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.demix.demixed_power`."""
    return _each(_power, X, W, 3, X.real.dtype)


def demixed_radius(X: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.demix.demixed_radius`."""
    return _each(_radius, X, W, 4, X.real.dtype)


def _each(kernel: Any, X: Tensor, W: Tensor, inner: int, dtype: torch.dtype) -> Tensor:
    """Item by item of a batch."""
    *batch, _, f, t = X.shape
    out = torch.empty((*batch, W.shape[X.ndim - 2], f, t), dtype=dtype)
    for x, w, to in zip(flat(X, 3), flat(W, inner), flat(out, 3)):
        over_bins(kernel, f, bins_first(x), np.ascontiguousarray(w), to)
    return out
