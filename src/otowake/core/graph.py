"""A method's step as a CUDA graph: hundreds of small kernels are started at once, without the host.

    step = graphed(method, X, state)
    for _ in range(100):
        state = step(state)

A graph knows places in memory and no decisions: it replays what one step did.  So it takes methods whose step asks the
device for no number (`tests/laws/test_device.py` lists them).  Of a method with counted phases (`Warm`) it takes the
part whose turn it is: method.active(state) and state.s.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch

from otowake.core.errors import OtowakeError
from otowake.core.method import Method
from otowake.core.state import rebuilt, tensors
from otowake.core.types import Mixture

WARM = 3
"""Steps before the capture: libraries take their work space and kernels are compiled there."""


class Replayed(Protocol):
    """What happens on the device once more."""

    def replay(self) -> None: ...


@dataclass(frozen=True, eq=False)
class Graphed:
    """state -> the next one; what it gives back is overwritten by its next call.

    Args:
        X: the mixture, whose place the graph reads.
        held: the state that the graph reads.
        graph: makes `result` of them.
        result: where the graph leaves the next state.
    """

    X: Mixture
    held: Any
    graph: Replayed
    result: Any

    def __call__(self, state: Any) -> Any:
        for place, x in zip(tensors(self.held).values(), tensors(state).values(), strict=True):
            place.copy_(x)
        self.graph.replay()
        return self.result


def graphed(method: Method, X: Mixture, state: Any) -> Graphed:
    """`method.step` of this mixture, kept as a graph.

    Args:
        method: its step must not wait for the device.
        X: the mixture, on CUDA; its numbers may be changed in place between steps.
        state: any state of the method for X; it is not modified.

    Raises:
        OtowakeError: X is elsewhere, or the step or the state cannot be kept in a graph.
    """
    named = tensors(state)
    counted = [name for name, x in named.items() if x.device != X.device]
    if counted:
        raise OtowakeError(
            f"The state holds {', '.join(counted)} on another device than the mixture, which a graph cannot follow; "
            "use method.step."
        )
    if X.device.type != "cuda":
        raise OtowakeError(
            f"Steps are kept as graphs on CUDA only, the mixture is on {X.device.type}; use method.step."
        )
    held = rebuilt(state, {name: x.clone() for name, x in named.items()})
    try:
        return Graphed(X, held, *_captured(method, X, held))
    except RuntimeError as error:
        why = str(error).partition("\n")[0]
        raise OtowakeError(f"This step cannot be kept as a graph ({why}); use method.step.") from error


def _captured(method: Method, X: Mixture, held: Any) -> tuple[torch.cuda.CUDAGraph, Any]:
    aside = torch.cuda.Stream(X.device)
    aside.wait_stream(torch.cuda.current_stream(X.device))
    with torch.no_grad(), torch.cuda.stream(aside):
        for _ in range(WARM):
            method.step(X, held)
    torch.cuda.current_stream(X.device).wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        result = method.step(X, held)
    return graph, result
