"""Demixing sweeps, bin by bin: small matrices stay in cache, in double precision whatever the input's.

Arrays are copied element by element: `a[:] = b` takes Numba four seconds more to compile (its text on unequal shapes).
"""

import numpy as np
from torch import Tensor

from otowake.linalg.safe import loading
from otowake.ops.cpu.arrays import bins_first, flat, result
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.threads import over_bins


@kernel
def _invert(W, A, P):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """A <- W^-1 by Gauss-Jordan with row pivoting; P is scratch."""
    M = W.shape[0]
    for i in range(M):
        for j in range(M):
            P[i, j] = W[i, j]
            A[i, j] = 1.0 if i == j else 0.0
    for c in range(M):
        best = c
        for i in range(c + 1, M):
            if abs(P[i, c]) > abs(P[best, c]):
                best = i
        if best != c:
            for j in range(M):
                P[c, j], P[best, j] = P[best, j], P[c, j]
                A[c, j], A[best, j] = A[best, j], A[c, j]
        d = 1.0 / P[c, c]
        for j in range(M):
            P[c, j] *= d
            A[c, j] *= d
        for i in range(M):
            if i != c:
                g = P[i, c]
                for j in range(M):
                    P[i, j] -= g * P[c, j]
                    A[i, j] -= g * A[c, j]


@kernel
def _solve_loaded(V, a, delta, L, u):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """u <- (V / s + delta I)^-1 a by Cholesky, s = tr V / M; gives back s."""
    M = V.shape[0]
    s = 0.0
    for i in range(M):
        s += V[i, i].real
    s /= M
    if not s > 2.3e-308:
        for i in range(M):
            u[i] = a[i]
        return 1.0
    for i in range(M):
        for j in range(i + 1):
            z = V[i, j] / s
            if i == j:
                z += delta
            for k in range(j):
                z -= L[i, k] * np.conj(L[j, k])
            if i == j:
                L[i, i] = np.sqrt(max(z.real, delta))
            else:
                L[i, j] = z / L[j, j]
    for i in range(M):
        z = a[i]
        for k in range(i):
            z -= L[i, k] * u[k]
        u[i] = z / L[i, i]
    for i in range(M - 1, -1, -1):
        z = u[i]
        for k in range(i + 1, M):
            z -= np.conj(L[k, i]) * u[k]
        u[i] = z / L[i, i]
    return s


@kernel
def _replaced_row(W, k, a, g, A):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """A <- W^-1 after row k of W was replaced, where a was column k of A:  A -= a (g - e_k) / g_k, g = w_k^H A."""
    M = W.shape[0]
    for j in range(M):
        z = 0.0j
        for i in range(M):
            z += W[k, i] * A[i, j]
        g[j] = z
    d = 1.0 / g[k]
    g[k] -= 1.0
    for j in range(M):
        z = g[j] * d
        for i in range(M):
            A[i, j] -= a[i] * z


@kernel
def _ip1(V, W, delta, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    bins, N, M = W.shape
    w = np.empty((M, M), dtype=np.complex128)
    A, L = np.empty_like(w), np.empty_like(w)
    a, u = np.empty(M, dtype=np.complex128), np.empty(M, dtype=np.complex128)
    for f in range(lo, hi):
        for i in range(M):
            for j in range(M):
                w[i, j] = W[f, i, j]
        _invert(w, A, L)
        for k in range(N):
            for i in range(M):
                a[i] = A[i, k]
            s = _solve_loaded(V[f, k], a, delta, L, u)
            h = 0.0
            for i in range(M):
                h += (np.conj(a[i]) * u[i]).real
            h = 1.0 / np.sqrt(h * s)
            for i in range(M):
                w[k, i] = np.conj(u[i]) * h
            _replaced_row(w, k, a, u, A)
        for i in range(M):
            for j in range(M):
                W[f, i, j] = w[i, j]


def ip1_sweep(V: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.sweep.ip1_sweep`."""
    *batch, F, N, M = W.shape
    Vs, out = flat(V, 4), np.array(flat(W, 3), order="C")
    for b in range(len(out)):
        over_bins(_ip1, F, np.ascontiguousarray(Vs[b]), out[b], loading(V))
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
