"""What a command leaves on the disk: sounds that add up to the recording, all of them or none.

The parts take the recording's rate, length and sample format where that keeps their sum exact:

- integers (PCM): the running sums over the parts are rounded, not the parts; their differences are whole
  steps, add up to the recording's own integers, and no sample is more than one step off:
      q_n = rint(s_1 + ... + s_n) - rint(s_1 + ... + s_{n-1}),    s_1 + ... + s_N = the recording
- float formats are kept: rounding to 32 bits leaves a residual near -150 dB;
- a lossy format (MP3, Vorbis, Opus, ADPCM, mu-law, A-law), or a part that would clip in the recording's
  integers: all parts are 32-bit float WAV, which neither clips nor loses.
"""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from otowake.cli.interrupt import undisturbed
from otowake.core.errors import OtowakeError
from otowake.core.files import shown

if TYPE_CHECKING:
    from otowake.signal.audio import Recording

Parts = Float[np.ndarray, "n *m samples"]

BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
BITS |= {"ALAC_16": 16, "ALAC_20": 20, "ALAC_24": 24}
SUFFIXES = {"WAV": (".wav",), "RF64": (".wav", ".rf64"), "FLAC": (".flac",), "AIFF": (".aiff", ".aif")}
SUFFIXES |= {"CAF": (".caf",), "W64": (".w64",)}
FLAC_CHANNELS = 8
WAV_BYTES = 2**32 - 2**20  # a WAV file ends at 4 GiB; some room for its header
BLOCK = 65_536  # samples rounded at a time


class Form(NamedTuple):
    """How parts are stored, and the sentence that says why, if it is not how the recording was."""

    suffix: str
    subtype: str
    note: str = ""


def stored(
    parts: Parts, mixture: Float[np.ndarray, "*m samples"], recording: "Recording", name: str
) -> tuple[Parts, Form]:
    """The parts as they go into their files, and the form of the files.

    Args:
        parts: (n, samples) or (n, channels, samples); they add up to `mixture`, but for rounding.
        mixture: what they add up to, as it was read.
        recording: whose form is kept if possible.
        name: the recording's file name.
    """
    subtype, channels = recording.subtype, 1 if parts.ndim == 2 else parts.shape[1]
    note = ""
    if subtype in BITS:
        whole = whole_steps(parts, mixture, BITS[subtype])
        if not _clips(whole):
            return whole, Form(_suffix(recording, name, channels, parts.shape[-1]), subtype)
        note = f"A part is louder than {subtype} can hold: all parts are 32-bit float WAV, unclipped."
    elif subtype in ("FLOAT", "DOUBLE"):
        return parts, Form(_suffix(recording, name, channels, parts.shape[-1]), subtype)
    else:
        note = f"{shown(name)} is in a lossy format ({subtype}): its parts are 32-bit float WAV."
    return parts, Form(_wave(parts[0].size * 4), "FLOAT", note)


def finer(recording: "Recording") -> "Recording":
    """The recording as a model for sounds that are new: in 8 bits their faint parts would be lost."""
    return replace(recording, subtype="PCM_16") if BITS.get(recording.subtype, 16) < 16 else recording


def whole_steps(parts: Parts, mixture: Float[np.ndarray, "*m samples"], bits: int) -> Parts:
    """Rounds parts to multiples of 2^(1-bits) that add up to `mixture` exactly.

    Where the parts add up to it already, but for rounding, each ends at most one step off.
    """
    step = 2.0 ** (1 - bits)
    rounded = np.empty(parts.shape)
    for start in range(0, parts.shape[-1], BLOCK):
        now = np.s_[..., start : start + BLOCK]
        sums = np.rint(np.cumsum(parts[now], axis=0, dtype=np.float64) / step)
        sums[-1] = np.rint(mixture[now] / step)
        rounded[now] = np.diff(sums, axis=0, prepend=0.0) * step
    return rounded


def _clips(parts: Parts) -> bool:
    return bool(parts.max(initial=0.0) >= 1.0 or parts.min(initial=0.0) < -1.0)


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


def check(folder: Path, stem: str, inputs: Sequence[Path]) -> None:
    """Refuses now what would fail after a long computation.

    Raises:
        OtowakeError: `folder` is no folder or cannot be written in, or a file that will be written there for
            `stem` would replace one of `inputs`.
    """
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    except OSError as error:
        raise OtowakeError(f"{shown(folder)} cannot be made: {error.strerror}.  Choose a folder with -o.") from error
    if not there.is_dir():
        raise OtowakeError(f"{shown(there)} is not a folder; choose another place with -o.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OtowakeError(f"This user may not write in {shown(there)}; choose another folder with -o.")
    parts = r"source\d+|target|rest|part\d+|harmonic|percussive|extended|edited"
    ours = re.compile(rf"{re.escape(stem)}-({parts})\.\w+")
    for path in inputs:
        if ours.fullmatch(path.name) and path.resolve().parent == folder.resolve():
            raise OtowakeError(f"The parts of {shown(stem)} would replace the input {shown(path)}; choose another -o.")


@contextlib.contextmanager
def together(folder: Path) -> Iterator[Path]:
    """Gives an empty place to write files to; when the block ends well they all move into `folder`.

    Otherwise none does.  Files of the same names are replaced.  Folders that were made in vain go again.

    Raises:
        OtowakeError: something cannot be written; the sentence says what and why.
    """
    made = [place for place in (folder, *folder.absolute().parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".otowake-", suffix=".tmp", dir=folder))
        try:
            yield staged
            _move(staged, folder)
        except OtowakeError as error:  # its sentence names a place that the user has never seen
            seen = str(error).replace(shown(staged.resolve()), shown(folder))
            raise OtowakeError(seen) from error
        finally:
            with undisturbed():  # a second Ctrl-C
                shutil.rmtree(staged, ignore_errors=True)
    except OSError as error:
        raise OtowakeError(f"Cannot write in {shown(folder)}: {error.strerror or error}.") from error
    finally:
        for place in made:
            with contextlib.suppress(OSError):  # not empty: the block ended well
                place.rmdir()


def _move(staged: Path, folder: Path) -> None:
    files = sorted(staged.iterdir())
    for file in files:  # asked before the first one moves, so that it is all or none
        target = folder / file.name
        if target.is_dir():
            raise OtowakeError(f"Cannot write {shown(target)}: it is a directory; choose another folder with -o.")
        if target.exists() and not os.access(target, os.W_OK):
            raise OtowakeError(f"Cannot write {shown(target)}: the file is read-only; choose another folder.")
    with undisturbed():
        for file in files:
            os.replace(file, folder / file.name)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        with contextlib.suppress(OSError):  # some file systems cannot force a folder to the disk
            os.fsync(handle)
        os.close(handle)
