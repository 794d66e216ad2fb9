"""Y = W X, |W X|^2 and |W_n X|^2 over microphones, bin by bin, in the precision of the data."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import bins_first, flat
from otowake.ops.cpu.compile import kernel, part
from otowake.ops.cpu.registers import FRAMES, apart, at, count, get, put, room, set
from otowake.ops.cpu.threads import over_bins
from otowake.ops.cpu.vectors import spread

_TILE = 32
"""Numbers along each side of what is turned at a time; whole vectors."""


@part
def _turned(tile, out, i, j):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """out, from i, j on, as far as it goes <- the tile, rows as columns."""
    for b in range(min(_TILE, out.shape[0] - i)):
        for a in range(min(_TILE, out.shape[1] - j)):
            out[i + b, j + a] = tile[a, b]


@kernel
def _by_bin(Y, v, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Y: frames bins; v: bins frames."""
    tile = np.empty((_TILE, _TILE), v.dtype)
    for first in range(0, len(Y), _TILE):
        for f in range(lo, hi, _TILE):
            for i in range(min(_TILE, len(Y) - first)):
                for j in range(0, _TILE, count(tile)):
                    re, im = at(Y[first + i], f + j)
                    set(re * re + im * im, tile[i], j)
            _turned(tile, v[:hi], f, first)


@part
def source(x, w, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """w x from frame t on; x: m 2 frames."""
    re, im = spread(0, x), spread(0, x)
    for m in range(len(w)):
        a, b, xr, xi = w[m].real, w[m].imag, get(x[m, 0], t), get(x[m, 1], t)
        re += a * xr - b * xi
        im += a * xi + b * xr
    return re, im


@part
def radius(x, W, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Sum of |W x|^2 over the rows of W, from frame t on; x: m 2 frames."""
    y = spread(0, x)
    for i in range(W.shape[0]):
        re, im = source(x, W[i], t)
        y += re * re + im * im
    return y


@kernel
def _demix(X, W, Y, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """W: f n 1 m."""
    _, M, T = X.shape
    x = np.empty((M, 2, room(min(T, FRAMES))), X.real.dtype)
    for f in range(lo, hi):
        for first in range(0, T, FRAMES):
            apart(X[f], first, x)
            for n in range(W.shape[1]):
                for t in range(0, x.shape[2], count(x)):
                    put(source(x, W[f, n, 0], t), Y[n, f], first + t)


@kernel
def _by_frame(X, W, Y, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """W: f n 1 m;  Y: n frames bins."""
    _, M, T = X.shape
    x, tile = np.empty((M, 2, _TILE), X.real.dtype), np.empty((W.shape[1], _TILE, _TILE), Y.dtype)
    for f in range(lo, hi, _TILE):
        for first in range(0, T, _TILE):
            for j in range(f, min(f + _TILE, hi)):
                apart(X[j], first, x)
                for n in range(W.shape[1]):
                    for t in range(0, _TILE, count(x)):
                        put(source(x, W[j, n, 0], t), tile[n, j - f], t)
            for n in range(W.shape[1]):
                _turned(tile[n], Y[n, :, :hi], first, f)


@kernel
def _power(X, W, v, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """v_n = sum of |W_n x|^2 over the rows of W_n; W: f n rows m."""
    _, M, T = X.shape
    x = np.empty((M, 2, room(min(T, FRAMES))), v.dtype)
    for f in range(lo, hi):
        for first in range(0, T, FRAMES):
            apart(X[f], first, x)
            for n in range(W.shape[1]):
                for t in range(0, x.shape[2], count(x)):
                    put(radius(x, W[f, n], t), v[n, f], first + t)


def abs2_by_bin(Y: Tensor) -> Tensor:
    """Kernel of `ops.demix.abs2_by_bin`."""
    out = torch.empty(Y.shape, dtype=Y.real.dtype)
    for y, to in zip(flat(Y.mT, 2), flat(out, 2)):
        over_bins(_by_bin, len(to), np.ascontiguousarray(y), to)
    return out


def demixed(X: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.demix.demixed`."""
    return _each(_demix, X, W.unsqueeze(-2), X)


def demixed_by_frame(X: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.demix.demixed_by_frame`."""
    return _each(_by_frame, X, W.unsqueeze(-2), X.mT).mT


def demixed_power(X: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.demix.demixed_power`."""
    return _each(_power, X, W.unsqueeze(-2), X.real)


def demixed_radius(X: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.demix.demixed_radius`."""
    return _each(_power, X, W, X.real)


def _each(kernel: Any, X: Tensor, W: Tensor, like: Tensor) -> Tensor:
    """Item by item of a batch; like: of which dtype, and in which order of bins and frames."""
    out = torch.empty((*X.shape[:-3], W.shape[-3], *like.shape[-2:]), dtype=like.dtype)
    for x, w, to in zip(flat(X, 3), flat(W.to(X.dtype), 4), flat(out, 3)):
        over_bins(kernel, len(w), bins_first(x), np.ascontiguousarray(w), to)
    return out
