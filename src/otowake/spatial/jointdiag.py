"""Any number of sources and microphones: one matrix a bin makes the covariances of all sources diagonal (FastMNMF).

Model    Q_f x_ft has independent channels of scale Y_mft = sum_n r_nft g_nfm + e_m;  e > 0 is frozen
Cost     sum_mft [ log Y + rho(P / Y) ] - 2 T sum_f log|det Q_f|,   P_mft = |(Q_f x_ft)_m|^2
Split    neg_n = sum_m g_nfm neg_m,  pos_n = sum_m g_nfm pos_m;  neg_m, pos_m: those of the density at Y
Updates  g <- g ( sum_t r_n neg_m / sum_t r_n pos_m )^(1 / (1 - low))       sums over f, too, where g is the same in all
         Q_f <- demix(X, Q_f, phi),  phi: the density's weight at (P, Y)
Gauge    d_m = mean_f q_m^H C_f q_m:  q_m /= sqrt(d_m),  g_nfm /= d_m,  e_m /= d_m
         s_n = mean_f sum_m g_nfm:  g_n /= s_n,  r_n *= s_n:  neutral, both
Surplus  with relevance > 0 the cost of `relevance.py`, N_nm = sum_ft r_nft g_nfm, D_m = sum_ft Y_mft, joins all of it
Images   c_nm = sum_i [Q^-1]_mi (Q x)_i (r_n g_ni + e_i / N) / Y_i: Wiener, with the floor shared out; they add up to x

A start with G near ones and zeros is near `Determined`.  Bins that are not demixed: as there (docs/decisions/0003).

Source   Sekiguchi, Bando, Nugraha, Yoshii, Kawahara 2020 (FastMNMF1: `each_bin`, FastMNMF2: `all_bins`);
         Ito & Nakatani 2019 (the same model); Scheibler & Ono 2020 (ISS).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Split, SplitGradient
from otowake.core.types import Cost, Covariance, Gain, Images, Live, Mixture, Power
from otowake.divergence.density import Density, Gauss
from otowake.linalg.safe import divide, rooted, variance_floor
from otowake.ops import demixed, demixed_power, inverse, unit_rows
from otowake.ops.joint import channels, heard, joint_shares, joint_weight, jointly
from otowake.spatial.demix.ip import ip1
from otowake.spatial.demix.update import Demix, degree
from otowake.spatial.determined import DeterminedState, volume
from otowake.spatial.projection import shared_out
from otowake.spatial.rank import covariance, full_rank_bins
from otowake.spatial.relevance import POWERS, Held, check_relevance, relevance_cost, slopes
from otowake.spatial.shares import Directions, Shares, diagonalised, each_bin

_AT_ONCE = 2**24
"""Bytes of spectra that images are made of at a time."""


class JointDiagState(NamedTuple):
    """Q: *b f m m;  G: *b n #f m;  e: *b m 1 1;  C: covariances of the mixture *b f m m;  live: *b f."""

    Q: Covariance
    G: Shares
    e: Float[Tensor, "*b m 1 1"]
    C: Covariance
    live: Live


