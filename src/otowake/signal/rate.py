"""Another sampling rate for the same sound."""

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float

Samples = Float[np.ndarray, "*b samples"]


def resampled(x: Samples, rate: int, new: int, samples: int | None = None) -> Float[np.ndarray, "*b _"]:
    """The sound at the rate `new`, without delay; what is above half of it is gone.

    Args:
        x: the sound at `rate`, batch axes in front.
        rate, new: Hz.
        samples: how many to give back, by zeros at the end or by leaving some out; by default as many as come.
    """
    import soxr

    if rate != new:
        flat = x.reshape(-1, x.shape[-1])
        x = np.stack([soxr.resample(row, rate, new) for row in flat]).reshape(*x.shape[:-1], -1)
    if samples is None or samples == x.shape[-1]:
        return x
    short = max(samples - x.shape[-1], 0)
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, short)])[..., :samples]


def resampled_parts(
    parts: Iterable[Float[np.ndarray, " samples"]], rate: int, new: int
) -> Iterator[Float[np.ndarray, " samples"]]:
    """Parts of one sound, laid end to end, at the rate `new`."""
    import soxr

    if rate == new:
        yield from parts
        return
    stream = soxr.ResampleStream(rate, new, 1, "float64")
    for part in parts:
        yield stream.resample_chunk(part)
    yield stream.resample_chunk(np.empty(0), last=True)
