"""Tensors as the kernels want them: one leading batch axis, bins first, time contiguous."""

import math
import threading
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_KEPT = threading.local()
_MOST = 2**21
"""Numbers that a scratch array may have to be kept."""


def flat(x: Tensor, inner: int) -> np.ndarray:
    """The last `inner` axes behind a single batch axis."""
    array: np.ndarray = x.detach().numpy()
    return array.reshape(-1, *array.shape[array.ndim - inner :])


def bins_first(x: np.ndarray) -> np.ndarray:
    """(m, f, t) -> (f, m, t), contiguous; free if it lies in memory like that already."""
    return np.ascontiguousarray(x.swapaxes(0, 1))


def padded(frames: int) -> int:
    """Numbers of a row of whole vectors, of either precision."""
    return (frames + 15) // 16 * 16


def whole(H: np.ndarray) -> np.ndarray:
    """Rows of H (... k t) in whole vectors, filled up with zeros, and one row more, which is 1 there and else 0: where
    frames end r is not 0, and nothing is divided by it."""
    *batch, bases, frames = H.shape
    out = np.empty((*batch, bases + 1, padded(frames)), H.dtype)
    out[..., :bases, :frames], out[..., bases, :frames] = H, 0
    out[..., :bases, frames:], out[..., bases, frames:] = 0, 1
    return out


def result(x: np.ndarray, batch: Sequence[int]) -> Tensor:
    """The batch axes back in place."""
    return torch.from_numpy(x[0] if not batch else x.reshape(*batch, *x.shape[1:]))


def scratch(name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of this thread to work in, with anything in it; small ones are kept.

    Fresh memory costs a page fault every 4 kB, which took a fifth of an update's time.
    """
    size = math.prod(shape)
    held = getattr(_KEPT, name, None)
    if held is None or held.dtype != dtype or held.size < size:
        held = np.empty(size, dtype)
        if size <= _MOST:
            setattr(_KEPT, name, held)
    return held[:size].reshape(shape)
