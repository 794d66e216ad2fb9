"""Channels with shares of all sources, some frames of one bin at a time: scales and halves live in cache only."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import flat, whole
from otowake.ops.cpu.compile import kernel, part
from otowake.ops.cpu.model import halved, modelled, typed, weighted
from otowake.ops.cpu.registers import at, count, filled, get, put, room, set
from otowake.ops.cpu.threads import over_bins
from otowake.ops.cpu.vectors import spread, total

_FRAMES = 160
"""At a time: what is summed for them stays in the first cache; whole vectors."""

Arrays = tuple[np.ndarray, ...]


@part
def _modelled(B, f, H, e, first, r):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """r <- B H + e of all sources in bin f, frames from `first` on."""
    for n in range(len(r)):
        for t in range(0, r.shape[1], count(r)):
            set(modelled(B[n, f], H[n], e[n, f], first + t), r[n], t)


@part
def _heard(v, f, first, G, d, cost, r, neg, pos):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """neg_n, pos_n <- those of bin f, frames from `first` on, where sources have r; G: m n."""
    neg[:], pos[:] = 0, 0
    for m in range(len(v)):
        for t in range(0, r.shape[1], count(r)):
            scale = spread(d[m], r)
            for n in range(len(r)):
                scale += G[m, n] * get(r[n], t)
            x, y = halved(at(v[m, f], first + t), scale, cost)
            for n in range(len(r)):
                set(get(neg[n], t) + G[m, n] * x, neg[n], t)
                set(get(pos[n], t) + G[m, n] * y, pos[n], t)


@kernel
def _bases(v, B, H, e, G, d, cost, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bins lo .. hi."""
    (N, _, K), T = B.shape, H.shape[2]
    r = np.empty((N, room(min(T, _FRAMES))), v.dtype)
    neg, pos = np.empty_like(r), np.empty_like(r)
    out[:, :, lo:hi] = 0
    for first in range(0, T, _FRAMES):
        width = min(T - first, _FRAMES)
        for f in range(lo, hi):
            _modelled(B, f, H, e, first, r[:, :width])
            _heard(v, f, first, G[f if len(G) > 1 else 0], d, cost, r[:, :width], neg, pos)
            for n in range(N):
                for k in range(K):
                    a, b, h = spread(0, r), spread(0, r), H[n, k]
                    for t in range(0, width, count(r)):
                        a += get(neg[n], t) * get(h, first + t)
                        b += get(pos[n], t) * get(h, first + t)
                    out[n, 0, f, k] += total(a)
                    out[n, 1, f, k] += total(b)


@kernel
def _activations(v, B, H, e, G, d, cost, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Frames lo .. hi, which begin at whole vectors."""
    N, bins, K = B.shape
    r = np.empty((N, room(min(hi - lo, _FRAMES))), v.dtype)
    neg, pos, sums = np.empty_like(r), np.empty_like(r), np.empty((N, 2, K, r.shape[1]), v.dtype)
    for first in range(lo, hi, _FRAMES):
        width = room(min(hi - first, _FRAMES))
        sums[:] = 0
        for f in range(bins):
            _modelled(B, f, H, e, first, r[:, :width])
            _heard(v, f, first, G[f if len(G) > 1 else 0], d, cost, r[:, :width], neg, pos)
            for n in range(N):
                for t in range(0, width, count(r)):
                    x, y = get(neg[n], t), get(pos[n], t)
                    for k in range(K):
                        b, to_neg, to_pos = B[n, f, k], sums[n, 0, k], sums[n, 1, k]
                        set(get(to_neg, t) + b * x, to_neg, t)
                        set(get(to_pos, t) + b * y, to_pos, t)
        for n in range(N):
            for i in range(2):
                for k in range(K):
                    for t in range(0, width, count(r)):
                        put(get(sums[n, i, k], t), out[n, i, k], first + t)


@part
def _scaled(r, f, G, d, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """sum_n r_n g_n + d of bin f from frame t on; r: n f t, G: n."""
    y = spread(d, r)
    for n in range(len(r)):
        y += G[n] * filled(r[n, f], t)
    return y


@kernel
def _shares(v, r, G, d, cost, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bins lo .. hi: sums over frames, of every bin."""
    (M, _, T), N = v.shape, len(r)
    neg, pos = np.empty(room(T), v.dtype), np.empty(room(T), v.dtype)
    for f in range(lo, hi):
        g = G[f if len(G) > 1 else 0]
        for m in range(M):
            for t in range(0, T, count(v)):
                x, y = halved(at(v[m, f], t), _scaled(r, f, g[m], d[m], t), cost)
                set(x, neg, t)
                set(y, pos, t)
            for n in range(N):
                a, b, row = spread(0, v), spread(0, v), r[n, f]
                for t in range(0, T, count(v)):
                    x = at(row, t)
                    a += get(neg, t) * x
                    b += get(pos, t) * x
                out[0, n, f, m] = total(a)
                out[1, n, f, m] = total(b)


@kernel
def _weight(v, r, G, d, cost, phi, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bins lo .. hi."""
    for f in range(lo, hi):
        g = G[f if len(G) > 1 else 0]
        for m in range(len(v)):
            for t in range(0, v.shape[2], count(v)):
                put(weighted(at(v[m, f], t), _scaled(r, f, g[m], d[m], t), cost), phi[m, f], t)


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
    items = zip(_plain(v, 3), _plain(B, 3), whole(flat(H, 3)), es, *_channels(G, d, v.dtype), flat(out, 4))
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
    """G: f m n and d: m of each item."""
    return _plain(G.to(dtype).movedim(-3, -1), 3), _plain(d[..., 0, 0].to(dtype), 1)


def _plain(x: Tensor, inner: int) -> np.ndarray:
    return np.ascontiguousarray(flat(x, inner))
