"""Kernels of `ops.fused`: scales and weights of one bin's frames live in cache only."""

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import bins_first, flat
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.covariance import gathered, hermitian
from otowake.ops.cpu.ratio import modelled, typed, weighted
from otowake.ops.cpu.rows import apart, at_a_time, ended, taken
from otowake.ops.cpu.threads import over_bins


@kernel
def _modelled_covariance(X, v, B, H, e, cost, V, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    (_, M, T), (N, _, K) = X.shape, B.shape
    full, even = at_a_time(T, T), N + N % 2
    Hs, power, phi = np.empty((N, K, full), v.dtype), np.zeros(full, v.dtype), np.empty(full, v.dtype)
    x, weights, sums = np.empty((M, 2, full)), np.zeros((even, full)), np.empty((even, M, M, 2))
    for n in range(N):
        for k in range(K):
            taken(H[n, k], 0, Hs[n, k])
    for f in range(lo, hi):
        sums[:] = 0
        for m in range(M):
            apart(X[f, m], 0, x[m, 0], x[m, 1])
        for n in range(N):
            if cost[3] != 0:
                taken(v[n, f], 0, power)
            modelled(B[n, f], Hs[n], e[n, f], phi)
            weighted(power, cost, phi)
            ended(phi, v[n, f], 0)
            taken(phi, 0, weights[n])
        gathered(x, weights, sums)
        hermitian(sums, T, V[f])


@kernel
def _row_powers(W, C, to):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    bins, N, M = W.shape
    to[:] = 0
    for f in range(bins):
        for n in range(N):
            for i in range(M):
                a = W[f, n, i]
                to[n] += (a.real * a.real + a.imag * a.imag) * C[f, i, i].real
                for j in range(i):
                    to[n] += 2 * (a * C[f, i, j] * W[f, n, j].conjugate()).real
    to /= bins


def modelled_covariance(X: Tensor, v: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.fused.modelled_covariance`."""
    (*batch, M, F, _), N = X.shape, B.shape[-3]
    V = torch.empty((*batch, F, N, M, M), dtype=torch.complex128)
    e = e.expand(*B.shape[:-1], 1)[..., 0]
    for x, *factors, to in zip(flat(X, 3), *(flat(a, d) for a, d in ((v, 3), (B, 3), (H, 3), (e, 2))), flat(V, 4)):
        args = [bins_first(x), *map(np.ascontiguousarray, factors)]
        over_bins(_modelled_covariance, F, *args, typed(slope, args[1].dtype), to)
    return V


def row_powers(W: Tensor, C: Tensor) -> Tensor:
    """Kernel of `ops.fused.row_powers`."""
    out = torch.empty((*W.shape[:-3], W.shape[-2]), dtype=W.real.dtype)
    for w, c, to in zip(flat(W, 3), flat(C, 3), flat(out, 1)):
        _row_powers(np.ascontiguousarray(w), np.ascontiguousarray(c), to)
    return out
