"""otowake simulate: a recording of sounds in a room that does not exist, and each sound alone beside it."""

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otowake.core.errors import OtowakeError

if TYPE_CHECKING:
    import numpy as np

    from otowake.simulate import Room, Scene


class Array(StrEnum):
    linear = "linear"
    circular = "circular"


class Format(StrEnum):
    wav = "wav"
    flac = "flac"


SUBTYPES = {Format.wav: "FLOAT", Format.flac: "PCM_24"}
LONGEST = 86_400  # seconds: a day
RATES = (1_000, 768_000)  # hertz
LIFT = 0.1  # metres the sources stand above the array, as a talker's mouth above a table


def simulate(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Dry sounds, one file each.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for what is made.")],
    room: Annotated[str, typer.Option(help="Sides in metres.")] = "6x5x3",
    rt60: Annotated[float, typer.Option(help="Reverberation time in seconds; 0 is no walls.")] = 0.2,
    mics: Annotated[int, typer.Option(help="Number of microphones.")] = 2,
    spacing: Annotated[float, typer.Option(help="Metres between neighbouring microphones.")] = 0.05,
    array: Annotated[Array, typer.Option(help="Shape of the array.")] = Array.linear,
    azimuths: Annotated[str, typer.Option(help="Degrees, one a source; 90 is in front. Else spread.")] = "",
    distance: Annotated[float, typer.Option(help="Metres along the floor from the array.")] = 1.5,
    snr: Annotated[float | None, typer.Option(help="Sensor noise in dB below the sound; else none.")] = None,
    seconds: Annotated[float, typer.Option(help="Longest duration; sounds are cut, never looped.")] = 10.0,
    rate: Annotated[int, typer.Option(help="Sampling rate in Hz of what is made.")] = 16000,
    seed: Annotated[int, typer.Option(help="Of the sensor noise.")] = 0,
    file_format: Annotated[Format, typer.Option("--format", help="wav: 32-bit float, flac: 24 bits.")] = Format.wav,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scene as JSON.")] = False,
) -> None:
    """Make a mixture of known parts: sounds played in a simulated room, heard by a microphone array.

    Writes the mixture, each source's image at every microphone (they add up to the mixture but for the noise)
    and scene.json.  Needs: pip install 'otowake[simulate]'.

    Example: otowake simulate one.wav two.wav -o room
    """
    from otowake.simulate import simulate as play

    notes: list[str] = []
    sounds = _sounds(sources, rate, seconds, notes)
    place = _room(_numbers(room, "x", "--room"), mics, spacing, array, _spread(azimuths, len(sounds)), distance)
    scene = play(sounds, rate, _with(place, rt60, snr, seed))
    report = _save(scene, out, file_format, sources, notes)
    typer.echo(json.dumps(report, indent=2) if as_json else _text(report, out))


def _numbers(text: str, between: str, option: str) -> list[float]:
    try:
        return [float(part) for part in text.lower().split(between)]
    except ValueError as why:
        raise OtowakeError(f"{option} {text} is not a list of numbers with {between!r} between them.") from why


def _spread(azimuths: str, n: int) -> list[float]:
    """What was asked for, or 40 to 140 degrees in even steps."""
    if not azimuths:
        return [40 + 100 * (k + 0.5) / n if n == 1 else 40 + 100 * k / (n - 1) for k in range(n)]
    asked = _numbers(azimuths, ",", "--azimuths")
    if len(asked) != n:
        raise OtowakeError(f"--azimuths {azimuths} names {len(asked)} directions for {n} sources: give {n}.")
    return asked


def _room(size: list[float], mics: int, spacing: float, array: Array, azimuths: list[float], distance: float) -> "Room":
    import math

    from otowake.simulate import Room, around, circular, linear, middle

    centre = middle(size)
    if array is Array.circular and mics > 1:
        microphones = circular(mics, spacing / (2 * math.sin(math.pi / mics)), centre)
    else:
        microphones = linear(mics, spacing, centre)
    x, y, z = size
    return Room(microphones, around(centre, azimuths, distance, LIFT), (x, y, z))


