"""Halves of a multiplicative update, row by row: r, neg and pos of one bin of one source live in cache only.

Rows are taken out before the loops over them: an index that is a sum might be negative, for all that Numba knows, and
keeps a loop from being done eight numbers at a time.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import flat
from otowake.ops.cpu.compile import kernel, part
from otowake.ops.cpu.rows import at_a_time, ended, put, taken
from otowake.ops.cpu.threads import over_bins


@part
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


@part
def halved_there(v, first, cost, w, neg, pos):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """`halved` of v from `first` on, and 0 behind its end; w: scratch."""
    taken(v, first, w)
    halved(w, cost, neg, pos)
    ended(neg, v, first)
    ended(pos, v, first)


@part
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


@part
def modelled(B, H, e, r):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """r <- B H + e of one bin, two bases at a time."""
    K = len(B)
    if K == 1:
        b, h = B[0], H[0]
        for t in range(len(r)):
            r[t] = e + b * h[t]
    else:
        a, b, g, h = B[0], B[1], H[0], H[1]
        for t in range(len(r)):
            r[t] = e + a * g[t] + b * h[t]
    for k in range(2, K - 1, 2):
        a, b, g, h = B[k], B[k + 1], H[k], H[k + 1]
        for t in range(len(r)):
            r[t] += a * g[t] + b * h[t]
    if K > 2 and K % 2:
        b, h = B[K - 1], H[K - 1]
        for t in range(len(r)):
            r[t] += b * h[t]


@kernel
def _bases(v, B, H, e, cost, tiny, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Rows lo .. hi of (sources x bins)."""
    (N, bins, K), T, zero = B.shape, H.shape[2], cost[0] - cost[0]
    full = at_a_time(T, T)
    Hs, w = np.empty((N, K, full), v.dtype), np.empty(full, v.dtype)
    neg, pos = np.empty(full, v.dtype), np.empty(full, v.dtype)
    for n in range(N):
        for k in range(K):
            taken(H[n, k], 0, Hs[n, k])
    for i in range(lo, hi):
        n, f = i // bins, i % bins
        modelled(B[n, f], Hs[n], e[n, f], pos)
        halved_there(v[n, f], 0, cost, w, neg, pos)
        for k in range(K):
            x, y, h = zero, zero, Hs[n, k]
            for t in range(full):
                x += neg[t] * h[t]
                y += pos[t] * h[t]
            out[n, f, k] = x / max(y, tiny)


@kernel
def _gains(v, B, H, e, cost, tiny, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Frames lo .. hi."""
    (N, bins, K), zero = B.shape, cost[0] - cost[0]
    full = at_a_time(hi - lo, hi - lo)
    Hs, w = np.empty((K, full), v.dtype), np.empty(full, v.dtype)
    neg, pos = np.empty(full, v.dtype), np.empty(full, v.dtype)
    x, y = np.empty((K, full), v.dtype), np.empty((K, full), v.dtype)
    for n in range(N):
        x[:], y[:] = zero, zero
        for k in range(K):
            taken(H[n, k, :hi], lo, Hs[k])
        for f in range(bins):
            taken(v[n, f, :hi], lo, w)
            modelled(B[n, f], Hs, e[n, f], pos)
            halved(w, cost, neg, pos)
            for k in range(K):
                b, to_neg, to_pos = B[n, f, k], x[k], y[k]
                for t in range(full):
                    to_neg[t] += b * neg[t]
                    to_pos[t] += b * pos[t]
        for k in range(K):
            for t in range(full):
                neg[t] = x[k, t] / max(y[k, t], tiny)
            put(neg, out[n, k, :hi], lo)


@kernel
def _weight(v, r, cost, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Numbers lo .. hi."""
    phi, scale = out[lo:hi], r[lo:hi]
    for t in range(len(phi)):
        phi[t] = scale[t]
    weighted(v[lo:hi], cost, phi)


def typed(slope: Tensor, dtype: np.dtype) -> tuple[np.floating, ...]:
    """(1, c, a, g) in the precision of the data."""
    return tuple(map(dtype.type, (1.0, *slope.tolist())))


def slope_weight(v: Tensor, r: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.ratio.slope_weight`."""
    vs, rs = (x.detach().contiguous().view(-1).numpy() for x in (v, r))
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
