"""What demixing models share: images by projection back, and unit mean power as the gauge."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Complex
from torch import Tensor

from otowake.core.types import Gain, Images, Live, Mixture, Spec
from otowake.ops import unit_rows


def projected_images(
    X: Mixture, Y: Spec, A: Complex[Tensor, "*b f m n"], live: Live, microphones: Sequence[int]
) -> Images:
    """c_nm = A_mn y_n at some microphones; bins that are not live are shared out equally, so sums stay exact."""
    mics = list(microphones)
    scale = A.to(X.dtype)[..., mics, :].permute(*range(A.ndim - 3), -1, -2, -3)  # *b n m f
    shared = shared_out(X[..., mics, :, :], A.shape[-1])
    return torch.where(live[..., None, None, :, None], scale[..., None] * Y.unsqueeze(-3), shared)


def shared_out(X: Mixture, n: int) -> Images:
    """The equal share of each of n sources; their axis is 1."""
    return X.unsqueeze(-4) / n


def normalised(p: Any) -> tuple[Any, Gain]:
    """Sources of unit mean power, w_n /= lambda_n with lambda_n^2 = mean_f w_n^H C_f w_n.

    Returns:
        the state, and the gain of r that makes up for it, *b n 1 1.
    """
    W, gain = unit_rows(p.W, p.C)
    return p._replace(W=W), gain[..., None, None]
