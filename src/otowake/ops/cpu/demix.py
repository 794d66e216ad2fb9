"""Y = W X, bin by bin."""

import numpy as np
import torch
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
def _abs2(Y, v, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(lo, hi):
        for t in range(Y.shape[1]):
            v[i, t] = Y[i, t].real * Y[i, t].real + Y[i, t].imag * Y[i, t].imag


def abs2(Y: Tensor) -> Tensor:
    """Kernel of `ops.demix.abs2`."""
    rows = np.ascontiguousarray(flat(Y, 1))
    v = np.empty(rows.shape, dtype=rows.real.dtype)
    over_bins(_abs2, len(rows), rows, v)
    return torch.from_numpy(v).reshape(Y.shape)
