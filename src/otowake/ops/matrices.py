"""Inverses and determinants of a small matrix of each bin.

inverse        W^-1
log_abs_det    log|det W|
"""

import torch
from torch import Tensor

from otowake.ops.registry import Op


def inverse_definition(W: Tensor) -> Tensor:
    return torch.linalg.inv_ex(W).inverse


def det_definition(W: Tensor) -> Tensor:
    return torch.linalg.slogdet(W).logabsdet


def _suits(W: Tensor) -> bool:
    return W.dtype == torch.complex128


inverse = Op("inverse", inverse_definition, "matrices", "(Tensor W) -> Tensor", _suits)
"""(W: *b f m m) -> *b f m m."""
log_abs_det = Op("log_abs_det", det_definition, "matrices", "(Tensor W) -> Tensor", _suits)
"""(W: *b f m m) -> *b f."""
