"""Running a method: one generator that steps, and for-loops around it that only watch.

    for tick in until(iterate(method, X), steps=100):
        print(tick.k, tick.cost)

What changes numbers is a method; what watches (progress, history, early stop, saving, cancelling) is a loop.
"""

import math
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Method, Restful
from otowake.core.state import save_state, tensors
from otowake.core.types import Cost, Mixture


class Tick:
    """The state after k steps; its cost is computed when somebody looks, and once only."""

    def __init__(self, method: Method, X: Mixture, k: int, state: Any) -> None:
        self.method, self.k, self.state = method, k, state
        self._X = X

    @cached_property
    def cost(self) -> Cost:
        """One number for each mixture of the batch, in nats."""
        return self.method.cost(self._X, self.state)

    @property
    def epoch(self) -> int:
        """Costs of different epochs are not comparable."""
        return self.method.epoch(self.state)

    @property
    def settled(self) -> bool:
        """Whether the method says that it has come to rest; most cannot say."""
        return isinstance(self.method, Restful) and self.method.settled(self.state)


def iterate(method: Method, X: Mixture, state: Any = None, *, seed: int = 0, start: int = 0) -> Iterator[Tick]:
    """The start and then every step, without end.

    Args:
        method: frozen parameters.
        X: the mixture, *b m f t complex.
        state: where to go on from; None starts anew from `seed`.
        start: how many steps the given state has behind it.
    """
    state = method.init(X, seed) if state is None else state
    while True:
        yield Tick(method, X, start, state)
        state = method.step(X, state)
        start += 1


def until(ticks: Iterable[Tick], *, steps: int | None = None, rtol: float = 0.0) -> Iterator[Tick]:
    """Stop after the tick with k = steps, at rest, or when the cost falls by less than rtol of its size in one step."""
    before: Tick | None = None
    for tick in ticks:
        yield tick
        if (steps is not None and tick.k >= steps) or tick.settled:
            return
        if rtol > 0 and before is not None and before.epoch == tick.epoch:
            fall = before.cost - tick.cost
            if bool((fall.abs() <= rtol * tick.cost.abs()).all()):
                return
        before = tick


class recorded:  # noqa: N801 - reads as a verb in a chain of loops
    """Pass ticks on and keep their costs: `costs` is a list of (k, epoch, cost)."""

    def __init__(self, ticks: Iterable[Tick], *, every: int = 1) -> None:
        self.costs: list[tuple[int, int, Cost]] = []
        self._ticks, self._every = ticks, every

    def __iter__(self) -> Iterator[Tick]:
        for tick in self._ticks:
            if tick.k % self._every == 0:
                self.costs.append((tick.k, tick.epoch, tick.cost))
            yield tick


def saved(ticks: Iterable[Tick], path: str | Path, *, every: int = 10) -> Iterator[Tick]:
    """Write the state to `path` at every `every`-th step; go on from it with `load_state`."""
    for tick in ticks:
        if tick.k % every == 0:
            save_state(path, tick.state, k=tick.k)
        yield tick


def finite(ticks: Iterable[Tick]) -> Iterator[Tick]:
    """Stop with one sentence as soon as a state holds NaN or infinity."""
    for tick in ticks:
        for name, x in tensors(tick.state).items():
            if not _all_finite(x):
                raise OtowakeError(
                    f"After {tick.k} iterations {name} is not finite any more; the input may be degenerate. "
                    "Please try another method or double precision, and report the file."
                )
        yield tick


def last(ticks: Iterable[Tick]) -> Tick:
    """Run to the end; the last tick."""
    tick = None
    for tick in ticks:  # noqa: B007
        pass
    if tick is None:
        raise OtowakeError("There was no iteration to take the last of; ask for 0 steps or more.")
    return tick


def _all_finite(x: Tensor) -> bool:
    if not (x.is_floating_point() or x.is_complex()):
        return True
    return bool(x.sum().isfinite()) or bool(x.isfinite().all())  # the first is faster, but may overflow


def converged(costs: list[tuple[int, int, float]]) -> bool:
    """Whether the last tenth of the steps of the last epoch brought less than 1 % of that epoch's whole descent."""
    same = [c for _, epoch, c in costs if epoch == costs[-1][1]]
    if len(same) < 10 or not all(map(math.isfinite, same)):
        return False
    tail = max(1, len(same) // 10)
    whole = max(same) - min(same)
    return abs(same[-1 - tail] - same[-1]) <= 0.01 * whole
