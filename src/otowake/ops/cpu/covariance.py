"""V_nf = (1/T) sum_t phi x x^H: each bin of X is read once for all sources, as real and imaginary rows."""

import numpy as np
from torch import Tensor

from otowake.ops.cpu.arrays import bins_first, flat, result
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.threads import over_bins


@kernel
def _covariance(X, phi, V, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    bins, M, T = X.shape
    N, weights = phi.shape[0], phi.shape[1]
    re, im = np.empty((M, T)), np.empty((M, T))
    pre, pim = np.empty(T), np.empty(T)
    for f in range(lo, hi):
        for m in range(M):
            for t in range(T):
                re[m, t] = X[f, m, t].real
                im[m, t] = X[f, m, t].imag
        fw = f if weights > 1 else 0
        for i in range(M):
            for j in range(i + 1):
                for t in range(T):
                    pre[t] = re[i, t] * re[j, t] + im[i, t] * im[j, t]
                    pim[t] = im[i, t] * re[j, t] - re[i, t] * im[j, t]
                for n in range(N):
                    a, b = 0.0, 0.0
                    for t in range(T):
                        w = phi[n, fw, t]
                        a += w * pre[t]
                        b += w * pim[t]
                    V[f, n, i, j] = complex(a / T, b / T)
                    V[f, n, j, i] = complex(a / T, -b / T)
                    if i == j:
                        V[f, n, i, i] = complex(a / T, 0.0)


def weighted_covariance(X: Tensor, phi: Tensor) -> Tensor:
    """Kernel of `ops.covariance.weighted_covariance`."""
    *batch, M, F, T = X.shape
    N = phi.shape[-3]
    Xs, phis = flat(X, 3), flat(phi, 3)
    V = np.empty((len(Xs), F, N, M, M), dtype=Xs.dtype)
    for b in range(len(Xs)):
        over_bins(_covariance, F, bins_first(Xs[b]), np.ascontiguousarray(phis[b]), V[b])
    return result(V, batch)
