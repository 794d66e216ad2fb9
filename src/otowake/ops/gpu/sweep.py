"""Demixing sweeps on an accelerator: the steps of the CPU's kernel, in double precision whatever the input's."""

import warnings
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor

from otowake.linalg.safe import loading
from otowake.ops.gpu import rows
from otowake.ops.projection import ip1_steps, ip2_steps
from otowake.ops.steps import EMPTY, Steps
from otowake.ops.sweep import ip1_definition, ip2_definition

FEW = 2
"""Rows that are left to torch's operations: 300 kernels for 2 rows, 2000 for 4, where libraries take some tens."""

_KERNEL = {"triton": find_spec("triton") is not None}
"""Whether one kernel may do all steps; torch for CUDA on Linux brings Triton along."""


def ip1_sweep(V: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.sweep.ip1_sweep`."""
    out = _swept(ip1_steps(W.shape[-1]), V, W, loading(V))
    return ip1_definition(V, W) if out is None else out


def ip2_sweep(V: Tensor, W: Tensor) -> Tensor:
    """Kernel of `ops.sweep.ip2_sweep`."""
    if W.shape[-1] == 1:
        return ip1_sweep(V, W)
    out = _swept(ip2_steps(W.shape[-1]), V, W, EMPTY)
    return ip2_definition(V, W) if out is None else out


def _swept(program: Steps, V: Tensor, W: Tensor, least: float) -> Tensor | None:
    """All steps in one where there is Triton, else few of them one by one, and many not at all."""
    M = W.shape[-1]
    args = _rows(V, M**3), _rows(W, M**2), least
    out = _by_triton(program, *args)
    if out is None and M > FEW:
        return None
    out = rows.run(program, *args) if out is None else out
    return torch.view_as_complex(out.movedim(-1, 0).contiguous()).reshape(W.shape).to(W.dtype)


def _by_triton(program: Steps, V: Tensor, W: Tensor, least: float) -> Tensor | None:
    """None where there is no Triton or it cannot compile."""
    if V.device.type != "cuda" or not _KERNEL["triton"]:
        return None
    try:
        out: Tensor = import_module("otowake.ops.gpu.lanes").run(program, V, W, least)
        return out
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # those of two compilers, which have no class in common
        _KERNEL["triton"] = False
        warnings.warn(
            f"otowake: the fast kernel of IP1 and IP2 could not be compiled for this device ({type(error).__name__}); "
            "going on with slower operations. Please report this with your versions of Python, torch and Triton.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None


def _rows(x: Tensor, entries: int) -> Tensor:
    """entries 2 bins, of all batches."""
    return torch.view_as_real(x.resolve_conj()).double().reshape(-1, entries, 2).movedim(0, -1).contiguous()
