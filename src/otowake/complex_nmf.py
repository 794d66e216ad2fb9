"""Complex NMF: one channel as a sum of spectra that keep their own phases, so that sounds may cancel each other.

Model    x_ft = sum_nk c_nkft + noise,  c = a e,  a_nkft = b_nfk h_nkt >= 0,  |e_nkft| = 1,  sum_f b = 1
Cost     sum_ft |d_ft|^2 + 2 w sum_nkt (l_nk h_nkt)^p,   d = x - sum_nk c  what is left,   l_nk = sum_f b_nfk
         p = `shape` of a generalised Gaussian prior of the gains, w ~ `sparsity` (see `weight`)
Bound    |d|^2 <= sum_nk |a' e' - (a/s) u|^2 s/a,   s_ft = sum_nk a,   u = s e + d:   what a component is drawn to
         the sum of squares of the new a' e' has a minimum in closed form, there is nothing to divide by
Updates  e <- u / |u|,  b <- b * [ sum_t h |u| ] / [ sum_t h s + w p l^(p-1) sum_t h^p ]        at once, then u anew:
         e <- u / |u|,  h <- h * [ sum_f b |u| ] / [ sum_f b s + w p l^p h^(p-1) ],   then l <- 1: b / l, l h
Images   sum_k c_nk + d s_n / s: they add up to x exactly

Source   Kameoka, Ono, Kashino, Sagayama 2009.  Ours: the form without division, the sparse term that feels no
         exchange of scale between b and h, the weight that feels no gain: docs/papers/complex_nmf.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.random import uniform
from otowake.core.types import Cost, Images, Mixture, Spec
from otowake.linalg.safe import divide, polar, rooted, tiny
from otowake.ops import abs2

_AT_ONCE = 2**16
"""Phases that are updated at a time: bins by the handful, which stay in the cache and cost no memory."""


class ComplexNmfState(NamedTuple):
    """B: bases *b n f k;  H: gains *b n k t;  E: phases *b n k f t, |E| = 1."""

    B: Float[Tensor, "*b n f k"]
    H: Float[Tensor, "*b n k t"]
    E: Complex[Tensor, "*b n k f t"]


@dataclass(frozen=True)
class ComplexNmf:
    """Each source is a sum of `bases` spectra with gains over time and phases in every bin.

    Args:
        sources: how many outputs.
        bases: spectra a source.
        sparsity: what gains cost: gains that are all equal pay this share of the mixture's energy.
        shape: p, from above 0 to 2: the smaller, the more gains are next to nothing.
        spread: how far from the mixture's phase the phases start, 0 to 1 (anywhere).  At 0 they stay there for ever,
            and what is left is NMF of the magnitudes (Lee and Seung's least squares).
    """

    sources: int = 8
    bases: int = 1
    sparsity: float = 10.0
    shape: float = 1.2
    spread: float = 1.0
    proved = True

    def __post_init__(self) -> None:
        if not 1 <= self.sources * self.bases <= 10_000 or self.sources < 1:
            raise OtowakeError(
                f"ComplexNmf: sources and bases must be 1 or more and make at most 10000 components, got "
                f"{self.sources} and {self.bases}."
            )
        if not 0 <= self.sparsity < math.inf:
            raise OtowakeError(f"ComplexNmf: the sparsity must be 0 or more, got {self.sparsity:g}; try 10.")
        if not 0 < self.shape <= 2:
            raise OtowakeError(f"ComplexNmf: the shape must be above 0 and at most 2, got {self.shape:g}; try 1.2.")
        if not 0 <= self.spread <= 1:
            raise OtowakeError(f"ComplexNmf: the spread must be from 0 to 1, got {self.spread:g}; 1 is usual.")

    def epoch(self, s: ComplexNmfState) -> int:
        return 0

    def init(self, X: Mixture, seed: int = 0) -> ComplexNmfState:
        """B, H ~ U(0.1, 1), the same for each item of a batch; amplitudes that add up to the mixture's, on average."""
        *batch, m, f, t = X.shape
        if m != 1:
            raise OtowakeError(
                f"Complex NMF takes one channel, the mixture has {m}; give one channel (a leading batch axis takes "
                "several), or use a method for several microphones, such as ilrma."
            )
        n, k = self.sources, self.bases
        B = uniform(seed, (n, f, k), X.real, stream=0)
        H = uniform(seed, (n, k, t), X.real, stream=1)
        B = B / B.sum(-2, keepdim=True)
        level = X.abs().mean((-2, -1), keepdim=True) / (B @ H).sum(-3).mean()
        return ComplexNmfState(B.expand(*batch, -1, -1, -1).clone(), H * level, self.phases(X, seed))

    def phases(self, X: Mixture, seed: int) -> Complex[Tensor, "*b n k f t"]:
        """The mixture's, turned by +-spread pi; where a bin is real in all frames (0 Hz, Nyquist) it stays real."""
        x = X.resolve_conj().unsqueeze(-3)
        u = uniform(seed, (self.sources, self.bases, *X.shape[-2:]), X.real, stream=2, low=0.0)
        angle, real = math.pi * self.spread * (2 * u - 1), (x.imag == 0).all(-1, keepdim=True)
        across = torch.where(real, torch.where(angle.abs() > math.pi / 2, -1.0, 1.0), angle.cos())
        turn = torch.complex(across, torch.where(real, 0.0, angle.sin()))
        return polar(x, torch.ones_like(x))[0] * turn

    def weight(self, X: Mixture) -> Float[Tensor, "*b 1 1"]:
        """w: 2 w sum_nkt (l h)^p is `sparsity` sum_ft |x|^2 where every l h = F rms(x) / sqrt(components)."""
        count, power = self.sources * self.bases, abs2(X).mean((-2, -1))
        factor = 0.5 * self.sparsity * X.shape[-2] ** (1 - self.shape) * count ** (self.shape / 2 - 1)
        return factor * power.unsqueeze(-1) ** (1 - self.shape / 2)

    def step(self, X: Mixture, s: ComplexNmfState) -> ComplexNmfState:
        B, H, E = s
        w, p, bins = self.weight(X), self.shape, X.shape[-2]
        toll = (w * p * rooted(B.sum(-2), p - 1) * rooted(H, p).sum(-1)).unsqueeze(-2)
        size = max(1, _AT_ONCE * bins // max(1, E.numel()))
        cuts = [slice(i, i + size) for i in range(0, bins, size)]
        parts, over, under = [], torch.zeros_like(H), torch.zeros_like(H)
        for i in cuts:
            part = swept(X[..., i, :], B[..., i, :], H, E[..., i, :], toll)
            over, under = over + part.over, under + part.under
            parts.append((part.B, part.E))
        B, E = (torch.cat(x, -2) for x in zip(*parts))
        level = B.sum(-2).unsqueeze(-1)
        H = H * divide(over, under + w.unsqueeze(-1) * p * rooted(level, p) * rooted(H, p - 1))
        level = torch.where(level > 0, level, torch.ones_like(level))
        return ComplexNmfState(B / level.mT, H * level, E)

    def cost(self, X: Mixture, s: ComplexNmfState) -> Cost:
        paid = rooted(s.B.sum(-2).unsqueeze(-1) * s.H, self.shape).sum((-3, -2, -1))
        left = X - self.components(s).sum(-3, keepdim=True)
        return abs2(left).sum((-3, -2, -1)) + 2 * self.weight(X)[..., 0, 0] * paid

    def components(self, s: ComplexNmfState) -> Spec:
        """sum_k c_nk: each source as it is modelled."""
        c = torch.zeros_like(s.E[..., 0, :, :])
        for k in range(self.bases):
            c = torch.addcmul(c, s.B[..., k, None] * s.H[..., k, None, :], s.E[..., k, :, :])
        return c

    def images(self, X: Mixture, s: ComplexNmfState, microphones: Sequence[int]) -> Images:
        c, a = self.components(s), s.B @ s.H
        whole = a.sum(-3, keepdim=True)
        share = torch.where(whole > tiny(whole), divide(a, whole), torch.full_like(a, 1 / self.sources))
        c = c + share * (X - c.sum(-3, keepdim=True))
        return c.unsqueeze(-3)[..., [0 for _ in microphones], :, :]

    def estimate(self, X: Mixture, s: ComplexNmfState) -> Spec:
        """Each source as the one microphone hears it."""
        return self.images(X, s, (0,))[..., 0, :, :]


class Swept(NamedTuple):
    """Some bins after their part of a step: new B and E, and their addends of the update of the gains."""

    B: Float[Tensor, "*b n f k"]
    E: Complex[Tensor, "*b n k f t"]
    over: Float[Tensor, "*b n k t"]
    under: Float[Tensor, "*b n k t"]


def swept(
    X: Mixture,
    B: Float[Tensor, "*b n f k"],
    H: Float[Tensor, "*b n k t"],
    E: Complex[Tensor, "*b n k f t"],
    toll: Float[Tensor, "*b n 1 k"],
) -> Swept:
    """Phases and bases, then phases and what the gains need.  Bins meet in the sums of the gains only."""
    s, u = drawn(X, B, H, E)
    E, size = polar(u, E)
    B = B * divide(torch.einsum("...nkft,...nkt->...nfk", size, H), s @ H.mT + toll)
    s, u = drawn(X, B, H, E)
    E, size = polar(u, E)
    return Swept(B, E, torch.einsum("...nkft,...nfk->...nkt", size, B), B.mT @ s)


def drawn(
    X: Mixture, B: Float[Tensor, "*b n f k"], H: Float[Tensor, "*b n k t"], E: Complex[Tensor, "*b n k f t"]
) -> tuple[Float[Tensor, "*b 1 f t"], Complex[Tensor, "*b n k f t"]]:
    """s, and u = s e + d: where the rest of the mixture draws each component."""
    s = (B @ H).sum(-3, keepdim=True)
    d = X - (B.mT.unsqueeze(-1) * H.unsqueeze(-2) * E).sum((-4, -3)).unsqueeze(-3)
    return s, torch.addcmul(d.unsqueeze(-3), s.unsqueeze(-3), E)
