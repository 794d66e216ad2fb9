"""Demixing sweeps on an accelerator: the steps of the CPU's kernel, in double precision whatever the input's."""

import torch
from torch import Tensor

from otowake.linalg.safe import loading
from otowake.ops.gpu.rows import run
from otowake.ops.projection import ip1_steps


def ip1_sweep(V: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.sweep.ip1_sweep`."""
    M = W.shape[-1]
    out = run(ip1_steps(M), _rows(V, M**3), _rows(W, M**2), loading(V))
    return torch.view_as_complex(out.movedim(-1, 0).contiguous()).reshape(W.shape).to(W.dtype)


def _rows(x: Tensor, entries: int) -> Tensor:
    """entries 2 bins, of all batches."""
    return torch.view_as_real(x.resolve_conj()).double().reshape(-1, entries, 2).movedim(0, -1).contiguous()
