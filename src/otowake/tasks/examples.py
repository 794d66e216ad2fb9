"""Examples of a sound, as they come to those who learn from them: named, checked, one channel, one after the other."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft
from otowake.signal.stream import Stream
from otowake.tasks.door import check_request, tensor
from otowake.tasks.prepare import check_length, check_samples

LONG = 2**24  # values of a spectrogram that is learned in one piece: 6 minutes at 44.1 kHz, a gigabyte at work


class Sound(NamedTuple):
    """An example.  parts: (channels, samples) each, laid end to end, gone through anew at each look."""

    name: str
    rate: int
    parts: Iterable[Any]


def sounds_of(samples: Any, rate: int | Sequence[int] | None, names: Sequence[str]) -> list[Sound]:
    """What was given, with names and rates."""
    given = list(samples) if isinstance(samples, list | tuple) else [samples]
    if rate is None:
        rates = [x.rate for x in given if isinstance(x, Stream)]
    else:
        rates = [rate] * len(given) if isinstance(rate, int) else [int(r) for r in rate]
    titles = list(names) or [f"example {n}" for n in range(1, len(given) + 1)]
    if not given or not len(given) == len(rates) == len(titles):
        raise OtowakeError(f"{len(given)} examples came with {len(rates)} rates and {len(titles)} names.")
    for one, x in zip(rates, given, strict=True):
        check_request(one, None)
        if isinstance(x, Stream) and one != x.rate:
            raise OtowakeError(f"{x.path.name} has {x.rate} Hz, not {one}; leave the rate out.")
    return [Sound(name, r, x) for name, r, x in zip(titles, rates, given, strict=True)]


def amplitudes(X: Tensor) -> Tensor:
    """|X| in single precision and of mean 1, as a mixture of one channel: the units of bases.

    X: f t complex, or f t real and >= 0.
    """
    a = X.abs()
    a = a / a.max()
    return (a / a.mean()).to(torch.complex64).unsqueeze(0)


def held(sounds: Sequence[Sound]) -> list[Tensor | None]:
    """(channels, samples) of each, checked; None: of a file where all files together are more than is held."""
    held, samples = [], 0
    for sound in sounds:
        x = _read(sound.parts, LONG - samples) if isinstance(sound.parts, Stream) else tensor(sound.parts)
        held.append(None if x is None else checked(sound, torch.atleast_2d(x)))
        samples += LONG if x is None else x.numel()
    many = samples > LONG
    return [None if many and isinstance(s.parts, Stream) else x for s, x in zip(sounds, held, strict=True)]


def _read(stream: Stream, room: int) -> Tensor | None:
    """All of a file, or None where it has more samples than there is room for."""
    parts = []
    for part in stream:
        room -= part.size
        if room < 0:
            return None
        parts.append(torch.from_numpy(part))
    return torch.cat(parts, -1)


def checked(sound: Sound, x: Tensor) -> Tensor:
    """(channels, samples) that something can be learned from."""
    if x.ndim != 2:
        raise OtowakeError(f"{sound.name} has the shape {tuple(x.shape)}; give (channels, samples).")
    if x.is_floating_point() and not bool((x != 0).any()):
        raise OtowakeError(f"{sound.name} is silent: every sample is 0, so there is nothing to learn from.")
    check_samples(x)
    if not bool((x.mean(0) != 0).any()):
        raise OtowakeError(f"{sound.name} cancels out: its channels add up to 0; give one of them.")
    return x


def together(
    sounds: Sequence[Sound], held: Sequence[Tensor | None], wanted: int, stft: Stft, notes: list[str]
) -> Tensor:
    """Of all examples, one after the other, as one mixture."""
    spectra = []
    for sound, x in zip(sounds, held, strict=True):
        assert x is not None
        mono = one_channel(sound, x, wanted, notes)
        check_length(mono, stft)
        spectra.append(stft.forward(mono / mono.abs().amax()) * mono.abs().amax())
    return amplitudes(torch.cat(spectra, -1))


def one_channel(sound: Sound, x: Float[Tensor, "m samples"], wanted: int, notes: list[str]) -> Tensor:
    """The mean of the channels at the wanted rate, and what is to be said of that."""
    notes += notes_on(sound, len(x), x.shape[-1], wanted)
    return torch.from_numpy(resampled(x.mean(0).numpy(), sound.rate, wanted))


def notes_on(sound: Sound, channels: int, samples: int, wanted: int) -> list[str]:
    notes = [*sound.parts.notes(samples)] if isinstance(sound.parts, Stream) else []
    if channels > 1:
        notes.append(f"{sound.name} has {channels} channels: their mean was learned.")
    if sound.rate != wanted:
        notes.append(f"{sound.name} has {sound.rate} Hz: it was resampled to {wanted} Hz.")
    return notes
