"""Posteriors of directions, some frames of a bin at a time: radii live in cache only, and nothing is a logarithm.

Of M-th powers only quotients with the smallest radius are taken, in double precision: none is above 1.
"""

import numpy as np
import torch
from torch import Tensor

from otowake.linalg.safe import tiny
from otowake.ops.cpu.arrays import bins_first, flat
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.demix import radius
from otowake.ops.cpu.registers import FRAMES, apart, count, fine, finely_filled, get, put, room, set
from otowake.ops.cpu.threads import over_bins
from otowake.ops.cpu.vectors import over, spread


@kernel
def _posterior(X, W, pi, share, d, least, gamma, weight, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """share: |R|^-1 by the largest of a bin;  least: |x|^2 of cells that count;  rows: 1 / radius of each source."""
    (_, M, T), N = X.shape, W.shape[1]
    width = room(min(T, FRAMES))
    x, rows, p = np.empty((M, 2, width), gamma.dtype), np.empty((N + 2, width), gamma.dtype), np.empty((N, width))
    size, nearest = rows[N], rows[N + 1]
    for f in range(lo, hi):
        fw = f if pi.shape[1] > 1 else 0
        for first in range(0, T, FRAMES):
            apart(X[f], first, x)
            for t in range(0, width, count(x)):
                heard = spread(0, x)
                for m in range(M):
                    a, b = get(x[m, 0], t), get(x[m, 1], t)
                    heard += (a * a + b * b) / M
                set(heard, size, t)
                for n in range(N):
                    y = over(heard, least, radius(x, W[f, n], t) + d[f, n] * heard, spread(least, x))
                    set(1 / y, rows[n], t)
                    set(y if n == 0 else over(get(nearest, t), y, y, get(nearest, t)), nearest, t)
            for t in range(0, min(width, T - first), count(p)):
                heard, total = fine(size, t), spread(0, p)
                for n in range(N):
                    prior = spread(pi[n, fw, 0], p) if pi.shape[2] == 1 else finely_filled(pi[n, fw], first + t)
                    prior = over(prior, least, prior, spread(least, p)) * over(
                        heard, least, spread(share[f, n], p), spread(1, p)
                    )
                    ratio = fine(nearest, t) * fine(rows[n], t)
                    for _ in range(M):
                        prior *= ratio
                    set(prior, p[n], t)
                    total += prior
                total = 1 / total
                for n in range(N):
                    there = get(p[n], t) * total
                    put(there, gamma[n, f], first + t)
                    put(over(heard, least, there * fine(rows[n], t), spread(0, p)), weight[n, f], first + t)


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
