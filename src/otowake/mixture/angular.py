"""Directional mixtures: every cell (bin and frame) belongs to one source, and the direction of x_ft tells to which.

Model    x_ft ~ sum_n pi_n N_C(0, lam_nft R_nf),   lam_nft > 0 free:   levels say nothing, directions all
         S_ft = x x^H + e |x|^2 / M I:   what a cell says, with a little noise from everywhere
Cost     - sum_ft log sum_n pi_n |R_nf|^-1 (q_nft / |x|^2)^-M  +  a sum_nf [ log|R| + M log(tr R^-1 / M) ],
         q_nft = tr(R_nf^-1 S_ft):   a = `prior` frames of noise from everywhere, in each bin and source
E        gamma_nft ~ pi_n |R_nf|^-1 q_nft^-M,   sum_n gamma = 1                                                (1)
M        R_nf ~ M sum_t gamma_nft S_ft / q_nft  +  a M I / tr R_nf^-1,   tr R = M,   pi = mean of gamma        (2)
         log q <= log q' + q / q' - 1 with the old q':   each step descends
Weights  pi_nf, one a bin: bins know nothing of each other, sources are put in order afterwards
         pi_nt, one a frame: what is heard in a frame is heard in all of its bins

With lam at its best, q / M, this likelihood is that of the complex angular central Gaussian of x / |x|, up to a
constant: a cACGMM and a cGMM are one model.  Cells without sound say nothing and have gamma = pi.

Source   Ito, Araki, Nakatani 2016 (cACGMM); Higuchi, Ito, Yoshioka, Nakatani 2016 (cGMM); Otsuka et al. 2014 (prior);
         Ito, Araki, Nakatani 2013 (pi_nt).  Ours: e as a part of the cost, and the free scale of the prior.
         Derivations: docs/papers/cacgmm.md, docs/papers/cgmm.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.random import uniform
from otowake.core.types import Cost, Covariances, Images, Mixture, Power, Spec
from otowake.core.wrap import Warm
from otowake.linalg.safe import balanced, isotropy, mean_eigenvalue
from otowake.ops import abs2, angular_posterior, demixed_radius, weighted_covariance
from otowake.ops.angular import joint, noisy_radius, weighed
from otowake.signal.filters import Output, Shares, wiener
from otowake.signal.permutation import align, ordered


@runtime_checkable
class Weights(Protocol):
    """gamma *b n f t -> pi, its mean over frames (*b n f 1) or bins (*b n 1 t)."""

    def __call__(self, gamma: Power) -> Power: ...


def per_bin(gamma: Power) -> Power:
    """pi_nf: how often a source is heard in a bin."""
    return gamma.mean(-1, keepdim=True)


def per_frame(gamma: Power) -> Power:
    """pi_nt: how much of a frame is a source's."""
    return gamma.mean(-2, keepdim=True)


WEIGHTS: dict[str, Weights] = {"frame": per_frame, "bin": per_bin}
"""Every way to tie the weights, by name."""


class AngularState(NamedTuple):
    """gamma: masks *b n f t, whose means are pi;  R: covariances of directions *b f n m m, of unit mean eigenvalue."""

    gamma: Power
    R: Covariances


class Inverse(NamedTuple):
    """W: *b f n m m with W^H W = R^-1;  log_det: log|R|, and trace: tr R^-1, both *b f n."""

    W: Covariances
    log_det: Float[Tensor, "*b f n"]
    trace: Float[Tensor, "*b f n"]


