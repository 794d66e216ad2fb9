"""What demixing models share: images by projection back, and unit mean power as the gauge."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Complex
from torch import Tensor

from otowake.core.types import Gain, Images, Live, Mixture, Spec


def projected_images(
    X: Mixture, Y: Spec, A: Complex[Tensor, "*b f m n"], live: Live, microphones: Sequence[int]
) -> Images:
    """c_nm = A_mn y_n at some microphones; bins that are not live are shared out equally, so sums stay exact."""
    mics = list(microphones)
    scale = A[..., mics, :].permute(*range(A.ndim - 3), -1, -2, -3)  # *b n m f
    shared = X[..., mics, :, :].unsqueeze(-4) / A.shape[-1]
    return torch.where(live[..., None, None, :, None], scale[..., None] * Y.unsqueeze(-3), shared)


def normalised(p: Any) -> tuple[Any, Gain]:
    """Sources of unit mean power, w_n /= lambda_n with lambda_n^2 = mean_f w_n^H C_f w_n.

    Returns:
        the state, and the gain of r that makes up for it, *b n 1 1.
    """
    power = ((p.W @ p.C) * p.W.conj()).sum(-1).real.mean(-2)  # *b n
    power = torch.where(power > 0, power, torch.ones_like(power))
    return p._replace(W=p.W * torch.rsqrt(power)[..., None, :, None]), (1 / power)[..., None, None]
