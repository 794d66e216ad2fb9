"""Sound that is too long for memory: a file that is read block after block, anew at each look."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from otowake.signal.intake import LIMITS, Limits, admit, blocks, opened, shortfall


@dataclass(frozen=True)
class Stream:
    """A sound file; iterating gives its samples, (channels, samples), up to 65 536 at a time.

    Args:
        path: the file.
        rate: Hz.
        channels: how many.
        limits: what is taken in.
    """

    path: Path
    rate: int
    channels: int
    limits: Limits = LIMITS

    def __iter__(self) -> Iterator[Float[np.ndarray, "channels samples"]]:
        """Errors: as `read`."""
        with opened(self.path, self.limits) as file:
            for part in blocks(self.path, file, self.limits):
                yield part.T.copy()

    def notes(self, samples: int) -> tuple[str, ...]:
        """What a person should know of the file, of which so many samples were read."""
        with opened(self.path, self.limits) as file:
            return shortfall(self.path, file, samples)


def stream(path: str | os.PathLike[str], *, limits: Limits = LIMITS) -> Stream:
    """A sound file of any length.  Errors: as `read`; those of single samples when they are read."""
    path = Path(path)
    admit(path)
    with opened(path, limits) as file:
        return Stream(path, file.samplerate, file.channels, limits)
