"""Kernels of `ops.matrices`: eliminations as steps for 64 bins at once (`lanes.py`)."""

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.lanes import run
from otowake.ops.cpu.threads import over_bins
from otowake.ops.projection import inverse_steps, pivot_steps
from otowake.ops.steps import EMPTY, Steps


def inverse(W: Tensor) -> Tensor:
    """Kernel of `ops.matrices.inverse`."""
    M = W.shape[-1]
    return _of_each(W, inverse_steps(M), M * M).reshape(W.shape)


def log_abs_det(W: Tensor) -> Tensor:
    """Kernel of `ops.matrices.log_abs_det`."""
    M = W.shape[-1]
    pivots = _of_each(W, pivot_steps(M), M).abs()
    empty = (pivots == 0).any(-1)  # what comes behind it is no number
    return pivots.log_().sum(-1).masked_fill_(empty, -torch.inf).reshape(W.shape[:-2])


def _of_each(W: Tensor, steps: Steps, size: int) -> Tensor:
    """What the steps write of each matrix of a batch."""
    w = np.ascontiguousarray(W.detach().numpy()).reshape(-1, W.shape[-1] ** 2)
    out = np.empty((len(w), size), w.dtype)
    over_bins(run, len(w), *steps, w, out, EMPTY)
    return torch.from_numpy(out)
