"""Halves of a multiplicative update, row by row: r, neg and pos of one bin of one source live in cache only."""

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import flat
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.threads import over_bins


@kernel
def _halves(v, B, H, e, c, a, g, lo, hi, neg, pos):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """neg and pos of one row of v for frames lo .. hi."""
    for t in range(hi - lo):
        pos[t] = e
    for k in range(B.shape[0]):
        b = B[k]
        for t in range(hi - lo):
            pos[t] += b * H[k, lo + t]
    if g == 0.0:
        for t in range(hi - lo):
            p = 1.0 / pos[t]
            pos[t] = p
            neg[t] = c * v[lo + t] * p * p
    elif g == -1.0:
        for t in range(hi - lo):
            p = 1.0 / pos[t]
            q = v[lo + t] * p
            pos[t] = p
            neg[t] = c * q * p / (q + a)
    else:
        for t in range(hi - lo):
            p = 1.0 / pos[t]
            q = v[lo + t] * p
            pos[t] = p
            neg[t] = c * q * p / np.sqrt(q + a)


@kernel
def _bases(v, B, H, e, c, a, g, tiny, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Rows lo .. hi of (sources x bins)."""
    bins, K, T = B.shape[1], B.shape[2], H.shape[2]
    neg, pos = np.empty(T), np.empty(T)
    for i in range(lo, hi):
        n, f = i // bins, i % bins
        _halves(v[n, f], B[n, f], H[n], e[n, f], c, a, g, 0, T, neg, pos)
        for k in range(K):
            x, y = 0.0, 0.0
            for t in range(T):
                h = H[n, k, t]
                x += neg[t] * h
                y += pos[t] * h
            out[n, f, k] = x / max(y, tiny)


@kernel
def _gains(v, B, H, e, c, a, g, tiny, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Frames lo .. hi."""
    N, bins, K = B.shape
    T = hi - lo
    neg, pos = np.empty(T), np.empty(T)
    x, y = np.empty((K, T)), np.empty((K, T))
    for n in range(N):
        x[:], y[:] = 0.0, 0.0
        for f in range(bins):
            _halves(v[n, f], B[n, f], H[n], e[n, f], c, a, g, lo, hi, neg, pos)
            for k in range(K):
                b = B[n, f, k]
                for t in range(T):
                    x[k, t] += b * neg[t]
                    y[k, t] += b * pos[t]
        for k in range(K):
            for t in range(T):
                out[n, k, lo + t] = x[k, t] / max(y[k, t], tiny)


@kernel
def _weight(v, r, c, a, g, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(lo, hi):
        for t in range(v.shape[1]):
            p = 1.0 / r[i, t]
            if g == 0.0:
                out[i, t] = c * p
            elif g == -1.0:
                out[i, t] = c * p / (v[i, t] * p + a)
            else:
                out[i, t] = c * p / np.sqrt(v[i, t] * p + a)


def slope_weight(v: Tensor, r: Tensor, slope: Tensor) -> Tensor:
    """Kernel of `ops.ratio.slope_weight`."""
    vs, rs = (np.ascontiguousarray(flat(x, 1)) for x in (v, r))
    out = np.empty_like(vs)
    over_bins(_weight, len(vs), vs, rs, *slope.tolist(), out)
    return torch.from_numpy(out).reshape(v.shape)


def _arguments(v: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> tuple[list[np.ndarray], list[float]]:
    e = e.expand(*B.shape[:-1], 1)[..., 0]
    arrays = [np.ascontiguousarray(flat(x, d)) for x, d in ((v, 3), (B, 3), (H, 3), (e, 2))]
    return arrays, [*slope.tolist(), float(torch.finfo(v.dtype).tiny)]


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
