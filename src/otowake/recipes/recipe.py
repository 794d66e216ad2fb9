"""What a recipe is, and the list of them that the modules beside this one fill."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from otowake.core.method import Method

Takes = Literal["one", "square", "more", "any"]
"""Of channels."""


@dataclass(frozen=True)
class Recipe:
    """A named algorithm.

    Attributes:
        name: as on the command line.
        build: typed function that makes the method.
        summary: what it does, one sentence.
        good_for: when to take it.
        citation: author, year, title.
        takes: "one" channel, as many channels as sources ("square"), "more" channels than sources, or "any" numbers.
        iterations: how many are usual.
        frame: seconds of the STFT's usual frame (experiments/quality).
        crowded: the same where there are more sources than microphones, None if it does not matter.
        single: whether single precision gives what double does (docs/decisions/0005-precision.md).
    """

    name: str
    build: Callable[..., Method]
    summary: str
    good_for: str
    citation: str
    takes: Takes = "square"
    iterations: int = 100
    frame: float = 0.25
    crowded: float | None = None
    single: bool = False

    def frame_for(self, sources: int, microphones: int) -> float:
        """Seconds."""
        return self.crowded if self.crowded and sources > microphones else self.frame


RECIPES: dict[str, Recipe] = {}
"""Every recipe by name."""


def listed(
    summary: str,
    good_for: str,
    citation: str,
    takes: Takes = "square",
    iterations: int = 100,
    frame: float = 0.25,
    crowded: float | None = None,
    single: bool = False,
) -> Callable[[Callable[..., Method]], Callable[..., Method]]:
    """Puts a function that makes a method into `RECIPES`, under its own name."""

    def added(build: Callable[..., Method]) -> Callable[..., Method]:
        name = build.__name__
        about = summary, good_for, citation, takes, iterations, frame, crowded, single
        RECIPES[name] = Recipe(name, build, *about)
        return build

    return added
