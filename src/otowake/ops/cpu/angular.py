"""Posteriors of directions, some frames of a bin at a time: radii live in cache only, and nothing is a logarithm.

Of M-th powers only quotients with the smallest radius are taken, in double precision: none is above 1.
"""

import numpy as np
import torch
from torch import Tensor

from otowake.linalg.safe import tiny
from otowake.ops.cpu.arrays import bins_first, flat
from otowake.ops.cpu.compile import kernel, part
from otowake.ops.cpu.rows import FRAMES, apart, at_a_time, put
from otowake.ops.cpu.threads import over_bins


@part
def powered(x, W, re, im, y):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """y <- sum of |W x|^2 over the rows of W; x: m 2 frames;  re, im: scratch, zero where m is 1."""
    last = W.shape[1] - 1
    for i in range(W.shape[0]):
        for m in range(last):
            a, b, xr, xi = W[i, m].real, W[i, m].imag, x[m, 0], x[m, 1]
            if m == 0:
                for t in range(len(y)):
                    re[t] = a * xr[t] - b * xi[t]
                    im[t] = a * xi[t] + b * xr[t]
            else:
                for t in range(len(y)):
                    re[t] += a * xr[t] - b * xi[t]
                    im[t] += a * xi[t] + b * xr[t]
        a, b, xr, xi = W[i, last].real, W[i, last].imag, x[last, 0], x[last, 1]
        if i == 0:
            for t in range(len(y)):
                p, q = re[t] + a * xr[t] - b * xi[t], im[t] + a * xi[t] + b * xr[t]
                y[t] = p * p + q * q
        else:
            for t in range(len(y)):
                p, q = re[t] + a * xr[t] - b * xi[t], im[t] + a * xi[t] + b * xr[t]
                y[t] += p * p + q * q


@kernel
def _posterior(X, W, pi, share, d, least, gamma, weight, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """share: |R|^-1 by the largest of a bin;  least: |x|^2 of cells that count."""
    (_, M, T), N, zero = X.shape, W.shape[1], least - least
    full = at_a_time(T, FRAMES)
    x, row, size = np.empty((M, 2, full), gamma.dtype), np.zeros((3, full), gamma.dtype), np.empty(full, gamma.dtype)
    q, p = np.empty((N, full), gamma.dtype), np.empty((N, full))
    nearest, total = np.empty(full, gamma.dtype), np.empty(full)
    for f in range(lo, hi):
        fw = f if pi.shape[1] > 1 else 0
        for first in range(0, T, full):
            size[:] = zero
            for m in range(M):
                apart(X[f, m], first, x[m, 0], x[m, 1])
                a, b = x[m, 0], x[m, 1]
                for t in range(full):
                    size[t] += (a[t] * a[t] + b[t] * b[t]) / M
            for n in range(N):
                y, noise = q[n], d[f, n]
                powered(x, W[f, n], row[0], row[1], y)
                for t in range(full):
                    y[t] = y[t] + noise * size[t] if size[t] > least else least
                if n == 0:
                    for t in range(full):
                        nearest[t] = y[t]
                else:
                    for t in range(full):
                        nearest[t] = min(nearest[t], y[t])
            total[:] = 0
            for n in range(N):
                y, to, c = q[n], p[n], share[f, n]
                if pi.shape[2] == 1:
                    for t in range(full):
                        to[t] = pi[n, fw, 0]
                else:
                    some = pi[n, fw, first : first + full]
                    for t in range(len(some)):
                        to[t] = some[t]
                    for t in range(len(some), full):
                        to[t] = 1
                for t in range(full):
                    to[t] = max(to[t], least)
                for t in range(full):
                    to[t] *= c if size[t] > least else 1.0
                ratio = row[2]
                for t in range(full):
                    ratio[t] = nearest[t] / y[t]
                for _ in range(M):
                    for t in range(full):
                        to[t] *= ratio[t]
                for t in range(full):
                    total[t] += to[t]
            for n in range(N):
                y, some = q[n], p[n]
                for t in range(full):
                    row[2, t] = some[t] / total[t]
                put(row[2], gamma[n, f], first)
                for t in range(full):
                    row[2, t] = row[2, t] / y[t] if size[t] > least else zero
                put(row[2], weight[n, f], first)


def angular_posterior(X: Tensor, W: Tensor, pi: Tensor, log_det: Tensor, d: Tensor) -> Tensor:
    """Kernel of `ops.angular.angular_posterior`."""
    *batch, _, f, t = X.shape
    out = torch.empty((*batch, 2, W.shape[-3], f, t), dtype=X.real.dtype)
    share = torch.exp(log_det.amin(-1, keepdim=True) - log_det).double()
    parts = (flat(X, 3), flat(W.to(X.dtype), 4), flat(pi.to(out.dtype), 3), flat(share, 2), flat(d.to(out.dtype), 2))
    least = flat(out, 4).dtype.type(tiny(out))
    for x, w, p, c, noise, to in zip(*parts, flat(out, 4)):
        w, p = np.ascontiguousarray(w), np.ascontiguousarray(p)
        over_bins(_posterior, f, bins_first(x), w, p, c, noise, least, to[0], to[1])
    return out
