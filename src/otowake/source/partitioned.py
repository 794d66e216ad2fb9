"""Shared bases that are dealt out to the sources: NMF with a partition, learned along with the rest.

Model    r_n = R_n^(2/p),  R_n = (z_n . B) H + e_n        z_nk >= 0, sum_n z_nk = 1: whose spectrum k is
Updates  Z, then B, then H, each by [ sum A / sum C ]^x over what it touches, with R made anew between them;
         after Z: s_k = sum_n z_nk,  Z /= s,  B *= s  (neutral: the step stays a descent)
Scale    r_n -> g_n r_n:  Z -> g^(p/2) Z, then the same division by s

Source   Kitamura et al. 2016, section III-D (ILRMA with partitioning function, "type 2"); the compensating
         factor s: docs/papers/ilrma.md.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Split
from otowake.core.random import uniform
from otowake.core.types import Gain, Power
from otowake.linalg.safe import divide, rooted, variance_floor
from otowake.source.domain import checked, pulled_back, to_power


class PartitionedState(NamedTuple):
    """Z: *b n k, columns sum to one;  B: *b f k;  H: *b k t;  e: *b n 1 1."""

    Z: Float[Tensor, "*b n k"]
    B: Float[Tensor, "*b f k"]
    H: Float[Tensor, "*b k t"]
    e: Float[Tensor, "*b n #f 1"]


@dataclass(frozen=True)
class Partitioned:
    """`bases` spectra in all, shared out among the sources by the data.

    Args:
        bases: spectra for all sources together; 2 to 5 times the number of sources.
        domain: p, as in `Nmf`.
    """

    bases: int = 10
    domain: float = 2.0

    def __post_init__(self) -> None:
        checked("Partitioned", self.bases, self.domain)

    proved = True

    def init(self, v: Power, seed: int) -> PartitionedState:
        *batch, n, f, t = v.shape
        k = self.bases
        Z, B, H = (
            uniform(seed, shape, v, stream=i).expand(*batch, -1, -1).clone()
            for i, shape in enumerate([(n, k), (f, k), (k, t)])
        )
        e = v.new_full((*batch, n, 1, 1), variance_floor(v) ** (self.domain / 2))
        return PartitionedState(Z / Z.sum(-2, keepdim=True), B, H, e)

    def psd(self, z: PartitionedState) -> Power:
        return to_power((z.B.unsqueeze(-3) * z.Z.unsqueeze(-2)) @ z.H.unsqueeze(-3) + z.e, self.domain)

    def penalty(self, z: Any) -> float:
        return 0.0

    def update(self, z: PartitionedState, split: Split) -> PartitionedState:
        split.by_ratios("Partitioned")
        x = split.exponent(2 / self.domain)
        a, c = ((G * z.B.unsqueeze(-3)).sum(-2) for G in self._with_activations(z, split))
        z = _dealt(z._replace(Z=z.Z * rooted(divide(a, c), x)))
        a, c = ((G * z.Z.unsqueeze(-2)).sum(-3) for G in self._with_activations(z, split))
        z = z._replace(B=z.B * rooted(divide(a, c), x))
        a, c = (
            ((z.B.unsqueeze(-3) * z.Z.unsqueeze(-2)).mT @ G).sum(-3)
            for G in pulled_back(self.psd(z), split, self.domain)
        )
        return z._replace(H=z.H * rooted(divide(a, c), x))

    def rescale(self, z: PartitionedState, g: Gain) -> PartitionedState:
        if g.shape[-2] > 1:
            raise OtowakeError(
                "Partitioned shares its spectra among the sources and cannot take a gain for each bin of a source; "
                "use Nmf with Consistent."
            )
        a = g ** (self.domain / 2)
        return _dealt(z._replace(Z=z.Z * a[..., 0], e=z.e * a))

    def _with_activations(self, z: PartitionedState, split: Split) -> tuple[Tensor, Tensor]:
        """neg' Hᵀ and pos' Hᵀ: *b n f k each."""
        neg, pos = pulled_back(self.psd(z), split, self.domain)
        Ht = z.H.mT.unsqueeze(-3)
        return neg @ Ht, pos @ Ht


def _dealt(z: PartitionedState) -> PartitionedState:
    """Columns of Z sum to one, B takes the difference: R does not change."""
    s = z.Z.sum(-2, keepdim=True)
    return z._replace(Z=divide(z.Z, s), B=z.B * s)
