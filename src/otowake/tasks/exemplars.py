"""Frames of examples themselves as spectra: nothing is averaged, so low and high bands stay together.

Source   Gemmeke, Virtanen, Hurmalainen 2011; how many, and against learned spectra: experiments/extension
"""

from collections.abc import Sequence
from typing import Any

import torch

from otowake.core.errors import OtowakeError
from otowake.signal.stft import Stft
from otowake.tasks.bases import Bases
from otowake.tasks.choice import default_stft
from otowake.tasks.door import as_stft, check_request
from otowake.tasks.examples import held, sounds_of, together
from otowake.tasks.teach import around

EXEMPLARS = 500
FRAME = 0.04  # seconds, of which the next power of two is taken: 32 ms at 16 kHz, 46 ms at 44.1 kHz
OVERLAP = 2  # the hop is a half of the frame
SILENT = 1e-5  # of the loudest frame's sum of amplitudes


def exemplars(
    samples: Any,
    rate: int | Sequence[int],
    count: int = EXEMPLARS,
    *,
    to: int | None = None,
    stft: str | Stft | None = None,
    names: Sequence[str] = (),
) -> Bases:
    """Take frames of examples as spectra, for `extend`.

    Args:
        samples: (channels, samples) or (samples,) floating point, NumPy or torch, or a list of such examples.
        rate: samples a second, one for all or one for each.
        count: the most spectra, evenly spread over all frames that are not silent.
        to: samples a second of the spectra; by default the lowest of the examples' rates.
        stft: "frame/hop" in samples; by default the power of two near 40 ms, and a hop of half of it.
        names: of the examples, for sentences and the file.

    Raises:
        OtowakeError: one sentence: what came, where, what to try.
    """
    if not 1 <= count <= 10_000:
        raise OtowakeError(f"{count} exemplars cannot be had; ask for 1 to 10000, {EXEMPLARS} are usual.")
    sounds = sounds_of(samples, rate, names)
    lowest = min(sound.rate for sound in sounds)
    wanted = lowest if to is None else min(to, lowest)
    check_request(wanted, None)
    inside = held(sounds)
    lengths = [-(-x.shape[-1] * wanted // s.rate) for x, s in zip(inside, sounds, strict=True) if x is not None]
    frames = as_stft(stft) or default_stft(wanted, FRAME, min(lengths), OVERLAP, (2,))
    notes: list[str] = []
    A = together(sounds, inside, wanted, frames, notes)[0].real.double()
    loud = (A.sum(0) > SILENT * A.sum(0).max()).nonzero()[:, 0]
    chosen = loud[torch.linspace(0, len(loud) - 1, min(count, len(loud))).round().long()]
    settings = {"exemplars": len(chosen), "frames": A.shape[1]}
    near = around(A, wanted / frames.hop)[:, chosen]
    return Bases(A[:, chosen], wanted, frames, tuple(sound.name for sound in sounds), settings, tuple(notes), near)
