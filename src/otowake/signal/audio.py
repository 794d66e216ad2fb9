"""Audio in, audio out: the one door for sound files.

`read` gives a `Recording` or raises `AudioRefused` with one sentence; there is no third outcome (`intake.py`
says how files are doubted).  `write` rounds to the nearest step, never wraps around and says how many samples
were beyond full scale; the file lands on the disk whole or not at all (`files.py`).
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from otowake.core.errors import AudioRefused, OtowakeError
from otowake.core.files import atomic, shown
from otowake.signal.intake import (
    BLOCK,
    LIMITS,
    SLACK,
    Limits,
    Recording,
    admit,
    check_size,
    check_values,
    decode,
    silence,
)

__all__ = ["LIMITS", "Limits", "Recording", "Written", "decode", "fitting", "read", "stack", "write", "write_pieces"]

PathLike = str | os.PathLike[str]
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
# ALAC is read and never written: libsndfile 1.2.2 does not give back noise of 20, 24 or 32 bits.
_TWINS = {"PCM_U8": "PCM_S8", "PCM_S8": "PCM_U8"}
_TWINS |= {"ALAC_16": "PCM_16", "ALAC_20": "PCM_24", "ALAC_24": "PCM_24", "ALAC_32": "PCM_32"}
_LOSSY = {"VORBIS", "OPUS", "MPEG_LAYER_III"}
_SUBTYPES = [*_BITS, "FLOAT", "DOUBLE", *sorted(_LOSSY)]
_CONTAINERS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".oga": "OGG", ".opus": "OGG", ".mp3": "MP3"}
_CONTAINERS |= {".aif": "AIFF", ".aiff": "AIFF", ".caf": "CAF", ".w64": "W64", ".rf64": "RF64"}
_USUAL = {".flac": "PCM_24", ".ogg": "VORBIS", ".oga": "VORBIS", ".opus": "OPUS", ".mp3": "MPEG_LAYER_III"}
_MOST_BYTES = {"WAV": 2**32 - 4096, "AIFF": 2**32 - 4096}  # their sizes are 32-bit numbers


@dataclass(frozen=True)
class Written:
    """What `write` did.

    Args:
        path: where the file is.
        clipped: how many samples beyond full scale were limited to it; none in FLOAT and DOUBLE.
        peak: the largest |sample| that was given, full scale being 1.
    """

    path: Path
    clipped: int
    peak: float


def read(path: PathLike, *, limits: Limits = LIMITS) -> Recording:
    """Read one sound file.

    A file that ends early but decodes cleanly (an interrupted recording or copy) is taken as far as it goes,
    with a note: every sample that is there is right, and a refusal would only make the user cut it by hand.
    When the decoder itself stumbles, as it does on a cut FLAC, the damage may be anywhere: that is refused.

    Errors: `AudioRefused` with the code "missing", "directory", "not-a-file", "unreadable", "not-audio",
    "empty", "damaged", "channels", "rate", "too-long", "non-finite" or "too-loud".
    """
    path = Path(path)
    admit(path)
    return decode(path, limits)


def stack(paths: Sequence[PathLike], *, limits: Limits = LIMITS) -> Recording:
    """Read one file a microphone and lay their channels side by side, in the order given.

    A file with several channels adds them all.  Sample formats that differ become FLOAT.

    Errors: `AudioRefused` as `read`, and "mismatch" when sample rates or lengths differ, naming both files.
    """
    if not paths:
        raise AudioRefused("missing", "No audio file was given; name at least one.")
    recordings = [read(path, limits=limits) for path in paths]
    first = recordings[0]
    for path, other in zip(paths, recordings):
        _check_alike(paths[0], first, path, other)
    channels = sum(len(recording.samples) for recording in recordings)
    check_size(f"The {len(paths)} files together", channels, channels * first.samples.shape[1], limits)
    return replace(
        first,
        samples=np.concatenate([recording.samples for recording in recordings]),
        names=tuple(name for recording in recordings for name in recording.names),
        subtype=first.subtype if len({recording.subtype for recording in recordings}) == 1 else "FLOAT",
        notes=tuple(note for recording in recordings for note in recording.notes),
    )


def write(path: PathLike, samples: np.ndarray, rate: int, *, subtype: str | None = None) -> Written:
    """Write a sound file; the suffix decides the container.

    Args:
        path: ends in .wav, .flac, .ogg, .opus, .mp3, .aiff, .caf, .w64 or .rf64.
        samples: (channels, samples) or (samples,), floating point, full scale is 1.
        rate: Hz.
        subtype: the sample format, such as "PCM_16", "PCM_24", "FLOAT" or "DOUBLE"; by default FLOAT where
            the container holds it, else PCM_24 (FLAC) or the container's codec.  `fitting` finds the one
            nearest to an input's.  Integer formats are rounded to the nearest step, limited at full scale.

    Errors: `AudioRefused` for samples that are not finite or not audio; `OtowakeError` for a container that
    cannot hold them and for a file that cannot be written.
    """
    target = Path(path)
    _container(target)
    subtype = subtype or _USUAL.get(target.suffix.lower(), "FLOAT")
    x = _checked(shown(target), samples, rate, subtype)
    clipped = write_pieces(target, (x,), len(x), x.shape[1], int(rate), subtype=subtype)
    return Written(target, clipped, float(max(x.max(), -x.min())))


def write_pieces(
    path: PathLike, pieces: Iterable[np.ndarray], channels: int, samples: int, rate: int, *, subtype: str
) -> int:
    """Write a sound file of so many samples from pieces laid end to end, (channels, any number) each.

    Returns: how many samples had to be limited.

    One piece is in memory at a time.  The rest is as in `write`, but nothing is looked at before it is encoded.
    """
    target = Path(path)
    container, name = _container(target), shown(target)
    _check_fits(name, (channels, samples), container, subtype)
    blocks = (block for piece in pieces for block in _blocks(piece))
    with atomic(target) as temporary:
        clipped = _encode(temporary, blocks, (channels, samples), rate, container, subtype, name)
        _forget_time(temporary)
    return clipped


def fitting(path: PathLike, subtype: str) -> str:
    """The sample format to write at `path`: `subtype` itself where the container holds it, else the nearest.

    Errors: `OtowakeError` for a suffix that names no container.
    """
    import soundfile

    target = Path(path)
    container = _container(target)
    for candidate in (subtype, _TWINS.get(subtype, subtype)):
        if candidate in _SUBTYPES and soundfile.check_format(container, candidate):
            return candidate
    return _USUAL.get(target.suffix.lower(), "FLOAT")


def check_rates(path: PathLike, rate: int, other: PathLike, other_rate: int) -> None:
    """Two files are of one rate; else `AudioRefused`."""
    if rate != other_rate:
        sentence = f"{shown(path)} has {rate} Hz and {shown(other)} {other_rate} Hz; resample one of them."
        raise AudioRefused("mismatch", sentence)


def _check_alike(path: PathLike, a: Recording, other: PathLike, b: Recording) -> None:
    check_rates(path, a.rate, other, b.rate)
    if a.samples.shape[1] != b.samples.shape[1]:
        lengths = f"{a.samples.shape[1]} samples and {shown(other)} {b.samples.shape[1]}"
        sentence = f"{shown(path)} has {lengths}; cut them to the same start and length."
        raise AudioRefused("mismatch", sentence)


def _container(path: Path) -> str:
    if path.suffix.lower() not in _CONTAINERS:
        known = ", ".join(_CONTAINERS)
        raise OtowakeError(f"Cannot write {shown(path)}: the suffix names no known format; use one of {known}.")
    return _CONTAINERS[path.suffix.lower()]


def _checked(name: str, samples: np.ndarray, rate: int, subtype: str) -> np.ndarray:
    """The samples as float64 (channels, samples), after the questions that no encoder asks."""
    x = np.asarray(samples)
    if x.dtype.kind != "f" or x.ndim not in (1, 2):
        sentence = f"{name}: got {x.dtype} of shape {x.shape}; give floats (channels, samples) within -1 ... 1."
        raise AudioRefused("shape", sentence)
    x = np.atleast_2d(x).astype(np.float64, copy=False)
    low, high = LIMITS.rate
    if not low <= rate <= high or rate != int(rate):
        raise AudioRefused("rate", f"{name}: {rate} Hz; give a whole number from {low} to {high} Hz.")
    if x.shape[0] > LIMITS.channels:
        sentence = f"{name}: {x.shape[0]} channels of {x.shape[1]} samples; is this the transpose?"
        raise AudioRefused("channels", sentence)
    if not x.size:
        raise AudioRefused("empty", f"{name}: there are no samples to write; give at least one.")
    peak = float(np.finfo(np.float32).max) if subtype == "FLOAT" else np.inf
    for start in range(0, x.shape[1], BLOCK):
        check_values(name, x[:, start : start + BLOCK], int(rate), peak, start)
    return x


def _check_fits(name: str, shape: tuple[int, ...], container: str, subtype: str) -> None:
    import soundfile

    fits = [s for s in _SUBTYPES if soundfile.check_format(container, s)]
    if subtype not in fits:
        raise OtowakeError(f"Cannot write {name}: {container} does not hold {subtype}; use {' or '.join(fits)}.")
    width = _BITS.get(subtype, 64 if subtype == "DOUBLE" else 32) / 8
    if shape[0] * shape[1] * width > _MOST_BYTES.get(container, np.inf):
        raise OtowakeError(f"Cannot write {name}: {container} ends at 4 GiB; use .w64, .rf64, .caf or .flac.")


def _encode(
    path: Path,
    blocks: Iterable[np.ndarray],
    shape: tuple[int, ...],
    rate: int,
    container: str,
    subtype: str,
    name: str,
) -> int:
    """Encode blocks (frames, channels) into the temporary file; how many samples had to be limited."""
    import soundfile

    clipped = 0
    where = os.fsencode(path)
    try:
        with silence, soundfile.SoundFile(where, "w", rate, shape[0], subtype, format=container) as file:
            for part in blocks:
                frames, over = _stepped(part, subtype)
                file.write(frames)
                clipped += over
        _check_whole(where, shape[1])
    except (soundfile.SoundFileError, AssertionError, ValueError) as error:
        _probe(path)
        what = f"{shape[0]} channels at {rate} Hz as {container} {subtype}"
        sentence = f"Cannot write {name}: the encoder does not take {what}; try .wav or another sample rate."
        raise OtowakeError(sentence) from error
    return clipped


def _blocks(x: np.ndarray) -> Iterator[np.ndarray]:
    """Blocks (frames, channels): the Vorbis encoder overruns its stack when given a long file at once."""
    for start in range(0, x.shape[1], BLOCK):
        yield np.ascontiguousarray(x[:, start : start + BLOCK].T)


def _stepped(x: np.ndarray, subtype: str) -> tuple[np.ndarray, int]:
    """The numbers to hand to the encoder, and how many were beyond full scale.

    Integers are made here and not by libsndfile, which rounds down: q = round(2^(bits-1) x), in the upper
    bits of 32.  Exactly +1 is not counted as clipped, although the largest step is one below it.
    """
    if subtype in ("FLOAT", "DOUBLE"):
        return x.astype(np.float32 if subtype == "FLOAT" else np.float64), 0
    over = int(np.count_nonzero(np.abs(x) > 1))
    if subtype in _LOSSY:
        return np.clip(x, -1, 1), over
    bits = _BITS[subtype]
    q = np.clip(np.rint(x * 2.0 ** (bits - 1)), -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)
    return (q * 2.0 ** (32 - bits)).astype(np.int32), over


def _check_whole(where: bytes, frames: int) -> None:
    """A full disk can pass unseen when the encoder closes the file: the last frame has to be there."""
    import soundfile

    with silence, soundfile.SoundFile(where) as file:
        if abs(file.frames - frames) > SLACK.get(file.format, 0):
            raise soundfile.SoundFileError("the file is shorter than what was written")
        file.seek(max(file.frames - 1, 0))
        if file.format not in SLACK and not len(file.read(1)):
            raise soundfile.SoundFileError("the last frame is missing")


def _probe(path: Path) -> None:
    """libsndfile does not say why it stopped; if it was the disk, one more block raises that `OSError`."""
    with path.open("ab") as file:
        file.write(bytes(BLOCK))
        file.flush()
        os.fsync(file.fileno())


def _forget_time(path: Path) -> None:
    """libsndfile stamps float WAV and AIFF files with the time; the same samples should be the same file."""
    with path.open("r+b") as file:
        head = file.read(4096)
        place = head.find(b"PEAK")
        data = min((at for at in (head.find(b"data"), head.find(b"SSND")) if at >= 0), default=len(head))
        if head[:4] in (b"RIFF", b"RF64", b"FORM") and 0 <= place < data:
            file.seek(place + 12)  # after the name, the size and the version, four bytes each
            file.write(bytes(4))
