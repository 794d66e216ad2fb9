"""Any number of sources and microphones, a covariance of full rank for each source and bin (MNMF).

Model    x_ft has scale R_ft = sum_n r_nft S_nf + e_f I;  S hermitian, >= 0;  e > 0 is frozen, and grows with loud bins
Cost     sum_ft [ log det R + rho(q) ],  q_ft = x^H R^-1 x: one radius for all microphones, d = M dimensions
Split    neg_n = rho'(q) u^H S_n u,  pos_n = tr(R^-1 S_n);  u = R^-1 x
Update   S_n solves S A S = S_n K S_n:  A = sum_t r_n R^-1,  K = sum_t r_n rho'(q) u u^H
Gauge    s_n = mean_f tr S_nf:  S_n /= s_n,  r_n *= s_n:  neutral
Surplus  with relevance > 0 the cost of `relevance.py`, N_n = sum_ft r_nft tr S_nf, D = T sum_f tr C_f, joins all of it:
         A_n += (slope in N_n) sum_t r_n I
Images   c_n = (r_n S_n + e I / N) u: Wiener, with the floor shared out; they add up to x

R is formed for some bins at a time.  Bins that cannot be demixed keep their S and are shared out (docs/decisions/0003).

Source   Sawada, Kameoka, Araki, Ueda 2013; Duong, Vincent, Gribonval 2010 (the model)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Split, SplitGradient
from otowake.core.types import Cost, Covariance, Gain, Images, Live, Mixture, Power
from otowake.divergence.density import Density, Gauss
from otowake.linalg.hermitian import riccati
from otowake.linalg.safe import mean_eigenvalue, tiny, variance_floor, widened
from otowake.ops import abs2, inverse
from otowake.ops.full import full_halves, full_turned, solved
from otowake.spatial.determined import DeterminedState
from otowake.spatial.jointdiag import JointDiag, JointDiagState
from otowake.spatial.projection import shared_out
from otowake.spatial.relevance import Held, check_relevance, relevance_cost, slopes
from otowake.spatial.shares import Directions

Spread = Complex[Tensor, "*b n f m m"]
"""S: one spatial covariance a source and bin."""


class FullRankState(NamedTuple):
    """S: *b n f m m;  C: covariances of the mixture *b f m m;  live: *b f."""

    S: Spread
    C: Covariance
    live: Live


@dataclass(frozen=True)
class FullRank:
    """Sources whose covariances are free.

    Args:
        sources: how many; more or fewer than microphones, or as many.
        density: of all microphones of a bin at once, of degree 2.
        relevance: what a source costs, in nats a cell for each factor e of its share; surplus ones go out.  0 is free.
    """

    sources: int
    density: Density = Gauss()
    relevance: float = 0.0
    proved = True

    def __post_init__(self) -> None:
        check_relevance("FullRank", self.relevance)
        if self.sources < 1:
            raise OtowakeError(f"FullRank: at least one source is needed, got {self.sources}.")
        if self.density.degree > 2 or self.density.axes:
            raise OtowakeError(
                f"{self.density} cannot be used with covariances of full rank; use gauss, t, laplace, cauchy or ggd of "
                "shape 2 or less."
            )

    def init(self, X: Mixture, seed: int) -> FullRankState:
        """At the recording's power: from far above r would be next to nothing beside the floor."""
        p = self.begun(JointDiag(self.sources).init(X, seed))
        return p._replace(S=p.S * mean_power(p.C)[..., None, None, None, None])

    def begun(self, p: DeterminedState | JointDiagState | FullRankState | Directions) -> FullRankState:
        """Of covariances that are known, or those of a jointly diagonalisable model: S = Q^-1 diag(g) Q^-H."""
        if isinstance(p, FullRankState):
            return p
        if isinstance(p, Directions):
            return FullRankState(widened(p.R.movedim(-3, -4)).contiguous(), p.C, p.live)
        p = JointDiag(self.sources).begun(p)
        A = inverse(p.Q).unsqueeze(-4)
        return FullRankState(widened((A * p.G.unsqueeze(-2)) @ A.mH), p.C, p.live)

    def observe(self, X: Mixture, p: FullRankState) -> Mixture:
        return X

    def power(self, o: Mixture, p: FullRankState) -> Power:
        """Nobody knows yet whose: the microphones' mean, for all."""
        v = abs2(o).mean(-3, keepdim=True)
        return v.expand(*v.shape[:-3], self.sources, *v.shape[-2:])

    def split(self, o: Mixture, p: FullRankState) -> Split:
        slope, e = self.density.slope(o, o.shape[-3]), floor(p.C)

        def at(r: Power) -> SplitGradient:
            neg, pos = full_halves(o, p.S, r, e, slope).unbind(-4)
            if self.relevance:
                pos = pos + (self._price(o, p, r) * _traces(p.S)).to(pos.dtype)
            return SplitGradient(neg, pos)

        return Split(at, (-1.0, 1.0))

    def update(self, X: Mixture, p: FullRankState, o: Mixture, r: Power) -> FullRankState:
        slope = self.density.slope(X, X.shape[-3])
        A, K = full_turned(X, p.S, r, floor(p.C), slope).unbind(-5)
        if self.relevance:
            total = (self._price(X, p, r) * r.expand(*r.shape[:-2], *X.shape[-2:])).sum(-1)
            A = A + total[..., None, None] * torch.eye(X.shape[-3], dtype=A.dtype, device=X.device)
        S = riccati(A, p.S @ K @ p.S, p.S)  # S A S = S_n K S_n
        return p._replace(S=torch.where(p.live[..., None, :, None, None], widened(S), p.S))

    def cost(self, X: Mixture, p: FullRankState, r: Power) -> Cost:
        each = [b.logs + self.density.rho(b.q, X.shape[-3]) for b in solved(X, p.S, r, floor(p.C))]
        cost = torch.cat(each, -2).sum((-2, -1))
        return cost + relevance_cost(self._held(X, p, r)) if self.relevance else cost

    def _held(self, X: Mixture, p: FullRankState, r: Power) -> Held:
        """Powers of sources in all microphones, and of the recording."""
        f, t = X.shape[-2:]
        N = (r.expand(*r.shape[:-2], f, t) * _traces(p.S)).sum((-2, -1))
        D = t * (_traces(p.C) + X.shape[-3] * floor(p.C)).sum((-2, -1))
        return Held(N.unsqueeze(-1), D[..., None, None], self.relevance * f * t)

    def _price(self, X: Mixture, p: FullRankState, r: Power) -> Float[Tensor, "*b n 1 1"]:
        """The slope of the sources' cost in their power."""
        return slopes(self._held(X, p, r))[1].unsqueeze(-1)

    def images(self, X: Mixture, p: FullRankState, r: Power, microphones: Sequence[int]) -> Images:
        mics, parts = list(microphones), []
        for b in solved(X, p.S, r, floor(p.C)):
            Su = torch.einsum("...nfij,...jft->...nift", b.S, b.u)  # of all, so that digits do not depend on the choice
            parts.append((Su[..., mics, :, :] * b.r.unsqueeze(-3)).to(X.dtype))
        heard, n = torch.cat(parts, -2), self.sources
        left = X[..., mics, :, :] - heard.sum(-4)  # e u
        return torch.where(
            p.live[..., None, None, :, None], heard + shared_out(left, n), shared_out(X[..., mics, :, :], n)
        )

    def gauge(self, p: FullRankState) -> tuple[FullRankState, Gain]:
        s = _traces(p.S).mean(-2, keepdim=True)
        s = torch.where(s > 0, s, torch.ones_like(s))
        return p._replace(S=p.S / s[..., None]), s


def mean_power(C: Covariance) -> Float[Tensor, "*b"]:
    """Of all bins and microphones; 1 for silence, and where its floor would be no number any more."""
    power = mean_eigenvalue(C).mean(-1)
    return torch.where(power * variance_floor(C) > tiny(power), power, torch.ones_like(power))


def floor(C: Covariance) -> Float[Tensor, "*b f 1"]:
    """e: in units of the recording's power, and of that of bins that are louder."""
    return variance_floor(C) * torch.maximum(mean_eigenvalue(C), mean_power(C).unsqueeze(-1)).unsqueeze(-1)


def _traces(S: Complex[Tensor, "*b f m m"]) -> Float[Tensor, "*b f 1"]:
    return S.diagonal(dim1=-2, dim2=-1).real.sum(-1, keepdim=True)
