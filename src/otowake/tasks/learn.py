"""Learning what a sound is like: examples of it in, its spectra out.

bases = learn(x, rate)            x: (channels, samples) of the sound alone, such as an instrument's scale
bases = learn(stream("a.flac"))   a file of any length, of which no more than a block is in memory
save_bases("sax.bases", bases)    `extract` finds the sound in mixtures with them

Model    amplitudes, |x_ft| ~ sum_k b_fk h_kt, by the Kullback-Leibler divergence
Source   Smaragdis, Raj, Shashanka 2007; numbers: docs/decisions/0010-weight.md; long ones: docs/papers/online_nmf.md
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.divergence.beta import Beta
from otowake.linalg.safe import tiny
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft
from otowake.signal.stream import Stream
from otowake.source.nmf import Given, Nmf
from otowake.spatial.observed import Observed
from otowake.spec import show
from otowake.tasks.bases import Bases
from otowake.tasks.choice import default_stft
from otowake.tasks.door import Run, Watch, as_stft, check_request, device_name, tensor, watched
from otowake.tasks.long import BLOCK, Measured, Plan, Sound, learned
from otowake.tasks.prepare import check_length, check_samples

BASES = 27
ITERATIONS = 500
FRAME = 0.093  # seconds: 4096 samples at 44.1 kHz
OVERLAP = 2  # the hop is a half of the frame
LONG = 2**24  # values of a spectrogram that is learned in one piece: 6 minutes at 44.1 kHz, a gigabyte at work
PASS = 100  # iterations that one pass through long examples stands for
PART = 2**16  # samples of an array at a time


def learn(
    samples: Any,
    rate: int | Sequence[int] | None = None,
    bases: int | None = None,
    *,
    stft: str | Stft | None = None,
    iterations: int = ITERATIONS,
    seed: int = 0,
    names: Sequence[str] = (),
    watch: Watch | None = None,
    seeds: int = 1,
    device: str = "cpu",
    start: Bases | None = None,
) -> Bases:
    """Learn the spectra of a sound from examples.

    Args:
        samples: (channels, samples) or (samples,) floating point, NumPy or torch; or a `stream` of a file; or a list of
            such examples.  More than `LONG` values of their spectrograms are learned block by block.
        rate: samples a second, one for all or one for each; the first is that of the bases.  Streams bring their own.
        bases: how many spectra; by default 27, a scale of two octaves and some, or as many as `start` has.
        stft: "frame/hop" in samples; by default about 93 ms, and a hop of half of it.
        iterations: how many; of long examples one pass for each hundred.
        seed: of the random start.
        names: of the examples, for sentences and the file.
        watch: called after each iteration; an exception that it raises stops the work and is passed on.
        seeds: how many starts, from `seed` on; the one that ends with the lowest cost is taken.
        device: "cpu", "cuda" or "auto".
        start: bases to begin with instead of chance; their rate and STFT are taken.  More than they are: at random.

    Raises:
        OtowakeError: one sentence: what came, where, what to try.
    """
    sounds = _sounds(samples, rate, names)
    wanted, count = _wanted(sounds, bases, start)
    check_request(wanted, iterations, seeds)
    where = device_name(device)
    notes: list[str] = []
    held = _held(sounds)
    lengths = [LONG if x is None else -(-x.shape[-1] * wanted // s.rate) for x, s in zip(held, sounds, strict=True)]
    frames = _stft(as_stft(stft), start, wanted, min(lengths))
    source = Nmf(count, given=None if start is None else Given(start.B, frozen=False))
    spatial = Observed(Beta(1.0), 1, power_of_v=1.0)
    if sum(frames.frames(samples) * frames.bins for samples in lengths) > LONG:
        passes = max(1, -(-iterations // PASS))
        plan = Plan(wanted, frames, source, spatial, passes, range(seed, seed + seeds), where)
        parts = [s if x is None else s._replace(parts=x.split(PART, -1)) for s, x in zip(sounds, held, strict=True)]
        B, run, met = learned(parts, plan, watch)
        notes += _long_notes(sounds, held, met, plan)
        more: dict[str, Any] = {"passes": passes, "block": BLOCK}
    else:
        X = _amplitudes(sounds, held, wanted, frames, notes).to(where)
        run = watched(Separator(source, spatial), X, seed, iterations, watch, "learning", seeds)
        B, more = run.state.z.B[0].double().cpu(), {}
        notes += run.notes()
    heard = B.sum(0) > tiny(torch.empty(0, dtype=torch.float32))
    if not bool(heard.all()):
        notes.append(f"{int((~heard).sum())} of the {count} spectra stayed empty and were left out.")
    settings = {"bases": count, "iterations": iterations, "seed": seed, **more, **_chosen(run, start)}
    return Bases(B[:, heard], wanted, frames, tuple(s.name for s in sounds), settings, tuple(notes))


def _sounds(samples: Any, rate: int | Sequence[int] | None, names: Sequence[str]) -> list[Sound]:
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


def _wanted(sounds: Sequence[Sound], bases: int | None, start: Bases | None) -> tuple[int, int]:
    """The rate of the bases, and how many they are."""
    least = 1 if start is None else start.B.shape[-1]
    count = (BASES if start is None else least) if bases is None else bases
    if count < 1:
        raise OtowakeError(f"{count} bases cannot be learned; ask for 1 or more, {BASES} are usual.")
    if count < least:
        raise OtowakeError(f"The bases to start from are {least}, asked for are {count}; ask for as many or more.")
    return (sounds[0].rate if start is None else start.rate), count


def _stft(asked: Stft | None, start: Bases | None, rate: int, samples: int) -> Stft:
    if start is None:
        return asked or default_stft(rate, FRAME, samples, OVERLAP)
    if asked not in (None, start.stft):
        raise OtowakeError(
            f"The bases to start from were learned with an STFT of {show(start.stft)}, asked for is {show(asked)}; "
            "leave it out."
        )
    return start.stft


def _chosen(run: Run, start: Bases | None) -> dict[str, Any]:
    """What else a file of bases tells of how they were learned."""
    again = {} if start is None else {"start": list(start.examples)}
    return {**({"seeds": len(run.starts), **run.diagnostics()} if run.starts else {}), **again}


def amplitudes(X: Tensor) -> Tensor:
    """|X| in single precision and of mean 1, as a mixture of one channel: the units of bases.

    X: f t complex, or f t real and >= 0.
    """
    a = X.abs()
    a = a / a.max()
    return (a / a.mean()).to(torch.complex64).unsqueeze(0)


def _held(sounds: Sequence[Sound]) -> list[Tensor | None]:
    """(channels, samples) of each, checked; None: of a file where all files together are more than is held."""
    held, samples = [], 0
    for sound in sounds:
        x = _read(sound.parts, LONG - samples) if isinstance(sound.parts, Stream) else tensor(sound.parts)
        held.append(None if x is None else _checked(sound, torch.atleast_2d(x)))
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


def _checked(sound: Sound, x: Tensor) -> Tensor:
    if x.ndim != 2:
        raise OtowakeError(f"{sound.name} has the shape {tuple(x.shape)}; give (channels, samples).")
    if x.is_floating_point() and not bool((x != 0).any()):
        raise OtowakeError(f"{sound.name} is silent: every sample is 0, so there is nothing to learn from.")
    check_samples(x)
    if not bool((x.mean(0) != 0).any()):
        raise OtowakeError(f"{sound.name} cancels out: its channels add up to 0; give one of them.")
    return x


def _amplitudes(
    sounds: Sequence[Sound], held: Sequence[Tensor | None], wanted: int, stft: Stft, notes: list[str]
) -> Tensor:
    """Of all examples, one after the other, as one mixture."""
    spectra = []
    for sound, x in zip(sounds, held, strict=True):
        assert x is not None
        notes += _notes(sound, len(x), x.shape[-1], wanted)
        mono = torch.from_numpy(resampled(x.mean(0).numpy(), sound.rate, wanted))
        check_length(mono, stft)
        spectra.append(stft.forward(mono / mono.abs().amax()) * mono.abs().amax())
    return amplitudes(torch.cat(spectra, -1))


def _notes(sound: Sound, channels: int, samples: int, wanted: int) -> list[str]:
    notes = [*sound.parts.notes(samples)] if isinstance(sound.parts, Stream) else []
    if channels > 1:
        notes.append(f"{sound.name} has {channels} channels: their mean was learned.")
    if sound.rate != wanted:
        notes.append(f"{sound.name} has {sound.rate} Hz: it was resampled to {wanted} Hz.")
    return notes


def _long_notes(sounds: Sequence[Sound], held: Sequence[Tensor | None], met: Measured, plan: Plan) -> list[str]:
    notes = []
    for sound, x, samples in zip(sounds, held, met.samples, strict=True):
        channels = sound.parts.channels if isinstance(sound.parts, Stream) else len(x) if x is not None else 1
        notes += _notes(sound, channels, samples, plan.rate)
    minutes, most = (frames * plan.stft.hop / plan.rate / 60 for frames in (met.frames, LONG / plan.stft.bins))
    return [
        *notes,
        f"{minutes:.3g} minutes are more than is learned in one piece ({most:.2g} minutes here): they were learned in "
        f"blocks of {BLOCK} frames, {plan.passes} times over.",
    ]
