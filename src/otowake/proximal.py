"""Plug-and-play demixing: any penalty, mask or denoiser as the source model, by splitting the problem in two.

Model    y_ft = W_f x_ft of the whitened mixture X <- (X X^H)^(-1/2) X, bin by bin: all singular values of X are 1
Cost     sum_q P_q(Y) - sum_f log|det W_f|;  masks belong to no cost: what is told of them is how far they are from rest
Prox     of -a log|det W|: singular values s <- (s + sqrt(s^2 + 4 a)) / 2;  shrink_q: of P_q, or a mask
Pds      W~ <- prox_a( W - a sum_q D_q X^H ),  Z_q = D_q + (2 W~ - W) X,  D~_q <- Z_q - shrink_q(Z_q),  1 / a penalties
         then W, D go a part of the way (`relax`) to W~, D~
Admm     W <- [ (V - U) + sum_q (Z_q - D_q) X^H ] / (1 + penalties)
         V <- prox_{1/rho}(W + U),  Z_q <- shrink_q(W X + D_q);   U <- U + W - V,  D_q <- D_q + W X - Z_q
Start    W = I, or that of another method, its rows of the length of those of I
Rest     primal and dual residual, relative to what they compare: both are 0 where the method comes to rest
Images   by projection back, as of all demixing here

-log|det| is not convex: no step is proved to descend.  Inactive bins and those of lower rank keep W = I.

Source   Yatabe & Kitamura 2018 (PDS); 2019 (masks).  ADMM: Boyd et al. 2011, section 3.  Residuals:
         Goldstein, Li, Yuan 2015.  Whitening bin by bin in place of a spectral norm: docs/papers/pds.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.types import Cost, Covariance, Demixer, Images, Live, Mixture, Spec
from otowake.linalg.safe import divide, rooted
from otowake.ops import (
    abs2,
    demixed,
    dual_ahead,
    dual_pull,
    dual_step,
    frame_sizes,
    inverse,
    log_abs_det,
    log_det_prox,
    norm,
)
from otowake.source.shrink import Group, Priced, Shrinks
from otowake.spatial.determined import Determined, DeterminedState
from otowake.spatial.projection import projected_images
from otowake.spatial.rank import covariance, full_rank_bins
from otowake.spatial.shares import Directions

Duals = Complex[Tensor, "*b q n f t"]
Shrunk = Callable[[Duals, float], Duals]
"""What every penalty makes of its copy of the sources by a step of some size."""


class PdsState(NamedTuple):
    """W: demixing of the whitened mixture *b f n m;  D: one dual a penalty *b q n f t."""

    W: Demixer
    D: Duals


class AdmmState(NamedTuple):
    """W and its copy V with the dual U, *b f n m;  Z: copies of the sources, D: their duals, *b q n f t."""

    W: Demixer
    V: Demixer
    U: Demixer
    Z: Duals
    D: Duals


class ProximalState(NamedTuple):
    """p: of the splitting;  Q: whitening *b f m m;  live: *b f;  price: of the penalties;  gap: both residuals."""

    p: Any
    Q: Covariance
    live: Live
    price: Float[Tensor, "*b q"]
    gap: Float[Tensor, "*b 2"]


@dataclass(frozen=True)
class Pds:
    """Primal-dual splitting.

    Args:
        relax: how far to go towards what a step finds, from above 0 to below 2; masks want 1 or less.
    """

    relax: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.relax < 2:
            raise OtowakeError(f"Pds: relax must be above 0 and below 2, got {self.relax:g}; 1 is usual.")

    def begin(self, W: Demixer, Y: Spec, penalties: int) -> PdsState:
        return PdsState(W, torch.zeros_like(_each(Y, penalties)))

    def step(self, X: Mixture, p: PdsState, shrunk: Shrunk) -> tuple[PdsState, Tensor]:
        W, D = p
        a, relax = 1 / D.shape[-4], W.real.new_full((1,), self.relax)
        near = toward_log_det(W - a * dual_pull(X, D), a)
        Z = dual_ahead(X, 2 * near - W, D)
        D, pull, sizes = dual_step(X, near, Z, shrunk(Z, 1.0), D, relax)
        primal = _ratio((W - near) / a + pull, near / a)
        gap = torch.stack([primal, divide(*sizes.unbind(-1))], -1)
        return PdsState(W + self.relax * (near - W), D), rooted(gap, 0.5)


@dataclass(frozen=True)
class Admm:
    """The alternating direction method of multipliers.

    Args:
        rho: how strongly copies are held together.
    """

    rho: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.rho < float("inf"):
            raise OtowakeError(f"Admm: rho must be a number above 0, got {self.rho:g}; 1 is usual.")

    def begin(self, W: Demixer, Y: Spec, penalties: int) -> AdmmState:
        Z = _each(Y, penalties)
        return AdmmState(W, W, torch.zeros_like(W), Z.clone(), torch.zeros_like(Z))

    def step(self, X: Mixture, p: AdmmState, shrunk: Shrunk) -> tuple[AdmmState, Tensor]:
        _, V, U, Z, D = p
        W = (V - U + dual_pull(X, Z - D)) / (1 + Z.shape[-4])
        new_V = toward_log_det(W + U, 1 / self.rho)
        over = dual_ahead(X, W, D)
        new_Z = shrunk(over, 1 / self.rho)
        new_D, _, sizes = dual_step(X, W, over, new_Z, D, W.real.new_ones(1))
        moved = frame_sizes(new_Z - Z).square().sum((-4, -3, -2, -1))
        gap = rooted(divide(torch.stack([sizes[..., 0], moved], -1), sizes[..., 1:]), 0.5)
        return AdmmState(W, new_V, U + W - new_V, new_Z, new_D), gap


Splitting = Pds | Admm


@dataclass(frozen=True)
class Proximal:
    """Demixing by what each source is drawn to.

    Args:
        shrinks: penalties, masks or both, and all count: `Group()`, `Sparse()`, `LowRank()`, `Harmonic()`, `Mask(of)`.
        splitting: `Pds()` or `Admm()`.
        tolerance: at rest when both residuals are below; 0 never stops.
        first: (X, seed) -> where demixing begins, as `Determined.begun` takes it; None: nowhere special.
    """

    shrinks: Shrinks = (Group(),)
    splitting: Splitting = Pds()
    tolerance: float = 1e-3
    first: Callable[[Mixture, int], DeterminedState | Directions] | None = None
    proved = False

    def __post_init__(self) -> None:
        if not self.shrinks:
            raise OtowakeError("Proximal: give one penalty or mask at least, such as Group().")
        if not 0 <= self.tolerance < 1:
            raise OtowakeError(f"Proximal: the tolerance must be from 0 to below 1, got {self.tolerance:g}; try 0.001.")

    def epoch(self, s: ProximalState) -> int:
        return 0

    def settled(self, s: ProximalState) -> bool:
        """Whether it has come to rest."""
        return bool((s.gap < self.tolerance).all())

    def reading(self, s: ProximalState) -> dict[str, float]:
        """Both residuals, the largest of a batch."""
        primal, dual = s.gap.flatten(0, -2).amax(0).tolist() if s.gap.ndim > 1 else s.gap.tolist()
        return {"primal_residual": primal, "dual_residual": dual}

    def init(self, X: Mixture, seed: int = 0) -> ProximalState:
        C = covariance(X)
        live = full_rank_bins(C)
        Q = whitening(C * X.shape[-1], live)
        W = torch.eye(X.shape[-3], dtype=C.dtype, device=X.device).expand_as(C).clone()
        if self.first is not None:
            found = Determined().begun(self.first(X, seed)).W @ inverse(Q)
            found = found / norm(found, (-1,)).unsqueeze(-1)
            W = torch.where(live[..., None, None], found, W)
        Y = demixed(_white(X, Q, live), W)
        p = self.splitting.begin(W, Y, len(self.shrinks))
        return ProximalState(p, Q, live, self._prices(Y, live), C.real.new_ones((*X.shape[:-3], 2)))

    def _prices(self, Y: Mixture, live: Live) -> Float[Tensor, "*b q"]:
        """So that all penalties, at the start, add up to the number of rows of W: where scaling W pays no more."""
        rows = live.sum(-1) * Y.shape[-3] / len(self.shrinks)
        one = torch.ones_like(rows, dtype=Y.real.dtype)
        each = [s.weight * divide(rows, s.cost(Y)) if isinstance(s, Priced) else one for s in self.shrinks]
        return torch.stack(each, -1)

    def step(self, X: Mixture, s: ProximalState) -> ProximalState:
        level = inverse(s.p.W @ s.Q)[..., 0, :].abs().mT.unsqueeze(-1).to(X.real.dtype)

        def shrunk(Z: Duals, a: float) -> Duals:
            parts = zip(self.shrinks, Z.unbind(-4), (a * s.price).unbind(-1), strict=True)
            each = [one.shrink(z, size[..., None, None, None], level) for one, z, size in parts]
            return torch.stack(each, -4) if len(each) > 1 else each[0].unsqueeze(-4)

        p, gap = self.splitting.step(_white(X, s.Q, s.live), s.p, shrunk)
        eye = torch.eye(X.shape[-3], dtype=s.Q.dtype, device=X.device)
        return s._replace(p=p._replace(W=torch.where(s.live[..., None, None], p.W, eye)), gap=gap.to(s.gap.dtype))

    def cost(self, X: Mixture, s: ProximalState) -> Cost:
        priced = [shrink for shrink in self.shrinks if isinstance(shrink, Priced)]
        if len(priced) < len(self.shrinks):
            return s.gap.amax(-1)
        Y = demixed(_white(X, s.Q, s.live), s.p.W)
        cost = -log_abs_det(s.p.W).sum(-1)
        for shrink, price in zip(priced, s.price.unbind(-1), strict=True):
            cost = cost + price * shrink.cost(Y)
        return cost

    def images(self, X: Mixture, s: ProximalState, microphones: Sequence[int]) -> Images:
        W = s.p.W @ s.Q
        return projected_images(X, demixed(X, W), inverse(W), s.live, microphones)

    def estimate(self, X: Mixture, s: ProximalState) -> Spec:
        """Each source as the first microphone hears it."""
        return self.images(X, s, (0,))[..., 0, :, :]


def toward_log_det(W: Demixer, a: float) -> Demixer:
    """The minimum over W' of |W' - W|^2 / 2 - a log|det W'|: W' - W = a W'^-H."""
    return log_det_prox(W, W.real.new_full((1,), a))


def whitening(C: Covariance, live: Live) -> Covariance:
    """C^(-1/2), and I in bins that are not live."""
    eye = torch.eye(C.shape[-1], dtype=C.dtype, device=C.device)
    values, E = torch.linalg.eigh(torch.where(live[..., None, None], C, eye))
    return (E * torch.rsqrt(values).unsqueeze(-2)) @ E.mH


def _white(X: Mixture, Q: Covariance, live: Live) -> Mixture:
    """Q X, and nothing in bins that are not live."""
    return demixed(X, Q * live[..., None, None])


def _each(Y: Spec, penalties: int) -> Duals:
    return Y.unsqueeze(-4).expand(*Y.shape[:-3], penalties, *Y.shape[-3:])


def _ratio(a: Demixer, b: Demixer) -> Float[Tensor, "*b"]:
    """|a|^2 / |b|^2 of all bins."""
    size_a, size_b = (abs2(x).sum((-3, -2, -1)) for x in (a, b))
    return divide(size_a, size_b)
