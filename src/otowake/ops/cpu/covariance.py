"""V_nf = (1/T) sum_t phi x x^H: each bin of X is read once for all sources, as real and imaginary rows.

Sums of some frames are taken in the precision of the data, sums of those in double.
"""

import numpy as np
from torch import Tensor

from otowake.ops.cpu.arrays import bins_first, flat, result
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.threads import over_bins

_FRAMES = 512
"""Whose sum is taken in the precision of the data."""


@kernel
def _covariance(X, phi, V, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    (_, M, T), zero = X.shape, phi[0, 0, 0] - phi[0, 0, 0]
    pre, pim = np.empty(T, phi.dtype), np.empty(T, phi.dtype)
    for f in range(lo, hi):
        fw = f if phi.shape[1] > 1 else 0
        for i in range(M):
            for j in range(i + 1):
                x, y = X[f, i], X[f, j]
                for t in range(T):
                    pre[t] = x[t].real * y[t].real + x[t].imag * y[t].imag
                    pim[t] = x[t].imag * y[t].real - x[t].real * y[t].imag
                for n in range(len(phi)):
                    w, re, im = phi[n, fw], 0.0, 0.0
                    for first in range(0, T, _FRAMES):
                        some, p, q = (
                            w[first : first + _FRAMES],
                            pre[first : first + _FRAMES],
                            pim[first : first + _FRAMES],
                        )
                        a, b = zero, zero
                        for t in range(len(some)):
                            a += some[t] * p[t]
                            b += some[t] * q[t]
                        re, im = re + a, im + b
                    V[f, n, j, i] = complex(re / T, -im / T)
                    V[f, n, i, j] = complex(re / T, im / T if i > j else 0.0)


def weighted_covariance(X: Tensor, phi: Tensor) -> Tensor:
    """Kernel of `ops.covariance.weighted_covariance`."""
    *batch, M, F, T = X.shape
    N = phi.shape[-3]
    Xs, phis = flat(X, 3), flat(phi, 3)
    V = np.empty((len(Xs), F, N, M, M), dtype=Xs.dtype)
    for b in range(len(Xs)):
        over_bins(_covariance, F, bins_first(Xs[b]), np.ascontiguousarray(phis[b]), V[b])
    return result(V, batch)
