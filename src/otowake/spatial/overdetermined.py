"""More microphones than sources: the rest of space is stationary noise that is kept apart.

Model    [y; u] = W^ x,  W^ = [W; U], U = [J, -I];  y_n with a density as in `Determined`, u ~ N_C(0, S_f)
Cost     sum_nft [ log r + rho(v / r) ] + T sum_f [ log det(U C U^H) - 2 log|det W^| ]
Update   one row of W by IP1 on W^, then J = (E2 C W^H)(E1 C W^H)^-1, which makes u uncorrelated with y; E1, E2: the
         first n and the last m - n rows of I
Images   columns 1 .. n of W^^-1; what is left of x is the noise's share

Source   Scheibler & Ono 2019 (OverIVA), algorithm 1; with n = 1: Scheibler & Ono 2020 (FIVE) by another route.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Split
from otowake.core.types import Cost, Covariance, Demixer, Gain, Images, Live, Mixture, Power
from otowake.divergence.density import Density, Gauss
from otowake.linalg.safe import loaded, mean_eigenvalue, tiny
from otowake.ops import demixed, demixed_power, inverse, weighted_covariance
from otowake.spatial.demix.update import with_rows
from otowake.spatial.projection import normalised, projected_images
from otowake.spatial.rank import covariance, full_rank_bins


class OverdeterminedState(NamedTuple):
    """W: demixing rows *b f n m, n < m;  C: covariances *b f m m;  live: *b f."""

    W: Demixer
    C: Covariance
    live: Live


@dataclass(frozen=True)
class Overdetermined:
    """`sources` demixed rows, and the orthogonal complement as noise.

    Args:
        sources: how many sounds to find; fewer than microphones.
        density: of the sources, of degree 2.
    """

    sources: int
    density: Density = Gauss()
    proved = True

    def __post_init__(self) -> None:
        if self.sources < 1:
            raise OtowakeError(f"Overdetermined: at least one source is needed, got {self.sources}.")
        if self.density.degree > 2:
            raise OtowakeError(
                f"{self.density} cannot be used with more microphones than sources; use shape 2 or less."
            )

    def init(self, X: Mixture, seed: int) -> OverdeterminedState:
        m = X.shape[-3]
        if m <= self.sources:
            raise OtowakeError(
                f"OverIVA needs more microphones than sources: {m} microphones, {self.sources} sources; use auxiva."
            )
        C = covariance(X)
        W = torch.eye(m, dtype=C.dtype, device=X.device)[: self.sources].expand(*C.shape[:-2], -1, -1).clone()
        return OverdeterminedState(W, C, full_rank_bins(C))

    def begun(self, p: OverdeterminedState) -> OverdeterminedState:
        return p

    def observe(self, X: Mixture, p: OverdeterminedState) -> Power:
        return demixed_power(X, p.W)

    def power(self, o: Power, p: OverdeterminedState) -> Power:
        return o

    def split(self, o: Power, p: OverdeterminedState) -> Split:
        return self.density.split(o)

    def update(self, X: Mixture, p: OverdeterminedState, o: Power, r: Power) -> OverdeterminedState:
        V = weighted_covariance(X, self.density.weight(o, r))
        s = mean_eigenvalue(V)
        s = torch.where(s > tiny(s), s, torch.ones_like(s))
        V, W = loaded(V), p.W
        for k in range(self.sources):
            a = torch.linalg.inv_ex(completed(p._replace(W=W))).inverse[..., :, k]
            u = torch.linalg.solve_ex(V[..., k, :, :], a).result
            h = (a.conj() * u).sum(-1, keepdim=True).real * s[..., k, None]
            W = with_rows(W, {k: u.conj() * torch.rsqrt(h)})
        return p._replace(W=torch.where(p.live[..., None, None], W, p.W))

    def cost(self, X: Mixture, p: OverdeterminedState, r: Power) -> Cost:
        Wc = completed(p)
        U = Wc[..., self.sources :, :]
        logs = torch.linalg.slogdet(U @ _filled(p) @ U.mH).logabsdet - 2 * torch.linalg.slogdet(Wc).logabsdet
        return self.density.cost(self.observe(X, p), r) + X.shape[-1] * logs.sum(-1)

    def images(self, X: Mixture, p: OverdeterminedState, r: Power, microphones: Sequence[int]) -> Images:
        A = inverse(completed(p))[..., : self.sources]
        return projected_images(X, demixed(X, p.W), A, p.live, microphones)

    def gauge(self, p: OverdeterminedState) -> tuple[OverdeterminedState, Gain]:
        return normalised(p)


def completed(p: OverdeterminedState) -> Tensor:
    """W^ = [W; J, -I] with U C W^H = 0: square, *b f m m."""
    W = p.W
    n, m = W.shape[-2:]
    CW = _filled(p) @ W.mH
    J = torch.linalg.solve_ex(CW[..., :n, :].mH, CW[..., n:, :].mH).result.mH
    eye = torch.eye(m - n, dtype=W.dtype, device=W.device).expand(*W.shape[:-2], -1, -1)
    return torch.cat([W, torch.cat([J, -eye], -1)], -2)


def _filled(p: OverdeterminedState) -> Covariance:
    """C with the identity in bins that are not demixed: W^ keeps its form there."""
    eye = torch.eye(p.C.shape[-1], dtype=p.C.dtype, device=p.C.device)
    return torch.where(p.live[..., None, None], p.C, eye)
