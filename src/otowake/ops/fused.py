"""Pieces of iterations of r = B H + e under demixing that leave nothing of the size of the spectrogram in memory.

demixed_step         B, H and W after their updates in this order, seen v = |W X|^2
modelled_covariance  V_nf = (1/T) sum_t phi x x^H with the weights phi = c (v/r + a)^g / r of that model
modelled_cost        sum log r + rho(v / r) of that model, in double precision
unit_rows            w_n / lambda_n and 1 / lambda_n^2, lambda_n^2 = mean_f w_n^H C_f w_n: each row's mean power is one
"""

import torch
from torch import Tensor

from otowake.ops.covariance import definition as covariance_definition
from otowake.ops.demix import power_definition
from otowake.ops.ratio import cost_definition, moved_definition, suits_kernel, weight_definition
from otowake.ops.registry import Op
from otowake.ops.sweep import ip1_definition


def step_definition(
    X: Tensor, W: Tensor, B: Tensor, H: Tensor, e: Tensor, power: Tensor, slope: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    B, H = moved_definition(power_definition(X, W), B, H, e, power, slope)
    return B, H, ip1_definition(modelled_definition(X, W, B, H, e, slope), W)


def modelled_definition(X: Tensor, W: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    return covariance_definition(X, weight_definition(power_definition(X, W), B @ H + e, slope))


def modelled_cost_definition(X: Tensor, W: Tensor, B: Tensor, H: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    return cost_definition(power_definition(X, W), B @ H + e, slope)


def unit_definition(W: Tensor, C: Tensor) -> tuple[Tensor, Tensor]:
    products = torch.view_as_real((W @ C).resolve_conj()) * torch.view_as_real(W.resolve_conj())  # *b f n m 2
    power = products.sum((-1, -2, -4)) / W.shape[-3]  # one sum: of two numbers at a time it takes four times as long
    gain = 1 / torch.where(power > 0, power, torch.ones_like(power))
    return W * gain.sqrt()[..., None, :, None], gain


def _suits(X: Tensor, *rest: Tensor) -> bool:
    return suits_kernel(*rest)


demixed_step = Op(
    "demixed_step",
    step_definition,
    "fused",
    "(Tensor X, Tensor W, Tensor B, Tensor H, Tensor e, Tensor power, Tensor slope) -> (Tensor, Tensor, Tensor)",
    _suits,
)
"""(X: *b m f t, W: *b f n m, B: *b n f k, H: *b n k t, e: *b n 1|f 1, power: 1, slope: 3) -> B, H, W."""
modelled_covariance = Op(
    "modelled_covariance",
    modelled_definition,
    "fused",
    "(Tensor X, Tensor W, Tensor B, Tensor H, Tensor e, Tensor slope) -> Tensor",
    _suits,
)
"""The same without the power -> *b f n m m, in double precision."""
modelled_cost = Op(
    "modelled_cost",
    modelled_cost_definition,
    "cost",
    "(Tensor X, Tensor W, Tensor B, Tensor H, Tensor e, Tensor slope) -> Tensor",
    _suits,
)
"""The same arguments -> *b."""
unit_rows = Op("unit_rows", unit_definition, "fused", "(Tensor W, Tensor C) -> (Tensor, Tensor)")
"""(W: *b f n m, C: *b f m m) -> W and *b n, which is 1 where there is no power."""
