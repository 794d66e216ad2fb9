"""otowake extend: recordings without their high band and examples with it in; the recordings with that band out."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otowake.cli.arguments import Json, Plots, Seed, Verbose
from otowake.cli.host import prepare_process
from otowake.cli.interrupt import interruptible
from otowake.cli.jobs import Outcome, each, planned, say_what_happens, told, whole
from otowake.cli.learn import loaded
from otowake.core.errors import OtowakeError

if TYPE_CHECKING:
    from otowake.signal.audio import Recording
    from otowake.tasks.bases import Bases
    from otowake.tasks.door import Watch
    from otowake.tasks.extend import Extension


def extend(
    files: Annotated[list[Path], typer.Argument(metavar="LOW", readable=False, help="Recordings without a high band.")],
    bases: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Instead of examples: spectra from `otowake learn`.")
    ] = None,
    example: Annotated[
        list[Path] | None,
        typer.Option("--example", metavar="EXAMPLE", help="Similar sounds with the whole band; one or more."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Folder for the files. [default: NAME-extended]"),
    ] = None,
    rate: Annotated[
        int | None, typer.Option(metavar="HZ", help="The new rate. [default: the examples', or LOW's if higher]")
    ] = None,
    start: Annotated[
        float | None,
        typer.Option("--from", metavar="HZ", help="Where LOW's content ends. [default: looked for in its spectrum]"),
    ] = None,
    exemplars: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="N", help="The most spectra to take from the examples.")
    ] = 500,
    seed: Seed = 0,
    iterations: Annotated[int, typer.Option(min=0, metavar="N", help="How many.")] = 100,
    stft: Annotated[
        str | None, typer.Option(metavar="WINDOW/HOP", help="In samples; for --example. [default: 2^k near 40 ms]")
    ] = None,
    plots: Plots = True,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Give recordings the high band they lack, as spectra of similar sounds have it.

    Writes NAME-extended.wav, which is the recording itself below 0.9 of where its content ends;
    NAME-extension.json, the report; and the pictures NAME-spectrogram.png and NAME-cost.png. They go into the
    folder NAME-extended beside the recording, or into DIR. All are written at the end, or none; files of the
    same names are replaced.

    Name the recordings first: every name after --example is an example.

    Example: otowake extend phone.wav --example studio.wav
    """
    examples = example or []
    if (bases is None) == (not examples):
        raise OtowakeError("Say what to learn from, in one way: --example EXAMPLE, or --bases FILE of `otowake learn`.")
    say_what_happens(verbose)
    prepare_process()
    jobs = planned([(file,) for file in files], out, "extended", [*files, *examples, *([bases] if bases else [])])
    known = interruptible(lambda _: loaded(bases) if bases else _taken(examples, exemplars, rate, stft))
    options = {"to": rate, "cut": start, "seed": seed, "iterations": iterations, "stft": stft if bases else None}

    def compute(recording: "Recording", watch: "Watch") -> Outcome:
        return _computed(recording, known, watch, options, plots)

    told(*each(jobs, whole(compute, plots=plots, bar=sys.stderr.isatty() and not verbose)), as_json, "extended")


def _taken(examples: Sequence[Path], count: int, rate: int | None, stft: str | None) -> "Bases":
    """The spectra of files, with the files' own notes."""
    from dataclasses import replace

    from otowake.core.files import shown
    from otowake.signal.audio import read

    recordings = [read(path) for path in examples]

    from otowake.tasks.exemplars import exemplars

    names = [shown(path.name) for path in examples]
    samples, rates = [one.samples for one in recordings], [one.rate for one in recordings]
    made = exemplars(samples, rates, count, to=rate, stft=stft, names=names)
    return replace(made, notes=(*(note for one in recordings for note in one.notes), *made.notes))


def _computed(recording: "Recording", known: "Bases", watch: "Watch", options: dict[str, Any], plots: bool) -> Outcome:
    from otowake.tasks.extend import extend as lengthened

    result = lengthened(recording.samples, recording.rate, known, watch=watch, **options)
    report = result.report()
    report["notes"] = [*known.notes, *report["notes"]]
    more = {"spectrogram.png": _picture(recording, result)} if plots else {}
    sounds = result.samples[None]
    return Outcome(sounds, ("extended",), report, "extension", more, whole=result.samples, rate=result.rate)


def _picture(recording: "Recording", result: "Extension") -> Callable[[Path], None]:
    def draw(path: Path) -> None:
        from otowake.tasks.drawing.bands import bands

        bands(path, recording.samples[0], recording.rate, result.samples[0], result.rate, result.cut)

    return draw
