"""Bins that count less, or not at all: missing data, and weights.

Cost     sum_ft w_ft d(v | r)
Split    w neg, w pos: the bound holds bin by bin, so every update that descends still does

Source   weighted NMF: Mao & Saul 2004; Blondel, Ho, Van Dooren 2008.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Split, SplitGradient
from otowake.core.types import Cost, Gain, Images, Mixture, Power
from otowake.ops.factored import general
from otowake.spatial.observed import Observed, ObservedState


@dataclass(frozen=True, eq=False)
class Masked:
    """A channel of which some bins are missing.

    Args:
        spatial: the model of the whole channel.
        weight: w >= 0, of the spectrogram's size or broadcasting to it; 0 is missing, whatever stands there.
    """

    spatial: Observed
    weight: Float[Tensor, "*b #f #t"]
    proved = True

    def __post_init__(self) -> None:
        if not bool(((self.weight >= 0) & self.weight.isfinite()).all()) or not bool((self.weight > 0).any()):
            raise OtowakeError("Weights must be 0 or more and finite, and not all 0.")

    def init(self, X: Mixture, seed: int) -> ObservedState:
        return self.spatial.init(X, seed)

    def observe(self, X: Mixture, p: ObservedState) -> Power:
        return self.spatial.observe(torch.where(self._of(X) > 0, X, torch.zeros_like(X)), p)

    def power(self, o: Float[Tensor, "*b 1 f t"], p: ObservedState) -> Power:
        return self.spatial.power(o, p)

    def split(self, o: Float[Tensor, "*b 1 f t"], p: ObservedState) -> Split:
        whole, w = self.spatial.split(o, p), self._of(o)

        def at(r: Power) -> SplitGradient:
            neg, pos = whole(r)
            return SplitGradient(neg * w, pos * w)

        entropic = None if whole.entropic is None else lambda r: whole.entropic(r) * w
        return Split(at, whole.powers, None, entropic, general(at))

    def update(self, X: Mixture, p: ObservedState, o: Float[Tensor, "*b 1 f t"], r: Power) -> ObservedState:
        return p

    def cost(self, X: Mixture, p: ObservedState, r: Power) -> Cost:
        each = self.spatial.divergence.each(self.observe(X, p), r.sum(-3, keepdim=True))
        return (each * self._of(each)).sum((-3, -2, -1))

    def images(self, X: Mixture, p: ObservedState, r: Power, microphones: Sequence[int]) -> Images:
        return self.spatial.images(X, p, r, microphones)

    def gauge(self, p: ObservedState) -> tuple[ObservedState, Gain]:
        return self.spatial.gauge(p)

    def _of(self, x: Tensor) -> Tensor:
        """The weights beside x, *b 1 f t."""
        try:
            return self.weight.to(x.real).unsqueeze(-3).expand(*x.shape[:-3], 1, *x.shape[-2:])
        except RuntimeError as error:
            raise OtowakeError(
                f"The weights have the shape {tuple(self.weight.shape)}, the spectrogram {tuple(x.shape[-2:])}."
            ) from error
