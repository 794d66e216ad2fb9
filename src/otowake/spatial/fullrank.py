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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Split, SplitGradient
from otowake.core.types import Cost, Covariance, Covariances, Gain, Images, Live, Mixture, Power
from otowake.divergence.density import Density, Gauss
from otowake.linalg.hermitian import inverse_and_logdet, riccati
from otowake.linalg.safe import mean_eigenvalue, tiny, variance_floor, widened
from otowake.ops import abs2
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


class Block(NamedTuple):
    """Some bins: u = R^-1 x *b m f t;  V = R^-1 *b m m f t;  w = rho'(q) *b 1 f t;  cost: of each *b f."""

    u: Mixture
    V: Complex[Tensor, "*b m m f t"]
    w: Power
    cost: Float[Tensor, "*b f"]


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

    def begun(self, p: DeterminedState | JointDiagState | Directions) -> FullRankState:
        """Of covariances that are known, or those of a jointly diagonalisable model: S = Q^-1 diag(g) Q^-H."""
        if isinstance(p, Directions):
            return FullRankState(widened(p.R.movedim(-3, -4)).contiguous(), p.C, p.live)
        p = JointDiag(self.sources).begun(p)
        A = torch.linalg.inv_ex(p.Q).inverse.unsqueeze(-4)
        return FullRankState(widened((A * p.G.unsqueeze(-2)) @ A.mH), p.C, p.live)

    def observe(self, X: Mixture, p: FullRankState) -> Mixture:
        return X

    def power(self, o: Mixture, p: FullRankState) -> Power:
        """Nobody knows yet whose: the microphones' mean, for all."""
        v = abs2(o).mean(-3, keepdim=True)
        return v.expand(*v.shape[:-3], self.sources, *v.shape[-2:])

    def split(self, o: Mixture, p: FullRankState) -> Split:
        def at(r: Power) -> SplitGradient:
            halves = [_heard(S, b) for S, _, b in self._blocks(o, p, r)]
            neg, pos = (torch.cat(half, -2) for half in zip(*halves, strict=True))
            return SplitGradient(neg, pos + self._price(o, p, r) * _traces(p.S) if self.relevance else pos)

        return Split(at, (-1.0, 1.0))

    def update(self, X: Mixture, p: FullRankState, o: Mixture, r: Power) -> FullRankState:
        price = self._price(X, p, r) if self.relevance else r.new_zeros(())
        S = torch.cat([_turned(*block, price) for block in self._blocks(X, p, r)], -3)
        return p._replace(S=torch.where(p.live[..., None, :, None, None], widened(S), p.S))

    def cost(self, X: Mixture, p: FullRankState, r: Power) -> Cost:
        cost = torch.cat([b.cost for _, _, b in self._blocks(X, p, r)], -1).sum(-1)
        return cost + relevance_cost(self._held(X, p, r)) if self.relevance else cost

    def _held(self, X: Mixture, p: FullRankState, r: Power) -> Held:
        """Powers of sources in all microphones, and of the recording."""
        f, t = X.shape[-2:]
        N = (r.expand(*r.shape[:-2], f, t) * _traces(p.S)).sum((-2, -1))
        D = t * (_traces(p.C).squeeze(-1) + X.shape[-3] * floor(p.C)).sum(-1)
        return Held(N.unsqueeze(-1), D[..., None, None], self.relevance * f * t)

    def _price(self, X: Mixture, p: FullRankState, r: Power) -> Float[Tensor, "*b n 1 1"]:
        """The slope of the sources' cost in their power."""
        return slopes(self._held(X, p, r))[1].unsqueeze(-1)

    def images(self, X: Mixture, p: FullRankState, r: Power, microphones: Sequence[int]) -> Images:
        mics, parts = list(microphones), []
        for S, some, b in self._blocks(X, p, r):
            Su = torch.einsum("...nfij,...jft->...nift", S, b.u)  # of all, so that digits do not depend on the choice
            parts.append(Su[..., mics, :, :] * some.unsqueeze(-3))
        heard, n = torch.cat(parts, -2), self.sources
        left = X[..., mics, :, :] - heard.sum(-4)  # e u
        return torch.where(
            p.live[..., None, None, :, None], heard + shared_out(left, n), shared_out(X[..., mics, :, :], n)
        )

    def gauge(self, p: FullRankState) -> tuple[FullRankState, Gain]:
        s = _traces(p.S).mean(-2, keepdim=True)
        s = torch.where(s > 0, s, torch.ones_like(s))
        return p._replace(S=p.S / s[..., None]), s

    def _blocks(self, X: Mixture, p: FullRankState, r: Power) -> Iterator[tuple[Spread, Power, Block]]:
        """(S, r, what follows from them) of some bins at a time: R is M times as large as X."""
        m, f, _ = X.shape[-3:]
        r = r.expand(*r.shape[:-2], *X.shape[-2:])
        size = max(1, f // (4 * m))
        e = floor(p.C)
        for first in range(0, f, size):
            some = slice(first, first + size)
            S, part = p.S[..., some, :, :], r[..., some, :]
            yield S, part, self._solved(X[..., some, :], S, part, e[..., some])

    def _solved(self, x: Mixture, S: Spread, r: Power, e: Float[Tensor, "*b f"]) -> Block:
        m = x.shape[-3]
        R = torch.einsum("...nfij,...nft->...ijft", S, r.to(S.dtype))
        eye = torch.eye(m, dtype=R.dtype, device=R.device)[..., None, None]
        R = R + e[..., None, None, :, None] * eye
        V, logs = inverse_and_logdet(R)
        u = torch.einsum("...ijft,...jft->...ift", V, x)
        q = (x.conj() * u).sum(-3).real.clamp_min(0)
        cost = (logs + self.density.rho(q, m)).sum(-1)
        return Block(u, V, self.density.drho(q, m).unsqueeze(-3), cost)


def mean_power(C: Covariance) -> Float[Tensor, "*b"]:
    """Of all bins and microphones; 1 for silence, and where its floor would be no number any more."""
    power = mean_eigenvalue(C).mean(-1)
    return torch.where(power * variance_floor(C) > tiny(power), power, torch.ones_like(power))


def floor(C: Covariance) -> Float[Tensor, "*b f"]:
    """e: in units of the recording's power, and of that of bins that are louder."""
    return variance_floor(C) * torch.maximum(mean_eigenvalue(C), mean_power(C).unsqueeze(-1))


def _heard(S: Spread, b: Block) -> tuple[Power, Power]:
    """(rho'(q) u^H S_n u, tr(R^-1 S_n)) of each source."""
    Su = torch.einsum("...nfij,...jft->...nift", S, b.u)
    neg = b.w * (b.u.conj().unsqueeze(-4) * Su).real.sum(-3)
    return neg.clamp_min(0), torch.einsum("...nfij,...jift->...nft", S, b.V).real.clamp_min(0)


def _traces(S: Complex[Tensor, "*b f m m"]) -> Float[Tensor, "*b f 1"]:
    return S.diagonal(dim1=-2, dim2=-1).real.sum(-1, keepdim=True)


def _turned(S: Spread, r: Power, b: Block, price: Float[Tensor, "..."]) -> Covariances:
    """S A S = S_n K S_n for S."""
    A = torch.einsum("...nft,...ijft->...nfij", r.to(b.V.dtype), b.V)
    A = A + (price * r).sum(-1)[..., None, None] * torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
    K = torch.einsum("...nft,...ift,...jft->...nfij", (r * b.w).to(b.u.dtype), b.u, b.u.conj())
    return riccati(A, S @ K @ S, S)
