"""Kernel of `ops.prox`: singular values by rotations of two columns at a time (Hestenes 1958), 64 bins at once.

W V = B with orthogonal columns b_j = s_j u_j, so U h(s) V^H = sum_j (h(s_j) / s_j) b_j v_j^H and no b_j is normed.
"""

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import flat
from otowake.ops.cpu.compile import kernel, part
from otowake.ops.cpu.lanes import LANES
from otowake.ops.cpu.registers import count, get, set
from otowake.ops.cpu.threads import over_bins
from otowake.ops.cpu.vectors import spread
from otowake.ops.prox import definition
from otowake.ops.steps import EMPTY

_SWEEPS = 40
"""Over all pairs of columns, at most; two to six are taken."""


@part
def _angle(x, y, least, cos, sin, by, power):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """cos, sin + i by <- what makes columns x and y (rows 2 64) orthogonal, 1, 0 where they are; how many are not."""
    for t in range(0, LANES, count(cos)):
        p, q, g, h = spread(0, cos), spread(0, cos), spread(0, cos), spread(0, cos)
        for i in range(len(x)):
            a, b, c, d = get(x[i, 0], t), get(x[i, 1], t), get(y[i, 0], t), get(y[i, 1], t)
            p += a * a + b * b
            q += c * c + d * d
            g += a * c + b * d
            h += a * d - b * c
        set(q - p, cos, t)
        set(p * q * least, power, t)
        set(g, sin, t)
        set(h, by, t)
    askew = 0
    for t in range(LANES):
        d, g, h = cos[t], sin[t], by[t]
        square = g * g + h * h
        so = square > power[t]
        askew += 1 if so else 0
        root = np.sqrt(d * d + 4 * square)
        tan = 2 / (d + root if d >= 0 else d - root) if so else 0.0  # by the length of g + i h
        cosine = 1 / np.sqrt(1 + tan * tan * square)
        cos[t], sin[t], by[t] = cosine, cosine * tan * g, cosine * tan * h
    return askew


@part
def _turned(x, y, cos, sin, by):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """x <- cos x - (sin - i by) y,  y <- (sin + i by) x + cos y."""
    for t in range(0, LANES, count(cos)):
        r, g, h = get(cos, t), get(sin, t), get(by, t)
        for i in range(len(x)):
            a, b, c, d = get(x[i, 0], t), get(x[i, 1], t), get(y[i, 0], t), get(y[i, 1], t)
            set(r * a - g * c - h * d, x[i, 0], t)
            set(r * b - g * d + h * c, x[i, 1], t)
            set(g * a - h * b + r * c, y[i, 0], t)
            set(g * b + h * a + r * d, y[i, 1], t)


@part
def _grown(x, a, none, more):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """more <- h(s) / s of a column of length s."""
    for t in range(LANES):
        s = 0.0
        for i in range(len(x)):
            s += x[i, 0, t] * x[i, 0, t] + x[i, 1, t] * x[i, 1, t]
        more[t] = (1 + np.sqrt(1 + 4 * a / s)) / 2 if none < s < 1 / none else np.nan


@kernel
def _prox(W, a, least, none, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """W, out: f m m.  A singular W gives no numbers, nor does one whose lengths have no fourth power."""
    M = W.shape[1]
    Z, rows = np.empty((M, 2 * M, 2, LANES)), np.empty((4, LANES))
    cos, sin, by, power = rows[0], rows[1], rows[2], rows[3]
    for first in range(lo, hi, LANES):
        width = min(LANES, hi - first)
        Z[:] = 0  # columns of B, and under them those of V
        for j in range(M):
            for t in range(LANES):
                Z[j, j, 0, t], Z[j, M + j, 0, t] = 1, 1
            for i in range(M):
                for t in range(width):
                    Z[j, i, 0, t], Z[j, i, 1, t] = W[first + t, i, j].real, W[first + t, i, j].imag
        askew, sweeps = 1, 0
        while askew > 0 and sweeps < _SWEEPS:
            askew, sweeps = 0, sweeps + 1
            for i in range(M):
                for j in range(i):
                    some = _angle(Z[j, :M], Z[i, :M], least, cos, sin, by, power)
                    if some > 0:
                        _turned(Z[j], Z[i], cos, sin, by)
                    askew += some
        for t in range(width):
            out[first + t] = 0
        for j in range(M):
            _grown(Z[j, :M], a, none, cos)
            for i in range(M):
                x, y = Z[j, i, 0], Z[j, i, 1]
                for k in range(M):
                    u, v = Z[j, M + k, 0], Z[j, M + k, 1]
                    for t in range(width):
                        re, im = x[t] * u[t] + y[t] * v[t], y[t] * u[t] - x[t] * v[t]
                        out[first + t, i, k] += cos[t] * complex(re, im)


def log_det_prox(W: Tensor, a: Tensor) -> Tensor:
    """Kernel of `ops.prox.log_det_prox`; its definition where that gives no numbers."""
    M, none = W.shape[-1], EMPTY**0.5
    ws = np.ascontiguousarray(flat(W.to(torch.complex128), 3)).reshape(-1, M, M)
    out = np.empty_like(ws)
    over_bins(_prox, len(ws), ws, float(a), (2 * M * np.finfo(np.float64).eps) ** 2, none, out)
    found = torch.from_numpy(out).reshape(W.shape).to(W.dtype)
    return found if bool(found.isfinite().all()) else definition(W, a)
