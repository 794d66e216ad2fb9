"""Steps on small matrices (`ops/steps.py`) in one Triton kernel: each program does all of them for some bins at a time.

The list is data that the kernel walks through, so that one compiled kernel does every size; numbers wait in a scratch
of each program's own, which is small enough to stay in cache.
"""

from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from otowake.ops import steps as op
from otowake.ops.steps import Steps

LANES = 32
"""Bins at a time."""
MOST = 2048
"""Programs; what is more than their lanes comes in turn."""

_READ_V, _READ_W, _WRITE = tl.constexpr(op.READ_V), tl.constexpr(op.READ_W), tl.constexpr(op.WRITE)
_NUMBER, _TIMES, _LESS = tl.constexpr(op.NUMBER), tl.constexpr(op.TIMES), tl.constexpr(op.LESS)
_LESS_CONJ, _SCALED, _CONJ_SCALED = tl.constexpr(op.LESS_CONJ), tl.constexpr(op.SCALED), tl.constexpr(op.CONJ_SCALED)
_RAISED, _RECIPROCAL, _ROOT = tl.constexpr(op.RAISED), tl.constexpr(op.RECIPROCAL), tl.constexpr(op.ROOT)
_LARGER, _EXCHANGED, _SHARE = tl.constexpr(op.LARGER), tl.constexpr(op.EXCHANGED), tl.constexpr(op.SHARE)
_UNIT, _EMPTY = tl.constexpr(op.UNIT), tl.constexpr(op.EMPTY)


def run(program: Steps, V: Tensor, W: Tensor, least: float) -> Tensor:
    """All steps;  V, W: entries 2 bins -> W."""
    bins, out = V.shape[-1], W.clone()
    programs = min(MOST, triton.cdiv(bins, LANES))
    scratch = V.new_empty(programs, program.numbers, 2, LANES)
    steps = _on(program.steps.tobytes(), V.device)
    count = len(program.steps)
    with torch.cuda.device_of(V):
        _run[(programs,)](steps, count, program.numbers, V, out, scratch, bins, least, LANES, num_warps=1, num_stages=1)
    return out


@lru_cache
def _on(steps: bytes, device: torch.device) -> Tensor:
    """On the device, once: a graph must find it there."""
    return torch.frombuffer(bytearray(steps), dtype=torch.int64).to(device)


@triton.jit
def _run(  # type: ignore[no-untyped-def]  # noqa: ANN202
    steps,  # noqa: ANN001
    count,  # noqa: ANN001
    numbers,  # noqa: ANN001
    V,  # noqa: ANN001
    W,  # noqa: ANN001
    scratch,  # noqa: ANN001
    bins,  # noqa: ANN001
    least: tl.constexpr,
    lanes: tl.constexpr,
):
    """One warp for all lanes; the barrier after each step is for what the next one reads."""
    lane = tl.arange(0, lanes)
    Z = scratch + tl.program_id(0) * numbers * 2 * lanes + lane
    for first in range(tl.program_id(0) * lanes, bins, tl.num_programs(0) * lanes):
        at, inside = first + lane, first + lane < bins
        for s in range(count):
            what, a, b = tl.load(steps + 4 * s), tl.load(steps + 4 * s + 2), tl.load(steps + 4 * s + 3)
            X = Z + tl.load(steps + 4 * s + 1) * 2 * lanes
            if what == _READ_V:
                tl.store(X, tl.load(V + 2 * a * bins + at, inside, 1.0))
                tl.store(X + lanes, tl.load(V + (2 * a + 1) * bins + at, inside, 0.0))
            elif what == _READ_W:
                tl.store(X, tl.load(W + 2 * a * bins + at, inside, 1.0))
                tl.store(X + lanes, tl.load(W + (2 * a + 1) * bins + at, inside, 0.0))
            elif what == _WRITE:
                tl.store(W + 2 * a * bins + at, tl.load(X), inside)
                tl.store(W + (2 * a + 1) * bins + at, tl.load(X + lanes), inside)
            elif what == _NUMBER:
                tl.store(X, (lane * 0 + a).to(tl.float64))
                tl.store(X + lanes, (lane * 0).to(tl.float64))
            elif what == _SHARE:
                tl.store(X, tl.load(X) + tl.load(Z + a * 2 * lanes) / b.to(tl.float64))
            else:
                _step(what, X, Z + a * 2 * lanes, Z + b * 2 * lanes, least, lanes)
            tl.debug_barrier()


@triton.jit
def _step(what, X, A, B, least: tl.constexpr, lanes: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    xr, xi = tl.load(X), tl.load(X + lanes)
    ar, ai, br, bi = tl.load(A), tl.load(A + lanes), tl.load(B), tl.load(B + lanes)
    floor = tl.full((lanes,), least, tl.float64)
    if what == _TIMES:
        xr, xi = ar * br - ai * bi, ar * bi + ai * br
    elif what == _LESS:
        xr, xi = xr - (ar * br - ai * bi), xi - (ar * bi + ai * br)
    elif what == _LESS_CONJ:
        xr, xi = xr - (ar * br + ai * bi), xi - (ar * bi - ai * br)
    elif what == _SCALED:
        xr, xi = ar * br, ai * br
    elif what == _CONJ_SCALED:
        xr, xi = ar * br, -ai * br
    elif what == _RAISED:
        xr, xi = ar * br + bi, ai * br
    elif what == _RECIPROCAL:
        d = 1.0 / (ar * ar + ai * ai)
        xr, xi = ar * d, -ai * d
    elif what == _ROOT:
        xr = 1.0 / tl.sqrt(tl.maximum(ar, tl.maximum(bi, tl.full((lanes,), _EMPTY, tl.float64))))
    elif what == _LARGER:
        xr = (br * br + bi * bi > ar * ar + ai * ai).to(tl.float64)
    elif what == _EXCHANGED:
        so = xr > 0
        tl.store(A, tl.where(so, br, ar))
        tl.store(A + lanes, tl.where(so, bi, ai))
        tl.store(B, tl.where(so, ar, br))
        tl.store(B + lanes, tl.where(so, ai, bi))
    elif what == _UNIT:
        some = ar > tl.full((lanes,), _EMPTY, tl.float64)
        ar = tl.where(some, ar, 1.0)
        xr, xi = tl.where(some, 1.0 / ar, 0.0), tl.where(some, floor, 1.0)
        tl.store(A, ar)
    else:
        xr = xr + ar * br + ai * bi
    tl.store(X, xr)
    tl.store(X + lanes, xi)
