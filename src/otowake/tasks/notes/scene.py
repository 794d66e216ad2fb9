"""The sounds of single notes in a recording, and the recording with some of them changed.

Model    a note's share of a bin is its model's, s = r_note / sum r,  r = (sum_k b_k h_k)^`SHARP` of each note and of
         what has no pitch; one share for all channels, 0 in frames in which the note does not sound, and where it has
         no partials: the noise of playing stays, as it cannot be told from other notes'
Output   x + sum over the touched notes of (edited - original),   original = iSTFT(s X)
         soloed: the sum of the edited ones;   edited: g original, or its partials moved (`signal/transpose.py`)

Where no touched note sounds, 0 is added: the output is the input, bit for bit.  Where an end of the recording cuts a
note, its change fades to 0: a cut is heard at all frequencies.  SHARP, EDGE: docs/decisions/0012-notes.md

Source   Wiener masks: Fevotte, Bertin, Durrieu 2009, equation 29
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from otowake.linalg.safe import divide
from otowake.signal.pitch import hertz
from otowake.signal.rate import resampled
from otowake.signal.transpose import fundamental, transposed
from otowake.source.harmonic import harmonic
from otowake.tasks.notes.edits import Plan
from otowake.tasks.notes.pitched import Pitched
from otowake.tasks.notes.selection import Sounding

SHARP = 2.0  # exponent of the models in a share: 1 amplitudes, 2 powers
CENTS = 50.0  # a partial may be this far from its place
EDGE = 0.45  # of a frame: an edit fades in this where an end of the recording cuts the note
FADED = 0.003  # a note has ended where its course is below this share of its loudest

Sound = Float[Tensor, "channels samples"]


class Placed(NamedTuple):
    """A note in the model: its spectra, the frames in which it sounds, and the bins of its partials."""

    note: Sounding
    mine: Bool[Tensor, " k"]
    frames: slice
    partials: Bool[Tensor, " f"]


@dataclass(frozen=True, eq=False)
class Scene:
    """A recording, at the rate of its analysis, and the notes in it.

    Attributes:
        x: channels samples, with the peak 1.
        peak: what x was divided by.
        pitched: the model.
        placed: the notes.
        groups: spectra that are squared together: those of each note, and those without a pitch.
    """

    x: Sound
    peak: Tensor
    pitched: Pitched
    placed: tuple[Placed, ...]
    groups: tuple[Bool[Tensor, " k"], ...]

    @property
    def room(self) -> int:
        """Frames that overlap one sample."""
        return -(-self.pitched.stft.n_fft // self.pitched.stft.hop)


def scene(x: Sound, rate: int, pitched: Pitched, notes: Sequence[Sounding]) -> Scene:
    """The notes of a recording, ready to be heard and changed.

    Args:
        x: the recording at `rate`.
        pitched: what was found in it.
        notes: pitches and seconds.
    """
    heard = torch.from_numpy(resampled(x.numpy(), rate, pitched.rate))
    own = dict.fromkeys(zip(pitched.pitch, pitched.voice, strict=True))
    groups = [pitched.of(p, voice) for p, voice in own if p is not None]
    rest = torch.tensor([p is None for p in pitched.pitch])
    peak = heard.abs().amax()
    return Scene(heard / peak, peak, pitched, _placed(pitched, notes), (*groups, rest))


def share(of: Scene, one: Placed) -> Float[Tensor, "f t"]:
    """What belongs to a note of each bin of its frames."""
    B, H = of.pitched.B, of.pitched.H[:, one.frames]
    whole = torch.zeros(B.shape[0], H.shape[1], dtype=B.dtype)
    for group in of.groups:
        whole += (B[:, group] @ H[group]) ** SHARP
    return divide((B[:, one.mine] @ H[one.mine]) ** SHARP, whole) * one.partials.unsqueeze(-1)


def spectrogram(of: Scene, one: Placed) -> Complex[Tensor, "channels f t"]:
    """The recording's spectrogram in the frames of a note, which is all that is ever computed of it."""
    stft, t = of.pitched.stft, one.frames
    low, high = (t.start - of.room) * stft.hop, t.stop * stft.hop
    piece = of.x[..., max(0, low) : max(0, high)]
    padded = torch.nn.functional.pad(piece, (max(0, -low), high - max(0, low) - piece.shape[-1]))
    return stft.forward(padded)[..., of.room : of.room + t.stop - t.start]


