"""Learning what a sound is like: examples of it in, its spectra out.

bases = learn(x, rate)            x: (channels, samples) of the sound alone, such as an instrument's scale
save_bases("sax.bases", bases)    `extract` finds the sound in mixtures with them

Model    amplitudes, |x_ft| ~ sum_k b_fk h_kt, by the Kullback-Leibler divergence
Source   Smaragdis, Raj, Shashanka 2007; numbers: docs/decisions/0010-weight.md
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.divergence.beta import Beta
from otowake.linalg.safe import tiny
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft
from otowake.source.nmf import Nmf
from otowake.spatial.observed import Observed
from otowake.tasks.bases import Bases
from otowake.tasks.choice import default_stft
from otowake.tasks.door import Watch, as_stft, check_request, tensor, watched
from otowake.tasks.prepare import check_length, check_samples

BASES = 27
ITERATIONS = 500
FRAME = 0.093  # seconds: 4096 samples at 44.1 kHz
OVERLAP = 2  # the hop is a half of the frame
EXEMPLARS = 500
SILENT = 1e-3  # of the loudest frame's sum of amplitudes


def learn(
    samples: Any,
    rate: int | Sequence[int],
    bases: int = BASES,
    *,
    stft: str | Stft | None = None,
    iterations: int = ITERATIONS,
    seed: int = 0,
    names: Sequence[str] = (),
    watch: Watch | None = None,
) -> Bases:
    """Learn the spectra of a sound from examples.

    Args:
        samples: (channels, samples) or (samples,) floating point, NumPy or torch, or a list of such examples.
        rate: samples a second, one for all or one for each; the first is that of the bases.
        bases: how many spectra; 27 is a scale of two octaves and some.
        stft: "frame/hop" in samples; by default about 93 ms, and a hop of half of it.
        iterations: how many.
        seed: of the random start.
        names: of the examples, for sentences and the file.
        watch: called after each iteration; an exception that it raises stops the work and is passed on.

    Raises:
        OtowakeError: one sentence: what came, where, what to try.
    """
    if bases < 1:
        raise OtowakeError(f"{bases} bases cannot be learned; ask for 1 or more, {BASES} are usual.")
    heard = _heard(samples, rate, names, stft, FRAME)
    check_request(heard.rate, iterations)
    method = Separator(Nmf(bases), Observed(Beta(1.0), 1, power_of_v=1.0))
    run = watched(method, heard.X, seed, iterations, watch, "learning")
    B = run.state.z.B[0].double()
    used = B.sum(0) > tiny(run.state.z.B)
    notes = list(heard.notes)
    if not bool(used.all()):
        notes.append(f"{int((~used).sum())} of the {bases} spectra stayed empty and were left out.")
    settings = {"bases": bases, "iterations": iterations, "seed": seed}
    return Bases(B[:, used], heard.rate, heard.stft, heard.names, settings, (*notes, *run.notes()))


def exemplars(
    samples: Any,
    rate: int | Sequence[int],
    count: int = EXEMPLARS,
    *,
    to: int | None = None,
    stft: str | Stft | None = None,
    names: Sequence[str] = (),
) -> Bases:
    """Frames of examples themselves as spectra, for `extend`: nothing is averaged, so low and high bands stay together.

    Args:
        samples, rate, names: as of `learn`.
        count: the most spectra, evenly spread over all frames that are not silent.
        to: samples a second of the spectra; by default the lowest of the examples' rates.
        stft: "frame/hop" in samples; by default about 46 ms, and a hop of half of it.

    Raises:
        OtowakeError: one sentence: what came, where, what to try.
    """
    if not 1 <= count <= 10_000:
        raise OtowakeError(f"{count} exemplars cannot be had; ask for 1 to 10000, {EXEMPLARS} are usual.")
    lowest = rate if isinstance(rate, int) else min(rate, default=0)
    heard = _heard(samples, rate, names, stft, FRAME / 2, lowest if to is None else min(to, lowest))
    A = heard.X[0].real.double()
    loud = (A.sum(0) > SILENT * A.sum(0).max()).nonzero()[:, 0]
    chosen = loud[torch.linspace(0, len(loud) - 1, min(count, len(loud))).round().long()]
    settings = {"exemplars": len(chosen), "frames": A.shape[1]}
    return Bases(A[:, chosen], heard.rate, heard.stft, heard.names, settings, heard.notes)


class Heard(NamedTuple):
    """Examples as one spectrogram, 1 f t without phases and of mean 1 (`amplitudes`), and what is known of them."""

    X: Tensor
    rate: int
    stft: Stft
    names: tuple[str, ...]
    notes: tuple[str, ...]


def _heard(
    samples: Any,
    rate: int | Sequence[int],
    names: Sequence[str],
    stft: str | Stft | None,
    seconds: float,
    wanted: int | None = None,
) -> Heard:
    """Examples one after the other, at the wanted rate or the first one's."""
    examples = list(samples) if isinstance(samples, list | tuple) else [samples]
    rates = [rate] * len(examples) if isinstance(rate, int) else [int(r) for r in rate]
    titles = list(names) or [f"example {n}" for n in range(1, len(examples) + 1)]
    if not examples or not len(examples) == len(rates) == len(titles):
        raise OtowakeError(f"{len(examples)} examples came with {len(rates)} rates and {len(titles)} names.")
    wanted = rates[0] if wanted is None else wanted
    for one in (*rates, wanted):
        check_request(one, None)
    notes: list[str] = []
    sounds = [_mono(x, name, r, wanted, notes) for x, name, r in zip(examples, titles, rates, strict=True)]
    shortest = min(len(sound) for sound in sounds)
    frames = as_stft(stft) or default_stft(wanted, seconds, shortest, OVERLAP)
    for sound in sounds:
        check_length(sound, frames)
    X = amplitudes(torch.cat([frames.forward(sound / sound.abs().amax()) * sound.abs().amax() for sound in sounds], -1))
    return Heard(X, wanted, frames, tuple(titles), tuple(notes))


def amplitudes(X: Tensor) -> Tensor:
    """|X| in single precision and of mean 1, as a mixture of one channel: the units of bases.

    X: f t complex, or f t real and >= 0.
    """
    a = X.abs()
    a = a / a.max()
    return (a / a.mean()).to(torch.complex64).unsqueeze(0)


def _mono(x: Any, name: str, rate: int, wanted: int, notes: list[str]) -> Float[Tensor, " samples"]:
    """One example as one channel at the wanted rate."""
    sound = torch.atleast_2d(tensor(x))
    if sound.ndim != 2:
        raise OtowakeError(f"{name} has the shape {tuple(sound.shape)}; give (channels, samples).")
    if sound.is_floating_point() and not bool((sound != 0).any()):
        raise OtowakeError(f"{name} is silent: every sample is 0, so there is nothing to learn from.")
    check_samples(sound)
    if len(sound) > 1:
        notes.append(f"{name} has {len(sound)} channels: their mean was learned.")
    mean = sound.mean(0)
    if not bool((mean != 0).any()):
        raise OtowakeError(f"{name} cancels out: its channels add up to 0; give one of them.")
    if rate != wanted:
        notes.append(f"{name} has {rate} Hz: it was resampled to {wanted} Hz.")
    return torch.from_numpy(resampled(mean.numpy(), rate, wanted))
