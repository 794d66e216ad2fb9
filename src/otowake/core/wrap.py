"""Methods made of methods: starts from another method, and outputs that are put together again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Method
from otowake.core.run import Tick, iterate, last, until
from otowake.core.separator import Separator, SeparatorState
from otowake.core.state import rebuilt, tensors
from otowake.core.types import Cost, Images, Mixture, Spec
from otowake.linalg.safe import LOG_FLOOR


class WarmState(NamedTuple):
    """k: steps done, a scalar;  s: the state that both methods share."""

    k: Int[Tensor, ""]
    s: Any


def _as_it_is(state: Any) -> Any:
    return state


@dataclass(frozen=True)
class Warm:
    """`first` for some steps, those `between` for one each, then `then`: for costs that need a good start.

    Args:
        first, then: methods with states of the same form.
        steps: how long the first one runs.
        between: the same in small steps from one to the other.
        hand: what happens to the state in between.
    """

    first: Method
    then: Method
    steps: int = 40
    between: tuple[Method, ...] = ()
    hand: Callable[[Any], Any] = _as_it_is

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise OtowakeError(f"A warm start takes 0 steps or more, got {self.steps}.")

    @property
    def proved(self) -> bool:
        return all(method.proved for method in (self.first, *self.between, self.then))

    @property
    def length(self) -> int:
        """Steps before `then`."""
        return self.steps + len(self.between)

    def epoch(self, s: WarmState) -> int:
        return min(max(int(s.k) - self.steps + 1, 0), len(self.between) + 1)

    def active(self, s: WarmState) -> Method:
        """The method whose turn it is."""
        return (self.first, *self.between, self.then)[self.epoch(s)]

    def init(self, X: Mixture, seed: int = 0) -> WarmState:
        return self.handed(WarmState(torch.tensor(0), self.first.init(X, seed)))

    def step(self, X: Mixture, s: WarmState) -> WarmState:
        return self.handed(WarmState(s.k + 1, self.active(s).step(X, s.s)))

    def handed(self, s: WarmState) -> WarmState:
        """The state, changed when it goes from one method to the other."""
        return s._replace(s=self.hand(s.s)) if int(s.k) == self.steps else s

    def cost(self, X: Mixture, s: WarmState) -> Cost:
        return self.active(s).cost(X, s.s)

    def images(self, X: Mixture, s: WarmState, microphones: Sequence[int]) -> Images:
        return self.active(s).images(X, s.s, microphones)

    def estimate(self, X: Mixture, s: WarmState) -> Spec:
        return self.active(s).estimate(X, s.s)


@runtime_checkable
class Startable(Protocol):
    """A spatial model that can begin where something else ends."""

    def begun(self, p: Any) -> Any: ...


@dataclass(frozen=True)
class _Elsewhere:
    """A separator whose spatial model begins where something else ends: of many minima, a good one is near.

    Args:
        method: what runs.
    """

    method: Separator

    def __post_init__(self) -> None:
        if not isinstance(self.method.spatial, Startable):
            raise OtowakeError(f"{type(self.method.spatial).__name__} cannot start where another model ends.")

    @property
    def proved(self) -> bool:
        return self.method.proved

    def epoch(self, s: SeparatorState) -> int:
        return 0

    def step(self, X: Mixture, s: SeparatorState) -> SeparatorState:
        return self.method.step(X, s)

    def cost(self, X: Mixture, s: SeparatorState) -> Cost:
        return self.method.cost(X, s)

    def images(self, X: Mixture, s: SeparatorState, microphones: Sequence[int]) -> Images:
        return self.method.images(X, s, microphones)

    def estimate(self, X: Mixture, s: SeparatorState) -> Spec:
        return self.method.estimate(X, s)


@dataclass(frozen=True)
class Started(_Elsewhere):
    """From one start.

    Args:
        method: what runs.
        first: (X, seed) -> what `begun` of its spatial model takes; found inside `init`.
        settle: updates of the source model alone before the first step, on what was found.
    """

    first: Callable[[Mixture, int], Any]
    settle: int = 0

    def init(self, X: Mixture, seed: int = 0) -> SeparatorState:
        source, spatial = self.method.source, self.method.spatial
        p, _ = spatial.gauge(cast(Startable, spatial).begun(self.first(X, seed)))
        z, p = self.method.begun(X, p, seed)
        split = spatial.split(spatial.observe(X, p), p)
        for _ in range(self.settle):
            z = source.update(z, split)
        return SeparatorState(z, p)


@dataclass(frozen=True)
class Lowest(_Elsewhere):
    """From the best of several starts: that with the lowest cost after some steps, in a batch each item's own.

    Args:
        method: what runs.
        firsts: as `first` of `Started`, two or more.
        settle: as there.
        steps: how long each is followed.
    """

    firsts: tuple[Callable[[Mixture, int], Any], ...]
    settle: int = 0
    steps: int = 30

    def init(self, X: Mixture, seed: int = 0) -> SeparatorState:
        starts = (Started(self.method, first, self.settle) for first in self.firsts)
        best, *others = (After(start, self.steps).last(X, seed) for start in starts)
        cost, state = best.cost, best.state
        for other in others:
            lower = other.cost < cost
            cost, state = torch.where(lower, other.cost, cost), _chosen(lower, other.state, state)
        return cast(SeparatorState, state)


def _chosen(which: Bool[Tensor, "*b"], yes: Any, no: Any) -> Any:
    """Of two states of one form, for each item of the batch."""
    two = tensors(no)
    each = {name: (which.reshape(which.shape + (1,) * (x.ndim - which.ndim)), x) for name, x in tensors(yes).items()}
    return rebuilt(no, {name: torch.where(so, x, two[name]) for name, (so, x) in each.items()})


@dataclass(frozen=True)
class After:
    """Where `method` leaves its spatial model after some steps: a start of another one."""

    method: Separator | Started | Lowest
    steps: int = 30

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise OtowakeError(f"A start takes 0 iterations or more, got {self.steps}.")

    def __call__(self, X: Mixture, seed: int) -> Any:
        return self.last(X, seed).state.p

    def last(self, X: Mixture, seed: int) -> Tick:
        """The state then, and its cost."""
        return last(until(iterate(self.method, X, seed=seed), steps=self.steps))


Groups = tuple[int, ...]
"""For each output the number of its source, from 0."""


@dataclass(frozen=True)
class Grouped:
    """As many outputs of `method` as microphones, put together into fewer sources.

    Outputs whose log powers rise and fall together belong together: average linkage on the correlation over time,
    averaged over bins.  The sources still add up to the mixture.

    Args:
        method: any method of the demixing kind.
        sources: how many groups.
        groups: for each output its source, when the user knows better.

    The idea is the AuxIVA+ baseline of the literature; the measure of likeness is ours: docs/papers/auxiva_plus.md.
    """

    method: Method
    sources: int
    groups: Groups | None = None

    def __post_init__(self) -> None:
        if self.sources < 1:
            raise OtowakeError(f"Outputs can be put together into 1 source or more, not {self.sources}.")
        if self.groups is not None and set(self.groups) != set(range(self.sources)):
            named = ", ".join(str(group + 1) for group in self.groups)
            raise OtowakeError(f"The groups {named} should name each of the sources 1 to {self.sources}.")

    @property
    def proved(self) -> bool:
        return self.method.proved

    def epoch(self, s: Any) -> int:
        return self.method.epoch(s)

    def init(self, X: Mixture, seed: int = 0) -> Any:
        if X.shape[-3] < self.sources:
            raise OtowakeError(f"{self.sources} sources cannot be put together from {X.shape[-3]} microphones.")
        if self.groups is not None and len(self.groups) != X.shape[-3]:
            raise OtowakeError(f"{len(self.groups)} groups were given for {X.shape[-3]} outputs; give one for each.")
        return self.method.init(X, seed)

    def step(self, X: Mixture, s: Any) -> Any:
        return self.method.step(X, s)

    def cost(self, X: Mixture, s: Any) -> Cost:
        return self.method.cost(X, s)

    def estimate(self, X: Mixture, s: Any) -> Spec:
        return self.images(X, s, (0,))[..., 0, :, :]

    def images(self, X: Mixture, s: Any, microphones: Sequence[int]) -> Images:
        member = self.membership(self.method.estimate(X, s))
        images = self.method.images(X, s, microphones)
        return torch.einsum("...gn,...nmft->...gmft", member.to(images.dtype), images)

    def membership(self, Y: Spec) -> Float[Tensor, "*b g n"]:
        """One for each output in the row of its source."""
        *batch, n, f, t = Y.shape
        if self.groups is not None:
            labels = torch.tensor(self.groups).expand(*batch, n)
        else:
            similarity = correlations(Y).reshape(-1, n, n)
            labels = torch.stack([agglomerated(R, self.sources) for R in similarity]).reshape(*batch, n)
        rows = torch.arange(self.sources)[:, None]
        return (labels.unsqueeze(-2) == rows).to(device=Y.device, dtype=torch.float64)


def correlations(Y: Spec) -> Float[Tensor, "*b n n"]:
    """R_ij = mean_f corr_t(log |y_i|^2, log |y_j|^2)."""
    v = Y.real**2 + Y.imag**2
    a = torch.log(v + LOG_FLOOR * v.mean((-3, -2, -1), keepdim=True) + torch.finfo(v.dtype).tiny)
    a = a - a.mean(-1, keepdim=True)
    a = a / a.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(v.dtype).tiny)
    return torch.einsum("...nft,...mft->...nm", a, a) / Y.shape[-2]


def agglomerated(R: Float[Tensor, "n n"], groups: int) -> Int[Tensor, " n"]:
    """Average linkage: join the two most similar groups until `groups` are left; labels in order of first member."""
    parts = [[i] for i in range(R.shape[-1])]
    R = R.detach().cpu()
    while len(parts) > groups:
        pairs = [(i, j) for i in range(len(parts)) for j in range(i + 1, len(parts))]
        i, j = max(pairs, key=lambda p: float(R[parts[p[0]]][:, parts[p[1]]].mean()))
        parts[i] += parts.pop(j)
    labels = torch.empty(R.shape[-1], dtype=torch.int64)
    for g, part in enumerate(sorted(parts, key=min)):
        labels[part] = g
    return labels
