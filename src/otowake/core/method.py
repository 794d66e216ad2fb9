"""The agreement: what a method is, what a source model is, what a spatial model is.

A method is frozen parameters; its state is a value made of tensors; nothing assigns to `self` during a run.
Source and spatial model meet in one small value, the split gradient (d cost / d r = pos - neg).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.types import Cost, Gain, Half, Images, Mixture, Power, Spec


class SplitGradient(NamedTuple):
    """d cost / d r = pos - neg, both >= 0."""

    neg: Half
    pos: Half


class Fused(NamedTuple):
    """What a kernel needs to make the split gradient itself.

    v: *b n f t;  slope: (c, a, g) of log r + rho(v / r) with rho'(q) = c (q + a)^g, or (b) of a beta divergence.
    """

    v: Power
    slope: Tensor


class Factored(NamedTuple):
    """What an update of B or of H divides, for r_n = B_n H_n + e_n of all sources that explain v together.

    halves: (B: *b n f k, H: *b n k t, e: *b n 1|f 1|t, whether of B) -> neg and pos of B, or of H;
    moved: (B, H, e, a power x) -> B (neg / pos)^x, and then H with that B.
    """

    halves: Callable[[Tensor, Tensor, Tensor, bool], tuple[Tensor, Tensor]]
    moved: Callable[[Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Split:
    """The split gradient as a function of r, and which powers of r the cost is made of.

    Attributes:
        at: r -> SplitGradient; may be asked more than once.
        powers: (lowest, highest) power of r in the terms of the cost, log r counting as 0.
            They decide the exponent that keeps a multiplicative update monotone (see `exponent`).
        fused: the same function in numbers, for kernels; None where it has no such form.
        entropic: None, or r -> w: a factor then moves by exp((sum neg - sum pos) / sum w), the limit that ratios have
            for costs made of r log r and r alone (`DualKl`).
        factored: None, or short ways for r = B H + e of all sources; only asked by who has that.
        summed: where the sources count by their sum only, the split gradient as a function of that; None elsewhere.
    """

    at: Callable[[Power], SplitGradient]
    powers: tuple[float, float]
    fused: Fused | None = None
    entropic: Callable[[Power], Half] | None = None
    factored: Factored | None = None
    summed: Callable[[Power], SplitGradient] | None = None

    def __call__(self, r: Power) -> SplitGradient:
        return self.at(r)

    def reach(self, s: float = 1.0) -> tuple[float, float]:
        """The powers of a factor's change q that bound the cost from above, for r = R^s: at most 1, at least 1."""
        low, high = self.powers
        return min(s * low, 1.0), max(s * high, 1.0)

    def exponent(self, s: float = 1.0) -> float:
        """The MM exponent for a nonnegative factor R of r = R^s: 1 / (max(s high, 1) - min(s low, 1)).

        For beta divergences it is Nakano's and Fevotte's (2010, 2011) exponent; for log r + rho(v/r), p / (p + 2).
        """
        self.by_ratios("This source model")
        low, high = self.reach(s)
        return 1.0 / (high - low)

    def by_ratios(self, model: str) -> None:
        """Refuse a cost that multiplicative updates by ratios have no exponent for."""
        if self.entropic is not None:
            raise OtowakeError(f"{model} moves by ratios, the dual Kullback-Leibler divergence does not; use Nmf.")


@runtime_checkable
class Divergence(Protocol):
    """What is small when r explains v: `cost` sums over sources, bins and frames, `split` is its derivative in r."""

    def cost(self, v: Power, r: Power) -> Cost: ...
    def each(self, v: Power, r: Power) -> Power: ...
    def split(self, v: Power) -> Split: ...


@runtime_checkable
class Method(Protocol):
    """Frozen parameters with init / step / cost / estimate; `proved` says whether `step` never raises `cost`."""

    @property
    def proved(self) -> bool: ...
    def init(self, X: Mixture, seed: int = 0) -> Any: ...
    def step(self, X: Mixture, s: Any) -> Any: ...
    def cost(self, X: Mixture, s: Any) -> Cost: ...
    def estimate(self, X: Mixture, s: Any) -> Spec: ...
    def images(self, X: Mixture, s: Any, microphones: Sequence[int]) -> Images: ...
    def epoch(self, s: Any) -> int:
        """Costs may be compared only between states of one epoch (a warm start changes the cost)."""
        ...


@runtime_checkable
class Restful(Protocol):
    """A method that can tell when it has come to rest, and how far it is from there."""

    def settled(self, s: Any) -> bool: ...
    def reading(self, s: Any) -> dict[str, float]: ...


@runtime_checkable
class Dividing(Protocol):
    """A method that divides every bin of every frame among its sources: masks *b n f t, which add up to 1."""

    def masks(self, X: Mixture, s: Any) -> Power: ...


@runtime_checkable
class SourceModel(Protocol):
    """How much power each sound may have in each bin: r = psd(z); penalty(z) is its own part of the cost."""

    @property
    def proved(self) -> bool: ...

    def init(self, v: Power, seed: int) -> Any: ...
    def psd(self, z: Any) -> Power: ...
    def penalty(self, z: Any) -> Cost | float: ...
    def update(self, z: Any, split: Split) -> Any: ...
    def rescale(self, z: Any, g: Gain) -> Any: ...


@runtime_checkable
class SpatialModel(Protocol):
    """How sounds reach the microphones, and the likelihood of what they heard."""

    @property
    def proved(self) -> bool: ...
    def init(self, X: Mixture, seed: int) -> Any: ...
    def observe(self, X: Mixture, p: Any) -> Any: ...
    def power(self, o: Any, p: Any) -> Power: ...
    def split(self, o: Any, p: Any) -> Split: ...
    def update(self, X: Mixture, p: Any, o: Any, r: Power) -> Any: ...
    def cost(self, X: Mixture, p: Any, r: Power) -> Cost: ...
    def images(self, X: Mixture, p: Any, r: Power, microphones: Sequence[int]) -> Images: ...
    def gauge(self, p: Any) -> tuple[Any, Gain]: ...
