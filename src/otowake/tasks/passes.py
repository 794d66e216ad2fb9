"""Learning from examples that are too long for one piece: block after block of frames, several times over.

Model    that of `learn`, by `Online`; its memory doubles from pass to pass, from about a block to many
Scale    column k of B is made as large as learning in one piece leaves it, where gains keep the mean they began with:
         b_k <- b_k mean_t(h_kt) / 0.55,  and  sum_k mean_f(b_k) 0.55 = 1,  the mean of the spectrogram
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.best import Best
from otowake.core.errors import OtowakeError
from otowake.online import Online
from otowake.signal.rate import resampled_parts
from otowake.signal.stft import Stft
from otowake.source.nmf import Nmf
from otowake.spatial.observed import Observed
from otowake.tasks.door import Progress, Run, Watch
from otowake.tasks.examples import Sound

BLOCK = 256  # frames
MEMORY = 300.0  # frames, in the first pass
GAIN = 0.55  # the mean of U(0.1, 1)


class Plan(NamedTuple):
    """How long examples are learned: at which rate, with which transform and model, how often, from which seeds."""

    rate: int
    stft: Stft
    source: Nmf
    spatial: Observed
    passes: int
    seeds: range
    device: str


class Measured(NamedTuple):
    """level: mean of |X| over everything;  frames, blocks: how many;  samples: of each example, at its own rate."""

    level: float
    frames: int
    blocks: int
    samples: tuple[int, ...]


def learned(sounds: Sequence[Sound], plan: Plan, watch: Watch | None) -> tuple[Float[Tensor, "f k"], Run, Measured]:
    """The spectra, which of the seeds they are from, and what was met."""
    tell = _teller(watch)
    met = measured(sounds, plan, tell)
    done, total = 0, plan.passes * met.blocks
    model = _model(plan, 0)
    state = model.init(next(_blocks(sounds, plan, met.level)))
    for n in range(plan.passes):
        model = _model(plan, n)
        for X in _blocks(sounds, plan, met.level):
            state, done = model.step(X, state), done + 1
            tell("learning", done, total)
    costs = torch.zeros(len(plan.seeds), dtype=torch.float64)
    if len(costs) > 1:
        for X in _blocks(sounds, plan, met.level):
            costs += model.costs(X, state).double().cpu()
            tell("comparing", total, total)
    at = int(costs.argmin())
    ends = tuple({"seed": seed, "cost": cost} for seed, cost in zip(plan.seeds, costs.tolist(), strict=True))
    end = model.state(state, at)
    return _scaled(end.B[0], end.pos[0]), Run(end, [], plan.seeds[at], ends if len(ends) > 1 else ()), met


def _model(plan: Plan, n: int) -> Best:
    """Of pass n, from 0."""
    return Best(Online(plan.source, plan.spatial, memory=MEMORY * 2.0**n), plan.seeds)


def measured(sounds: Sequence[Sound], plan: Plan, tell: Callable[[str, int, int], None]) -> Measured:
    """One look at everything, which finds what cannot be learned from."""
    total, frames, blocks, samples = 0.0, 0, 0, []
    for sound in sounds:
        count = _Count(sound)
        for X in _spectra(sound, count, plan):
            total, frames, blocks = total + float(X.abs().sum()), frames + X.shape[-1], blocks + 1
            tell("measuring", 0, 1)
        if not count.left:
            why = "cancels out: its channels add up to 0" if count.heard else "is silent: every sample is 0"
            raise OtowakeError(f"{sound.name} {why}; there is nothing to learn from.")
        samples.append(count.samples)
    return Measured(total / (frames * plan.stft.bins), frames, blocks, tuple(samples))


class _Count:
    """Parts of a sound, and once they were gone through, how long they were and whether anything was in them."""

    def __init__(self, sound: Sound) -> None:
        self._parts = sound.parts
        self.samples, self.heard, self.left = 0, False, False

    def __iter__(self) -> Iterator[np.ndarray]:
        for part in self._parts:
            x = np.asarray(part)
            self.samples += x.shape[-1]
            self.heard |= bool(x.any())
            self.left |= bool(x.mean(0).any())
            yield x


def _spectra(sound: Sound, parts: Iterable[Any], plan: Plan) -> Iterator[Tensor]:
    means = (np.asarray(part).mean(0) for part in parts)
    rated = (torch.from_numpy(part) for part in resampled_parts(means, sound.rate, plan.rate))
    return plan.stft.blocks(rated, BLOCK)


def _blocks(sounds: Sequence[Sound], plan: Plan, level: float) -> Iterator[Tensor]:
    """|X| of mean 1 over everything, as real mixtures of one channel."""
    for sound in sounds:
        for X in _spectra(sound, sound.parts, plan):
            yield (X.abs() / level).to(plan.device, torch.float32).unsqueeze(0)


def _scaled(B: Float[Tensor, "f k"], gains: Float[Tensor, "f k"]) -> Float[Tensor, "f k"]:
    """By Kullback-Leibler, pos of B is the sum of its gains."""
    B = B.double().cpu() * gains.double().cpu()
    return B / (GAIN * B.mean(0).sum())


def _teller(watch: Watch | None) -> Callable[[str, int, int], None]:
    """Tells a watcher, who may stop the work by an exception."""
    began = time.perf_counter()

    def tell(phase: str, done: int, total: int) -> None:
        if watch is not None:
            watch(Progress(done, total, None, time.perf_counter() - began, phase))

    return tell
