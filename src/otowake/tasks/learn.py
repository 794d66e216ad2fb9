"""Learning what a sound is like: examples of it in, its spectra out.

bases = learn(x, rate)            x: (channels, samples) of the sound alone, such as an instrument's scale
save_bases("sax.bases", bases)    `extract` finds the sound in mixtures with them

Model    amplitudes, |x_ft| ~ sum_k b_fk h_kt, by the Kullback-Leibler divergence
Source   Smaragdis, Raj, Shashanka 2007; numbers: docs/decisions/0010-weight.md
"""

from collections.abc import Sequence
from typing import Any

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
    examples = list(samples) if isinstance(samples, list | tuple) else [samples]
    rates = [rate] * len(examples) if isinstance(rate, int) else [int(r) for r in rate]
    titles = list(names) or [f"example {n}" for n in range(1, len(examples) + 1)]
    if not examples or not len(examples) == len(rates) == len(titles):
        raise OtowakeError(f"{len(examples)} examples came with {len(rates)} rates and {len(titles)} names.")
    for one in rates:
        check_request(one, iterations)
    if bases < 1:
        raise OtowakeError(f"{bases} bases cannot be learned; ask for 1 or more, {BASES} are usual.")
    notes: list[str] = []
    sounds = [_mono(x, name, r, rates[0], notes) for x, name, r in zip(examples, titles, rates, strict=True)]
    shortest = min(len(sound) for sound in sounds)
    frames = as_stft(stft) or default_stft(rates[0], FRAME, shortest, OVERLAP)
    for sound in sounds:
        check_length(sound, frames)
    X = amplitudes(torch.cat([frames.forward(sound / sound.abs().amax()) * sound.abs().amax() for sound in sounds], -1))
    method = Separator(Nmf(bases), Observed(Beta(1.0), 1, power_of_v=1.0))
    run = watched(method, X, seed, iterations, watch, "learning")
    B = run.state.z.B[0].double()
    heard = B.sum(0) > tiny(run.state.z.B)
    if not bool(heard.all()):
        notes.append(f"{int((~heard).sum())} of the {bases} spectra stayed empty and were left out.")
    settings = {"bases": bases, "iterations": iterations, "seed": seed}
    return Bases(B[:, heard], rates[0], frames, tuple(titles), settings, (*notes, *run.notes()))


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
