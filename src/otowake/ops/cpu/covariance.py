"""V_nf = (1/T) sum_t phi x x^H: each bin of X is read once for all sources, as real and imaginary rows.

Products and sums are double whatever the data: weights span ten decades, and V is inverted (docs/decisions/0005).
"""

import numpy as np
from torch import Tensor

from otowake.ops.cpu.arrays import bins_first, flat, result
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.rows import FRAMES, apart, at_a_time, taken
from otowake.ops.cpu.threads import over_bins


@kernel
def _covariance(X, phi, V, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    (_, M, T), N = X.shape, len(phi)
    full = at_a_time(T, FRAMES)
    x, weights = np.empty((M, 2, full)), np.empty((N, full))
    re, im = np.empty(full), np.empty(full)
    sums = np.empty((N, M, M, 2))
    for f in range(lo, hi):
        sums[:] = 0
        fw = f if phi.shape[1] > 1 else 0
        for first in range(0, T, full):
            for m in range(M):
                apart(X[f, m], first, x[m, 0], x[m, 1])
            for n in range(N):
                taken(phi[n, fw], first, weights[n])
            for i in range(M):
                xr, xi = x[i, 0], x[i, 1]
                for t in range(full):
                    re[t] = xr[t] * xr[t] + xi[t] * xi[t]
                for n in range(N):
                    w, a = weights[n], 0.0
                    for t in range(full):
                        a += w[t] * re[t]
                    sums[n, i, i, 0] += a
                for j in range(i):
                    xr, xi, yr, yi = x[i, 0], x[i, 1], x[j, 0], x[j, 1]
                    for t in range(full):
                        re[t] = xr[t] * yr[t] + xi[t] * yi[t]
                        im[t] = xi[t] * yr[t] - xr[t] * yi[t]
                    for n in range(N):
                        w, a, b = weights[n], 0.0, 0.0
                        for t in range(full):
                            a += w[t] * re[t]
                            b += w[t] * im[t]
                        sums[n, i, j, 0] += a
                        sums[n, i, j, 1] += b
        for n in range(N):
            for i in range(M):
                V[f, n, i, i] = sums[n, i, i, 0] / T
                for j in range(i):
                    a, b = sums[n, i, j, 0] / T, sums[n, i, j, 1] / T
                    V[f, n, j, i] = complex(a, -b)
                    V[f, n, i, j] = complex(a, b)


def weighted_covariance(X: Tensor, phi: Tensor) -> Tensor:
    """Kernel of `ops.covariance.weighted_covariance`."""
    *batch, M, F, T = X.shape
    N = phi.shape[-3]
    Xs, phis = flat(X, 3), flat(phi, 3)
    V = np.empty((len(Xs), F, N, M, M), dtype=np.complex128)
    for b in range(len(Xs)):
        over_bins(_covariance, F, bins_first(Xs[b]), np.ascontiguousarray(phis[b]), V[b])
    return result(V, batch)
