"""Several starts of one method, and the one that ends lowest.

Cost     min over seeds of the method's own; what is estimated is the best one's
State    of every start; on an accelerator side by side along a leading axis, where the method's states have batch axes
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Method
from otowake.core.state import rebuilt, tensors
from otowake.core.types import Cost, Images, Mixture, Spec


class BestState(NamedTuple):
    """states: one for each seed, or a single one whose first axis counts them."""

    states: tuple[Any, ...]


@dataclass(frozen=True)
class Best:
    """A method from several seeds.  Of a batch one seed is taken for all items, by the sum of their costs.

    Args:
        method: what runs.
        seeds: of the starts.
    """

    method: Method
    seeds: Sequence[int]

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise OtowakeError(f"The seeds {list(self.seeds)} should be one or more, and each another.")

    @property
    def proved(self) -> bool:
        return self.method.proved

    def epoch(self, s: BestState) -> int:
        return self.method.epoch(s.states[0])

    def init(self, X: Mixture, seed: int = 0) -> BestState:
        """`seed` is added to all seeds."""
        states = tuple(self.method.init(X, seed + own) for own in self.seeds)
        return BestState((stacked(states),) if X.device.type != "cpu" and self.batches(X, states[0]) else states)

    def batches(self, X: Mixture, state: Any) -> bool:
        """Whether states of this method follow the batch axes of X."""
        more = tensors(self.method.init(X.unsqueeze(0), 0))
        return all(more[name].shape == (1, *x.shape) for name, x in tensors(state).items())

    def step(self, X: Mixture, s: BestState) -> BestState:
        return BestState(tuple(self.method.step(self._heard(X, s), state) for state in s.states))

    def costs(self, X: Mixture, s: BestState) -> Float[Tensor, "_ *b"]:
        """One for each seed (and item of a batch)."""
        each = [self.method.cost(self._heard(X, s), state) for state in s.states]
        return each[0] if self._side_by_side(s) else torch.stack(each)

    def cost(self, X: Mixture, s: BestState) -> Cost:
        costs = self.costs(X, s)
        return costs[self._lowest(costs)]

    def winner(self, X: Mixture, s: BestState) -> tuple[int, Any]:
        """(which of the seeds, from 0; the method's own state)."""
        at = self._lowest(self.costs(X, s))
        return at, self.state(s, at)

    def state(self, s: BestState, at: int) -> Any:
        """The method's own state from one of the seeds."""
        if not self._side_by_side(s):
            return s.states[at]
        return rebuilt(s.states[0], {name: x[at] for name, x in tensors(s.states[0]).items()})

    def images(self, X: Mixture, s: BestState, microphones: Sequence[int]) -> Images:
        return self.method.images(X, self.winner(X, s)[1], microphones)

    def estimate(self, X: Mixture, s: BestState) -> Spec:
        return self.method.estimate(X, self.winner(X, s)[1])

    def _heard(self, X: Mixture, s: BestState) -> Mixture:
        return X.expand(len(self.seeds), *X.shape) if self._side_by_side(s) else X

    def _side_by_side(self, s: BestState) -> bool:
        return len(s.states) < len(self.seeds)

    @staticmethod
    def _lowest(costs: Tensor) -> int:
        return int(costs.reshape(len(costs), -1).sum(-1).argmin())


def stacked(states: Sequence[Any]) -> Any:
    """States of one form as one, along a new first axis."""
    named = [tensors(state) for state in states]
    return rebuilt(states[0], {name: torch.stack([one[name] for one in named]) for name in named[0]})
