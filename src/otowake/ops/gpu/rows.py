"""Steps on small matrices (`ops/steps.py`), each for all bins at once, on any device that torch knows.

A number is its real and its imaginary row, one entry a bin: no complex type, no linear-algebra library, and nothing
that the host waits for, so that a CUDA graph can hold it.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from otowake.ops import steps as op
from otowake.ops.steps import Steps

Row = tuple[Tensor, Tensor]
"""Real and imaginary parts, *bins."""


def run(program: Steps, V: Tensor, W: Tensor, least: float) -> Tensor:
    """All steps;  V, W: entries 2 bins -> W."""
    zero, none = torch.zeros_like(W[0, 0]), (torch.ones_like(W[0, 0]),) * 2
    Z, out = [none] * program.numbers, list(W)
    wholes: dict[int, Tensor] = {}
    for what, x, a, b in program.steps.tolist():
        if what in (op.READ_V, op.READ_W):
            re, im = (V if what == op.READ_V else W)[a].unbind()
            Z[x] = re, im
        elif what == op.WRITE:
            out[a] = torch.stack(Z[x])
        elif what == op.NUMBER:
            wholes[a] = wholes.get(a, torch.full_like(zero, a))
            Z[x] = wholes[a], zero
        elif what == op.SHARE:
            Z[x] = torch.add(Z[x][0], Z[a][0], alpha=1 / b), Z[x][1]
        elif what == op.EXCHANGED:
            so = Z[x][0] > 0
            Z[a], Z[b] = _where(so, Z[b], Z[a]), _where(so, Z[a], Z[b])
        elif what == op.UNIT:
            re, some = Z[a][0], Z[a][0] > op.EMPTY
            Z[x] = torch.where(some, 1 / re, zero), torch.where(some, zero + least, 1.0)
            Z[a] = torch.where(some, re, 1.0), Z[a][1]
        elif what == op.ROOT:
            Z[x] = torch.rsqrt(torch.maximum(Z[a][0], Z[b][1].clamp_min(op.EMPTY))), zero
        else:
            Z[x] = _ALGEBRA[what](Z[x], Z[a], Z[b])
    return torch.stack(out)


def _where(so: Tensor, a: Row, b: Row) -> Row:
    return torch.where(so, a[0], b[0]), torch.where(so, a[1], b[1])


def _times(x: Row, a: Row, b: Row) -> Row:
    return torch.addcmul(a[0] * b[0], a[1], b[1], value=-1), torch.addcmul(a[0] * b[1], a[1], b[0])


def _less(x: Row, a: Row, b: Row) -> Row:
    re = torch.addcmul(torch.addcmul(x[0], a[0], b[0], value=-1), a[1], b[1])
    return re, torch.addcmul(torch.addcmul(x[1], a[0], b[1], value=-1), a[1], b[0], value=-1)


def _less_conj(x: Row, a: Row, b: Row) -> Row:
    re = torch.addcmul(torch.addcmul(x[0], a[0], b[0], value=-1), a[1], b[1], value=-1)
    return re, torch.addcmul(torch.addcmul(x[1], a[0], b[1], value=-1), a[1], b[0])


def _reciprocal(x: Row, a: Row, b: Row) -> Row:
    d = 1 / _size(a)
    return a[0] * d, -a[1] * d


def _size(a: Row) -> Tensor:
    return torch.addcmul(a[0].square(), a[1], a[1])


def _dot(x: Row, a: Row, b: Row) -> Row:
    return torch.addcmul(torch.addcmul(x[0], a[0], b[0]), a[1], b[1]), x[1]


_ALGEBRA: dict[int, Callable[[Row, Row, Row], Row]] = {
    op.TIMES: _times,
    op.LESS: _less,
    op.LESS_CONJ: _less_conj,
    op.SCALED: lambda x, a, b: (a[0] * b[0], a[1] * b[0]),
    op.CONJ_SCALED: lambda x, a, b: (a[0] * b[0], -a[1] * b[0]),
    op.RAISED: lambda x, a, b: (torch.addcmul(b[1], a[0], b[0]), a[1] * b[0]),
    op.RECIPROCAL: _reciprocal,
    op.LARGER: lambda x, a, b: ((_size(b) > _size(a)).to(a[0].dtype), x[1]),
    op.DOT: _dot,
}
