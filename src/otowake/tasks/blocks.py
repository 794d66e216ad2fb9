"""Recordings that are too long for one piece: block after block, every sound in one place throughout.

Blocks   of `length` samples, the next begins `overlap` before the end of the last; the last one ends with the recording
Order    sounds of a block take the places of those of the last that they are most alike in the overlap: the assignment
         with the largest sum of |<a, b>| / (|a| |b|), where both blocks heard the same
Joins    in the overlap w = sin^2 of a block fades it in and 1 - w the last one out: sums stay what they are
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from otowake.core.errors import OtowakeError
from otowake.tasks.choice import choose
from otowake.tasks.door import Watch, tensor
from otowake.tasks.separate import separate

BLOCK, OVERLAP = 20.0, 4.0
"""Seconds of a block, and of that what it shares with the next one."""

TOLD = ("method", "why", "settings", "iterations", "converged", "notes")
"""What is kept of a block's result."""

Sounds = Float[np.ndarray, "n *m samples"]


class Part(NamedTuple):
    """Some of a recording: its first sample's number, and (channels, samples)."""

    start: int
    x: Float[np.ndarray, "m samples"]


class Done(NamedTuple):
    """A block.

    start: its first sample's number;  heard: by the reference microphone, or by all;  sounds: none where it is silent
    or could not be separated;  told: `TOLD`, its last cost, and whether something is left that no sound explains.
    """

    start: int
    heard: Float[np.ndarray, "*m samples"]
    sounds: Sounds
    told: dict[str, Any]

    @property
    def end(self) -> int:
        return self.start + self.heard.shape[-1]


@dataclass(frozen=True)
class Plan:
    """How blocks are separated: the options of `separate`.

    length, overlap: in samples;  why: the method was taken, where it was not asked for.
    """

    rate: int
    length: int
    overlap: int
    method: str = "auto"
    sources: int | None = None
    options: Mapping[str, Any] | None = None
    why: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.overlap <= self.length // 2:
            raise OtowakeError(
                f"Blocks of {self.length / self.rate:g} s cannot overlap by {self.overlap / self.rate:g} s: more than "
                "nothing and half of a block at most."
            )

    def cut(self, parts: Iterable[np.ndarray]) -> Iterator[Part]:
        """The blocks of (channels, any number of samples) laid end to end; one at a time is in memory, and a little."""
        step, start, kept = self.length - self.overlap, 0, None
        for part in parts:
            kept = part if kept is None else np.concatenate([kept, part], -1)
            while kept.shape[-1] >= self.length + step:
                yield Part(start, kept[..., : self.length].copy())
                start, kept = start + step, kept[..., step:]
        if kept is None:
            return
        if kept.shape[-1] > self.length:
            yield Part(start, kept[..., : self.length].copy())
            start, kept = start + kept.shape[-1] - self.length, kept[..., -self.length :]
        yield Part(start, kept)

    def named(self, x: np.ndarray, seconds: float) -> "Plan":
        """With the method that auto takes for so many seconds that begin with x."""
        if self.method != "auto":
            return self
        chosen, options = choose(self.method, tensor(x), self.rate, self.sources, seconds), dict(self.options or {})
        options["settings"] = {**chosen.settings, **(options.get("settings") or {})}
        return replace(self, method=chosen.recipe.name, options=options, why=chosen.why)

    def separated(self, part: Part, sources: int, watch: Watch | None = None) -> Done:
        """One block; sources: how many the blocks before it had, 0 where this is the first that is heard.

        A block that does not hold as many is separated into what it holds, or left whole.
        """
        options = dict(self.options or {})
        heard = part.x if options.get("images") == "all" else part.x[options.get("reference", 0)]
        nothing = np.zeros((0, *heard.shape))
        if not part.x.any():
            return Done(part.start, heard, nothing, {"rest": False, "notes": ["It is silent."]})
        for count in [sources, None] if sources else [self.sources]:
            try:
                done = separate(part.x, self.rate, self.method, sources=count, watch=watch, **options)
                break
            except OtowakeError as error:
                if not sources:
                    raise
                failed = str(error)
        else:
            return Done(part.start, heard, nothing, {"rest": True, "notes": [failed]})
        sounds = np.asarray(done.sources)[: sources or None]
        more = {"rest": done.rest is not None or len(sounds) < len(done.sources), "cost": done.costs[-1:]}
        told = {key: getattr(done, key) for key in TOLD} | ({"why": self.why} if self.why else {})
        return Done(part.start, heard, sounds, told | more)


class Joined(NamedTuple):
    """A stretch of all sounds in their order, and what was heard there."""

    sounds: Sounds
    heard: Float[np.ndarray, "*m samples"]


def joined(
    blocks: Iterable[Done], sources: int, overlap: int, likeness: Callable[[int, float], None] | None = None
) -> Iterator[Joined]:
    """The blocks laid over each other; two are in memory.  likeness: told of each join the least of all sounds."""
    last: Done | None = None
    for block in blocks:
        sounds = np.zeros((sources, *block.heard.shape))
        sounds[: len(block.sounds)] = block.sounds[:sources]
        if last is None:
            last = block._replace(sounds=sounds)
            continue
        shared = last.end - block.start
        sounds, least = ordered(sounds, last.sounds[..., -shared:], shared)
        if likeness is not None:
            likeness(block.start, least)
        fade = np.sin(np.pi / 2 * (np.arange(overlap) + 0.5) / overlap) ** 2
        at = shared - overlap
        sounds[..., :at] = last.sounds[..., -shared : -overlap or None]
        sounds[..., at:shared] = fade * sounds[..., at:shared] + (1 - fade) * last.sounds[..., -overlap:]
        yield Joined(last.sounds[..., :-shared], last.heard[..., :-shared])
        last = block._replace(sounds=sounds)
    if last is not None:
        yield Joined(last.sounds, last.heard)


def ordered(sounds: Sounds, before: Sounds, shared: int) -> tuple[Sounds, float]:
    """In the places of those of the block before, and how alike the two are that are least so; silence is like all."""
    a, b = (y.reshape(len(y), -1) for y in (before, np.ascontiguousarray(sounds[..., :shared])))
    sizes = np.linalg.norm(a, axis=-1)[:, None] * np.linalg.norm(b, axis=-1)
    alike = np.divide(np.abs(a @ b.T), sizes, out=np.zeros_like(sizes), where=sizes > 0)
    rows, columns = linear_sum_assignment(-alike)
    met = alike[rows, columns][sizes[rows, columns] > 0]
    return sounds[columns], float(met.min(initial=1.0))
