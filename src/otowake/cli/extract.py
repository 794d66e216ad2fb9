"""otowake extract: a mixture and what is known of one sound in; that sound and the rest out."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otowake.cli.arguments import Device, Json, Plots, Seed, Seeds, Verbose, Where
from otowake.cli.host import prepare_process
from otowake.cli.interrupt import interruptible
from otowake.cli.jobs import Outcome, each, planned, say_what_happens, told, whole
from otowake.cli.learn import learned, loaded
from otowake.core.errors import OtowakeError

if TYPE_CHECKING:
    from otowake.signal.audio import Recording
    from otowake.tasks.bases import Bases
    from otowake.tasks.door import Watch


class Way(StrEnum):
    cosine = "cosine"
    orthogonal = "orthogonal"
    plain = "plain"


def extract(
    files: Annotated[list[Path], typer.Argument(metavar="MIX", readable=False, help="Mixtures that hold the sound.")],
    bases: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The sound's spectra, from `otowake learn`.")
    ] = None,
    example: Annotated[
        list[Path] | None,
        typer.Option("--example", metavar="EXAMPLE", help="Instead: recordings of the sound alone; one or more."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Folder for the files. [default: NAME-extracted]"),
    ] = None,
    method: Annotated[Way, typer.Option(help="How the rest is kept unlike the target.")] = Way.cosine,
    weight: Annotated[str, typer.Option(metavar="W", help="Of that: a number from 0, or auto.")] = "auto",
    rest: Annotated[int, typer.Option("--rest", min=1, max=10_000, metavar="N", help="Spectra for the rest.")] = 50,
    seed: Seed = 0,
    seeds: Seeds = 1,
    iterations: Annotated[int, typer.Option(min=0, metavar="N", help="How many, for each weight tried.")] = 100,
    stft: Annotated[
        str | None, typer.Option(metavar="WINDOW/HOP", help="In samples; for --example. [default: about 93 ms]")
    ] = None,
    plots: Plots = True,
    device: Where = Device.cpu,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Extract one sound from mixtures, known by its spectra or by examples of it.

    Writes NAME-target.wav and NAME-rest.wav, which add up to NAME.wav; NAME-extraction.json, the report; and
    the pictures NAME-spectrogram.png and NAME-cost.png. They go into the folder NAME-extracted beside the
    mixture, or into DIR. All are written at the end, or none; files of the same names are replaced.

    Name the mixtures first: every name after --example is an example.

    Example: otowake extract song.wav --bases sax.bases
    """
    examples = example or []
    if (bases is None) == (not examples):
        raise OtowakeError("Say what to extract, in one way: --bases FILE from `otowake learn`, or --example EXAMPLE.")
    say_what_happens(verbose)
    prepare_process()
    jobs = planned([(file,) for file in files], out, "extracted", [*files, *examples, *([bases] if bases else [])])
    options = {
        "method": method.value, "weight": _weight(weight), "rest_bases": rest, "seed": seed, "iterations": iterations,
        "stft": stft, "seeds": seeds, "device": device.value,
    }  # fmt: skip
    bar = sys.stderr.isatty() and not verbose
    own = {"stft": stft, "device": device.value}
    known = interruptible(lambda _: loaded(bases)) if bases else learned(examples, own, bar)

    def compute(recording: "Recording", watch: "Watch") -> Outcome:
        return _computed(recording, known, watch, options)

    told(*each(jobs, whole(compute, plots=plots, bar=bar)), as_json, "taken apart")


def _computed(recording: "Recording", known: "Bases", watch: "Watch", options: dict[str, Any]) -> Outcome:
    import numpy as np

    from otowake.tasks.extract import extract as drawn_out

    result = drawn_out(recording.samples, recording.rate, known, watch=watch, **options)
    report = result.report()
    report["notes"] = [*known.notes, *report["notes"]]
    return Outcome(np.stack([result.target, result.rest]), ("target", "rest"), report, "extraction")


def _weight(word: str) -> float | str:
    if word == "auto":
        return word
    try:
        return float(word)
    except ValueError:
        raise OtowakeError(f"--weight {word}: give a number from 0, such as 0.01, or auto.") from None
