"""One sound in diffuse noise: demixing finds its direction, and diffuse noise, which has none, its full rank.

Model    x_ft ~ N_C(0, r_0 a a^H + r_1 (N_f + l_f a a^H)),  r: *b 2 f t, of the target and of the noise
         a: the target's column of W^-1;  N = (1/T) sum_t u u^H,  u = x - a y: what demixing heard of the others, rank
         M - 1;  l: how much of the noise comes from the target's direction, which demixing cannot tell
Prior    r_0 ~ inverse gamma (alpha, e)
Cost     sum_ft [ kap / r_1 + (M - 1) log r_1 + sig / s + log s + (alpha + 1) log r_0 + e / r_0 ],  s = r_0 + l r_1
         sig = |w^H x|^2,  kap = u^H N^+ u + e = y'^H C'^-1 y' + e,  y' the other outputs, C' their covariance:
         the likelihood of x but for a constant of each bin
Updates  r_0 <- r_0 [ (sig / s^2 + e / r_0^2) / (1 / s + (alpha + 1) / r_0) ]^1/2
         r_1 <- r_1 [ (kap / r_1 + sig l r_1 / s^2) / (M - 1 + l r_1 / s) ]^1/2
         l   <- l [ sum_t (r_1 sig / s^2) / sum_t (r_1 / s) ]^1/2               each bounds the cost and touches it
Images   c_m = a_m r_0 / s w^H x; the rest is the noise

Source   Kubo, Takamune, Kitamura, Saruwatari 2020 (RCSCME), with b = a; written without inverses of M x M matrices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.run import iterate, last, until
from otowake.core.separator import Separator
from otowake.core.types import Cost, Images, Live, Mixture, Power, Spec
from otowake.linalg.safe import divide, tiny, variance_floor
from otowake.ops import abs2, demixed, inverse
from otowake.spatial.projection import shared_out


class RankConstrainedState(NamedTuple):
    """r: *b 2 f t;  l: *b f;  v: sig and kap *b 2 f t;  w: w^H of the target *b f m;  a: *b f m;  live: *b f."""

    r: Power
    l: Float[Tensor, "*b f"]  # noqa: E741
    v: Power
    w: Complex[Tensor, "*b f m"]
    a: Complex[Tensor, "*b f m"]
    live: Live


@dataclass(frozen=True)
class RankConstrained:
    """The target of a demixing method, freed from diffuse noise.

    Args:
        first: a demixing method with as many outputs as microphones; it runs inside `init`.
        steps: how long.
        target: which output is the target, from 0; None: the one whose powers are spread widest (speech in noise).
        alpha: of the prior, above -1: the larger, the quieter the target; to 0 a weight only, above it a density.
    """

    first: Separator
    steps: int = 30
    target: int | None = None
    alpha: float = -0.5
    proved = True

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise OtowakeError(f"A start takes 0 iterations or more, got {self.steps}.")
        if not self.alpha > -1:
            raise OtowakeError(f"RCSCME: alpha must be above -1, got {self.alpha:g}; try -0.5.")

    def epoch(self, s: RankConstrainedState) -> int:
        return 0

    def init(self, X: Mixture, seed: int = 0) -> RankConstrainedState:
        m = X.shape[-3]
        if m < 2 or (self.target is not None and not 0 <= self.target < m):
            raise OtowakeError(
                f"RCSCME: there is no target {(self.target or 0) + 1} in {m} channels; it takes 2 or more."
            )
        s = last(until(iterate(self.first, X, seed=seed), steps=self.steps)).state
        p, _ = self.first.spatial.gauge(s.p)
        W = self._target_first(demixed(X, p.W), p.W)
        A, Y = inverse(W), demixed(X, W)
        eye = torch.eye(m - 1, dtype=W.dtype, device=X.device)
        others = torch.where(p.live[..., None, None], W[..., 1:, :] @ p.C @ W[..., 1:, :].mH, eye)
        e = variance_floor(X)
        kap = (Y[..., 1:, :, :].conj() * demixed(Y[..., 1:, :, :], inverse(others))).sum(-3).real
        v = torch.stack([abs2(Y[..., 0, :, :]), kap.clamp_min(0) + e], -3)
        spread = A[..., :, 1:] @ others @ A[..., :, 1:].mH
        share = spread.diagonal(dim1=-2, dim2=-1).real.sum(-1) / (m - 1)
        a = A[..., 0]
        return RankConstrainedState(v + e, divide(share, abs2(a).sum(-1)).to(v.dtype), v, W[..., 0, :], a, p.live)

    def _target_first(self, Y: Spec, W: Complex[Tensor, "*b f n m"]) -> Complex[Tensor, "*b f n m"]:
        """Rows in another order."""
        n = W.shape[-2]
        if self.target is None:
            v = abs2(Y)
            peaks = divide(v.square().mean(-1), v.mean(-1).square().clamp_min(tiny(v)))  # kurtosis of a bin
            target = peaks.mean(-1).argmax(-1, keepdim=True)
        else:
            target = torch.full((*Y.shape[:-3], 1), self.target, device=Y.device)
        order = torch.argsort((torch.arange(n, device=Y.device) != target).int(), dim=-1, stable=True)
        return torch.take_along_dim(W, order[..., None, :, None], -2)

    def step(self, X: Mixture, s: RankConstrainedState) -> RankConstrainedState:
        (sig, kap), (t, n), l = s.v.unbind(-3), s.r.unbind(-3), s.l.unsqueeze(-1)  # noqa: E741
        e, m = variance_floor(X), X.shape[-3]
        z = t + l * n
        t = t * torch.sqrt((sig / z**2 + e / t**2) / (1 / z + (self.alpha + 1) / t))
        z = t + l * n
        n = n * torch.sqrt((kap / n + sig * l * n / z**2) / (m - 1 + l * n / z))
        z = t + l * n
        l = l * torch.sqrt((n * sig / z**2).sum(-1, keepdim=True) / (n / z).sum(-1, keepdim=True))  # noqa: E741
        return s._replace(r=torch.stack([t, n], -3), l=l.squeeze(-1))

    def cost(self, X: Mixture, s: RankConstrainedState) -> Cost:
        (sig, kap), (t, n) = s.v.unbind(-3), s.r.unbind(-3)
        z, m = t + s.l.unsqueeze(-1) * n, X.shape[-3]
        prior = (self.alpha + 1) * t.log() + variance_floor(X) / t
        return (kap / n + (m - 1) * n.log() + sig / z + z.log() + prior).sum((-2, -1))

    def images(self, X: Mixture, s: RankConstrainedState, microphones: Sequence[int]) -> Images:
        mics, (t, n) = list(microphones), s.r.unbind(-3)
        y = demixed(X, s.w.unsqueeze(-2)) * (t / (t + s.l.unsqueeze(-1) * n)).unsqueeze(-3)
        heard = (s.a.to(X.dtype)[..., mics].mT.unsqueeze(-1) * y).unsqueeze(-4)
        return torch.where(s.live[..., None, None, :, None], heard, shared_out(X[..., mics, :, :], X.shape[-3]))

    def estimate(self, X: Mixture, s: RankConstrainedState) -> Spec:
        return self.images(X, s, (0,))[..., 0, :, :]
