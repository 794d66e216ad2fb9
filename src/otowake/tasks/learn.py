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
from otowake.signal.stft import Stft
from otowake.signal.stream import Stream
from otowake.source.nmf import Given, Nmf
from otowake.spatial.observed import Observed
from otowake.spec import show
from otowake.tasks.bases import Bases
from otowake.tasks.choice import default_stft
from otowake.tasks.door import Run, Watch, as_stft, check_request, device_name, watched
from otowake.tasks.examples import LONG, Sound, held, notes_on, sounds_of, together
from otowake.tasks.passes import BLOCK, Measured, Plan, learned

BASES = 27
ITERATIONS = 500
FRAME = 0.093  # seconds: 4096 samples at 44.1 kHz
OVERLAP = 2  # the hop is a half of the frame
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
    sounds = sounds_of(samples, rate, names)
    wanted, count = _wanted(sounds, bases, start)
    check_request(wanted, iterations, seeds)
    where = device_name(device)
    notes: list[str] = []
    inside = held(sounds)
    lengths = [LONG if x is None else -(-x.shape[-1] * wanted // s.rate) for x, s in zip(inside, sounds, strict=True)]
    frames = _stft(as_stft(stft), start, wanted, min(lengths))
    source = Nmf(count, given=None if start is None else Given(start.B, frozen=False))
    spatial = Observed(Beta(1.0), 1, power_of_v=1.0)
    if sum(frames.frames(samples) * frames.bins for samples in lengths) > LONG:
        passes = max(1, -(-iterations // PASS))
        plan = Plan(wanted, frames, source, spatial, passes, range(seed, seed + seeds), where)
        parts = [s if x is None else s._replace(parts=x.split(PART, -1)) for s, x in zip(sounds, inside, strict=True)]
        B, run, met = learned(parts, plan, watch)
        notes += _long_notes(sounds, inside, met, plan)
        more: dict[str, Any] = {"passes": passes, "block": BLOCK}
    else:
        X = together(sounds, inside, wanted, frames, notes).to(where)
        run = watched(Separator(source, spatial), X, seed, iterations, watch, "learning", seeds)
        B, more = run.state.z.B[0].double().cpu(), {}
        notes += run.notes()
    heard = B.sum(0) > tiny(torch.empty(0, dtype=torch.float32))
    if not bool(heard.all()):
        notes.append(f"{int((~heard).sum())} of the {count} spectra stayed empty and were left out.")
    settings = {"bases": count, "iterations": iterations, "seed": seed, **more, **_chosen(run, start)}
    return Bases(B[:, heard], wanted, frames, tuple(s.name for s in sounds), settings, tuple(notes))


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


def _long_notes(sounds: Sequence[Sound], held: Sequence[Tensor | None], met: Measured, plan: Plan) -> list[str]:
    notes = []
    for sound, x, samples in zip(sounds, held, met.samples, strict=True):
        channels = sound.parts.channels if isinstance(sound.parts, Stream) else len(x) if x is not None else 1
        notes += notes_on(sound, channels, samples, plan.rate)
    minutes, most = (frames * plan.stft.hop / plan.rate / 60 for frames in (met.frames, LONG / plan.stft.bins))
    return [
        *notes,
        f"{minutes:.3g} minutes are more than is learned in one piece ({most:.2g} minutes here): they were learned in "
        f"blocks of {BLOCK} frames, {plan.passes} times over.",
    ]
