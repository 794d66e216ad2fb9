"""Sources by what they are drawn to: proximal operators of penalties that know no scale of their own.

Sparse     P(Z) = sum_nft |z|                  z <- z max(0, 1 - a / |z|)
Group      P(Z) = sum_nt sqrt(sum_f |z|^2)     z_nt <- z_nt max(0, 1 - a / |z_nt|): all bins of a frame together (IVA)
LowRank    P(Z) = sum_n |Z_n|_*                singular values of the F x T matrix, each less a, at least 0

All are of degree 1: the weight of a single one changes the pace and the scale of W, not what is separated.

Source     Yatabe & Kitamura 2018, section 3; Parikh & Boyd 2014, chapter 6
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float

from otowake.core.errors import OtowakeError
from otowake.core.types import Cost, Gain, Spec
from otowake.linalg.safe import divide, rooted
from otowake.ops import frame_sizes, norm

Step = Float[torch.Tensor, "*b 1 1 1"]


@runtime_checkable
class Shrink(Protocol):
    """shrink(Z, a, level): Z made more like such sources, by the step a; level * Z is at the reference's scale."""

    def shrink(self, Z: Spec, a: Step, level: Gain) -> Spec: ...


@runtime_checkable
class Priced(Shrink, Protocol):
    """Where a penalty is behind it: cost(Z), before its weight.  Masks have none."""

    @property
    def weight(self) -> float: ...
    def cost(self, Z: Spec) -> Cost: ...


Shrinks = tuple[Shrink, ...]


@dataclass(frozen=True)
class Weighted:
    """A penalty with a weight.

    Args:
        weight: of the penalty; 1 is where scaling W pays no more at the start.
    """

    weight: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.weight < float("inf"):
            name = type(self).__name__
            raise OtowakeError(f"{name}: the weight must be a number above 0, got {self.weight:g}; 0.5 is usual.")


@dataclass(frozen=True)
class Sparse(Weighted):
    """Few bins are loud."""

    def shrink(self, Z: Spec, a: Step, level: Gain) -> Spec:
        return Z * _kept(_bins(Z), a)

    def cost(self, Z: Spec) -> Cost:
        return _bins(Z).sum((-3, -2, -1))


@dataclass(frozen=True)
class Group(Weighted):
    """All bins of a source are loud in the same frames: independent vector analysis."""

    def shrink(self, Z: Spec, a: Step, level: Gain) -> Spec:
        return Z * _kept(frame_sizes(Z), a)

    def cost(self, Z: Spec) -> Cost:
        return frame_sizes(Z).sum((-3, -2, -1))


@dataclass(frozen=True)
class LowRank(Weighted):
    """The complex spectrogram of a source is a sum of few patterns."""

    def shrink(self, Z: Spec, a: Step, level: Gain) -> Spec:
        values, vectors = torch.linalg.eigh(_gram(Z))
        keep = _kept(rooted(values, 0.5), a[..., 0])
        P = (vectors * keep.unsqueeze(-2)) @ vectors.mH
        return P @ Z if Z.shape[-2] <= Z.shape[-1] else Z @ P

    def cost(self, Z: Spec) -> Cost:
        return rooted(torch.linalg.eigvalsh(_gram(Z)), 0.5).sum((-2, -1))


def _kept(size: Float[torch.Tensor, "..."], a: Step) -> Float[torch.Tensor, "..."]:
    """max(0, 1 - a / size)."""
    return divide((size - a).clamp_min(0), size)


def _bins(Z: Spec) -> Float[torch.Tensor, "*b n f t"]:
    """The size of every bin."""
    return norm(Z.unsqueeze(-1), (-1,))


def _gram(Z: Spec) -> torch.Tensor:
    """Z Z^H or Z^H Z, whichever is smaller: its eigenvalues are the squares of Z's singular values."""
    return Z @ Z.mH if Z.shape[-2] <= Z.shape[-1] else Z.mH @ Z


SHRINKS: dict[str, Shrink] = {"sparse": Sparse(), "group": Group(), "low-rank": LowRank()}
"""Every penalty by name."""
