"""Weighted covariance: V_nf = (1/T) sum_t phi_nft x_ft x_ft^H, in double precision whatever the input's."""

import torch
from torch import Tensor

from otowake.ops.registry import Op


def definition(X: Tensor, phi: Tensor) -> Tensor:
    """One product a source, so that nothing larger than X is ever formed."""
    x = X.to(torch.complex128).movedim(-2, -3)  # *b f m t
    xh = x.mH / X.shape[-1]
    V = [(x * w.unsqueeze(-2)) @ xh for w in phi.unbind(-3)]
    return torch.stack([(v + v.mH) / 2 for v in V], dim=-3)


weighted_covariance = Op("weighted_covariance", definition, "covariance", "(Tensor X, Tensor phi) -> Tensor")
"""(X: *b m f t, phi: *b n f t or *b n 1 t) -> V: *b f n m m, Hermitian."""
