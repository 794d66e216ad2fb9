"""What a command was given, before it is read: how long it is, and its samples a part at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from otowake.core.errors import AudioRefused
from otowake.core.files import shown
from otowake.signal.audio import Recording, check_rates
from otowake.signal.intake import LIMITS, opened
from otowake.signal.stream import Stream, stream

LONG = 120.0
"""Seconds: longer recordings are separated in blocks unasked."""


@dataclass(frozen=True)
class Input:
    """Files that are read at the same time, one or more channels each."""

    streams: tuple[Stream, ...]
    model: Recording
    seconds: float

    def in_blocks(self, seconds: float | None) -> bool:
        """Whether so many seconds of a block, or none named, mean blocks."""
        return self.seconds > (LONG if seconds is None else seconds) and seconds != 0

    def notes(self, samples: int) -> list[str]:
        """What a person should know of files of which so many samples were read."""
        return [note for one in self.streams for note in one.notes(samples)]

    def parts(self) -> Iterator[np.ndarray]:
        """(channels, samples) of all files side by side."""
        first = self.streams[0]
        for other in self.streams:
            check_rates(first.path, first.rate, other.path, other.rate)
        for blocks in zip_longest(*self.streams, fillvalue=np.zeros((1, 0))):
            for other, block in zip(self.streams, blocks, strict=True):
                if block.shape[-1] != blocks[0].shape[-1]:
                    what = f"{shown(first.path)} and {shown(other.path)} are of different lengths"
                    raise AudioRefused("mismatch", f"{what}; give files of one recording.")
            yield np.concatenate(blocks)


def heard(paths: Sequence[Path]) -> Input:
    """What the headers say.  Errors: as `read` and `stack`."""
    streams = tuple(stream(path) for path in paths)
    with opened(paths[0], LIMITS) as file:
        model = Recording(np.zeros((1, 0)), file.samplerate, (), file.subtype, file.format)
        return Input(streams, model, file.frames / file.samplerate)
