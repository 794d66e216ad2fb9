"""Spectra of an instrument's notes that know their pitch: from a recording of its scale, or from learned bases.

tones(x, rate)     x: one note after the other, in any order, such as a scale; nobody says which note is where
labelled(bases)    the spectra of `learn`, each with the pitch it has itself

Pitch    of each frame by its period (`signal/period.py`); a note is a run of frames of one pitch
Model    amplitudes, |x_ft| ~ sum_k b_fk h_kt by the Kullback-Leibler divergence; of each pitch one spectrum for its
         start and one for the rest; h_kt = 0 wherever that pitch is not heard, which updates keep

Source   zeros from what is known of the notes: Ewert & Muller 2012
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.run import finite, iterate, last, until
from otowake.core.separator import Separator
from otowake.divergence.beta import Beta
from otowake.signal.period import heard
from otowake.signal.stft import Stft
from otowake.source.nmf import Nmf
from otowake.spatial.observed import Observed
from otowake.tasks.bases import Bases
from otowake.tasks.choice import default_stft
from otowake.tasks.door import check_request, tensor
from otowake.tasks.examples import Sound, amplitudes, checked, one_channel
from otowake.tasks.prepare import check_length

FRAME = 0.093  # seconds
OVERLAP = 8  # hops a frame: onsets are wanted to a few hundredths of a second
CLEAR = 0.8  # clarity of a frame or a spectrum that has a pitch
QUIET = 1e-4  # frames of less than this share of the loudest one's power have none
SHORTEST = 0.06  # seconds of a note in an example
VIBRATO = 0.06  # seconds before and after a frame whose median is its pitch
START = 0.1  # seconds that a note's start takes
GAP, FEW = 7, 0.2  # semitones, and share of the spectra: a smaller group, further away, has no pitch of its own
ITERATIONS = 60


@dataclass(frozen=True, eq=False)
class Tones:
    """Spectra with pitches.

    Attributes:
        B: f k, amplitudes, columns adding up to 1.
        pitch: the MIDI number of each column; None for what has no pitch, such as the noise of a hammer.
        rate: samples a second of what they were learned from.
        stft: the transform whose bins these are.
        name: of the instrument, or of the file.
        notes: what a person should know, in sentences.
    """

    B: Float[Tensor, "f k"]
    pitch: tuple[int | None, ...]
    rate: int
    stft: Stft
    name: str = ""
    notes: tuple[str, ...] = ()

    def pitches(self) -> list[int]:
        """The different ones, ascending."""
        return sorted({p for p in self.pitch if p is not None})


def tones(x: Any, rate: int, *, name: str = "example", stft: Stft | None = None, wanted: int | None = None) -> Tones:
    """Learn the spectra of an instrument's notes.

    Args:
        x: (channels, samples) or (samples,) floating point, NumPy or torch: notes one after the other.
        rate: samples a second.
        name: for sentences and labels.
        stft: the transform; by default about 93 ms every 12 ms.
        wanted: the rate to learn at; by default the example's own.

    Raises:
        OtowakeError: one sentence: what came, where, what to try.
    """
    check_request(rate, None)
    notes: list[str] = []
    new = wanted or rate
    example = Sound(name, rate, x)
    sound = one_channel(example, checked(example, torch.atleast_2d(tensor(x))), new, notes)
    stft = stft or default_stft(new, FRAME, len(sound), OVERLAP)
    check_length(sound, stft)
    X = stft.forward(sound / sound.abs().amax()).abs()
    runs = list(_runs(X, new, stft))
    if not runs:
        raise OtowakeError(f"No note was heard in {name}; give notes one after the other, such as a scale, alone.")
    B, pitch = _learned(X, runs, max(1, round(START * new / stft.hop)), stft.n_fft // (2 * stft.hop))
    return Tones(B, pitch, new, stft, name, tuple(notes))


def labelled(bases: Bases, name: str = "") -> Tones:
    """The spectra of `learn`, with the pitch that each of them has."""
    B = bases.B / bases.B.sum(0)
    at = heard(B, bases.rate, bases.stft)
    pitch = tuple(round(float(p)) if c >= CLEAR else None for p, c in zip(at.pitch, at.clarity, strict=True))
    title = name or ", ".join(bases.examples) or "bases"
    if all(p is None for p in pitch):
        raise OtowakeError(f"No spectrum of {title} has a pitch; learn them from single notes, such as a scale.")
    far = _far(pitch)
    pitch = tuple(None if p in far else p for p in pitch)
    hop = max(1, bases.stft.n_fft // OVERLAP)
    return Tones(B, pitch, bases.rate, Stft(bases.stft.n_fft, hop), title, bases.notes)


def _far(pitch: tuple[int | None, ...]) -> set[int]:
    """Pitches of a few spectra far from all others: partials that learning has split off from notes."""
    heights = sorted(p for p in pitch if p is not None)
    groups: list[list[int]] = [[]]
    for p in heights:
        if groups[-1] and p - groups[-1][-1] > GAP:
            groups.append([])
        groups[-1].append(p)
    return {p for group in groups if len(group) < FEW * len(heights) for p in group}


def _runs(X: Float[Tensor, "f t"], rate: int, stft: Stft) -> Iterator[tuple[int, int, int]]:
    """(pitch, first frame, frame after the last) of each note."""
    power = X.square().sum(0)
    at = heard(X, rate, stft)
    sure = (at.clarity >= CLEAR) & (power > QUIET * power.amax())
    level = _levelled(
        torch.where(sure, at.pitch, torch.full_like(at.pitch, torch.nan)), round(VIBRATO * rate / stft.hop)
    )
    pitch = [round(p) if p == p else None for p in level.tolist()]
    least = max(2, round(SHORTEST * rate / stft.hop))
    begin = 0
    for t in range(1, len(pitch) + 1):
        if t == len(pitch) or pitch[t] != pitch[begin]:
            here = pitch[begin]
            if here is not None and t - begin >= least:
                yield here, begin, t
            begin = t


def _levelled(pitch: Float[Tensor, " t"], reach: int) -> Float[Tensor, " t"]:
    """The median of the pitches around each frame, of those that have one: vibrato does not change the note."""
    around = torch.nn.functional.pad(pitch, (reach, reach), value=torch.nan).unfold(0, 2 * reach + 1, 1)
    return torch.where(pitch.isnan(), pitch, around.nanmedian(-1).values)


def _learned(
    X: Float[Tensor, "f t"], runs: list[tuple[int, int, int]], start: int, reach: int
) -> tuple[Float[Tensor, "f k"], tuple[int, ...]]:
    """Spectra of each pitch's start and of the rest of it."""
    pitches = sorted({pitch for pitch, *_ in runs})
    H, B = X.new_zeros(2 * len(pitches), X.shape[-1]), X.new_zeros(X.shape[0], 2 * len(pitches))
    for pitch, begin, end in runs:
        k = 2 * pitches.index(pitch)
        H[k, max(0, begin - reach) : begin + start] = 1.0
        H[k + 1, max(0, begin - reach) : end + reach] = 1.0
        B[:, k] += X[:, begin : begin + start].sum(1)
        B[:, k + 1] += X[:, begin:end].sum(1)
    a = amplitudes(X)
    method = Separator(Nmf(H.shape[0]), Observed(Beta(1.0), 1, power_of_v=1.0))
    state = method.init(a, 0)
    B, H = B / B.sum(0), H * a.real.sum((0, 1))
    z = state.z._replace(B=B.unsqueeze(0).to(state.z.B), H=H.unsqueeze(0).to(state.z.H))
    found = last(finite(until(iterate(method, a, state._replace(z=z)), steps=ITERATIONS))).state.z
    size = (found.B[0] * found.H[0].sum(-1)).double()
    heard_ = size.sum(0) > 0
    kept = tuple(p for p, ok in zip((p for p in pitches for _ in range(2)), heard_.tolist(), strict=True) if ok)
    return size[:, heard_] / size[:, heard_].sum(0), kept
