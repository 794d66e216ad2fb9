"""A source model of its own for each source: bases that are known for one, to be learned for another.

Model    r_n = parts[n].psd(z_n)
Update   one part after the other, each sees the split gradient with the others as they are by then

Source   semi-supervised NMF: Smaragdis, Raj, Shashanka 2007; the order of updates: docs/papers/psnmf.md.
"""

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Fused, SourceModel, Split, SplitGradient
from otowake.core.types import Cost, Gain, Half, Power
from otowake.ops.factored import above

APART = 1000  # seeds between the parts of one seed


@dataclass(frozen=True)
class Stack:
    """As many source models as sources.

    Args:
        parts: the model of each source.
    """

    parts: tuple[SourceModel, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise OtowakeError("Stack: give a source model for each source.")

    @property
    def proved(self) -> bool:
        return all(part.proved for part in self.parts)

    def init(self, v: Power, seed: int) -> tuple[Any, ...]:
        if v.shape[-3] != len(self.parts):
            raise OtowakeError(f"Stack has models for {len(self.parts)} sources, there are {v.shape[-3]}.")
        return tuple(part.init(_of(v, n), seed + APART * n) for n, part in enumerate(self.parts))

    def psd(self, z: tuple[Any, ...]) -> Power:
        return _together([part.psd(own) for part, own in zip(self.parts, z, strict=True)])

    def penalty(self, z: tuple[Any, ...]) -> Cost | float:
        return sum((part.penalty(own) for part, own in zip(self.parts, z, strict=True)), 0.0)

    def update(self, z: tuple[Any, ...], split: Split) -> tuple[Any, ...]:
        """The first part's power of before and the last one's of after are nobody's business."""
        states, powers = list(z), [part.psd(own) if n else None for n, (part, own) in enumerate(zip(self.parts, z))]
        for n, part in enumerate(self.parts):
            states[n] = part.update(states[n], _part(split, powers[:n], powers[n + 1 :]))
            powers[n] = part.psd(states[n]) if n + 1 < len(states) else None
        return tuple(states)

    def rescale(self, z: tuple[Any, ...], g: Gain) -> tuple[Any, ...]:
        return tuple(part.rescale(own, _of(g, n)) for n, (part, own) in enumerate(zip(self.parts, z, strict=True)))


def _part(split: Split, before: list[Any], after: list[Any]) -> Split:
    """The split gradient of the source between those, which are what they are."""
    n, summed, entropic, factored = len(before), split.summed, split.entropic, split.factored
    if summed is not None and (before or after):
        rest = functools.reduce(torch.add, [*before, *after])
        weight = None if entropic is None else lambda r: entropic(r + rest)
        short = None if factored is None else above(factored, rest)
        return Split(lambda r: summed(r + rest), split.powers, None, weight, short)

    def whole(r: Tensor) -> Tensor:
        return _together([*before, r, *after])

    def at(r: Power) -> SplitGradient:
        neg, pos = split(whole(r))
        return SplitGradient(_of(neg, n), _of(pos, n))

    fused = None if split.fused is None else Fused(_of(split.fused.v, n), split.fused.slope)
    return Split(at, split.powers, fused, None if entropic is None else lambda r: _of(entropic(whole(r)), n))


def _together(powers: list[Tensor]) -> Tensor:
    """One tensor, where some parts may hold for all bins or frames."""
    f, t = (max(r.shape[axis] for r in powers) for axis in (-2, -1))
    return torch.cat([r.expand(*r.shape[:-2], f, t) for r in powers], -3)


def _of(x: Half, n: int) -> Half:
    """Source n of what may be one for all."""
    return x if x.shape[-3] == 1 else x[..., n : n + 1, :, :]
