"""Sums of costs, with few logarithms: numbers are split into factors from 1 to 2, which are multiplied, and powers of
2, which are added up; of each product one logarithm is taken at the end.
"""

import math

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import flat
from otowake.ops.cpu.compile import kernel, part
from otowake.ops.cpu.model import typed
from otowake.ops.cpu.registers import FRAMES, count, fine, finely_filled, set
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


@kernel
def _costs(v, r, cost, sums, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """sums <- of each slice of the rows of v and r."""
    (one, c, a, g), T, some = cost, v.shape[1], np.empty(count(sums))
    for s in range(len(edges) - 1):
        p, q, x, y, z = spread(1, sums), spread(1, sums), spread(0, sums), spread(0, sums), spread(0, sums)
        for i in range(edges[s], edges[s + 1]):
            for first in range(0, T, FRAMES):
                for t in range(first, min(first + FRAMES, T), count(sums)):
                    scale = finely_filled(r[i], t)
                    factor, power = split(scale)
                    p *= factor
                    x += power
                    ratio = fine(v[i], t) / scale
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
        sums[s] = _logged(p, x, some)
        if g == -one:
            sums[s] += c * _logged(q, y, some)
        else:
            behind = (edges[s + 1] - edges[s]) * (-T % count(sums))  # numbers there are 0
            sums[s] += c / (g + one) * (total(z) - behind * a ** (g + one))


def slope_cost(v: Tensor, r: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.ratio.slope_cost`."""
    numbers = typed(slope, np.dtype(np.float64))
    sums = [_sum(v, r, numbers) for v, r in zip(flat(v, 3), flat(r, 3))]
    return torch.tensor(sums, dtype=torch.float64).reshape(v.shape[:-3])


def _sum(v: np.ndarray, r: np.ndarray, numbers: tuple[np.floating, ...]) -> float:
    frames = v.shape[-1]
    v, r = (np.ascontiguousarray(x).reshape(-1, frames) for x in (v, r))
    edges = slices(len(v))
    sums = np.empty(len(edges) - 1)
    in_threads(lambda some, first: _costs(v, r, numbers, sums[first:], some), edges)
    return float(sums.sum())
