"""otowake separate: a recording in, its sounds out."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otowake.cli.arguments import Device, Finesse, Json, Plots, Seed, Seeds, Verbose, Where
from otowake.cli.host import compile_ahead, prepare_process
from otowake.cli.interrupt import interruptible
from otowake.cli.jobs import PANELS, Job, Outcome, each, planned, say_what_happens, told, whole
from otowake.core.errors import OtowakeError

if TYPE_CHECKING:
    from otowake.signal.audio import Recording
    from otowake.tasks.door import Watch


class Images(StrEnum):
    reference = "reference"
    all = "all"


def separate(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", readable=False, help="Recordings: WAV, FLAC, OGG, MP3, AIFF, CAF."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Folder for the files. [default: NAME-separated]"),
    ] = None,
    method: Annotated[str, typer.Option(metavar="NAME", help="How; `otowake methods` lists the names.")] = "auto",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the method; may be repeated."),
    ] = None,
    sources: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Number of sources. [default: one a microphone; 8 for one channel]"),
    ] = None,
    seed: Seed = 0,
    seeds: Seeds = 1,
    iterations: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="How many. [default: the method's]")
    ] = None,
    stft: Annotated[str | None, typer.Option(metavar="WINDOW/HOP", help="In samples, such as 2048/512.")] = None,
    images: Annotated[
        Images, typer.Option(help="Each source at the first microphone, or at all of them.")
    ] = Images.reference,
    stack: Annotated[bool, typer.Option("--stack", help="The files are one recording, one file a microphone.")] = False,
    block: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Of a block; 0: in one piece. [default: 40 of longer than 120 s]"),
    ] = None,
    plots: Plots = True,
    device: Where = Device.cpu,
    precision: Annotated[
        Finesse, typer.Option(help="Of numbers; auto: single, which is faster, where it ends as well as double.")
    ] = Finesse.auto,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Separate recordings into their sounds.

    Writes NAME-source1.wav, NAME-source2.wav, ... (and NAME-rest.wav, what no source explains), which add
    up to the first channel of NAME.wav; NAME-separation.json, the report; and the pictures
    NAME-spectrogram.png, NAME-cost.png and, of methods with masks, NAME-masks.png. They go into the folder
    NAME-separated beside the recording, or into DIR. All are written at the end, or none; files of the same
    names are replaced.

    The sounds keep the recording's rate, length and sample format. Where that would clip, and for MP3 and
    other lossy formats, they are 32-bit float WAV.

    Recordings of more than two minutes are separated in blocks, in memory that does not grow with them, and
    without pictures. Stopped at any moment, the same command goes on where it was.

    Example: otowake separate meeting.wav -o parts --method ilrma --set bases=4
    """
    say_what_happens(verbose)
    prepare_process()
    jobs = planned([tuple(files)] if stack else [(file,) for file in files], out, "separated", files)
    compile_ahead()
    options: dict[str, Any] = {
        "sources": sources, "seed": seed, "iterations": iterations, "stft": stft, "images": images.value,
        "device": device.value, "seeds": seeds, "precision": precision.value,
    }  # fmt: skip
    pairs = _pairs(set_ or [], method)
    options["settings"] = interruptible(lambda _: _settings(method, pairs))

    def compute(recording: "Recording", watch: "Watch") -> Outcome:
        return _computed(recording, method, watch, options, plots)

    bar = sys.stderr.isatty() and not verbose
    in_one = whole(compute, plots=plots, bar=bar)
    told(*each(jobs, lambda job: _separated(job, block, method, options, bar) or in_one(job)), as_json, "separated")


def _separated(job: Job, block: float | None, method: str, options: dict[str, Any], bar: bool) -> dict[str, Any] | None:
    """The report of a recording that is separated in blocks; None of one that is not long enough for them."""
    from otowake.cli.inputs import heard

    source = heard(job.paths)
    if not source.in_blocks(block):
        return None
    long = interruptible(lambda _: import_module("otowake.cli.long"))
    return long.separated(job, long.plan(source, block, method, options), source, bar)


def _computed(recording: "Recording", method: str, watch: "Watch", options: dict[str, Any], plots: bool) -> Outcome:
    import numpy as np

    from otowake.tasks.drawing.masks import masks
    from otowake.tasks.separate import separate as divide

    result = divide(recording.samples, recording.rate, method, watch=watch, **options)
    names = [f"source{i + 1}" for i in range(len(result.sources))]
    parts = [*np.asarray(result.sources)]
    if result.rest is not None:
        names, parts = [*names, "rest"], [*parts, np.asarray(result.rest)]
    more = {}
    if plots and result.masks is not None and len(result.masks) <= PANELS:
        drawn = recording.samples[0], result.masks, result.transform, recording.rate
        more["masks.png"] = lambda path: masks(path, *drawn)
    return Outcome(np.stack(parts), names, result.report(), "separation", more)


# ---- what is asked for ------------------------------------------------------------------------------------


def _pairs(words: Sequence[str], method: str) -> dict[str, str]:
    if words and method == "auto":
        raise OtowakeError("--set changes a method's parameter: choose the method with --method NAME.")
    pairs = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals and value):
            raise OtowakeError(f"--set {word}: give KEY=VALUE, such as --set bases=4.")
        pairs[key.strip()] = value.strip()
    return pairs


def _settings(method: str, pairs: dict[str, str]) -> dict[str, Any] | None:
    if method == "auto":
        return None
    from otowake.spec import parse_settings, recipe

    return parse_settings(recipe(method), pairs)
