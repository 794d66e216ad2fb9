"""Parts of kernels for costs log r + rho(v / r), rho'(q) = c (q + a)^g: one vector of frames of one bin of one source.

cost: (1, c, a, g) in the precision of the data (`typed`).
"""

import numpy as np
from torch import Tensor

from otowake.ops.cpu.compile import part
from otowake.ops.cpu.registers import get
from otowake.ops.cpu.vectors import root


@part
def modelled(B, H, e, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """r = B H + e from frame t on, of one bin; H: `arrays.whole`."""
    r = e + get(H[len(B)], t)
    for k in range(len(B)):
        r += B[k] * get(H[k], t)
    return r


@part
def halved(v, r, cost):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """neg = c (q + a)^g q / r and pos = 1 / r, q = v / r."""
    one, c, a, g = cost
    pos = one / r
    q = v * pos
    neg = c * q * pos
    if g == -one:
        neg = neg / (q + a)
    elif g != 0:
        neg = neg / root(q + a)
    return neg, pos


@part
def weighted(v, r, cost):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """phi = c (q + a)^g / r, q = v / r."""
    one, c, a, g = cost
    pos = one / r
    phi = c * pos
    if g == -one:
        phi = phi / (v * pos + a)
    elif g != 0:
        phi = phi / root(v * pos + a)
    return phi


@part
def powered(q, x, tiny):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """q^x of one number."""
    if x == 1:
        return q
    return np.sqrt(max(q, tiny)) if 2 * x == 1 else max(q, tiny) ** x


def typed(slope: Tensor, dtype: np.dtype) -> tuple[np.floating, ...]:
    """(1, c, a, g) in the precision of the data."""
    return tuple(map(dtype.type, (1.0, *slope.tolist())))
