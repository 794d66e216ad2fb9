"""Demixing sweeps: small matrices stay in cache, in double precision whatever the input's.

Arrays are copied element by element: `a[:] = b` takes Numba four seconds more to compile (its text on unequal shapes).
"""

import numpy as np
from torch import Tensor

from otowake.linalg.safe import loading
from otowake.ops.cpu.arrays import bins_first, flat, result
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.threads import over_bins

BINS = 64
"""At a time: each step of an elimination is done for all of them, in the lanes of the processor's vectors."""


@kernel
def _times(a, b, x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """x <- a b, numbers as real and imaginary rows."""
    for t in range(x.shape[1]):
        re, im = a[0, t] * b[0, t] - a[1, t] * b[1, t], a[0, t] * b[1, t] + a[1, t] * b[0, t]
        x[0, t], x[1, t] = re, im


@kernel
def _less(a, b, x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """x <- x - a b."""
    for t in range(x.shape[1]):
        x[0, t] -= a[0, t] * b[0, t] - a[1, t] * b[1, t]
        x[1, t] -= a[0, t] * b[1, t] + a[1, t] * b[0, t]


@kernel
def _less_conj(a, b, x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """x <- x - conj(a) b."""
    for t in range(x.shape[1]):
        x[0, t] -= a[0, t] * b[0, t] + a[1, t] * b[1, t]
        x[1, t] -= a[0, t] * b[1, t] - a[1, t] * b[0, t]


@kernel
def _reciprocal(a, x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """x <- 1 / a."""
    for t in range(x.shape[1]):
        d = 1.0 / (a[0, t] * a[0, t] + a[1, t] * a[1, t])
        x[0, t], x[1, t] = a[0, t] * d, -a[1, t] * d


@kernel
def _exchanged(swap, x, y):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """x <-> y where swap."""
    for i in range(2):
        for t in range(x.shape[1]):
            a, b = x[i, t], y[i, t]
            x[i, t], y[i, t] = (b, a) if swap[t] else (a, b)


@kernel
def _inverse(W, P, A, swap, d):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """A <- W^-1 by Gauss-Jordan with row pivoting: the largest pivot comes up by exchanges; P, swap, d: scratch."""
    M, width = W.shape[0], W.shape[3]
    for i in range(M):
        for j in range(M):
            for t in range(width):
                P[i, j, 0, t], P[i, j, 1, t] = W[i, j, 0, t], W[i, j, 1, t]
                A[i, j, 0, t], A[i, j, 1, t] = 1.0 if i == j else 0.0, 0.0
    for c in range(M):
        for i in range(c + 1, M):
            p, q = P[c, c], P[i, c]
            for t in range(width):
                swap[t] = q[0, t] * q[0, t] + q[1, t] * q[1, t] > p[0, t] * p[0, t] + p[1, t] * p[1, t]
            for j in range(M):
                _exchanged(swap, P[c, j], P[i, j])
                _exchanged(swap, A[c, j], A[i, j])
        _reciprocal(P[c, c], d)
        for j in range(M):
            _times(P[c, j], d, P[c, j])
            _times(A[c, j], d, A[c, j])
        for i in range(M):
            if i != c:
                g = P[i, c]
                for j in range(M):
                    if j > c:
                        _less(g, P[c, j], P[i, j])
                    _less(g, A[c, j], A[i, j])


@kernel
def _solved(V, k, first, a, delta, s, L, r, u):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """u <- (V_k / s + delta I)^-1 a by Cholesky, s <- tr V_k / M; of an empty V_k u <- a, s <- 1.  r: 1 / L_ii."""
    M, width = len(a), len(s)
    s[:] = 0
    for i in range(M):
        for t in range(width):
            s[t] += V[first + t, k, i, i].real / M
    for i in range(M):
        for j in range(i + 1):
            z = L[i, j]
            for t in range(width):
                some = s[t] > 2.3e-308
                v, scale = V[first + t, k, i, j], 1.0 / s[t] if some else 0.0
                z[0, t], z[1, t] = v.real * scale, v.imag * scale
                if i == j:
                    z[0, t] += delta if some else 1.0
            for c in range(j):
                _less_conj(L[j, c], L[i, c], z)
            for t in range(width):
                if i == j:
                    r[i, t] = 1.0 / np.sqrt(max(z[0, t], delta))
                else:
                    z[0, t] *= r[j, t]
                    z[1, t] *= r[j, t]
    for t in range(width):
        s[t] = s[t] if s[t] > 2.3e-308 else 1.0
    for i in range(M):
        z = u[i]
        for t in range(width):
            z[0, t], z[1, t] = a[i, 0, t], a[i, 1, t]
        for c in range(i):
            _less(L[i, c], u[c], z)
        for t in range(width):
            z[0, t] *= r[i, t]
            z[1, t] *= r[i, t]
    for i in range(M - 1, -1, -1):
        z = u[i]
        for c in range(i + 1, M):
            _less_conj(L[c, i], u[c], z)
        for t in range(width):
            z[0, t] *= r[i, t]
            z[1, t] *= r[i, t]


@kernel
def _replaced_row(W, k, a, d, g, A):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """A <- W^-1 after row k of W was replaced, where a was column k of A:  A -= a (g - e_k) / g_k, g = w_k^H A."""
    M, width = len(W), W.shape[3]
    for j in range(M):
        g[j] = 0
        for i in range(M):
            _less(W[k, i], A[i, j], g[j])  # the sign goes out in the quotient
    _reciprocal(g[k], d)
    for t in range(width):
        g[k, 0, t] += 1.0
    for j in range(M):
        _times(g[j], d, g[j])
        for i in range(M):
            _less(a[i], g[j], A[i, j])


@kernel
def _ip1(V, W, delta, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    M = W.shape[2]
    for first in range(lo, hi, BINS):
        width = min(BINS, hi - first)
        matrices, rows = np.empty((4, M, M, 2, width)), np.empty((3, M, 2, width))
        w, A, L, P = matrices[0], matrices[1], matrices[2], matrices[3]
        a, u, g = rows[0], rows[1], rows[2]
        d, r, s, swap = np.empty((2, width)), np.empty((M, width)), np.empty(width), np.empty(width, np.bool_)
        for i in range(M):
            for j in range(M):
                for t in range(width):
                    w[i, j, 0, t], w[i, j, 1, t] = W[first + t, i, j].real, W[first + t, i, j].imag
        _inverse(w, P, A, swap, d)
        for k in range(M):
            for i in range(M):
                for t in range(width):
                    a[i, 0, t], a[i, 1, t] = A[i, k, 0, t], A[i, k, 1, t]
            _solved(V, k, first, a, delta, s, L, r, u)
            for t in range(width):
                h = 0.0
                for i in range(M):
                    h += a[i, 0, t] * u[i, 0, t] + a[i, 1, t] * u[i, 1, t]
                s[t] = 1.0 / np.sqrt(h * s[t])
            for i in range(M):
                for t in range(width):
                    w[k, i, 0, t], w[k, i, 1, t] = u[i, 0, t] * s[t], -u[i, 1, t] * s[t]
            if k + 1 < M:
                _replaced_row(w, k, a, d, g, A)
        for i in range(M):
            for j in range(M):
                for t in range(width):
                    W[first + t, i, j] = complex(w[i, j, 0, t], w[i, j, 1, t])


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
