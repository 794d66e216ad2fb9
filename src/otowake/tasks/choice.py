"""What is taken where nothing is named: the method, and the transform that suits it."""

import math

from otowake.core.errors import OtowakeError
from otowake.recipes import Recipe
from otowake.signal.stft import Stft
from otowake.spec import recipe

DEFAULT = "consistent_ilrma"
"""The method for several microphones when none is named; experiments/quality/README.md holds the measurements."""

SHORTEST = 256
"""Samples of the shortest frame that is taken unasked."""

_MONO = (
    "for one channel name --method nmf with --sources (repeating sounds such as notes and drum hits), or record with "
    "two microphones."
)


def choose(method: str, channels: int, sources: int | None) -> tuple[Recipe, str]:
    """The recipe, and the sentence that says why it was taken."""
    if method != "auto":
        chosen = recipe(method)
        if chosen.takes == "one" and channels > 1:
            raise OtowakeError(
                f"{method} takes one channel, the recording has {channels}; try {DEFAULT}, or one channel."
            )
        if chosen.takes != "one" and channels == 1:
            raise OtowakeError(f"{method} compares microphones, the recording has one channel; {_MONO}")
        if chosen.takes in ("more", "any") and sources is None:
            raise OtowakeError(f"{method} needs to know how many sources there are: give sources (--sources 2).")
        return chosen, "it was asked for"
    if channels == 1:
        raise OtowakeError(f"The recording has one channel, and blind separation compares microphones; {_MONO}")
    extra = "" if sources in (None, channels) else f", after reducing {channels} channels to {sources}"
    return recipe(DEFAULT), f"{channels} microphones: the determined method with the best measured results{extra}"


def default_stft(rate: int, seconds: float, samples: int, overlap: int = 4) -> Stft:
    """A frame of about `seconds`, at most a quarter of the recording, of 2^k or 3 2^k samples; hop 1/overlap of it."""
    wanted = max(SHORTEST, min(seconds * rate, samples / 4))
    frames = [factor << k for k in range(7, 20) for factor in (2, 3)]
    n_fft = min(frames, key=lambda n: abs(math.log(n / wanted)))
    return Stft(n_fft, n_fft // overlap)
