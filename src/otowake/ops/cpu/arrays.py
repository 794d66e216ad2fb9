"""Tensors as the kernels want them: one leading batch axis, bins first, time contiguous."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def flat(x: Tensor, inner: int) -> np.ndarray:
    """The last `inner` axes behind a single batch axis."""
    return x.detach().reshape(-1, *x.shape[x.ndim - inner :]).numpy()


def bins_first(x: np.ndarray) -> np.ndarray:
    """(m, f, t) -> (f, m, t), contiguous; free if it lies in memory like that already."""
    return np.ascontiguousarray(x.swapaxes(0, 1))


def result(x: np.ndarray, batch: Sequence[int]) -> Tensor:
    """The batch axes back in place."""
    return torch.from_numpy(x).reshape(*batch, *x.shape[1:])
