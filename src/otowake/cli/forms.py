"""How sounds go into files: they add up to the recording, and take its sample format where that keeps the sum exact.

- integers (PCM): the running sums over the parts are rounded, not the parts; their differences are whole
  steps, add up to the recording's own integers, and no sample is more than one step off:
      q_n = rint(s_1 + ... + s_n) - rint(s_1 + ... + s_{n-1}),    s_1 + ... + s_N = the recording
- float formats are kept: rounding to 32 bits leaves a residual near -150 dB;
- a lossy format (MP3, Vorbis, Opus, ADPCM, mu-law, A-law), or a part that would clip in the recording's
  integers: all parts are 32-bit float WAV, which neither clips nor loses.

One part is in memory at a time where they are made one at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float

from otowake.core.files import shown

if TYPE_CHECKING:
    from otowake.signal.audio import Recording

Sound = Float[np.ndarray, "*m samples"]

BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
BITS |= {"ALAC_16": 16, "ALAC_20": 20, "ALAC_24": 24}
SUFFIXES = {"WAV": (".wav",), "RF64": (".wav", ".rf64"), "FLAC": (".flac",), "AIFF": (".aiff", ".aif")}
SUFFIXES |= {"CAF": (".caf",), "W64": (".w64",)}
FLAC_CHANNELS = 8
WAV_BYTES = 2**32 - 2**20  # a WAV file ends at 4 GiB; some room for its header
BLOCK = 65_536  # samples rounded at a time


class Made(Protocol):
    """n sounds, (n, channels, samples), that are made piece by piece."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def pieces(self, n: int) -> Iterator[Any]: ...


Parts = Float[np.ndarray, "n *m samples"] | Made


class Form(NamedTuple):
    """How parts are stored, and the sentence that says why, if it is not how the recording was."""

    suffix: str
    subtype: str
    note: str = ""


def write_parts(
    place: Path,
    names: Sequence[str],
    parts: Parts,
    mixture: Sound,
    rate: int,
    choices: Iterable[Form],
    see: Callable[[int, Sound], None] | None = None,
) -> tuple[list[str], Form]:
    """Writes the parts into the folder `place`, holding one at a time; gives the files' names and their form.

    Args:
        names: of the files, without their suffix.
        parts: they add up to `mixture`, but for rounding.
        mixture: what they add up to, as it was read.
        rate: Hz.
        choices: the first of these forms in which no part clips is taken.
        see: is shown each part as it is stored, with its number from 0; all again if one clips.
    """
    for form in choices:
        files = [f"{name}{form.suffix}" for name in names]
        if _fit([place / file for file in files], stored(parts, mixture, form), rate, form, see):
            break
    return files, form


def _fit(
    paths: Sequence[Path], sounds: Iterator[Sound], rate: int, form: Form, see: Callable[[int, Sound], None] | None
) -> bool:
    """Whether no sound clips; if one does, no file is left."""
    from otowake.signal.audio import write

    for n, path in enumerate(paths):
        sound = next(sounds)
        if form.subtype in BITS and clips(sound):
            for written in paths[:n]:
                written.unlink()
            return False
        write(path, sound, rate, subtype=form.subtype)
        if see is not None:
            see(n, sound)
        del sound  # before the next one is made
    return True


def forms(shape: tuple[int, ...], model: "Recording", name: str) -> Iterator[Form]:
    """How parts of this shape can be stored, the recording's own form first; the last takes them however loud they are.

    Args:
        model: the recording; name: of its file.
    """
    subtype, channels = model.subtype, 1 if len(shape) == 2 else shape[1]
    kept = Form(_suffix(model, name, channels, shape[-1]), subtype)
    floats = Form(_wave(channels * shape[-1] * 4), "FLOAT")
    if subtype in BITS:
        yield kept
        note = f"A part is louder than {subtype} can hold: all parts are 32-bit float WAV, unclipped."
        yield floats._replace(note=note)
    elif subtype in ("FLOAT", "DOUBLE"):
        yield kept
    else:
        yield floats._replace(note=f"{shown(name)} is in a lossy format ({subtype}): its parts are 32-bit float WAV.")


def finer(recording: "Recording") -> "Recording":
    """The recording as a model for sounds that are new: in 8 bits their faint parts would be lost."""
    return replace(recording, subtype="PCM_16") if BITS.get(recording.subtype, 16) < 16 else recording


def stored(parts: Parts, mixture: Sound, form: Form) -> Iterator[Sound]:
    """The parts as they go into their files, one after the other."""
    if form.subtype in BITS:
        return whole_steps(parts, mixture, BITS[form.subtype])
    return (_laid(pieces, mixture.shape) for pieces in _in_pieces(parts))


def whole_steps(parts: Parts, mixture: Sound, bits: int) -> Iterator[Sound]:
    """Rounds parts, one after the other, to multiples of 2^(1-bits) that add up to `mixture` exactly.

    Where the parts add up to it already, but for rounding, each ends at most one step off.
    """
    step, total = 2.0 ** (1 - bits), np.zeros(mixture.shape)
    for left, pieces in zip(range(parts.shape[0] - 1, -1, -1), _in_pieces(parts), strict=True):
        yield _laid(_rounded(pieces, total, total if left else mixture, step), mixture.shape)


def _rounded(pieces: Iterable[Sound], total: Sound, goal: Sound, step: float) -> Iterator[Sound]:
    """Pieces of a sound as differences of whole steps; `total` adds up the sounds so far, and is `goal` afterwards."""
    at = 0
    for piece in pieces:
        now = np.s_[..., at : at + piece.shape[-1]]
        before = np.rint(total[now] / step)
        total[now] += piece
        yield (np.rint(goal[now] / step) - before) * step
        at += piece.shape[-1]


def _in_pieces(parts: Parts) -> Iterator[Iterator[Sound]]:
    if not isinstance(parts, np.ndarray):
        return (parts.pieces(n) for n in range(parts.shape[0]))
    starts = range(0, parts.shape[-1], BLOCK)
    return ((part[..., start : start + BLOCK] for start in starts) for part in parts)


def _laid(pieces: Iterable[Sound], shape: tuple[int, ...]) -> Sound:
    """Pieces end to end."""
    whole, at = np.empty(shape), 0
    for piece in pieces:
        whole[..., at : at + piece.shape[-1]] = piece
        at += piece.shape[-1]
    return whole


def clips(part: Sound) -> bool:
    """Whether whole steps cannot hold it."""
    return bool(part.max(initial=0.0) >= 1.0 or part.min(initial=0.0) < -1.0)


def _suffix(recording: "Recording", name: str, channels: int, samples: int) -> str:
    """The input's own suffix where it tells the truth about a container that holds the parts."""
    if recording.format == "FLAC" and channels > FLAC_CHANNELS:
        return ".wav"
    suffixes = SUFFIXES.get(recording.format, (".wav",))
    own = Path(name).suffix.lower()
    suffix = own if own in suffixes else suffixes[0]
    frame = channels * (8 if recording.subtype == "DOUBLE" else BITS.get(recording.subtype, 32) // 8)
    return _wave(samples * frame) if suffix == ".wav" else suffix


def _wave(size: int) -> str:
    return ".wav" if size < WAV_BYTES else ".rf64"
