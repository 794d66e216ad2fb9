"""Demixing, y_ft = W_f x_ft, the powers v = |y|^2, and |W_nf x_ft|^2 of matrices of each source.

Results have the precision of X; W may be finer.
"""

import torch
from torch import Tensor

from otowake.ops.registry import Op


def definition(X: Tensor, W: Tensor) -> Tensor:
    return (W.to(X.dtype) @ X.movedim(-2, -3)).movedim(-2, -3)


demixed = Op("demixed", definition, "demix", "(Tensor X, Tensor W) -> Tensor")
"""(X: *b m f t, W: *b f n m) -> Y: *b n f t."""


def by_frame_definition(X: Tensor, W: Tensor) -> Tensor:
    return definition(X, W).mT.contiguous().mT


demixed_by_frame = Op("demixed_by_frame", by_frame_definition, "demix", "(Tensor X, Tensor W) -> Tensor")
"""`demixed`, in memory frame by frame, as it is transformed back."""


def abs2(Y: Tensor) -> Tensor:
    """|Y|^2, real."""
    return Y.real.square() + Y.imag.square()


def by_bin_definition(Y: Tensor) -> Tensor:
    return abs2(Y).contiguous()


abs2_by_bin = Op("abs2_by_bin", by_bin_definition, "demix", "(Tensor Y) -> Tensor")
"""Y: *b f t, best in memory frame by frame -> |Y|^2: *b f t, bin by bin."""


def power_definition(X: Tensor, W: Tensor) -> Tensor:
    return abs2(definition(X, W))


demixed_power = Op("demixed_power", power_definition, "demix", "(Tensor X, Tensor W) -> Tensor")
"""(X: *b m f t, W: *b f n m) -> v = |W X|^2: *b n f t, without forming W X."""


def radius_definition(X: Tensor, W: Tensor) -> Tensor:
    return torch.stack([power_definition(X, one).sum(-3) for one in W.unbind(-3)], -3)


demixed_radius = Op("demixed_radius", radius_definition, "demix", "(Tensor X, Tensor W) -> Tensor")
"""(X: *b m f t, W: *b f n m m) -> q_n = |W_n X|^2 over microphones: *b n f t."""
