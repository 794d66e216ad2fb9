"""Demixing sweeps: small matrices stay in cache, in double precision whatever the input's."""

import numpy as np
from torch import Tensor

from otowake.linalg.safe import loading
from otowake.ops.cpu.arrays import bins_first, flat, result
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.lanes import run
from otowake.ops.cpu.threads import over_bins
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
        _swept(steps, np.ascontiguousarray(v), w, least)
    return result(out, W.shape[:-3])


def sweep(V: np.ndarray, W: np.ndarray, load: float) -> None:
    """W: f n m <- its rows in turn, V: f n m m."""
    _swept(ip1_steps(W.shape[-1]), V, W, load)


def _swept(steps: Steps, V: np.ndarray, W: np.ndarray, least: float) -> None:
    over_bins(run, len(W), *steps, V.reshape(len(W), -1), W.reshape(len(W), -1), least)


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
