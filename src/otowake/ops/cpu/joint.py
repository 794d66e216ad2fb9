"""Channels with shares of all sources, some frames of one bin at a time: scales and halves live in cache only."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import flat
from otowake.ops.cpu.compile import kernel, part
from otowake.ops.cpu.ratio import halved_there, modelled, typed, weighted
from otowake.ops.cpu.rows import at_a_time, put, taken
from otowake.ops.cpu.threads import over_bins

_FRAMES = 160
"""At a time: what is summed for them stays in the first cache."""

Arrays = tuple[np.ndarray, ...]


@part
def _scaled(r, G, m, d, Y):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Y <- sum_n r_n g_nm + d; r: n frames, G: n m."""
    for n in range(len(r)):
        s, row = G[n, m], r[n]
        if n == 0:
            for t in range(len(Y)):
                Y[t] = d + s * row[t]
        else:
            for t in range(len(Y)):
                Y[t] += s * row[t]


@part
def _heard(v, f, first, G, d, cost, r, row, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """sums <- neg_n and pos_n of bin f, frames from `first` on, where sources have r; row is scratch."""
    w, x, y = row[0], row[1], row[2]
    for m in range(len(v)):
        _scaled(r, G, m, d[m], y)
        halved_there(v[m, f], first, cost, w, x, y)
        for n in range(len(r)):
            s, to_neg, to_pos = G[n, m], sums[0, n], sums[1, n]
            if m == 0:
                for t in range(len(y)):
                    to_neg[t] = s * x[t]
                    to_pos[t] = s * y[t]
            else:
                for t in range(len(y)):
                    to_neg[t] += s * x[t]
                    to_pos[t] += s * y[t]


@kernel
def _bases(v, B, H, e, G, d, cost, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bins lo .. hi."""
    (N, _, K), T, zero = B.shape, H.shape[2], cost[0] - cost[0]
    full = at_a_time(T, _FRAMES)
    Hs, r, sums = np.empty((N, K, full), v.dtype), np.empty((N, full), v.dtype), np.empty((2, N, full), v.dtype)
    row = np.empty((3, full), v.dtype)
    out[:, :, lo:hi] = zero
    for first in range(0, T, full):
        for n in range(N):
            for k in range(K):
                taken(H[n, k], first, Hs[n, k])
        for f in range(lo, hi):
            for n in range(N):
                modelled(B[n, f], Hs[n], e[n, f], r[n])
            _heard(v, f, first, G[f if len(G) > 1 else 0], d, cost, r, row, sums)
            for n in range(N):
                neg, pos = sums[0, n], sums[1, n]
                for k in range(K):
                    a, b, h = zero, zero, Hs[n, k]
                    for t in range(full):
                        a += neg[t] * h[t]
                        b += pos[t] * h[t]
                    out[n, 0, f, k] += a
                    out[n, 1, f, k] += b


@kernel
def _activations(v, B, H, e, G, d, cost, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Frames lo .. hi."""
    N, bins, K = B.shape
    full = at_a_time(hi - lo, _FRAMES)
    Hs, r, sums = np.empty((N, K, full), v.dtype), np.empty((N, full), v.dtype), np.empty((2, N, full), v.dtype)
    row, all_bins = np.empty((3, full), v.dtype), np.empty((N, 2, K, full), v.dtype)
    for first in range(lo, hi, full):
        all_bins[:] = 0
        for n in range(N):
            for k in range(K):
                taken(H[n, k, :hi], first, Hs[n, k])
        for f in range(bins):
            for n in range(N):
                modelled(B[n, f], Hs[n], e[n, f], r[n])
            _heard(v[:, :, :hi], f, first, G[f if len(G) > 1 else 0], d, cost, r, row, sums)
            for n in range(N):
                for k in range(K):
                    b = B[n, f, k]
                    neg, pos, to_neg, to_pos = sums[0, n], sums[1, n], all_bins[n, 0, k], all_bins[n, 1, k]
                    for t in range(full):
                        to_neg[t] += b * neg[t]
                        to_pos[t] += b * pos[t]
        for n in range(N):
            for i in range(2):
                for k in range(K):
                    put(all_bins[n, i, k], out[n, i, k, :hi], first)


@kernel
def _shares(v, r, G, d, cost, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bins lo .. hi: sums over frames, of every bin."""
    (M, _, T), N, zero = v.shape, len(r), cost[0] - cost[0]
    full = at_a_time(T, _FRAMES)
    rs, w, x, y = (
        np.empty((N, full), v.dtype),
        np.empty(full, v.dtype),
        np.empty(full, v.dtype),
        np.empty(full, v.dtype),
    )
    out[:, :, lo:hi] = zero
    for f in range(lo, hi):
        g = G[f if len(G) > 1 else 0]
        for first in range(0, T, full):
            for n in range(N):
                taken(r[n, f], first, rs[n])
            for m in range(M):
                _scaled(rs, g, m, d[m], y)
                halved_there(v[m, f], first, cost, w, x, y)
                for n in range(N):
                    a, b, row = zero, zero, rs[n]
                    for t in range(full):
                        a += x[t] * row[t]
                        b += y[t] * row[t]
                    out[0, n, f, m] += a
                    out[1, n, f, m] += b


@kernel
def _weight(v, r, G, d, cost, phi, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    (M, _, T), N = v.shape, len(r)
    full = at_a_time(T, _FRAMES)
    rs, w, y = np.empty((N, full), v.dtype), np.empty(full, v.dtype), np.empty(full, v.dtype)
    for f in range(lo, hi):
        g = G[f if len(G) > 1 else 0]
        for first in range(0, T, full):
            for n in range(N):
                taken(r[n, f], first, rs[n])
            for m in range(M):
                taken(v[m, f], first, w)
                _scaled(rs, g, m, d[m], y)
                weighted(w, cost, y)
                put(y, phi[m, f], first)


def joint_bases(v: Tensor, B: Tensor, H: Tensor, e: Tensor, G: Tensor, d: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.joint.joint_bases`."""
    out = torch.empty((*B.shape[:-2], 2, *B.shape[-2:]), dtype=v.dtype)
    return _factors(_bases, B.shape[-2], v, B, H, e, G, d, slope, out)


def joint_activations(v: Tensor, B: Tensor, H: Tensor, e: Tensor, G: Tensor, d: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.joint.joint_activations`."""
    out = torch.empty((*H.shape[:-2], 2, *H.shape[-2:]), dtype=v.dtype)
    return _factors(_activations, H.shape[-1], v, B, H, e, G, d, slope, out)


def _factors(kernel: Any, many: int, v: Tensor, B: Tensor, H: Tensor, e: Tensor, *rest: Tensor) -> Tensor:
    G, d, slope, out = rest
    es = _plain(e.expand(*B.shape[:-1], 1)[..., 0], 2)
    items = zip(_plain(v, 3), _plain(B, 3), _plain(H, 3), es, *_channels(G, d, v.dtype), flat(out, 4))
    for *item, to in items:
        over_bins(kernel, many, *item, typed(slope, to.dtype), to)
    return out


def joint_shares(v: Tensor, r: Tensor, G: Tensor, d: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.joint.joint_shares`."""
    *batch, m, f, _ = v.shape
    out = torch.empty((*batch, 2, r.shape[-3], f, m), dtype=v.dtype)
    _levels(_shares, v, r, G, d, slope, flat(out, 4))
    return out if G.shape[-2] > 1 else out.sum(-2, keepdim=True)


def joint_weight(v: Tensor, r: Tensor, G: Tensor, d: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.joint.joint_weight`."""
    out = torch.empty(v.shape, dtype=v.dtype)
    _levels(_weight, v, r, G, d, slope, flat(out, 3))
    return out


def _levels(kernel: Any, v: Tensor, r: Tensor, G: Tensor, d: Tensor, slope: Tensor, out: np.ndarray) -> None:
    r = r.expand(*r.shape[:-2], *v.shape[-2:])
    for *item, to in zip(_plain(v, 3), _plain(r, 3), *_channels(G, d, v.dtype), out):
        over_bins(kernel, v.shape[-2], *item, typed(slope, to.dtype), to)


def _channels(G: Tensor, d: Tensor, dtype: torch.dtype) -> Arrays:
    """G: f n m and d: m of each item."""
    return _plain(G.to(dtype).movedim(-2, -3), 3), _plain(d[..., 0, 0].to(dtype), 1)


def _plain(x: Tensor, inner: int) -> np.ndarray:
    return np.ascontiguousarray(flat(x, inner))
