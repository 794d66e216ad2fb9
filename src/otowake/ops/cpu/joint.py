"""Channels with shares of all sources, some frames of one bin at a time: scales and halves live in cache only."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import flat
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.ratio import halved, modelled, typed, weighted
from otowake.ops.cpu.threads import over_bins

_FRAMES = 128
"""At a time: what is summed for them stays in the first cache."""

Arrays = tuple[np.ndarray, ...]


@kernel
def _scaled(r, f, lo, G, m, d, pos):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """pos <- sum_n r_n g_nm + d of row f of r, frames from lo on; G: n m."""
    for t in range(len(pos)):
        pos[t] = d
    for n in range(r.shape[0]):
        s, row = G[n, m], r[n, f, lo : lo + len(pos)]
        for t in range(len(pos)):
            pos[t] += s * row[t]


@kernel
def _heard(v, B, H, e, G, d, cost, f, lo, r, row, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """sums <- neg_n and pos_n of bin f, frames from lo on; r (sources, 1, frames) and row are scratch."""
    g, x, y = G[f if len(G) > 1 else 0], row[0], row[1]
    for n in range(r.shape[0]):
        modelled(B[n, f], H[n], e[n, f], lo, r[n, 0])
    for m in range(v.shape[0]):
        _scaled(r, 0, 0, g, m, d[m], y)
        halved(v[m, f, lo : lo + len(y)], cost, x, y)
        for n in range(r.shape[0]):
            s, to_neg, to_pos = g[n, m], sums[0, n], sums[1, n]
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
    out[:, :, lo:hi] = zero
    for first in range(0, T, _FRAMES):
        width = min(_FRAMES, T - first)
        r, row, sums = np.empty((N, 1, width), v.dtype), np.empty((2, width), v.dtype), np.empty((2, N, width), v.dtype)
        for f in range(lo, hi):
            _heard(v, B, H, e, G, d, cost, f, first, r, row, sums)
            for n in range(N):
                neg, pos = sums[0, n], sums[1, n]
                for k in range(K):
                    a, b, h = zero, zero, H[n, k, first : first + width]
                    for t in range(width):
                        a += neg[t] * h[t]
                        b += pos[t] * h[t]
                    out[n, 0, f, k] += a
                    out[n, 1, f, k] += b


@kernel
def _activations(v, B, H, e, G, d, cost, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Frames lo .. hi."""
    N, bins, K = B.shape
    for first in range(lo, hi, _FRAMES):
        width = min(_FRAMES, hi - first)
        r, row, sums = np.empty((N, 1, width), v.dtype), np.empty((2, width), v.dtype), np.empty((2, N, width), v.dtype)
        all_bins = np.zeros((N, 2, K, width), v.dtype)
        for f in range(bins):
            _heard(v, B, H, e, G, d, cost, f, first, r, row, sums)
            for n in range(N):
                for k in range(K):
                    b = B[n, f, k]
                    neg, pos, to_neg, to_pos = sums[0, n], sums[1, n], all_bins[n, 0, k], all_bins[n, 1, k]
                    for t in range(width):
                        to_neg[t] += b * neg[t]
                        to_pos[t] += b * pos[t]
        for n in range(N):
            for i in range(2):
                for k in range(K):
                    for t in range(width):
                        out[n, i, k, first + t] = all_bins[n, i, k, t]


@kernel
def _shares(v, r, G, d, cost, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bins lo .. hi: sums over frames, of every bin."""
    (M, _, T), zero = v.shape, cost[0] - cost[0]
    out[:, :, lo:hi] = zero
    for f in range(lo, hi):
        g = G[f if len(G) > 1 else 0]
        for first in range(0, T, _FRAMES):
            width = min(_FRAMES, T - first)
            x, y = np.empty(width, v.dtype), np.empty(width, v.dtype)
            for m in range(M):
                _scaled(r, f, first, g, m, d[m], y)
                halved(v[m, f, first : first + width], cost, x, y)
                for n in range(r.shape[0]):
                    a, b, row = zero, zero, r[n, f, first : first + width]
                    for t in range(width):
                        a += x[t] * row[t]
                        b += y[t] * row[t]
                    out[0, n, f, m] += a
                    out[1, n, f, m] += b


@kernel
def _weight(v, r, G, d, cost, phi, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for f in range(lo, hi):
        g = G[f if len(G) > 1 else 0]
        for m in range(v.shape[0]):
            _scaled(r, f, 0, g, m, d[m], phi[m, f])
            weighted(v[m, f], cost, phi[m, f])


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
    items = zip(_plain(v, 3), _plain(B, 3), _plain(H, 3), es, *_channels(G, d), flat(out, 4))
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
    for *item, to in zip(_plain(v, 3), _plain(r, 3), *_channels(G, d), out):
        over_bins(kernel, v.shape[-2], *item, typed(slope, to.dtype), to)


def _channels(G: Tensor, d: Tensor) -> Arrays:
    """G: f n m and d: m of each item."""
    return _plain(G.movedim(-2, -3), 3), _plain(d[..., 0, 0], 1)


def _plain(x: Tensor, inner: int) -> np.ndarray:
    return np.ascontiguousarray(flat(x, inner))
