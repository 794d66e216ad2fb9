"""V_nf = (1/T) sum_t phi x x^H: each bin of X is read once for all sources, as real and imaginary rows.

Sums of some frames are taken in the precision of the data, sums of those in double.
"""

import numpy as np
from torch import Tensor

from otowake.ops.cpu.arrays import bins_first, flat, result
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.demix import FRAMES, apart
from otowake.ops.cpu.threads import over_bins


@kernel
def _covariance(X, phi, V, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    (_, M, T), N, zero = X.shape, len(phi), phi[0, 0, 0] - phi[0, 0, 0]
    sums = np.empty((N, M, M), np.complex128)
    for f in range(lo, hi):
        sums[:] = 0
        for first in range(0, T, FRAMES):
            width = min(FRAMES, T - first)
            rows = np.empty((2, M + 1, width), phi.dtype)
            re, im, pre, pim = rows[0], rows[1], rows[0, M], rows[1, M]
            apart(X, f, first, re[:M], im[:M])
            for i in range(M):
                for j in range(i + 1):
                    ar, ai, br, bi = re[i], im[i], re[j], im[j]
                    for t in range(width):
                        pre[t] = ar[t] * br[t] + ai[t] * bi[t]
                        pim[t] = ai[t] * br[t] - ar[t] * bi[t]
                    for n in range(N):
                        a, b, w = zero, zero, phi[n, f if phi.shape[1] > 1 else 0, first : first + width]
                        for t in range(width):
                            a += w[t] * pre[t]
                            b += w[t] * pim[t]
                        sums[n, i, j] += complex(a, b)
        for n in range(N):
            for i in range(M):
                for j in range(i + 1):
                    z = sums[n, i, j] / T
                    V[f, n, j, i] = np.conj(z)
                    V[f, n, i, j] = z if i > j else complex(z.real, 0)


def weighted_covariance(X: Tensor, phi: Tensor) -> Tensor:
    """Kernel of `ops.covariance.weighted_covariance`."""
    *batch, M, F, T = X.shape
    N = phi.shape[-3]
    Xs, phis = flat(X, 3), flat(phi, 3)
    V = np.empty((len(Xs), F, N, M, M), dtype=Xs.dtype)
    for b in range(len(Xs)):
        over_bins(_covariance, F, bins_first(Xs[b]), np.ascontiguousarray(phis[b]), V[b])
    return result(V, batch)
