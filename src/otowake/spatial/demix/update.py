"""What a demixing update is, and what several of them share.

Each lowers, bin by bin,   Q_f(W) = sum_k (1/T) sum_t phi_kt |w_k^H x_t|^degree - 2 log|det W|.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from otowake.core.types import Covariances, Demixer, Mixture, Weight
from otowake.linalg.safe import loaded, mean_eigenvalue, tiny
from otowake.ops import weighted_covariance


@runtime_checkable
class Demix(Protocol):
    """(X, W, phi) -> W, lowering Q_f(W) for each bin f."""

    def __call__(self, X: Mixture, W: Demixer, phi: Weight) -> Demixer: ...


def degree(demix: Demix) -> float:
    """The degree of the surrogate that the update lowers: 2 unless it says otherwise."""
    return float(getattr(demix, "degree", 2.0))


def by_covariance(X: Mixture, W: Demixer, phi: Weight, rule: Callable[[Covariances, Demixer], Demixer]) -> Demixer:
    """Apply a rule of (V, W) with V of unit mean eigenvalue and a little loading.

    With V = s V' and w = w' / sqrt(s), Q of (V, W) and Q of (V', W') differ by a constant.
    """
    V = weighted_covariance(X, phi)
    s = mean_eigenvalue(V)
    s = torch.where(s > tiny(s), s, torch.ones_like(s)).sqrt()[..., None]
    return rule(loaded(V), W * s) / s


def with_rows(W: Tensor, rows: dict[int, Tensor]) -> Tensor:
    """W with some rows replaced; a new tensor."""
    return torch.stack([rows.get(k, W[..., k, :]) for k in range(W.shape[-2])], dim=-2)
