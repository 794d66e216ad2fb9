"""The one alternating method behind NMF, IVA, ILRMA and their kin.

z <- source.update(z, split)        the source model descends the cost, seen through its split gradient
p <- spatial.update(X, p, r)        the spatial model descends the same cost
p, g <- spatial.gauge(p)            scale moves from the spatial model ...
z <- source.rescale(z, g)           ... into the source model; the cost does not change
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from otowake.core.method import SourceModel, SpatialModel
from otowake.core.types import Cost, Images, Mixture, Spec


class SeparatorState(NamedTuple):
    """z: the source model's state; p: the spatial model's."""

    z: Any
    p: Any


class Whole(NamedTuple):
    """How a separator of certain parts does these in fewer pieces: (separator, X, s) -> a new state, or the cost."""

    step: "Callable[[Separator, Mixture, SeparatorState], SeparatorState]"
    cost: "Callable[[Separator, Mixture, SeparatorState], Cost]"


@dataclass(frozen=True)
class Separator:
    """A source model and a spatial model that descend one cost in turn.

    Args:
        source: how much power each sound may have (`Nmf`, `Frame`, `Flat`, ...).
        spatial: how sounds reach the microphones (`Observed`, `Determined`, ...).
        whole: None, or how just these two are done in fewer pieces (`otowake.fused`).
    """

    source: SourceModel
    spatial: SpatialModel
    whole: Whole | None = None

    @property
    def proved(self) -> bool:
        return self.spatial.proved and self.source.proved

    def epoch(self, s: SeparatorState) -> int:
        return 0

    def init(self, X: Mixture, seed: int = 0) -> SeparatorState:
        return self.begun(X, self.spatial.init(X, seed), seed)

    def begun(self, X: Mixture, p: Any, seed: int) -> SeparatorState:
        """A new source model on top of a given spatial state."""
        o = self.spatial.observe(X, p)
        return SeparatorState(self.source.init(self.spatial.power(o, p), seed), p)

    def step(self, X: Mixture, s: SeparatorState) -> SeparatorState:
        return self.written(X, s) if self.whole is None else self.whole.step(self, X, s)

    def written(self, X: Mixture, s: SeparatorState) -> SeparatorState:
        """The step as above."""
        z, p = s
        o = self.spatial.observe(X, p)
        z = self.source.update(z, self.spatial.split(o, p))
        return self.scaled(X, z, self.spatial.update(X, p, o, self.source.psd(z)))

    def scaled(self, X: Mixture, z: Any, p: Any) -> SeparatorState:
        """With the spatial model's scale in the source model."""
        p, g = self.spatial.gauge(p)
        return SeparatorState(self.source.rescale(z, g.to(X.real.dtype)), p)

    def cost(self, X: Mixture, s: SeparatorState) -> Cost:
        return self.written_cost(X, s) if self.whole is None else self.whole.cost(self, X, s)

    def written_cost(self, X: Mixture, s: SeparatorState) -> Cost:
        """What the step descends."""
        return self.spatial.cost(X, s.p, self.source.psd(s.z)) + self.source.penalty(s.z)

    def images(self, X: Mixture, s: SeparatorState, microphones: Sequence[int]) -> Images:
        return self.spatial.images(X, s.p, self.source.psd(s.z), microphones)

    def estimate(self, X: Mixture, s: SeparatorState) -> Spec:
        """Each source as the first microphone hears it."""
        return self.images(X, s, (0,))[..., 0, :, :]
