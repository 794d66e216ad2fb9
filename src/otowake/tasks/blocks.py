"""Recordings that are too long for one piece: block after block, every sound in one place throughout.

Blocks   of `length` samples, the next begins `overlap` before the end of the last; the last one ends with the recording
Order    sounds of a block take the places of those of the last that they are most alike in the overlap: the assignment
         with the largest sum of |<a, b>| / (|a| |b|), where both blocks heard the same
Onward   a block begins with the filters of the one before, where the method can, and keeps its order so; one that is
         unlike it where both heard the same, or whose cost falls much more on the way, begins by itself, as the first,
         if that ends at a lower cost
Joins    in the overlap w = sin^2 of a block fades it in and 1 - w the last one out: sums stay what they are
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.tasks.choice import choose
from otowake.tasks.door import Watch, tensor
from otowake.tasks.separate import Separation, separate

BLOCK, OVERLAP = 40.0, 4.0
"""Seconds of a block, and of that what it shares with the next one."""

START = 12.0
"""Seconds at the end of a block that its own start is made from: what follows is heard from there."""

UNSURE = 0.5
"""Sounds that are less alike than this on both sides of a join may not be the same."""

MOVED = 2.0
"""How many times as far as in the block before the cost falls where somebody has moved (benchmarks/long.md)."""

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
    or could not be separated;  told: `TOLD`, its last cost, whether something is left that no sound explains, and of
    one that went on from the block before by how much its cost fell;  filters: where the next one may go on.
    """

    start: int
    heard: Float[np.ndarray, "*m samples"]
    sounds: Sounds
    told: dict[str, Any]
    filters: Mapping[str, np.ndarray] = MappingProxyType({})

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
        step, start, waiting = self.length - self.overlap, 0, []
        for part in parts:
            waiting.append(part)
            if sum(one.shape[-1] for one in waiting) < self.length + step:
                continue
            kept = np.concatenate(waiting, -1)
            while kept.shape[-1] >= self.length + step:
                yield Part(start, kept[..., : self.length].copy())
                start, kept = start + step, kept[..., step:]
            waiting = [kept]
        if not waiting:
            return
        kept = np.concatenate(waiting, -1)
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

    def separated(self, part: Part, before: Done | None, sources: int, watch: Watch | None = None) -> Done:
        """One block; sources: how many the blocks before it had, 0 where this is the first that is heard.

        A block that does not hold as many is separated into what it holds, or left whole.
        """
        heard = part.x if self._given("images") == "all" else part.x[self._given("reference") or 0]
        nothing = Done(part.start, heard, np.zeros((0, *heard.shape)), {}, before.filters if before else {})
        if not part.x.any():
            return nothing._replace(told={"rest": False, "notes": ["It is silent."]})
        for count in [sources, None] if sources else [self.sources]:
            try:
                done = self._begun(part, count, before, watch)
                break
            except OtowakeError as error:
                if not sources:
                    raise
                failed = str(error)
        else:
            return nothing._replace(told={"rest": True, "notes": [failed]})
        sounds = np.asarray(done.sources)[: sources or None]
        told = {key: getattr(done, key) for key in TOLD} | ({"why": self.why} if self.why else {})
        told |= {"rest": done.rest is not None or len(sounds) < len(done.sources), "cost": done.costs[-1:]}
        if done.onward:
            told |= {"onward": True, "converged": True, "fall": _fall(done, part)}
        return Done(part.start, heard, sounds, told, {name: x.cpu().numpy() for name, x in done.filters.items()})

    def _given(self, option: str) -> Any:
        return (self.options or {}).get(option)

    def _begun(self, part: Part, count: int | None, before: Done | None, watch: Watch | None) -> Separation:
        """From the block before, or, where that is none or does not fit, from its own start."""

        def one(x: np.ndarray, begin: Mapping[str, Tensor]) -> Separation:
            options = dict(self.options or {})
            return separate(x, self.rate, self.method, sources=count, watch=watch, begin=begin, **options)

        def own() -> Separation:
            end = part.x[:, -round(START * self.rate) :]
            if end.shape == part.x.shape or not end.any():
                return one(part.x, {})
            start = one(end, {})
            done = one(part.x, start.filters)
            return replace(done, onward=False, iterations=done.iterations + start.iterations * done.onward)

        if before is None:
            return own()
        done = one(part.x, {name: torch.from_numpy(x) for name, x in before.filters.items()})
        if not done.onward or not self._changed(done, part, before):
            return done
        anew = own()
        if anew.costs[-1] >= done.costs[-1]:
            return done
        return replace(anew, sources=ordered(anew.sources, done.sources, part.x.shape[-1])[0])

    def _changed(self, done: Separation, part: Part, before: Done) -> bool:
        """Whether this is not what was heard before."""
        shared = before.end - part.start
        fell = before.told.get("fall")
        if fell is not None and _fall(done, part) > MOVED * fell:
            return True
        if len(before.sounds) != len(done.sources):
            return False
        return ordered(np.asarray(done.sources), before.sounds[..., -shared:], shared)[1] < UNSURE


def _fall(done: Separation, part: Part) -> float:
    """Of the cost, in nats a sample of sound."""
    return (done.costs[0] - done.costs[-1]) / part.x.size


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
