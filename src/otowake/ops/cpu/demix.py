"""Y = W X and |W X|^2, bin by bin."""

import numpy as np
from torch import Tensor

from otowake.ops.cpu.arrays import bins_first, flat, result
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.threads import over_bins


@kernel
def _demix(X, W, Y, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    bins, M, T = X.shape
    N = W.shape[1]
    for f in range(lo, hi):
        for n in range(N):
            w = W[f, n, 0]
            for t in range(T):
                Y[n, f, t] = w * X[f, 0, t]
            for m in range(1, M):
                w = W[f, n, m]
                for t in range(T):
                    Y[n, f, t] += w * X[f, m, t]


def demixed(X: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.demix.demixed`."""
    *batch, M, F, T = X.shape
    N = W.shape[-2]
    Xs, Ws = flat(X, 3), flat(W, 3)
    Y = np.empty((len(Xs), N, F, T), dtype=Xs.dtype)
    for b in range(len(Xs)):
        over_bins(_demix, F, bins_first(Xs[b]), np.ascontiguousarray(Ws[b]), Y[b])
    return result(Y, batch)


@kernel
def _power(X, W, v, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    bins, M, T = X.shape
    re, im = np.empty(T), np.empty(T)
    for f in range(lo, hi):
        for n in range(W.shape[1]):
            re[:], im[:] = 0.0, 0.0
            for m in range(M):
                a, b = W[f, n, m].real, W[f, n, m].imag
                for t in range(T):
                    re[t] += a * X[f, m, t].real - b * X[f, m, t].imag
                    im[t] += a * X[f, m, t].imag + b * X[f, m, t].real
            for t in range(T):
                v[n, f, t] = re[t] * re[t] + im[t] * im[t]


def demixed_power(X: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.demix.demixed_power`."""
    *batch, M, F, T = X.shape
    Xs, Ws = flat(X, 3), flat(W, 3)
    v = np.empty((len(Xs), W.shape[-2], F, T), dtype=Xs.real.dtype)
    for b in range(len(Xs)):
        over_bins(_power, F, bins_first(Xs[b]), np.ascontiguousarray(Ws[b]), v[b])
    return result(v, batch)
