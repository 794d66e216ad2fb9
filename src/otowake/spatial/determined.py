"""As many sources as microphones, one demixing matrix a bin.

Model    y_ft = W_f x_ft,  each y_nft with a spherical density of scale r_nft
Cost     sum_nft [ log r + rho(v / r) ] - 2 T sum_f log|det W_f|,   v = |y|^2
Split    that of the density
Update   W_f <- demix(X, W_f, phi),  phi: weight of |y|^2 in a quadratic bound of rho
Gauge    lambda_n^2 = mean_ft v_n = mean_f w_n^H C_f w_n;  w_n /= lambda_n,  r_n /= lambda_n^2: neutral
Images   c_nm = [W^-1]_mn y_n: they add up to x_m exactly (projection back)

Bins that carry nothing, or fewer dimensions than microphones, keep W = I and are shared out equally
(docs/decisions/0003-numbers.md).

Source   Ono 2011 (auxiliary functions); Kitamura et al. 2016, equations 32-41; Murata et al. 2001 (projection back).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from otowake.core.errors import OtowakeError
from otowake.core.method import Split
from otowake.core.types import Cost, Covariance, Demixer, Gain, Images, Live, Mixture, Power
from otowake.divergence.density import Density, Gauss
from otowake.ops import demixed, demixed_power, inverse, log_abs_det
from otowake.spatial.demix.ip import ip1
from otowake.spatial.demix.update import Demix, degree
from otowake.spatial.projection import normalised, projected_images
from otowake.spatial.rank import covariance, full_rank_bins
from otowake.spatial.shares import Directions, diagonalised


class DeterminedState(NamedTuple):
    """W: demixing matrices *b f n m;  C: covariances of the mixture *b f m m;  live: *b f, bins that are demixed."""

    W: Demixer
    C: Covariance
    live: Live


@dataclass(frozen=True)
class Determined:
    """One demixing matrix a bin, updated by any rule for any density.

    Args:
        demix: the update of W (`ip1`, `ip2`, `iss1`, `iss2`, `ipa`, or `GIP(shape)` for light tails).
        density: of the sources (`Gauss()`, `StudentT(nu)`, `GGD(shape)`, `Laplace()`, each also `Pooled`).
    """

    demix: Demix = ip1
    density: Density = Gauss()

    @property
    def proved(self) -> bool:
        """Not for single cells of shape 1 and less (Laplace): their weights span so many decades that V, singular to
        rounding, loses the descent in one step of a thousand.  Pooled over frequency they do not."""
        return self.density.low < -0.5 or bool(self.density.axes)

    def __post_init__(self) -> None:
        wants, has = self.density.degree, degree(self.demix)
        if wants != has:
            fit = f"GIP({wants:g})" if wants > 2 else "ip1, ip2, iss1, iss2 or ipa"
            raise OtowakeError(f"{self.density} needs an update of degree {wants:g}, this one has {has:g}; use {fit}.")

    def init(self, X: Mixture, seed: int) -> DeterminedState:
        C = covariance(X)
        W = torch.eye(X.shape[-3], dtype=C.dtype, device=X.device).expand_as(C).clone()
        return DeterminedState(W, C, full_rank_bins(C))

    def begun(self, p: DeterminedState | Directions) -> DeterminedState:
        """Of demixing matrices as they are, or those that make known covariances nearly diagonal."""
        return DeterminedState(diagonalised(p)[0], p.C, p.live) if isinstance(p, Directions) else p

    def observe(self, X: Mixture, p: DeterminedState) -> Power:
        return demixed_power(X, p.W)

    def power(self, o: Power, p: DeterminedState) -> Power:
        return o

    def split(self, o: Power, p: DeterminedState) -> Split:
        return self.density.split(o)

    def update(self, X: Mixture, p: DeterminedState, o: Power, r: Power) -> DeterminedState:
        return demixed_by(p, self.demix(X, p.W, self.density.weight(o, r)))

    def cost(self, X: Mixture, p: DeterminedState, r: Power) -> Cost:
        return self.density.cost(self.observe(X, p), r) + volume(p.W, X.shape[-1])

    def images(self, X: Mixture, p: DeterminedState, r: Power, microphones: Sequence[int]) -> Images:
        return projected_images(X, demixed(X, p.W), inverse(p.W), p.live, microphones)

    def gauge(self, p: DeterminedState) -> tuple[DeterminedState, Gain]:
        return normalised(p)


def demixed_by(p: DeterminedState, W: Demixer) -> DeterminedState:
    """With new demixing matrices; bins that are not demixed keep theirs."""
    return p._replace(W=torch.where(p.live[..., None, None], W, p.W))


def volume(W: Demixer, frames: int) -> Cost:
    """What demixing costs by itself, - 2 T sum_f log|det W_f|."""
    return -2 * frames * log_abs_det(W).sum(-1)