def _with(room: "Room", rt60: float, snr: float | None, seed: int) -> "Room":
    from dataclasses import replace

    return replace(room, rt60=rt60, snr_db=snr, seed=seed)


def _sounds(paths: Sequence[Path], rate: int, seconds: float, notes: list[str]) -> list["np.ndarray"]:
    """Each file's first channel at `rate`, at most `seconds` long; what was done goes into the notes."""
    from otowake.core.files import shown

    if not 0 < seconds <= LONGEST:
        raise OtowakeError(f"--seconds {seconds:g} is no duration that can be made: give one above 0, up to {LONGEST}.")
    if not RATES[0] <= rate <= RATES[1]:
        raise OtowakeError(f"--rate {rate} Hz is outside {RATES[0]} to {RATES[1]} Hz: give one such as 16000.")
    sounds = [_first_channel(path, rate, notes)[: round(seconds * rate)] for path in paths]
    longest = max(len(sound) for sound in sounds)
    for path, sound in zip(paths, sounds, strict=True):
        if len(sound) < longest:
            rest = (longest - len(sound)) / rate
            notes.append(f"{shown(path.name)} lasts {len(sound) / rate:.2f} s: followed by {rest:.2f} s of silence")
    return sounds


def _first_channel(path: Path, rate: int, notes: list[str]) -> "np.ndarray":
    import soxr

    from otowake.core.files import shown
    from otowake.signal.audio import read

    recording = read(path)
    name, channels = shown(path.name), len(recording.samples)
    notes += recording.notes
    if channels > 1:
        notes.append(f"{name} has {channels} channels: its first is used")
    if recording.rate == rate:
        return recording.samples[0]
    notes.append(f"{name} has {recording.rate} Hz: resampled to {rate} Hz")
    return soxr.resample(recording.samples[0], recording.rate, rate)


def _save(scene: "Scene", out: Path, file_format: Format, sources: Sequence[Path], notes: list[str]) -> dict[str, Any]:
    from otowake.core.files import shown, write_bytes
    from otowake.signal.audio import write

    images = {f"image{n + 1}.{file_format}": image for n, image in enumerate(scene.images)}
    parts = {f"mixture.{file_format}": scene.mixture, **images}
    _make_folder(out, sources, list(parts))
    for name, samples in parts.items():
        write(out / name, samples, scene.rate, subtype=SUBTYPES[file_format])
    report = {
        "mixture": f"mixture.{file_format}",
        "images": list(images),
        "sources": [shown(path.name) for path in sources],
        "seconds": scene.mixture.shape[1] / scene.rate,
        "geometry": scene.geometry,
        "notes": notes,
        "versions": _versions(),
    }
    write_bytes(out / "scene.json", (json.dumps(report, indent=2) + "\n").encode())
    return report


def _make_folder(out: Path, sources: Sequence[Path], names: Sequence[str]) -> None:
    taken = {path.resolve() for path in sources} & {(out / name).resolve() for name in names}
    if taken:
        raise OtowakeError(f"{min(taken).name} in {out} is one of the sources: choose another folder with -o.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as why:
        reason = why.strerror or why
        raise OtowakeError(f"Cannot make the folder {out} ({reason}): choose another with -o.") from why


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in ("otowake", "pyroomacoustics", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # run from a checkout that is not installed
            found[package] = "unknown"
    return found


def _text(report: dict[str, Any], out: Path) -> str:
    geometry = report["geometry"]
    mics, n = len(geometry["microphones_m"]), len(report["images"])
    what = f"{n} source{'s' * (n > 1)}, {mics} microphone{'s' * (mics > 1)}, {report['seconds']:.2f} s"
    decay = f"reverberation time {geometry['rt60_measured_s']:.2f} s measured, {geometry['rt60_s']:g} s asked"
    files = [report["mixture"], *report["images"], "scene.json"]
    return "\n".join([f"{what}; {decay}", *report["notes"], *(str(out / name) for name in files)])
