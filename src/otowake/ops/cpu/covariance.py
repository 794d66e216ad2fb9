"""V_nf = (1/T) sum_t phi x x^H: each bin of X is read once for all sources, as real and imaginary rows.

Products and sums are double whatever the data: weights span ten decades, and V is inverted (docs/decisions/0005).
"""

import numpy as np
from torch import Tensor

from otowake.ops.cpu.arrays import bins_first, flat, result
from otowake.ops.cpu.compile import kernel, part
from otowake.ops.cpu.registers import FRAMES, apart, at, count, fine, get, room, set
from otowake.ops.cpu.threads import over_bins
from otowake.ops.cpu.vectors import spread, total


@part
def of_two(X, first, phi, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """sums += sum over some frames of phi_n x x^H, one half of it; phi: n frames, an even number of n.

    Of two microphones: everything stays in registers.
    """
    for n in range(0, len(phi), 2):
        _of_two_sources(X[0], X[1], first, phi[n], phi[n + 1], sums[n], sums[n + 1])


@part
def of_many(X, first, phi, x, weights, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The same of more microphones, whose rows are made double first, in x and weights."""
    apart(X, first, x)
    for n in range(len(phi)):
        for t in range(0, phi.shape[1], count(phi)):
            set(get(phi[n], t), weights[n], t)
    _of_many_rows(x, weights, sums)


@part
def _of_two_sources(x, y, first, u, w, some, others):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    none = spread(0, some[0, 0])
    a, b, c, d, e, f, g, h = none, none, none, none, none, none, none, none
    for t in range(0, len(u), count(some[0, 0])):
        (xr, xi), (yr, yi) = fine(x, first + t), fine(y, first + t)
        p, q = fine(u, t), fine(w, t)
        power = xr * xr + xi * xi
        a += p * power
        b += q * power
        power = yr * yr + yi * yi
        c += p * power
        d += q * power
        re, im = yr * xr + yi * xi, yi * xr - yr * xi
        e += p * re
        f += q * re
        g += p * im
        h += q * im
    some[0, 0, 0] += total(a)
    some[1, 1, 0] += total(c)
    some[1, 0, 0] += total(e)
    some[1, 0, 1] += total(g)
    others[0, 0, 0] += total(b)
    others[1, 1, 0] += total(d)
    others[1, 0, 0] += total(f)
    others[1, 0, 1] += total(h)


@part
def _of_many_rows(x, weights, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """sums += sum over frames of phi_n x x^H, one half of it; x: m 2 frames, weights: n frames, both double."""
    none = spread(0, x)
    for n in range(0, len(weights), 2):
        u, w = weights[n], weights[n + 1]
        for i in range(len(x)):
            xr, xi, a, b = x[i, 0], x[i, 1], none, none
            for t in range(0, len(u), count(u)):
                re, im = get(xr, t), get(xi, t)
                power = re * re + im * im
                a += get(u, t) * power
                b += get(w, t) * power
            sums[n, i, i, 0] += total(a)
            sums[n + 1, i, i, 0] += total(b)
            for j in range(i):
                yr, yi, a, b, c, d = x[j, 0], x[j, 1], none, none, none, none
                for t in range(0, len(u), count(u)):
                    p, q, r, s = get(xr, t), get(xi, t), get(yr, t), get(yi, t)
                    re, im = p * r + q * s, q * r - p * s
                    a += get(u, t) * re
                    b += get(u, t) * im
                    c += get(w, t) * re
                    d += get(w, t) * im
                sums[n, i, j, 0] += total(a)
                sums[n, i, j, 1] += total(b)
                sums[n + 1, i, j, 0] += total(c)
                sums[n + 1, i, j, 1] += total(d)


@part
def hermitian(sums, frames, V):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """V <- what was gathered, both halves, by the number of frames."""
    for n in range(len(V)):
        for i in range(V.shape[1]):
            V[n, i, i] = sums[n, i, i, 0] / frames
            for j in range(i):
                a, b = sums[n, i, j, 0] / frames, sums[n, i, j, 1] / frames
                V[n, j, i] = complex(a, -b)
                V[n, i, j] = complex(a, b)


@kernel
def _covariance(X, phi, many, V, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """many: None where there are two microphones, and only that is compiled."""
    (_, M, T), N = X.shape, len(phi)
    width, even = room(min(T, FRAMES)), N + N % 2
    x, weights, sums = np.empty((M, 2, width)), np.empty((even, width)), np.empty((even, M, M, 2))
    some = np.zeros((even, width), phi.dtype)
    for f in range(lo, hi):
        sums[:] = 0
        fw = f if phi.shape[1] > 1 else 0
        for first in range(0, T, width):
            for n in range(N):
                row = phi[n, fw]
                for t in range(0, width, count(row)):
                    set(at(row, first + t), some[n], t)
            if many is None:
                of_two(X[f], first, some, sums)
            else:
                of_many(X[f], first, some, x, weights, sums)
        hermitian(sums, T, V[f])


def many(microphones: int) -> bool | None:
    """What kernels are told."""
    return None if microphones == 2 else True


def weighted_covariance(X: Tensor, phi: Tensor) -> Tensor:
    """Kernel of `ops.covariance.weighted_covariance`."""
    *batch, M, F, T = X.shape
    N = phi.shape[-3]
    Xs, phis = flat(X, 3), flat(phi, 3)
    V = np.empty((len(Xs), F, N, M, M), dtype=np.complex128)
    for b in range(len(Xs)):
        over_bins(_covariance, F, bins_first(Xs[b]), np.ascontiguousarray(phis[b]), many(M), V[b])
    return result(V, batch)
