"""Nonnegative matrix factorisation as a source model: few bases, each with its own course in time.

Model    r = R^(2/p),  R = B H + e        B, H >= 0; e > 0 is frozen: a component that is never updated
Updates  B <- B q( neg' Hᵀ, pos' Hᵀ ),  then the same for H with R made anew: q is the rule's (`source/step.py`)
         neg' = neg dr/dR, pos' = pos dr/dR; a penalty's terms join them; no update of rule mm raises the cost
Scale    r -> g r:  B -> g^(p/2) B,  e -> g^(p/2) e

Source   Kitamura, Ono, Sawada, Kameoka, Saruwatari 2016, equations 42-45; the exponent for any domain p and cost:
         Mogami et al. 2018; the frozen floor: docs/decisions/0003-numbers.md.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Split
from otowake.core.types import Cost, Gain, Power
from otowake.divergence.penalty import Penalty, Terms
from otowake.linalg.safe import divide, grounded, rooted, variance_floor
from otowake.ops import bases_ratio, constants, factor_ratio, factors_moved, gains_ratio
from otowake.ops.factored import products
from otowake.source.domain import checked, pulled_back, to_power
from otowake.source.start import Start, random
from otowake.source.step import Bound, Rule, mm


class NmfState(NamedTuple):
    """B: bases *b n f k;  H: activations *b n k t;  e: frozen floor *b n f 1, in units of R."""

    B: Float[Tensor, "*b n f k"]
    H: Float[Tensor, "*b n k t"]
    e: Float[Tensor, "*b n #f 1"]


@dataclass(frozen=True, eq=False)
class Given:
    """Bases to start from: the first columns of B.

    Args:
        B: spectra, for each source its own or the same for all, in the units of R.
        frozen: what is never updated, of B's shape or broadcasting to it; by default all.
    """

    B: Float[Tensor, "*n f j"]
    frozen: Bool[Tensor, "..."] | bool = True

    def __post_init__(self) -> None:
        if self.B.ndim < 2 or not bool((self.B >= 0).all() & self.B.isfinite().all()):
            raise OtowakeError(f"Given bases are (bins, bases), >= 0 and finite; got {tuple(self.B.shape)}.")


@dataclass(frozen=True, eq=False)
class Nmf:
    """Each source is a sum of `bases` spectra with gains over time.

    Args:
        bases: spectra a source; 2 suits speech, 10 to 30 music.
        domain: p, the power of the amplitude in which the spectra add up (2: power, 1: amplitude).
        rule: how far an update goes: `mm`, `heuristic` or `Me()`.
        penalties: `Sparse`, `Smooth`, `Orthogonal`, `Cosine`, ...; their costs are added.
        given: bases to start from, frozen or not; the rest begins as `start` says.
        norm: None, 1 or 2: after each step columns of B are brought to this norm and H takes the difference.
        start: where B and H begin: `random`, `singular` or `Values(B, H)`.
    """

    bases: int = 2
    domain: float = 2.0
    rule: Rule = mm
    penalties: tuple[Penalty, ...] = ()
    given: Given | None = None
    norm: int | None = None
    start: Start = random

    def __post_init__(self) -> None:
        checked("Nmf", self.bases, self.domain)
        if self.given is not None and self.given.B.shape[-1] > self.bases:
            raise OtowakeError(
                f"Nmf: {self.given.B.shape[-1]} bases were given, the model has {self.bases}; ask for as many or more."
            )
        if self.given is not None and self.norm is not None and bool(torch.as_tensor(self.given.frozen).any()):
            raise OtowakeError("Nmf: frozen bases keep their norm; leave norm out.")

    @property
    def proved(self) -> bool:
        kept = all(penalty.proved and (self.norm is None or penalty.scale_free) for penalty in self.penalties)
        return kept and getattr(self.rule, "proved", self.rule is mm)

    def init(self, v: Power, seed: int) -> NmfState:
        """B and H where `start` puts them, but for the bases that are given."""
        *batch, n, f, _ = v.shape
        B, H = self.start(v if self.domain == 2 else v ** (self.domain / 2), self.bases, seed)
        e = v.new_full((*batch, n, f, 1), variance_floor(v) ** (self.domain / 2))
        if self.given is not None:
            known = self.given.B.to(B)
            if known.shape[-2] != f:
                raise OtowakeError(
                    f"The given bases have {known.shape[-2]} bins, the spectrogram has {f}; learn them with its STFT."
                )
            B[..., : known.shape[-1]] = known
        return NmfState(B, H, e)

    def psd(self, z: NmfState) -> Power:
        return to_power((z.B @ z.H).add_(z.e), self.domain)

    def penalty(self, z: NmfState) -> Cost | float:
        return sum((penalty.cost(z.B, z.H) for penalty in self.penalties), 0.0)

    @property
    def plain(self) -> bool:
        """B and H move by their quotients alone."""
        return self.domain == 2 and self.rule is mm and self.given is None and not self.penalties

    def update(self, z: NmfState, split: Split) -> NmfState:
        if self.plain and split.factored is not None and split.entropic is None:
            return self.with_factors(z, *split.factored.moved(*z, split.exponent()))
        if self.plain and split.factored is None and split.fused is not None and len(split.fused.slope) == 3:
            v, slope = split.fused
            return self.with_factors(z, *factors_moved(v, *z, constants(split.exponent()), slope))
        frozen = self.frozen(z.B)
        if frozen is None or not bool(frozen.all()):
            B = z.B * self._change(z, split, bases=True)
            z = z._replace(B=B if frozen is None else torch.where(frozen, z.B, B))
        z = self.gains_updated(z, split)
        return self.with_factors(z, z.B, z.H)

    def with_factors(self, z: NmfState, B: Tensor, H: Tensor) -> NmfState:
        """At the norm that is asked for."""
        z = z._replace(B=B, H=H)
        return z if self.norm is None else normalised(z, self.norm)

    def gains_updated(self, z: NmfState, split: Split) -> NmfState:
        """The second half of `update`: H alone."""
        return z._replace(H=z.H * self._change(z, split, bases=False))

    def rescale(self, z: NmfState, g: Gain) -> NmfState:
        a = g if self.domain == 2 else g ** (self.domain / 2)
        return z._replace(B=z.B * a, e=grounded(z.e * a, self.domain / 2))

    def bound(self, z: NmfState, split: Split, bases: bool) -> Bound:
        """Of the cost, the penalties' terms in it, in the change of B, or of H."""
        return self._bound(z, split, bases, self._terms(z, bases))

    def entropic(self, z: NmfState, split: Split, bases: bool) -> tuple[Tensor, Tensor]:
        """(change, weight) where a factor moves by exp(change / weight): `Split.entropic`."""
        if self._terms(z, bases) or self.domain != 2 or self.rule is not mm or split.entropic is None:
            raise OtowakeError(
                "The dual Kullback-Leibler divergence takes no penalties, and domain 2 and rule mm only."
            )
        r = self.psd(z)
        neg, pos = split(r)
        return products(neg - pos, split.entropic(r).expand_as(r), z.B, z.H, bases)

    def frozen(self, B: Tensor) -> Tensor | None:
        """*n f k: which numbers of B stay as they are."""
        if self.given is None:
            return None
        frozen = torch.zeros(B.shape[-3:], dtype=torch.bool, device=B.device)
        frozen[..., : self.given.B.shape[-1]] = torch.as_tensor(self.given.frozen, device=B.device)
        return frozen

    def _change(self, z: NmfState, split: Split, bases: bool) -> Tensor:
        """q of B, or of H."""
        if split.entropic is not None:
            return torch.exp(divide(*self.entropic(z, split, bases)))
        terms = self._terms(z, bases)
        if self.rule is mm and not terms:
            low, high = split.reach(2 / self.domain)
            if self.domain == 2 and split.factored is not None:
                return rooted(divide(*split.factored.halves(*z, bases)), 1 / (high - low))
            return rooted(self._ratio(z, split, bases), 1 / (high - low))
        return self.rule(self._bound(z, split, bases, terms))

    def _bound(self, z: NmfState, split: Split, bases: bool, terms: list[Terms]) -> Bound:
        if self.domain == 2 and split.factored is not None:
            halves = split.factored.halves(*z, bases)
        else:
            halves = products(*pulled_back(self.psd(z), split, self.domain), z.B, z.H, bases)
        return _joined(*halves, *split.reach(2 / self.domain), terms)

    def _terms(self, z: NmfState, bases: bool) -> list[Terms]:
        """What the penalties add to the bound of B, or of H."""
        asked = ((p.bases if bases else p.activations)(z.B, z.H) for p in self.penalties)
        return [terms for terms in asked if terms is not None]

    def _ratio(self, z: NmfState, split: Split, bases: bool) -> Tensor:
        if self.domain == 2 and split.fused is not None and len(split.fused.slope) == 3:
            v, slope = split.fused
            return (bases_ratio if bases else gains_ratio)(v, *z, slope)
        neg, pos = pulled_back(self.psd(z), split, self.domain)
        return factor_ratio(neg, pos, z.H) if bases else factor_ratio(neg.mT, pos.mT, z.B.mT).mT


def normalised(z: NmfState, norm: int) -> NmfState:
    """Columns of B at unit norm; R does not change."""
    s = torch.linalg.vector_norm(z.B, norm, dim=-2, keepdim=True)
    s = torch.where(s > 0, s, torch.ones_like(s))
    return z._replace(B=z.B / s, H=z.H * s.mT)


def _joined(neg: Tensor, pos: Tensor, low: float, high: float, terms: list[Terms]) -> Bound:
    """The likelihood's bound and those of the penalties: where powers differ, the wider ones bound both."""
    quad = None
    for term in terms:
        neg, pos, high = neg + term.neg, pos + term.pos, max(high, term.high)
        low = low if isinstance(term.neg, float) else min(low, 0.0)
        if term.quad is not None:
            quad = term.quad if quad is None else quad + term.quad
    return Bound(neg, pos, quad, low, high)
