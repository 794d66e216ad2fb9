"""Foreign bytes become samples here and nowhere else.

What comes in is doubted: the first bytes decide what a file is, a header is never believed and never used to
allocate, decoded samples are counted against a limit, and every sample is finite.  `admit` looks at the file
itself and `decode` is the seam at which the decoder can move to a child process with limited memory and time.
"""

import os
import re
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from otowake.core.errors import AudioRefused
from otowake.core.files import shown

if TYPE_CHECKING:
    from soundfile import SoundFile

BLOCK = 65_536  # frames decoded or encoded at a time
SLACK = {"MP3": 4 * 1152}  # frames: an MP3 header counts whole packets of 1152, padding included
_KINDS = "WAV, FLAC, OGG (Vorbis, Opus), MP3, AIFF, CAF, W64 or RF64"
_FORMATS = {"WAV": "WAV", "WAVEX": "WAV", "RF64": "RF64", "W64": "W64", "FLAC": "FLAC"}
_FORMATS |= {"OGG": "OGG", "MP3": "MP3", "AIFF": "AIFF", "CAF": "CAF"}
_W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_SIZE_UNKNOWN = 0xFFFF_FF00  # a WAV header written into a pipe claims nearly 2^32 bytes, meaning "unknown"
_CUT = re.compile(r"^ ?(?:data|riff|SSND) : (\d+) \(should be (\d+)\)", re.MULTILINE)  # libsndfile's own log
_CUT_RF64 = re.compile(r"frame count (\d+) does not match value from 'ds64' chunk of (\d+)")


@dataclass(frozen=True)
class Limits:
    """What is taken in.

    Args:
        samples: decoded samples of one file, all channels together.
        channels: the most channels.
        rate: the lowest and the highest sample rate, Hz.
        peak: the largest |sample|, full scale being 1; `math.inf` accepts every finite value.
    """

    samples: int = 2**31
    channels: int = 64
    rate: tuple[int, int] = (1_000, 768_000)
    peak: float = 1e4


LIMITS = Limits()


@dataclass(frozen=True, eq=False)
class Recording:
    """Sound as it was read.

    Args:
        samples: float64, (channels, samples), full scale is 1.
        rate: Hz.
        names: one a channel, from the file names.
        subtype: the sample format of the file, such as "PCM_16" or "FLOAT".
        format: the container, such as "WAV" or "FLAC".
        notes: sentences a person should see, such as that the file is shorter than it claims.
    """

    samples: Float[np.ndarray, "channels samples"]
    rate: int
    names: tuple[str, ...]
    subtype: str
    format: str
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.samples.shape[1] / self.rate


