"""Demixing sweeps: small matrices stay in cache, in double precision whatever the input's."""

from functools import lru_cache
from itertools import product

import numpy as np
from torch import Tensor

from otowake.linalg.safe import loading
from otowake.ops.cpu.arrays import bins_first, flat, result
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.lanes import Program, Steps, run
from otowake.ops.cpu.threads import over_bins


@lru_cache
def _ip1(M: int) -> Steps:
    """Of M rows: V holds M matrices, W one."""
    do = Program()
    w, P, A, L = do.matrix(M), do.matrix(M), do.matrix(M), do.matrix(M)
    a, u, g, r = do.vector(M), do.vector(M), do.vector(M), do.vector(M)
    d, s, unit, one, h = do.vector(5)
    do.let(one, 1)
    for i, j in product(range(M), repeat=2):
        do.read_w(w[i][j], i * M + j)
        do.read_w(P[i][j], i * M + j)
    do.inverse(A, P)
    for k in range(M):
        do.let(s, 0)
        for i in range(M):
            do.read_v(L[i][i], (k * M + i) * M + i)
            do.share(s, L[i][i], M)
        do.unit(unit, s)
        for i in range(M):
            for j in range(i):
                do.read_v(L[i][j], (k * M + i) * M + j)
                do.scaled(L[i][j], L[i][j], unit)
            do.raised(L[i][i], L[i][i], unit)  # V / s + delta I, of an empty V the identity
        do.root(L, r)
        do.let(h, 0)
        for i in range(M):
            do.times(a[i], A[i][k], one)
            do.times(u[i], A[i][k], one)
        do.solved(L, r, u)
        for i in range(M):
            do.dot(h, a[i], u[i])
        do.scaled(h, h, s)
        do.inverse_root(h, h)
        for i in range(M):
            do.conj_scaled(w[k][i], u[i], h)
            do.write(w[k][i], k * M + i)
        if k + 1 < M:  # A <- W^-1:  A -= a (g - e_k) / g_k, g = w_k^H A; the sign of g goes out in the quotient
            for j in range(M):
                do.let(g[j], 0)
                for i in range(M):
                    do.less(g[j], w[k][i], A[i][j])
            do.reciprocal(d, g[k])
            do.share(g[k], one, 1)
            for j in range(M):
                do.times(g[j], g[j], d)
                for i in range(M):
                    do.less(A[i][j], a[i], g[j])
    return do.done()


def ip1_sweep(V: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.sweep.ip1_sweep`."""
    *batch, F, _, M = W.shape
    Vs, out = flat(V, 4), np.array(flat(W, 3), order="C")
    for v, w in zip(Vs, out):
        over_bins(run, F, *_ip1(M), np.ascontiguousarray(v).reshape(F, -1), w.reshape(F, -1), loading(V))
    return result(out, batch)


@kernel
def _iss1(X, W, phi, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    bins, N, M = W.shape
    T, weights = X.shape[2], phi.shape[1]
    re, im = np.empty((N, T)), np.empty((N, T))
    v = np.empty(N, dtype=np.complex128)
    row = np.empty(M, dtype=np.complex128)
    for f in range(lo, hi):
        fw = f if weights > 1 else 0
        re[:], im[:] = 0.0, 0.0
        for n in range(N):
            for m in range(M):
                wr, wi = W[f, n, m].real, W[f, n, m].imag
                for t in range(T):
                    re[n, t] += wr * X[f, m, t].real - wi * X[f, m, t].imag
                    im[n, t] += wr * X[f, m, t].imag + wi * X[f, m, t].real
        for k in range(N):
            for n in range(N):
                a, b, d = 0.0, 0.0, 0.0
                for t in range(T):
                    w = phi[n, fw, t]
                    a += w * (re[n, t] * re[k, t] + im[n, t] * im[k, t])
                    b += w * (im[n, t] * re[k, t] - re[n, t] * im[k, t])
                    d += w * (re[k, t] * re[k, t] + im[k, t] * im[k, t])
                if not d > 0.0:
                    v[n] = 0.0
                elif n == k:
                    v[n] = 1.0 - 1.0 / np.sqrt(d / T)
                else:
                    v[n] = complex(a / d, b / d)
            for m in range(M):
                row[m] = W[f, k, m]
            for n in range(N):
                j = (k + 1 + n) % N  # source k comes last: the others still need its old y
                vr, vi = v[j].real, v[j].imag
                for m in range(M):
                    W[f, j, m] -= v[j] * row[m]
                if j == k:
                    for t in range(T):
                        re[k, t] *= 1.0 - vr
                        im[k, t] *= 1.0 - vr
                else:
                    for t in range(T):
                        re[j, t] -= vr * re[k, t] - vi * im[k, t]
                        im[j, t] -= vr * im[k, t] + vi * re[k, t]


def iss1_sweep(X: Tensor, W: Tensor, phi: Tensor) -> Tensor:
    """Kernel of `ops.sweep.iss1_sweep`."""
    *batch, F, N, M = W.shape
    Xs, phis, out = flat(X, 3), flat(phi, 3), np.array(flat(W, 3), order="C")
    for b in range(len(out)):
        over_bins(_iss1, F, bins_first(Xs[b]), out[b], np.ascontiguousarray(phis[b]))
    return result(out, batch)
