"""Demixing sweeps: small matrices stay in cache, in double precision whatever the input's."""

import numpy as np
from torch import Tensor

from otowake.linalg.safe import loading
from otowake.ops.cpu.arrays import bins_first, flat, result
from otowake.ops.cpu.compile import kernel, part
from otowake.ops.cpu.demix import source
from otowake.ops.cpu.lanes import run
from otowake.ops.cpu.registers import apart, count, fine, get, room, set
from otowake.ops.cpu.threads import over_bins
from otowake.ops.cpu.vectors import spread, total
from otowake.ops.projection import ip1_steps, ip2_steps
from otowake.ops.steps import EMPTY, Steps


def ip1_sweep(V: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.sweep.ip1_sweep`."""
    return _each(ip1_steps(W.shape[-1]), V, W, loading(V))


def ip2_sweep(V: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.sweep.ip2_sweep`."""
    return ip1_sweep(V, W) if W.shape[-1] == 1 else _each(ip2_steps(W.shape[-1]), V, W, EMPTY)


def _each(steps: Steps, V: Tensor, W: Tensor, least: float) -> Tensor:
    """The steps for all of a batch."""
    out = np.array(flat(W, 3), order="C")
    for v, w in zip(flat(V, 4), out):
        swept(steps, np.ascontiguousarray(v), w, least)
    return result(out, W.shape[:-3])


def swept(steps: Steps, V: np.ndarray, W: np.ndarray, least: float) -> None:
    """W: f n m <- what the steps make of it, V: f n m m."""
    over_bins(run, len(W), *steps, V.reshape(len(W), -1), W.reshape(len(W), -1), least)


@part
def _products(y, z, w):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Sums of w y z^*, real and imaginary, and of w |z|^2; y, z: 2 frames."""
    a, b, d = spread(0, w), spread(0, w), spread(0, w)
    yr, yi, zr, zi = y[0], y[1], z[0], z[1]
    for t in range(0, len(w), count(w)):
        p, q, r, s, u = get(yr, t), get(yi, t), get(zr, t), get(zi, t), get(w, t)
        g, h = u * r, u * s
        a += p * g + q * h
        b += q * g - p * h
        d += r * g + s * h
    return total(a), total(b), total(d)


@part
def _power(z, w):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Sum of w |z|^2."""
    d, zr, zi = spread(0, w), z[0], z[1]
    for t in range(0, len(w), count(w)):
        r, s = get(zr, t), get(zi, t)
        d += get(w, t) * (r * r + s * s)
    return total(d)


@part
def _less(y, z, v):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """y <- y - v z."""
    a, b = v.real, v.imag
    yr, yi, zr, zi = y[0], y[1], z[0], z[1]
    for t in range(0, len(yr), count(yr)):
        p, q, r, s = get(yr, t), get(yi, t), get(zr, t), get(zi, t)
        set(p - (a * r - b * s), yr, t)
        set(q - (a * s + b * r), yi, t)


@kernel
def _iss1(X, W, phi, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _, N, M = W.shape
    T, wide = X.shape[2], phi.shape[1] > 1
    x, y, w = np.empty((M, 2, room(T))), np.empty((N, 2, room(T))), np.empty((N, room(T)))
    v, row = np.empty(N, dtype=np.complex128), np.empty(M, dtype=np.complex128)
    for f in range(lo, hi):
        apart(X[f], 0, x)
        for n in range(N):
            for t in range(0, x.shape[2], count(x)):
                re, im = source(x, W[f, n], t)
                set(re, y[n, 0], t)
                set(im, y[n, 1], t)
            if wide or f == lo:
                some, own = phi[n, f if wide else 0], w[n]
                for t in range(0, len(own), count(own)):
                    set(fine(some, t), own, t)
        for k in range(N):
            for n in range(N):
                if n == k:
                    d = _power(y[k], w[k])
                    v[k] = 1.0 - 1.0 / np.sqrt(d / T) if d > 0.0 else 0.0
                else:
                    a, b, d = _products(y[n], y[k], w[n])
                    v[n] = complex(a / d, b / d) if d > 0.0 else 0.0
            for m in range(M):
                row[m] = W[f, k, m]
            for n in range(N):
                j = (k + 1 + n) % N  # source k comes last: the others still need its old y
                for m in range(M):
                    W[f, j, m] -= v[j] * row[m]
                _less(y[j], y[k], v[j])


def iss1_sweep(X: Tensor, W: Tensor, phi: Tensor) -> Tensor:
    """Kernel of `ops.sweep.iss1_sweep`."""
    *batch, F, N, M = W.shape
    Xs, phis, out = flat(X, 3), flat(phi, 3), np.array(flat(W, 3), order="C")
    for b in range(len(out)):
        over_bins(_iss1, F, bins_first(Xs[b]), out[b], np.ascontiguousarray(phis[b]))
    return result(out, batch)
