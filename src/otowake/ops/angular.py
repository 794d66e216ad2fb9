"""Which source a cell belongs to, by its direction alone.

gamma_n ~ pi_n |R_n|^-1 (q_n / |x|^2)^-M,   q_n = |W_n x|^2 + d_n |x|^2 / M,   W_n^H W_n = R_n^-1;   sum_n gamma = 1
gamma_n / q_n is what covariances are made with.  Cells without sound have gamma = pi and no weight.
"""

import torch
from torch import Tensor

from otowake.linalg.safe import tiny
from otowake.ops.demix import abs2, radius_definition
from otowake.ops.registry import Op


def heard(X: Tensor) -> tuple[Tensor, Tensor]:
    """Cells that hold a sound at all, and |x|^2 / M: *b 1 f t."""
    size = abs2(X).mean(-3, keepdim=True)
    return size > tiny(size), size


def joint(X: Tensor, q: Tensor, pi: Tensor, log_det: Tensor) -> Tensor:
    """log of pi |R|^-1 (q / |x|^2)^-M; of pi alone in cells without sound."""
    live, size = heard(X)
    m = X.shape[-3]
    radius = torch.log(torch.where(live, q / torch.where(live, m * size, 1), 1))
    says = log_det.to(q.dtype).mT.unsqueeze(-1) + m * radius
    return torch.log(pi.clamp_min(tiny(pi))) - torch.where(live, says, 0)


def weighed(X: Tensor, gamma: Tensor, q: Tensor) -> Tensor:
    """gamma / q, and nothing in cells without sound."""
    live, _ = heard(X)
    return torch.where(live, gamma / torch.where(live, q, 1), 0)


def noisy_radius(X: Tensor, q: Tensor, d: Tensor) -> Tensor:
    """q + d |x|^2 / M."""
    return q + heard(X)[1] * d.mT.unsqueeze(-1).to(q.dtype)


def definition(X: Tensor, W: Tensor, pi: Tensor, log_det: Tensor, d: Tensor) -> Tensor:
    q = noisy_radius(X, radius_definition(X, W), d)
    gamma = torch.softmax(joint(X, q, pi, log_det), dim=-3)
    return torch.stack([gamma, weighed(X, gamma, q)], -4)


MOST = 8
"""Microphones, at most, of the kernel: M-th powers of radii that are 20 decades apart are still numbers up to there."""

angular_posterior = Op(
    "angular_posterior",
    definition,
    "angular",
    "(Tensor X, Tensor W, Tensor pi, Tensor log_det, Tensor d) -> Tensor",
    lambda X, *_: X.shape[-3] <= MOST,
)
"""(X: *b m f t, W: *b f n m m, pi: *b n f 1 or *b n 1 t, log_det, d: *b f n) -> gamma and gamma / q: *b 2 n f t."""
