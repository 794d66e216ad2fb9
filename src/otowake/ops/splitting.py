"""What a step of a splitting makes of the copies of the sources, one a penalty, and of their duals D_q.

dual_pull    sum_q D_q X^H, in double precision: it moves W
dual_ahead   Z_q = D_q + W X, what is shrunk
dual_step    change_q = Z_q - S_q - D_q of what was shrunk to S;  D + relax * change, the pull of the change, and
             sum |S_q - W X|^2, sum |W X|^2: how far the copies are from the sources
frame_sizes  sqrt(sum_f |z|^2)
"""

import torch
from torch import Tensor

from otowake.ops.demix import abs2
from otowake.ops.demix import definition as demixed
from otowake.ops.registry import Op

_ALL = (-4, -3, -2, -1)


def pull_definition(X: Tensor, D: Tensor) -> Tensor:
    d, x = (z.movedim(-2, -3).to(torch.complex128) for z in (D.sum(-4), X))
    return d @ x.mH


def ahead_definition(X: Tensor, W: Tensor, D: Tensor) -> Tensor:
    return D + demixed(X, W).unsqueeze(-4)


def step_definition(
    X: Tensor, W: Tensor, Z: Tensor, S: Tensor, D: Tensor, relax: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    Y = demixed(X, W).unsqueeze(-4)
    change = Z - S - D
    sizes = [abs2(y).sum(_ALL, dtype=torch.float64) for y in (S - Y, Y)]
    return D + relax.to(D.real.dtype) * change, pull_definition(X, change), torch.stack(sizes, -1)


def norm(Z: Tensor, axes: tuple[int, ...], keepdim: bool = False) -> Tensor:
    """sqrt(sum |z|^2) over some of the last axes, by real numbers: torch's norm of complex ones is ten times slower."""
    parts = torch.view_as_real(Z.resolve_conj().resolve_neg())
    size = torch.linalg.vector_norm(parts, dim=(*(axis - 1 for axis in axes), -1), keepdim=keepdim)
    return size.squeeze(-1) if keepdim else size


def sizes_definition(Z: Tensor) -> Tensor:
    return norm(Z, (-2,), keepdim=True)


dual_pull = Op("dual_pull", pull_definition, "splitting", "(Tensor X, Tensor D) -> Tensor")
"""(X: *b m f t, D: *b q n f t) -> *b f n m."""
dual_ahead = Op("dual_ahead", ahead_definition, "splitting", "(Tensor X, Tensor W, Tensor D) -> Tensor")
"""(X: *b m f t, W: *b f n m, D: *b q n f t) -> Z: *b q n f t."""
dual_step = Op(
    "dual_step",
    step_definition,
    "splitting",
    "(Tensor X, Tensor W, Tensor Z, Tensor S, Tensor D, Tensor relax) -> (Tensor, Tensor, Tensor)",
)
"""(X: *b m f t, W: *b f n m, Z, S, D: *b q n f t, relax: 1) -> D, its pull *b f n m, both sums *b 2."""
frame_sizes = Op("frame_sizes", sizes_definition, "splitting", "(Tensor Z) -> Tensor")
"""Z: *b n f t -> *b n 1 t."""
