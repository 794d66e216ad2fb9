"""What is taken where nothing is named: the method, and the transform that suits it.

`--method auto` is a list of rules, `RULES`: the first that holds is taken.  What they rest on: docs/decisions/0008.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.recipes import Recipe
from otowake.signal.reverberation import Reverberation, reverberation
from otowake.signal.stft import Stft
from otowake.spec import recipe

DEFAULT = "consistent_ilrma"
"""The method for as many microphones as sources; experiments/quality/README.md holds the measurements."""

SHORTEST = 256
"""Samples of the shortest frame that is taken unasked."""

PATIENCE = 120.0
"""Seconds of recording that MNMF is taken for unasked: it computes about a second for each of them."""

STRONG = 0.5
"""Seconds of reverberation: at 0.6 every method has lost half of its decibels of speech (experiments/auto)."""

_MONO = (
    "for one channel name --method nmf with --sources (repeating sounds such as notes and drum hits), or record with "
    "two microphones."
)


@dataclass(frozen=True)
class Scene:
    """What rules look at.

    Attributes:
        samples: *b channels samples.
        rate: samples a second.
        sources: how many were asked for, by default as many as microphones.
        whole: seconds of the recording that these samples are a part of; None: they are all of it.
        room: its reverberation time, measured when a rule first looks at it; of a batch the first recording's.
    """

    samples: Tensor
    rate: int
    sources: int
    whole: float | None = None

    @property
    def microphones(self) -> int:
        return self.samples.shape[-2]

    @property
    def seconds(self) -> float:
        return self.samples.shape[-1] / self.rate if self.whole is None else self.whole

    @cached_property
    def room(self) -> Reverberation | None:
        return reverberation(self.samples.reshape(-1, *self.samples.shape[-2:])[0], self.rate)

    def found(self) -> dict[str, Any]:
        """What was measured on the way, JSON-able."""
        if "room" not in self.__dict__:
            return {}
        return {"reverberation": None if self.room is None else self.room._asdict()}


class Rule(NamedTuple):
    """When `holds`, the recipe `take` with these settings, because of `why` (in which `it` is the scene)."""

    holds: Callable[[Scene], bool]
    take: str
    why: str
    settings: Mapping[str, str] = {}


class Choice(NamedTuple):
    """A recipe, the sentence that says why it was taken, settings in words, and what was measured for it."""

    recipe: Recipe
    why: str
    settings: Mapping[str, str] = {}
    found: Mapping[str, Any] = {}


RULES = (
    Rule(
        lambda it: it.sources > it.microphones and it.seconds <= PATIENCE,
        "mnmf",
        "{it.sources} sources are more than {it.microphones} microphones: covariances of full rank that begin with "
        "masks, the best measured there",
    ),
    Rule(
        lambda it: it.sources > it.microphones,
        "cacgmm",
        "{it.sources} sources are more than {it.microphones} microphones, {it.seconds:.0f} s are long for mnmf: "
        "masks by direction",
    ),
    Rule(
        lambda it: it.sources < it.microphones,
        "fastmnmf2",
        "{it.sources} sources are fewer than {it.microphones} microphones: sources of full rank, which use what every "
        "microphone heard, the best measured there",
    ),
    Rule(
        lambda it: it.room is not None and it.room.seconds >= STRONG,
        DEFAULT,
        "{it.microphones} microphones in strong reverberation (about {it.room.seconds:.1f} s), where all methods lose: "
        "the determined method with the best measured results",
    ),
    Rule(
        lambda it: True,
        DEFAULT,
        "{it.microphones} microphones: the determined method with the best measured results",
    ),
)
"""In this order; the last one holds for everything."""


def choose(method: str, samples: Tensor, rate: int, sources: int | None, whole: float | None = None) -> Choice:
    """The recipe for *b channels samples, or for `whole` seconds that begin with them, named or found by `RULES`."""
    channels = samples.shape[-2]
    if method != "auto":
        return Choice(_named(method, channels, sources), "it was asked for")
    if channels == 1:
        raise OtowakeError(f"The recording has one channel, and blind separation compares microphones; {_MONO}")
    scene = Scene(samples, rate, sources or channels, whole)
    rule = next(rule for rule in RULES if rule.holds(scene))
    return Choice(recipe(rule.take), rule.why.format(it=scene), rule.settings, scene.found())


def _named(method: str, channels: int, sources: int | None) -> Recipe:
    chosen = recipe(method)
    if chosen.takes == "one" and channels > 1:
        raise OtowakeError(f"{method} takes one channel, the recording has {channels}; try {DEFAULT}, or one channel.")
    if chosen.takes != "one" and channels == 1:
        raise OtowakeError(f"{method} compares microphones, the recording has one channel; {_MONO}")
    if chosen.takes == "more" and sources is None:
        raise OtowakeError(f"{method} needs to know how many sources there are: give sources (--sources 2).")
    return chosen


def default_stft(rate: int, seconds: float, samples: int, overlap: int = 4, factors: tuple[int, ...] = (2, 3)) -> Stft:
    """A frame of about `seconds`, at most a quarter of the recording, of a factor times 2^k samples; hop 1/overlap."""
    wanted = max(SHORTEST, min(seconds * rate, samples / 4))
    frames = [factor << k for k in range(7, 20) for factor in factors]
    n_fft = min(frames, key=lambda n: abs(math.log(n / wanted)))
    return Stft(n_fft, n_fft // overlap)