def sound(of: Scene, one: Placed) -> tuple[int, Sound]:
    """A note alone: its first sample's place in the recording, which may lie before it, and its samples."""
    Y = torch.nn.functional.pad(spectrogram(of, one) * share(of, one), (of.room, of.room))
    return (one.frames.start - of.room) * of.pitched.stft.hop, of.pitched.stft.inverse(Y) * of.peak


def level(of: Scene, one: Placed) -> float:
    """The note's mean power while it sounds, in dB; 0 is a sine of full scale in every channel."""
    stft = of.pitched.stft
    power = (spectrogram(of, one) * share(of, one)).abs().square().sum(-2)  # of frames: halves of spectra
    mean = 2 * power.sum() / max(power.numel(), 1) / (stft.n_fft * stft.window(power).square().sum())
    return float(10 * torch.log10(2 * mean) + 20 * torch.log10(of.peak))


def pitch(of: Scene, one: Placed) -> float:
    """The note's fundamental in hertz, as it was played."""
    return fundamental(sound(of, one)[1], of.pitched.rate, hertz(float(one.note.pitch)))


def change(of: Scene, todo: Plan) -> Sound:
    """What has to be added to the recording, or, where the rest is not heard, the notes alone; at the model's rate."""
    total = torch.zeros_like(of.x)
    for one, part in zip(of.placed, todo.parts, strict=True):
        shifts = part.semitones != 0 and part.gain != 0
        weight = (0.0 if shifts else part.gain) - todo.rest
        if weight or shifts:
            start, y = sound(of, one)
            z = weight * y
            if shifts:
                z = z + part.gain * transposed(y, of.pitched.rate, hertz(float(one.note.pitch)), part.semitones)
            _add(total, start, z * _uncut(of, one, start, z))
    return total


def _uncut(of: Scene, one: Placed, start: int, y: Sound) -> Float[Tensor, " samples"]:
    """What a note's sound is multiplied by: 1, and fades to 0 at an end of the recording that cuts it."""
    stft, samples = of.pitched.stft, of.x.shape[-1]
    at = torch.arange(start, start + y.shape[-1], dtype=y.dtype)
    ends = []
    if (one.frames.start + 1) * stft.hop < stft.n_fft:
        ends.append(at)
    if one.frames.stop * stft.hop > samples:
        ends.append(samples - 1 - at)
    w = torch.ones_like(at)
    for away in ends:
        w = w * (torch.pi / 2 * (away / (EDGE * stft.n_fft)).clamp(0, 1)).sin().square()
    return w


def _add(total: Sound, start: int, y: Float[Tensor, "channels _"]) -> None:
    """y at its place in the total, which is changed."""
    low, high = max(0, start), min(total.shape[-1], start + y.shape[-1])
    total[..., low:high] += y[..., low - start : high - start]


# ---- when a note sounds ------------------------------------------------------------------------------------


def _placed(pitched: Pitched, notes: Sequence[Sounding]) -> tuple[Placed, ...]:
    """Each note's frames: all that hear some of it, then as long as it fades, but not into the next of its pitch."""
    centres = pitched.times()
    reach = pitched.stft.n_fft / (2 * pitched.rate)
    starts = [int(torch.searchsorted(centres, note.onset - reach, right=True)) for note in notes]
    ends = [int(torch.searchsorted(centres, note.offset + reach)) for note in notes]
    bins = {p: _partials(pitched, p) for p in {note.pitch for note in notes}}
    found = []
    for note, first, last in zip(notes, starts, ends, strict=True):
        mine = pitched.of(note.pitch, note.voice)
        later = [s for n, s in zip(notes, starts, strict=True) if _twins(n, note) and n.onset > note.onset]
        limit = min([*later, len(centres)])
        last = min(last, limit)
        frames = slice(first, _faded(pitched.course(mine), first, last, limit))
        found.append(Placed(note, mine, frames, bins[note.pitch]))
    return tuple(found)


def _partials(pitched: Pitched, number: int) -> Bool[Tensor, " f"]:
    return harmonic(torch.tensor([float(number)]), pitched.rate, pitched.stft, cents=CENTS)[:, 0] > 0


def _twins(one: Sounding, other: Sounding) -> bool:
    return (one.pitch, one.voice) == (other.pitch, other.voice)


def _faded(course: Float[Tensor, " t"], first: int, last: int, limit: int) -> int:
    """The frame after the note's last: from `last` on it may fade, until it is gone or gets louder again."""
    quiet = FADED * float(course[first:last].max()) if last > first else 0.0
    while last < limit and quiet < course[last] <= course[last - 1]:
        last += 1
    return last
