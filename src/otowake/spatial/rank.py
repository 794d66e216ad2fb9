"""How many dimensions a mixture has, bin by bin and as a whole."""

import torch

from otowake.core.types import Covariance, Live, Mixture
from otowake.linalg.safe import inactive, mean_eigenvalue, rank_tolerance
from otowake.ops import weighted_covariance


def covariance(X: Mixture) -> Covariance:
    """C_f = (1/T) sum_t x x^H."""
    one = X.real.new_ones((*X.shape[:-3], 1, 1, X.shape[-1]))
    return weighted_covariance(X, one)[..., 0, :, :]


def active_bins(C: Covariance) -> Live:
    """Bins with more than dust in them."""
    power = mean_eigenvalue(C)
    return power > inactive(C) * power.amax(-1, keepdim=True)


def ranks(C: Covariance) -> torch.Tensor:
    """The numerical rank of each bin, *b f, integer; 0 for inactive bins."""
    values = torch.linalg.eigvalsh(C)
    rank = (values > rank_tolerance(C) * values[..., -1:]).sum(-1)
    return torch.where(active_bins(C), rank, torch.zeros_like(rank))


def full_rank_bins(C: Covariance) -> Live:
    """Bins that can be demixed: active, and of as many dimensions as there are microphones."""
    return ranks(C) == C.shape[-1]
