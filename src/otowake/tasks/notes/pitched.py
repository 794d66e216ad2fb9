"""A recording as a sum of notes: spectra with pitches, and how loud each of them is in every frame.

decompose(x, rate, known)     with spectra of the instruments' notes (`tones`)
decompose(x, rate)            without: one harmonic spectrum for every pitch

Model    |x_ft| ~ sum_k b_fk h_kt, by the Kullback-Leibler divergence of amplitudes; |x| is the root of the mean power
         of the channels; B is known, H is found: one best cost, wherever it begins; humps of noise take what no note
         explains, such as drums and breath

Source   known spectra: Smaragdis, Raj, Shashanka 2007; why harmonic ones stay as they are: experiments/transcription
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.divergence.beta import Beta
from otowake.linalg.safe import divide
from otowake.signal.pitch import hertz
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft
from otowake.source.harmonic import harmonic, noise
from otowake.source.nmf import Given, Nmf
from otowake.spatial.observed import Observed
from otowake.spec import show
from otowake.tasks.choice import default_stft
from otowake.tasks.door import Run, Watch, check_request, tensor, watched
from otowake.tasks.examples import amplitudes
from otowake.tasks.notes.tones import FRAME, OVERLAP, Tones
from otowake.tasks.prepare import check_length, check_samples

LOWEST, HIGHEST = 28, 96  # E1 to C7
ITERATIONS = 100


@dataclass(frozen=True, eq=False)
class Pitched:
    """A recording taken apart into notes' spectra and their courses.

    Attributes:
        B: f k, columns adding up to 1.
        H: k t: how much of the amplitudes of a frame each spectrum has, in the recording's own units.
        pitch: the MIDI number of each spectrum; None for those without a pitch.
        voice: the name of what it belongs to: an instrument, "harmonic", or "rest".
        rate: samples a second of the analysis.
        stft: the transform.
        run: the state and the costs.
        notes: what a person should know, in sentences.
    """

    B: Float[Tensor, "f k"]
    H: Float[Tensor, "k t"]
    pitch: tuple[int | None, ...]
    voice: tuple[str, ...]
    rate: int
    stft: Stft
    run: Run
    notes: tuple[str, ...] = ()

    def times(self) -> Float[Tensor, " t"]:
        """Seconds of the middle of each frame."""
        t = torch.arange(self.H.shape[-1], dtype=torch.float64)
        return ((t + 1) * self.stft.hop - self.stft.n_fft / 2) / self.rate

    def pitches(self) -> list[int]:
        """The different ones, ascending."""
        return sorted({p for p in self.pitch if p is not None})

    def voices(self) -> list[str]:
        """The names of what has pitches, in order."""
        return list(dict.fromkeys(v for v, p in zip(self.voice, self.pitch, strict=True) if p is not None))

    def of(self, pitch: int | None = None, voice: str | None = None) -> Bool[Tensor, " k"]:
        """Which spectra have this pitch and voice; None takes all."""
        wanted = [pitch in (None, p) and voice in (None, v) for p, v in zip(self.pitch, self.voice, strict=True)]
        return torch.tensor(wanted)

    def course(self, chosen: Bool[Tensor, " k"]) -> Float[Tensor, " t"]:
        """How loud the chosen spectra are together: sums of amplitudes of a frame."""
        return self.H[chosen].sum(0)

    def share(self, gains: Float[Tensor, "k #t"]) -> Float[Tensor, "f t"]:
        """Of each bin, the part that belongs to the spectra times their gains: a mask where gains are 0 to 1."""
        return divide(self.B @ (gains * self.H), self.B @ self.H)


def decompose(
    x: Any,
    rate: int,
    known: Sequence[Tones] = (),
    *,
    lowest: int = LOWEST,
    highest: int = HIGHEST,
    stft: Stft | None = None,
    iterations: int = ITERATIONS,
    seed: int = 0,
    watch: Watch | None = None,
) -> Pitched:
    """Take a recording apart into notes.

    Args:
        x: (channels, samples) floating point, NumPy or torch.  Never modified.
        rate: samples a second; where the known spectra have another, the recording is analysed at theirs.
        known: spectra of the instruments; without them harmonic ones of every pitch are taken.
        lowest, highest: MIDI numbers of the notes that are looked for.
        stft: the transform; by default about 93 ms every 12 ms, or that of the known spectra.
        iterations: how many.
        seed: of the random start.
        watch: called after each iteration; an exception that it raises stops the work and is passed on.

    Raises:
        OtowakeError: one sentence: what came, where, what to try.
    """
    samples = tensor(x)
    check_samples(samples)
    check_request(rate, iterations)
    _check_wishes(samples, lowest, highest)
    new, frames = _transform(samples, rate, known, stft)
    heard = torch.from_numpy(resampled(samples.numpy(), rate, new))
    check_length(heard, frames)
    peak = heard.abs().amax()
    size = frames.forward(heard / peak).abs().square().mean(0).sqrt()
    a = amplitudes(size)
    B, pitch, voice = _spectra(known, new, frames, lowest, highest)
    rest = noise(new, frames)
    B = torch.cat([B, rest], -1)
    source = Nmf(B.shape[-1], given=Given(B))
    run = watched(Separator(source, Observed(Beta(1.0), 1, power_of_v=1.0)), a, seed, iterations, watch, "notes")
    found, gains = run.state.z.B[0].double(), run.state.z.H[0].double()
    column = found.sum(0)
    unit = float(size.mean() * peak)
    notes = [f"It has {rate} Hz and was analysed at {new} Hz, the rate of the examples."] if rate != new else []
    return Pitched(
        divide(found, column),
        gains * column.unsqueeze(-1) * unit,
        (*pitch, *[None] * rest.shape[-1]),
        (*voice, *["rest"] * rest.shape[-1]),
        new,
        frames,
        run,
        (*notes, *run.notes()),
    )


def _check_wishes(x: Tensor, lowest: int, highest: int) -> None:
    if x.ndim != 2:
        raise OtowakeError(f"The samples have the shape {tuple(x.shape)}; give (channels, samples).")
    if not 0 <= lowest <= highest <= 127:
        raise OtowakeError(f"Notes from {lowest} to {highest} cannot be looked for; give MIDI numbers of 0 to 127.")


def _transform(x: Tensor, rate: int, known: Sequence[Tones], stft: Stft | None) -> tuple[int, Stft]:
    """The rate and the transform of the analysis, which are those of the known spectra."""
    if not known:
        return rate, stft or default_stft(rate, FRAME, x.shape[-1], OVERLAP)
    first = known[0]
    for other in known[1:]:
        if (other.rate, other.stft.n_fft) != (first.rate, first.stft.n_fft):
            raise OtowakeError(f"{_made(first)}, {_made(other)}; learn both in the same way.")
    if stft is not None and stft.n_fft != first.stft.n_fft:
        raise OtowakeError(f"{_made(first)}, asked for is {show(stft)}; leave it out, or learn with it.")
    return first.rate, stft or first.stft


def _made(one: Tones) -> str:
    return f"{one.name} was learned at {one.rate} Hz with an STFT of {show(one.stft)}"


def _spectra(
    known: Sequence[Tones], rate: int, stft: Stft, lowest: int, highest: int
) -> tuple[Float[Tensor, "f k"], list[int | None], list[str]]:
    """Known spectra within the range, or harmonic ones, with pitches and voices."""
    if not known:
        pitches = [p for p in range(lowest, highest + 1) if hertz(p) < rate / 2]
        if not pitches:
            raise OtowakeError(f"A rate of {rate} Hz holds none of the notes that are looked for; look for lower ones.")
        return harmonic(torch.tensor(pitches, dtype=torch.float64), rate, stft), [*pitches], ["harmonic"] * len(pitches)
    B, pitch, voice = [], [], []
    for one in known:
        for k, p in enumerate(one.pitch):
            if p is None or lowest <= p <= highest:
                B.append(one.B[:, k])
                pitch.append(p)
                voice.append(one.name)
    if all(p is None for p in pitch):
        raise OtowakeError("None of the known notes lies in the range that is looked for; widen it.")
    return torch.stack(B, -1), pitch, voice
