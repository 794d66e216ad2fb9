"""Sums of costs, with few logarithms: numbers are split into factors from 1 to 2, which are multiplied, and powers of
2, which are added up; of each product one logarithm is taken at the end.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import flat
from otowake.ops.cpu.compile import kernel, part
from otowake.ops.cpu.demix import radius
from otowake.ops.cpu.fused import seen
from otowake.ops.cpu.model import modelled, typed
from otowake.ops.cpu.ratio import arguments
from otowake.ops.cpu.registers import FRAMES, apart, count, fine, finely_filled, room, set
from otowake.ops.cpu.threads import in_threads, slices
from otowake.ops.cpu.vectors import root, split, spread, total

_LOG_2 = math.log(2.0)


@part
def _logged(factors, powers, some):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The sum of the logarithms of what was split; some: room for a vector."""
    set(factors, some, 0)
    logs = _LOG_2 * total(powers)
    for i in range(len(some)):
        logs += np.log(some[i])
    return logs


@part
def _along(v, r, cost, p, q, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """A row's cells: p, q <- factors of r and of v / r + a, x, y <- their powers, z <- what has no logarithm."""
    one, c, a, g = cost
    for first in range(0, len(v), FRAMES):
        for t in range(first, min(first + FRAMES, len(v)), count(z)):
            scale = finely_filled(r, t)
            factor, power = split(scale)
            p *= factor
            x += power
            ratio = fine(v, t) / scale
            if g == 0:
                z += ratio + a
            elif g == -one:
                factor, power = split(ratio / a + one)
                q *= factor
                y += power
            else:
                z += root(ratio + a)
        p, power = split(p)
        x += power
        q, power = split(q)
        y += power
    return p, q, x, y, z


@part
def _summed(p, q, x, y, z, cost, behind, some):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The sum of what was gathered;  behind: numbers that there are not, of rows that end within a vector."""
    one, c, a, g = cost
    logs = _logged(p, x, some)
    if g == -one:
        return logs + c * _logged(q, y, some)
    return logs + c / (g + one) * (total(z) - behind * a ** (g + one))


@kernel
def _costs(v, r, cost, sums, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """sums <- of each slice of the rows of v and r."""
    some, none, ones = np.zeros(count(sums)), spread(0, sums), spread(1, sums)
    behind = -v.shape[1] % count(sums)
    for s in range(len(edges) - 1):
        p, q, x, y, z = ones, ones, none, none, none
        for i in range(edges[s], edges[s + 1]):
            p, q, x, y, z = _along(v[i], r[i], cost, p, q, x, y, z)
        sums[s] = _summed(p, q, x, y, z, cost, (edges[s + 1] - edges[s]) * behind, some)


@kernel
def _modelled_costs(X, W, B, H, e, cost, sums, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The same of slices of bins, v and r made there; W: f n 1 m."""
    (_, M, T), N = X.shape, len(B)
    x_, v, r = np.empty((M, 2, room(T)), e.dtype), np.empty(room(T), e.dtype), np.empty(room(T), e.dtype)
    some, none, ones = np.zeros(count(sums)), spread(0, sums), spread(1, sums)
    behind = -T % count(sums)
    for s in range(len(edges) - 1):
        p, q, x, y, z = ones, ones, none, none, none
        for f in range(edges[s], edges[s + 1]):
            apart(X[f], 0, x_)
            for n in range(N):
                for t in range(0, len(v), count(v)):
                    set(radius(x_, W[f, n], t), v, t)
                    set(modelled(B[n, f], H[n], e[n, f], t), r, t)
                p, q, x, y, z = _along(v[:T], r[:T], cost, p, q, x, y, z)
        sums[s] = _summed(p, q, x, y, z, cost, (edges[s + 1] - edges[s]) * N * behind, some)


def slope_cost(v: Tensor, r: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.ratio.slope_cost`."""
    numbers = typed(slope, np.dtype(np.float64))
    rows = [[np.ascontiguousarray(x).reshape(-1, v.shape[-1]) for x in item] for item in zip(flat(v, 3), flat(r, 3))]
    return _sums(_costs, len(rows[0][0]), [[*item, numbers] for item in rows], v.shape[:-3])


def modelled_cost(X: Tensor, W: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.fused.modelled_cost`."""
    numbers = typed(slope, np.dtype(np.float64))
    arrays, _ = arguments(B, H, e, slope)
    items = [[*some, *model, numbers] for some, *model in zip(seen(X, W), *arrays)]
    return _sums(_modelled_costs, W.shape[-3], items, W.shape[:-3])


def _sums(kernel: Any, rows: int, items: Sequence[Sequence[Any]], batch: Sequence[int]) -> Tensor:
    """Of each item of a batch, over slices of its rows that are summed apart."""
    edges = slices(rows)
    sums = np.empty((len(items), len(edges) - 1))
    for item, own in zip(items, sums):
        in_threads(lambda some, first: kernel(*item, own[first:], some), edges)  # noqa: B023 - done in here
    return torch.from_numpy(sums.sum(-1)).reshape(batch)