def admit(path: Path) -> None:
    """Look at the file itself, before any decoder does.

    Errors: `AudioRefused` with the code "missing", "directory", "not-a-file", "unreadable", "empty" or
    "not-audio".
    """
    name = shown(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioRefused("directory", f"{name} is a directory; name an audio file in it.")
        if not stat.S_ISREG(mode):  # opening a pipe could wait for ever
            raise AudioRefused("not-a-file", f"{name} is a device or a pipe; save the audio in a file first.")
        with path.open("rb") as file:
            head = file.read(64)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioRefused("missing", f"There is no file {name}; check the name.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioRefused(
            "unreadable", f"{name} cannot be read ({reason}); check the name and permissions."
        ) from error
    if not head:
        raise AudioRefused("empty", f"{name} is empty (0 bytes); record or export it again.")
    if not _is_audio(head):
        raise AudioRefused("not-audio", f"{name} does not begin like {_KINDS}; convert it to WAV or FLAC first.")


def decode(path: Path, limits: Limits = LIMITS) -> Recording:
    """Decode an admitted file, 65 536 frames at a time.

    Errors: `AudioRefused` with the code "damaged", "empty", "channels", "rate", "too-long", "non-finite" or
    "too-loud".
    """
    with opened(path, limits) as file:
        samples = _decoded(path, file, limits)
        notes = shortfall(path, file, samples.shape[1])
        names = _names(path, len(samples))
        return Recording(samples, file.samplerate, names, file.subtype, _FORMATS[file.format], notes)


@contextmanager
def opened(path: Path, limits: Limits) -> "Iterator[SoundFile]":
    """The file, its header checked; what the decoder says of its bytes in one sentence."""
    import soundfile

    try:
        with silence:
            file = soundfile.SoundFile(os.fsencode(path))
        with file:
            _check_header(path, file, limits)
            yield file
    except MemoryError as error:
        sentence = f"{shown(path)} does not fit into this computer's memory; cut it into parts."
        raise AudioRefused("too-long", sentence) from error
    except (soundfile.SoundFileError, OSError, ValueError, TypeError, AssertionError) as error:
        sentence = f"{shown(path)} is damaged and cannot be decoded; copy or export it again."
        raise AudioRefused("damaged", sentence) from error


def check_size(what: str, channels: int, samples: int, limits: Limits) -> None:
    """Refuse more channels or samples (all channels together) than the limits allow."""
    if channels > limits.channels:
        sentence = f"{what}: {channels} channels, and at most {limits.channels} are accepted; give fewer."
        raise AudioRefused("channels", sentence)
    if samples > limits.samples:
        sentence = f"{what}: more than {limits.samples} samples, which is the limit; cut it into parts."
        raise AudioRefused("too-long", sentence)


def check_values(what: str, x: np.ndarray, rate: int, peak: float, start: int = 0) -> None:
    """Refuse samples (channels, samples) that are not finite or beyond `peak`; say where the first one is."""
    with np.errstate(invalid="ignore"):
        good = np.abs(x) <= peak  # false for NaN too
        good &= np.isfinite(x)
    if good.all():
        return
    index = int(np.argmin(good.all(axis=0)))
    channel = int(np.argmin(good[:, index]))
    value = x[channel, index]
    index += start
    place = f"channel {channel}, sample {index} ({index / rate:.3f} s)"
    if not np.isfinite(value):
        raise AudioRefused("non-finite", f"{what}: {value} in {place}; repair or cut that place.")
    sentence = f"{what}: {value:.3g} in {place} is beyond {peak:g} times full scale; scale it to -1 ... 1."
    raise AudioRefused("too-loud", sentence)


class _Silence:
    """Keeps what the decoding libraries print to file descriptor 2 away from the user; safe across threads.

    Python's own `sys.stderr` shares that descriptor, so the silence is held only while a file is coded.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._saved: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                self._saved = self._redirect()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0 and self._saved is not None:
                os.dup2(self._saved, 2)
                os.close(self._saved)
                self._saved = None

    def _redirect(self) -> int | None:
        with suppress(OSError, ValueError, AttributeError):  # no stderr at all: then nothing can leak
            sys.stderr.flush()
            saved = os.dup(2)
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, 2)
            os.close(sink)
            return saved
        return None


silence = _Silence()


def _is_audio(head: bytes) -> bool:
    if head[:4] in (b"RIFF", b"RIFX", b"RF64"):
        return head[8:12] == b"WAVE"
    if head[:4] == b"FORM":
        return head[8:12] in (b"AIFF", b"AIFC")
    return head.startswith((b"fLaC", b"OggS", b"caff", b"ID3", _W64)) or _is_mpeg(head)


def _is_mpeg(head: bytes) -> bool:
    """The sync word of an MPEG audio packet, with a layer, a bit rate and a sample rate that exist."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    return bool(head[1] & 0x06) and head[2] >> 4 != 0xF and head[2] & 0x0C != 0x0C


def _check_header(path: Path, file: "SoundFile", limits: Limits) -> None:
    check_size(shown(path), file.channels, 0, limits)
    if file.format not in _FORMATS:
        raise AudioRefused("not-audio", f"{shown(path)} is {file.format}, not {_KINDS}; convert it first.")
    low, high = limits.rate
    if not low <= file.samplerate <= high:
        sentence = f"{shown(path)} claims {file.samplerate} Hz; from {low} to {high} Hz is accepted: resample it."
        raise AudioRefused("rate", sentence)


def blocks(path: Path, file: "SoundFile", limits: Limits) -> Iterator[np.ndarray]:
    """(frames, channels), checked, in memory that the next block takes."""
    block = np.empty((BLOCK, file.channels))
    count = 0
    while len(part := _silently_read(file, block)):
        check_size(shown(path), file.channels, (count + len(part)) * file.channels, limits)
        check_values(shown(path), part.T, file.samplerate, limits.peak, count)
        yield part
        count += len(part)
    if not count:
        raise AudioRefused("empty", f"{shown(path)} holds no samples; record or export it again.")


def _silently_read(file: "SoundFile", block: np.ndarray) -> np.ndarray:
    with silence:
        return file.read(BLOCK, out=block)


def _decoded(path: Path, file: "SoundFile", limits: Limits) -> np.ndarray:
    parts = [part.copy() for part in blocks(path, file, limits)]
    count = sum(map(len, parts))
    samples = np.empty((file.channels, count))
    while parts:  # from the end, so that each block is freed as soon as it is copied
        part = parts.pop()
        samples[:, count - len(part) : count] = part.T
        count -= len(part)
    return samples


def _names(path: Path, channels: int) -> tuple[str, ...]:
    return (path.stem,) if channels == 1 else tuple(f"{path.stem}-ch{c}" for c in range(channels))


def shortfall(path: Path, file: "SoundFile", count: int) -> tuple[str, ...]:
    """A note when the file ends before its header says so: by its frame count, or by libsndfile's log."""
    log = file.extra_info
    sizes = [(int(there), int(claimed)) for claimed, there in _CUT.findall(log)]
    sizes += [(int(there), int(claimed)) for there, claimed in _CUT_RF64.findall(log)]
    sizes += [(count + SLACK.get(file.format, 0), file.frames)]
    if not any(there < claimed < _SIZE_UNKNOWN for there, claimed in sizes):
        return ()
    used = f"{count} samples ({count / file.samplerate:.3f} s) are there and used"
    return (f"{shown(path)} ends before its header says so: {used}.",)
