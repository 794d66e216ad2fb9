"""Steps on small matrices (`ops/steps.py`), each for 64 bins at once.

What is compiled are some loops over 64 numbers.  So the lanes of the processor are full whatever the size, and
compiling takes no longer for more mathematics.
"""

import numpy as np

from otowake.ops.cpu.compile import kernel, part
from otowake.ops.steps import (
    CONJ_SCALED,
    EMPTY,
    EXCHANGED,
    LARGER,
    LESS,
    LESS_CONJ,
    NUMBER,
    RAISED,
    READ_V,
    READ_W,
    RECIPROCAL,
    ROOT,
    SCALED,
    SHARE,
    TIMES,
    UNIT,
    WRITE,
)

LANES = 64
"""Bins at a time."""


@part
def _step(op, x, a, b, least):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    (xr, xi), (ar, ai), (br, bi) = (x[0], x[1]), (a[0], a[1]), (b[0], b[1])
    if op == TIMES:
        for t in range(LANES):
            re, im = ar[t] * br[t] - ai[t] * bi[t], ar[t] * bi[t] + ai[t] * br[t]
            xr[t], xi[t] = re, im
    elif op == LESS:
        for t in range(LANES):
            re, im = ar[t] * br[t] - ai[t] * bi[t], ar[t] * bi[t] + ai[t] * br[t]
            xr[t], xi[t] = xr[t] - re, xi[t] - im
    elif op == LESS_CONJ:
        for t in range(LANES):
            re, im = ar[t] * br[t] + ai[t] * bi[t], ar[t] * bi[t] - ai[t] * br[t]
            xr[t], xi[t] = xr[t] - re, xi[t] - im
    elif op == SCALED:
        for t in range(LANES):
            xr[t], xi[t] = ar[t] * br[t], ai[t] * br[t]
    elif op == CONJ_SCALED:
        for t in range(LANES):
            xr[t], xi[t] = ar[t] * br[t], -ai[t] * br[t]
    elif op == RAISED:
        for t in range(LANES):
            xr[t], xi[t] = ar[t] * br[t] + bi[t], ai[t] * br[t]
    elif op == RECIPROCAL:
        for t in range(LANES):
            d = 1.0 / (ar[t] * ar[t] + ai[t] * ai[t])
            xr[t], xi[t] = ar[t] * d, -ai[t] * d
    elif op == ROOT:
        for t in range(LANES):
            xr[t] = 1.0 / np.sqrt(max(ar[t], bi[t], EMPTY))
    elif op == LARGER:
        for t in range(LANES):
            xr[t] = 1.0 if br[t] * br[t] + bi[t] * bi[t] > ar[t] * ar[t] + ai[t] * ai[t] else 0.0
    elif op == EXCHANGED:
        for t in range(LANES):
            so, p, q = xr[t] > 0, ar[t], br[t]
            ar[t], br[t] = (q if so else p), (p if so else q)
            p, q = ai[t], bi[t]
            ai[t], bi[t] = (q if so else p), (p if so else q)
    elif op == UNIT:
        for t in range(LANES):
            some = ar[t] > EMPTY
            xr[t], xi[t] = (1.0 / ar[t] if some else 0.0), (least if some else 1.0)
            ar[t] = ar[t] if some else 1.0
    else:
        for t in range(LANES):
            xr[t] += ar[t] * br[t] + ai[t] * bi[t]


@kernel
def run(steps, numbers, V, W, least, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """All steps, for bins lo .. hi;  V: f entries, W: f entries."""
    Z = np.ones((numbers, 2, LANES))
    for first in range(lo, hi, LANES):
        width = min(LANES, hi - first)
        for s in range(len(steps)):
            op, x, a, b = steps[s, 0], Z[steps[s, 1]], steps[s, 2], steps[s, 3]
            if op == READ_V:
                for t in range(width):
                    x[0, t], x[1, t] = V[first + t, a].real, V[first + t, a].imag
            elif op == READ_W:
                for t in range(width):
                    x[0, t], x[1, t] = W[first + t, a].real, W[first + t, a].imag
            elif op == WRITE:
                for t in range(width):
                    W[first + t, a] = complex(x[0, t], x[1, t])
            elif op == NUMBER:
                for t in range(LANES):
                    x[0, t], x[1, t] = a, 0.0
            elif op == SHARE:
                for t in range(LANES):
                    x[0, t] += Z[a, 0, t] / b
            else:
                _step(op, x, Z[a], Z[b], least)