@dataclass(frozen=True)
class AngularMixture:
    """A mixture of directions.

    Args:
        sources: how many; more than microphones, too.
        prior: how many frames of noise from everywhere the prior of R is worth; 0 is none.
        weights: `per_bin` or `per_frame`.
        output: how masks become sounds (`wiener`, `mwf`, `mvdr`, `mask`).
    """

    sources: int = 2
    prior: float = 0.0
    weights: Weights = per_bin
    output: Output = wiener
    proved = True

    def __post_init__(self) -> None:
        if not 1 <= self.sources <= 1000:
            raise OtowakeError(f"A mixture of directions has 1 to 1000 sources, got {self.sources}.")
        if not 0 <= self.prior <= 1e6:
            raise OtowakeError(f"The prior is worth 0 to a million frames, got {self.prior:g}; 0 is none.")

    def epoch(self, s: AngularState) -> int:
        return 0

    def init(self, X: Mixture, seed: int = 0) -> AngularState:
        """gamma ~ U(0, 1) in every cell, the same for each item of a batch, and the R that follow."""
        *batch, m, f, t = X.shape
        if m == 1:
            raise OtowakeError("A mixture of directions compares microphones; give two channels or more.")
        shape = (self.sources, f, t)
        gamma = uniform(seed, shape, X.real, stream=0, low=0.0).expand(*batch, *shape)
        gamma = gamma / gamma.sum(-3, keepdim=True)
        known = inverse(torch.eye(m, dtype=torch.complex128, device=X.device).expand(*batch, f, self.sources, m, m))
        return self.m_step(X, gamma, weighed(X, gamma, radius(X, known)), known)

    def step(self, X: Mixture, s: AngularState) -> AngularState:
        return self.m_step(X, *self.e_step(X, s))

    def e_step(self, X: Mixture, s: AngularState) -> tuple[Power, Power, Inverse]:
        """gamma, gamma / q, and what q is made with."""
        known = inverse(s.R)
        noise = isotropy(X) * known.trace
        gamma, w = angular_posterior(X, known.W, self.weights(s.gamma), known.log_det, noise).unbind(-4)  # (1)
        return gamma, w, known

    def m_step(self, X: Mixture, gamma: Power, w: Power, known: Inverse) -> AngularState:
        V = weighted_covariance(X, w)
        noise = isotropy(X) * mean_eigenvalue(V) + self.prior / (X.shape[-1] * known.trace)
        eye = torch.eye(X.shape[-3], dtype=V.dtype, device=X.device)
        return AngularState(gamma, balanced(V + noise[..., None, None] * eye))  # (2)

    def cost(self, X: Mixture, s: AngularState) -> Cost:
        known = inverse(s.R)
        spread = known.log_det + X.shape[-3] * torch.log(known.trace / X.shape[-3])
        fit = torch.logsumexp(joint(X, radius(X, known), self.weights(s.gamma), known.log_det), dim=-3)
        return self.prior * spread.sum((-2, -1)) - fit.sum((-2, -1))

    def shares(self, X: Mixture, s: AngularState) -> Shares:
        """What every cell is made of, the sources of all bins in one order."""
        gamma, _, known = self.e_step(X, s)
        found = Shares(gamma, gamma * radius(X, known) / X.shape[-3], s.R)
        return arranged(found) if self.weights is per_bin else found

    def masks(self, X: Mixture, s: AngularState) -> Power:
        return self.shares(X, s).gamma

    def images(self, X: Mixture, s: AngularState, microphones: Sequence[int]) -> Images:
        return self.output(X, self.shares(X, s), microphones)

    def estimate(self, X: Mixture, s: AngularState) -> Spec:
        """Each source as the first microphone hears it."""
        return self.images(X, s, (0,))[..., 0, :, :]


def inverse(R: Covariances) -> Inverse:
    L = torch.linalg.cholesky_ex(R).L
    eye = torch.eye(R.shape[-1], dtype=R.dtype, device=R.device).expand_as(R)
    W = torch.linalg.solve_triangular(L, eye, upper=False)
    log_det = 2 * torch.log(L.diagonal(dim1=-2, dim2=-1).real).sum(-1)
    return Inverse(W, log_det, abs2(W).sum((-2, -1)))


def radius(X: Mixture, known: Inverse) -> Power:
    """q_nft = tr(R_nf^-1 S_ft) = |W x|^2 + e |x|^2 / M tr R^-1."""
    return noisy_radius(X, demixed_radius(X, known.W), isotropy(X) * known.trace)


S = TypeVar("S", AngularState, Shares)


def arranged(s: S) -> S:
    """The same with the sources of all bins in one order, by their masks."""
    order = align(s.gamma)

    def of_cells(x: Power) -> Power:
        return ordered(x.transpose(-3, -2), order).transpose(-3, -2).contiguous()

    cells = {name: of_cells(x) for name, x in s._asdict().items() if name != "R"}
    return s._replace(**cells, R=ordered(s.R, order))


ALIGN = 20
"""Iterations in which each bin is alone, before the sources of all bins get one order."""


def aligned(mixture: AngularMixture, steps: int = ALIGN) -> Warm:
    """The mixture with weights for each bin; then in one order, with weights for each frame."""
    return Warm(replace(mixture, weights=per_bin), replace(mixture, weights=per_frame), steps, hand=arranged)
