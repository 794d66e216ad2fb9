"""The sounds of a factorisation: made one at a time and block by block, when they are looked at.

Mask     sum_k b_fk h_kt / sum_k b_fk h_kt over one group's components and over all, one for all channels; the floor is
         shared out equally, so that masks add up to 1
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from otowake.signal.stft import Stft
from otowake.source.nmf import NmfState
from otowake.tasks.door import like

FRAMES = 128  # of a block
PART = 2**18  # samples that are scaled at once


@dataclass(frozen=True)
class Sounds:
    """n sounds of (channels, samples), of which nothing is kept: looking again makes them again.

    Args:
        samples: (channels, samples) that the sounds add up to;  peak: of them.
        stft: whose frames are masked.
        z: the factors, of one source, in double precision.
        groups: of each component, from 0.
        n: how many sounds.
        kind: an array of the kind and dtype that the sounds have.
    """

    samples: Float[Tensor, "channels samples"]
    peak: Float[Tensor, ""]
    stft: Stft
    z: NmfState
    groups: tuple[int, ...]
    n: int
    kind: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return self.n, *self.samples.shape

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Any]:
        return (self[n] for n in range(self.n))

    def __getitem__(self, n: int) -> Any:
        """(channels, samples)."""
        if not -self.n <= n < self.n:
            raise IndexError(f"There are {self.n} sounds.")
        return like(joined(self._pieces(n % self.n), self.samples.shape), self.kind)

    def pieces(self, n: int) -> Iterator[Any]:
        """Sound n, (channels, some samples) at a time."""
        return (like(piece, self.kind) for piece in self._pieces(n))

    def _pieces(self, n: int) -> Iterator[Float[Tensor, "channels _"]]:
        spectrogram = blocks(self.samples, self.peak, self.stft)
        masked = (X * mask for X, mask in zip(spectrogram, self._masks(n), strict=True))
        return (piece * self.peak for piece in self.stft.joined(masked, self.samples.shape[-1]))

    def all(self) -> Any:
        """n channels samples, in memory."""
        new = self.kind.new_empty if isinstance(self.kind, Tensor) else partial(np.empty, dtype=self.kind.dtype)
        whole = new(self.shape)
        for n, sound in enumerate(self):
            whole[n] = sound
        return whole

    def _masks(self, n: int) -> Iterator[Float[Tensor, "f _"]]:
        B, H, e = (part[0] for part in self.z)
        mine = torch.tensor(self.groups) == n
        share = int(mine.sum()) / len(self.groups)
        for h in H.split(FRAMES, -1):
            yield (B[:, mine] @ h[mine] + e * share) / (B @ h + e)


def blocks(
    samples: Float[Tensor, "channels samples"], peak: Float[Tensor, ""], stft: Stft
) -> Iterator[Complex[Tensor, "channels f _"]]:
    """The spectrogram of the samples over their peak, some frames at a time."""
    return stft.blocks((part.double() / peak for part in samples.split(PART, -1)), FRAMES)


def compact(samples: Float[Tensor, "channels samples"]) -> Float[Tensor, "channels samples"]:
    """A copy, in single precision where that is the same: up to 24 bits it is."""
    single = samples.to(torch.float32)
    return single if torch.equal(single.double(), samples) else samples.clone()


def joined(parts: Iterable[Float[Tensor, "*b _"]], shape: tuple[int, ...]) -> Float[Tensor, "*b _"]:
    """Parts end to end in double precision, which together have this shape."""
    whole, at = torch.empty(shape, dtype=torch.float64), 0
    for part in parts:
        whole[..., at : at + part.shape[-1]] = part
        at += part.shape[-1]
    return whole
