"""Halves of a multiplicative update, row by row: r, neg and pos of one bin of one source live in cache only.

Rows are taken out before the loops over them: an index that is a sum might be negative, for all that Numba knows, and
keeps a loop from being done eight numbers at a time.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import flat
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.threads import over_bins


@kernel
def halved(v, cost, neg, pos):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """pos = r on entry: pos <- 1 / r and neg <- c (q + a)^g q / r, q = v / r, of one row of v."""
    one, c, a, g = cost
    if g == 0:
        for t in range(v.shape[0]):
            p = one / pos[t]
            pos[t] = p
            neg[t] = c * v[t] * p * p
    elif g == -one:
        for t in range(v.shape[0]):
            p = one / pos[t]
            q = v[t] * p
            pos[t] = p
            neg[t] = c * q * p / (q + a)
    else:
        for t in range(v.shape[0]):
            p = one / pos[t]
            q = v[t] * p
            pos[t] = p
            neg[t] = c * q * p / np.sqrt(q + a)


@kernel
def weighted(v, cost, phi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """phi = r on entry: phi <- c (q + a)^g / r of one row of v."""
    one, c, a, g = cost
    for t in range(v.shape[0]):
        p = one / phi[t]
        if g == 0:
            phi[t] = c * p
        elif g == -one:
            phi[t] = c * p / (v[t] * p + a)
        else:
            phi[t] = c * p / np.sqrt(v[t] * p + a)


@kernel
def modelled(B, H, e, lo, r):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """r <- B H + e of one bin, frames from lo on."""
    for t in range(len(r)):
        r[t] = e
    for k in range(B.shape[0]):
        b, h = B[k], H[k, lo : lo + len(r)]
        for t in range(len(r)):
            r[t] += b * h[t]


@kernel
def _bases(v, B, H, e, cost, tiny, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Rows lo .. hi of (sources x bins)."""
    bins, K, T = B.shape[1], B.shape[2], H.shape[2]
    zero = cost[0] - cost[0]
    neg, pos = np.empty(T, v.dtype), np.empty(T, v.dtype)
    for i in range(lo, hi):
        n, f = i // bins, i % bins
        modelled(B[n, f], H[n], e[n, f], 0, pos)
        halved(v[n, f], cost, neg, pos)
        for k in range(K):
            x, y, h = zero, zero, H[n, k]
            for t in range(T):
                x += neg[t] * h[t]
                y += pos[t] * h[t]
            out[n, f, k] = x / max(y, tiny)


@kernel
def _gains(v, B, H, e, cost, tiny, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Frames lo .. hi."""
    N, bins, K = B.shape
    T, zero = hi - lo, cost[0] - cost[0]
    neg, pos = np.empty(T, v.dtype), np.empty(T, v.dtype)
    x, y = np.empty((K, T), v.dtype), np.empty((K, T), v.dtype)
    for n in range(N):
        x[:], y[:] = zero, zero
        for f in range(bins):
            modelled(B[n, f], H[n], e[n, f], lo, pos)
            halved(v[n, f, lo:hi], cost, neg, pos)
            for k in range(K):
                b, to_neg, to_pos = B[n, f, k], x[k], y[k]
                for t in range(T):
                    to_neg[t] += b * neg[t]
                    to_pos[t] += b * pos[t]
        for k in range(K):
            for t in range(T):
                out[n, k, lo + t] = x[k, t] / max(y[k, t], tiny)


@kernel
def _weight(v, r, cost, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(lo, hi):
        for t in range(v.shape[1]):
            out[i, t] = r[i, t]
        weighted(v[i], cost, out[i])


def typed(slope: Tensor, dtype: np.dtype) -> tuple[np.floating, ...]:
    """(1, c, a, g) in the precision of the data."""
    return tuple(map(dtype.type, (1.0, *slope.tolist())))


def slope_weight(v: Tensor, r: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.ratio.slope_weight`."""
    vs, rs = (np.ascontiguousarray(flat(x, 1)) for x in (v, r))
    out = np.empty_like(vs)
    over_bins(_weight, len(vs), vs, rs, typed(slope, vs.dtype), out)
    return torch.from_numpy(out).reshape(v.shape)


def _arguments(v: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> tuple[list[np.ndarray], list[Any]]:
    e = e.expand(*B.shape[:-1], 1)[..., 0]
    arrays = [np.ascontiguousarray(flat(x, d)) for x, d in ((v, 3), (B, 3), (H, 3), (e, 2))]
    dtype = arrays[0].dtype
    return arrays, [typed(slope, dtype), dtype.type(torch.finfo(v.dtype).tiny)]


def bases_ratio(v: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.ratio.bases_ratio`."""
    (vs, Bs, Hs, es), numbers = _arguments(v, B, H, e, slope)
    out = np.empty_like(Bs)
    for b in range(len(vs)):
        over_bins(_bases, Bs.shape[1] * Bs.shape[2], vs[b], Bs[b], Hs[b], es[b], *numbers, out[b])
    return torch.from_numpy(out).reshape(B.shape)


def gains_ratio(v: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.ratio.gains_ratio`."""
    (vs, Bs, Hs, es), numbers = _arguments(v, B, H, e, slope)
    out = np.empty_like(Hs)
    for b in range(len(vs)):
        over_bins(_gains, Hs.shape[-1], vs[b], Bs[b], Hs[b], es[b], *numbers, out[b])
    return torch.from_numpy(out).reshape(H.shape)
