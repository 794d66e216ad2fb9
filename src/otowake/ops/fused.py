"""Pieces of iterations of r = B H + e under demixing that leave nothing of the size of the spectrogram in memory.

modelled_covariance  V_nf = (1/T) sum_t phi x x^H with the weights phi = c (v/r + a)^g / r of that model
row_powers           mean_f w_n^H C_f w_n, the mean power of each row's output
"""

import torch
from torch import Tensor

from otowake.ops.covariance import definition as covariance_definition
from otowake.ops.ratio import POWERS, weight_definition
from otowake.ops.registry import Op

MOST_BASES = 16
"""More are faster in matrix products."""


def modelled_definition(X: Tensor, v: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    return covariance_definition(X, weight_definition(v, B @ H + e, slope))


def row_powers_definition(W: Tensor, C: Tensor) -> Tensor:
    products = torch.view_as_real((W @ C).resolve_conj()) * torch.view_as_real(W.resolve_conj())  # *b f n m 2
    return products.sum((-1, -2, -4)) / W.shape[-3]  # one sum: of two numbers at a time it takes four times as long


modelled_covariance = Op(
    "modelled_covariance",
    modelled_definition,
    "fused",
    "(Tensor X, Tensor v, Tensor B, Tensor H, Tensor e, Tensor slope) -> Tensor",
    lambda X, v, B, H, e, slope: B.shape[-1] <= MOST_BASES and slope[2].item() in POWERS,
)
"""(X: *b m f t, v: *b n f t, B: *b n f k, H: *b n k t, e: *b n 1|f 1, slope: 3) -> *b f n m m, in double precision."""
row_powers = Op("row_powers", row_powers_definition, "fused", "(Tensor W, Tensor C) -> Tensor")
"""(W: *b f n m, C: *b f m m) -> *b n."""