@dataclass(frozen=True)
class JointDiag:
    """Sources of full rank whose covariances one matrix Q a bin makes diagonal.

    Args:
        sources: how many; more or fewer than microphones, or as many.
        demix: the update of Q (`ip1`, `ip2`, `iss1`, `iss2`, `ipa`).
        density: of each channel of Q x, of degree 2.
        shares: where G begins, and whether it differs from bin to bin: `each_bin` or `all_bins`.
        relevance: what a source costs, in nats a cell for each factor e of its share; surplus ones go out.  0 is free.
    """

    sources: int
    demix: Demix = ip1
    density: Density = Gauss()
    shares: Callable[[Covariance, int], Shares] = each_bin
    relevance: float = 0.0

    @property
    def proved(self) -> bool:
        return self.density.low < -0.5  # as for Determined

    def __post_init__(self) -> None:
        check_relevance("JointDiag", self.relevance)
        if self.sources < 1:
            raise OtowakeError(f"JointDiag: at least one source is needed, got {self.sources}.")
        if self.density.degree > 2 or self.density.axes or degree(self.demix) > 2:
            raise OtowakeError(
                f"{self.density} cannot be used where sources overlap in a channel; use gauss, t, laplace, cauchy or "
                "ggd of shape 2 or less."
            )

    def init(self, X: Mixture, seed: int) -> JointDiagState:
        C = covariance(X)
        Q = torch.eye(X.shape[-3], dtype=C.dtype, device=X.device).expand_as(C).clone()
        return self.begun(DeterminedState(Q, C, full_rank_bins(C)))

    def begun(self, p: DeterminedState | JointDiagState | Directions) -> JointDiagState:
        """On top of a demixing matrix, whose rows are those of Q, or of covariances, that Q makes nearly diagonal."""
        if isinstance(p, JointDiagState):
            return p._replace(G=p.G.expand_as(self.shares(p.C, self.sources)).clone())
        e = p.C.real.new_full((*p.C.shape[:-3], p.C.shape[-1], 1, 1), variance_floor(p.C))
        if isinstance(p, Directions):
            return JointDiagState(*diagonalised(p, self.shares), e, p.C, p.live)
        return JointDiagState(p.W, self.shares(p.C, self.sources), e, p.C, p.live)

    def observe(self, X: Mixture, p: JointDiagState) -> Power:
        return demixed_power(X, p.Q)

    def power(self, o: Power, p: JointDiagState) -> Power:
        """What the channels of each source have, weighted by its shares in them."""
        return heard(divide(p.G, p.G.sum(-1, keepdim=True)), o)

    def split(self, o: Power, p: JointDiagState) -> Split:
        one = self.density.split(o)

        def at(r: Power) -> SplitGradient:
            halves = [heard(p.G, half) for half in one(channels(r, p.G, p.e).expand_as(o))]
            if self.relevance:
                own = (_heard_alone(p.G, half) for half in slopes(self._held(o, p, r)))
                halves = [half + more.to(half.dtype) for half, more in zip(halves, own, strict=True)]
            return SplitGradient(*halves)

        return Split(at, self._powers, factored=None if self.relevance else jointly(o, p.G, p.e, self.density.slope(o)))

    def update(self, X: Mixture, p: JointDiagState, o: Power, r: Power) -> JointDiagState:
        p = self._shares_updated(p, o, r)
        Q = self.demix(X, p.Q, joint_weight(o, r, p.G, p.e, self.density.slope(o)))
        return p._replace(Q=torch.where(p.live[..., None, None], Q, p.Q))

    def _shares_updated(self, p: JointDiagState, o: Power, r: Power) -> JointDiagState:
        neg, pos = joint_shares(o, r, p.G, p.e, self.density.slope(o)).unbind(-4)
        if self.relevance:
            total = _over_time(o, r, p.G.shape[-2])
            less, more = slopes(self._held(o, p, r))
            neg, pos = neg + total * less.unsqueeze(-2), pos + total * more.unsqueeze(-2)
        low, high = self._powers
        return p._replace(G=p.G * rooted(divide(neg, pos), 1 / (high - low)))

    @property
    def _powers(self) -> tuple[float, float]:
        """Of r in the cost: the logarithm of a sum is bounded by its tangent."""
        low, high = POWERS if self.relevance else (0.0, 1.0)
        return min(self.density.low, low), high

    def _held(self, o: Mixture | Power, p: JointDiagState, r: Power) -> Held:
        """Powers of sources in channels, and of channels."""
        f, t = o.shape[-2:]
        N = (p.G * _over_time(o, r, p.G.shape[-2])).sum(-2)
        return Held(N, N.sum(-2, keepdim=True) + f * t * p.e[..., 0].mT, self.relevance * f * t)

    def cost(self, X: Mixture, p: JointDiagState, r: Power) -> Cost:
        cost = self.density.cost(self.observe(X, p), channels(r, p.G, p.e)) + volume(p.Q, X.shape[-1])
        return cost + relevance_cost(self._held(X, p, r)) if self.relevance else cost

    def images(self, X: Mixture, p: JointDiagState, r: Power, microphones: Sequence[int]) -> Images:
        some = max(1, _AT_ONCE // X[..., 0, :].nbytes)
        bins = [slice(f, f + some) for f in range(0, X.shape[-2], some)]
        own = [p._replace(Q=p.Q[..., f, :, :], G=_of(p.G, f), live=p.live[..., f]) for f in bins]
        return torch.cat([_images(X[..., f, :], q, _of(r, f), list(microphones)) for f, q in zip(bins, own)], -2)

    def gauge(self, p: JointDiagState) -> tuple[JointDiagState, Gain]:
        Q, a = unit_rows(p.Q, p.C)  # a: *b m
        G = p.G * a[..., None, None, :]
        s = G.sum(-1).mean(-1)[..., None, None]  # *b n 1 1
        s = torch.where(s > 0, s, torch.ones_like(s))
        return p._replace(Q=Q, G=G / s, e=p.e * a[..., None, None]), s


def _images(X: Mixture, p: JointDiagState, r: Power, mics: list[int]) -> Images:
    A, n = inverse(p.Q)[..., mics, :], p.G.shape[-3]
    U = demixed(X, p.Q) / channels(r, p.G, p.e)
    alone = (channels(r[..., k : k + 1, :, :], p.G[..., k : k + 1, :, :], p.e / n) for k in range(n))
    heard = torch.stack([demixed(U * each, A) for each in alone], -4)
    return torch.where(p.live[..., None, None, :, None], heard, shared_out(X[..., mics, :, :], n))


def _of(x: Tensor, bins: slice) -> Tensor:
    """Some bins of *b n #f k."""
    return x[..., bins, :] if x.shape[-2] > 1 else x


def _heard_alone(G: Shares, half: Float[Tensor, "*b #n m"]) -> Float[Tensor, "*b n #f 1"]:
    """sum_m g_nm x_nm."""
    return (G * half.unsqueeze(-2)).sum(-1, keepdim=True)


def _over_time(o: Mixture | Power, r: Power, bins: int) -> Float[Tensor, "*b n #f 1"]:
    """sum_t r_n, and over f where G has one number for all bins."""
    total = r.expand(*r.shape[:-2], *o.shape[-2:]).sum(-1, keepdim=True)
    return total if bins > 1 else total.sum(-2, keepdim=True)
