"""The prox of -a log|det W|: singular values s <- (s + sqrt(s^2 + 4 a)) / 2."""

from typing import Any

import torch
from torch import Tensor

from otowake.linalg.safe import tiny
from otowake.ops.registry import Op


class _Prox(torch.autograd.Function):
    """W -> U h(s) V^H with h = (s + sqrt(s^2 + 4 a)) / 2.

    The derivative by hand: that of an SVD divides by differences of singular values, which are all equal at the start.
    """

    @staticmethod
    def forward(ctx: Any, W: Tensor, a: Tensor) -> Tensor:
        U, s, Vh = torch.linalg.svd(W)
        root = torch.sqrt(s**2 + 4 * a.to(s.dtype))
        ctx.save_for_backward(U, s, Vh, root)
        return (U * ((s + root) / 2).unsqueeze(-2)) @ Vh

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        U, s, Vh, root = ctx.saved_tensors
        G = U.mH @ grads[0] @ Vh.mH
        sums, roots = (x.unsqueeze(-1) + x.unsqueeze(-2) for x in (s, root))
        even = (G + G.mH) / 4 * (1 + sums / roots)
        odd = (G - G.mH) / 4 * (1 + roots / sums.clamp_min(tiny(sums)))
        return U @ (even + odd) @ Vh, None


def definition(W: Tensor, a: Tensor) -> Tensor:
    return _Prox.apply(W, a)


log_det_prox = Op("log_det_prox", definition, "prox", "(Tensor W, Tensor a) -> Tensor")
"""(W: *b f m m, a: 1) -> the minimum over W' of |W' - W|^2 / 2 - a log|det W'|: W' - W = a W'^-H."""
