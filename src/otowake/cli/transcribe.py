"""otowake transcribe: a recording in; its notes out, as a MIDI file and a picture."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otowake.cli.arguments import Seed, Verbose
from otowake.cli.host import prepare_process
from otowake.cli.instruments import instruments
from otowake.cli.jobs import finite, followed, say_what_happens
from otowake.core.errors import OtowakeError

if TYPE_CHECKING:
    from otowake.signal.audio import Recording
    from otowake.tasks.door import Watch
    from otowake.tasks.notes.transcribe import Transcription


def transcribe(
    file: Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="The recording.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Where to. [default: NAME.mid beside it]")
    ] = None,
    example: Annotated[
        list[Path] | None,
        typer.Option("--example", metavar="EXAMPLE", help="A scale of each instrument, alone; one file each."),
    ] = None,
    bases: Annotated[
        list[Path] | None, typer.Option("--bases", metavar="FILE", help="Spectra of `otowake learn`; may be repeated.")
    ] = None,
    lowest: Annotated[str, typer.Option(metavar="NOTE", help="The lowest note that is looked for.")] = "E1",
    highest: Annotated[str, typer.Option(metavar="NOTE", help="The highest one.")] = "C7",
    sensitivity: Annotated[
        float, typer.Option(metavar="X", help="Above 1 softer notes are heard, too; below 1 fewer.")
    ] = 1.0,
    iterations: Annotated[int, typer.Option(min=0, metavar="N", help="How many.")] = 100,
    seed: Seed = 0,
    stft: Annotated[
        str | None, typer.Option(metavar="WINDOW/HOP", help="In samples. [default: about 93 ms every 12 ms]")
    ] = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw a piano roll.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, with the notes.")] = False,
    verbose: Verbose = False,
) -> None:
    """Write down the notes of a recording.

    Writes a MIDI file with a track for each instrument, and a picture of the notes over the spectrogram,
    NAME-roll.png, beside it; both or none. With a scale of each instrument notes are told apart by
    instrument; without any example or bases all of them are one voice, and more of them are wrong.

    Name the recording first: every name after --example is an example.

    Example: otowake transcribe song.wav --example oboe-scale.wav piano-scale.wav -o song.mid
    """
    from otowake.core.files import shown
    from otowake.signal.pitch import number

    say_what_happens(verbose)
    prepare_process()
    for word in (lowest, highest):
        number(word)  # refused before anything long begins
    target = out or file.parent / f"{file.stem}.mid"
    inputs = [file, *(example or []), *(bases or [])]
    files = [target, *([target.parent / f"{target.stem}-roll.png"] if plots else [])]
    for path in inputs:
        if any(path.resolve() == made.resolve() for made in files):
            raise OtowakeError(f"The output would replace the input {shown(path)}; choose another name with -o.")
    _check(files)
    options: dict[str, Any] = {
        "lowest": lowest, "highest": highest, "sensitivity": sensitivity, "iterations": iterations, "seed": seed,
        "stft": stft,
    }  # fmt: skip

    def work(watch: "Watch") -> "tuple[Recording, Transcription]":
        from otowake.signal.audio import read
        from otowake.tasks.notes.transcribe import transcribe as note_down

        recording = read(file)
        known = instruments(example or [], bases or [], recording.rate, stft)
        return recording, note_down(recording.samples, recording.rate, known, watch=watch, **options)

    recording, result = followed(file.name, sys.stderr.isatty() and not verbose, work)
    _write(files, recording, result, file.stem)
    report = {"inputs": [str(path) for path in inputs], "files": [str(path) for path in files], **result.report()}
    report["notes"] = [*recording.notes, *report["notes"]]
    _say(finite(report), as_json)


def _check(files: Sequence[Path]) -> None:
    from otowake.core.files import check

    for path in files:
        check(path)


def _write(files: Sequence[Path], recording: "Recording", result: "Transcription", title: str) -> None:
    from otowake.cli.outputs import together
    from otowake.core.files import write_bytes

    with together(files[0].parent) as place:
        write_bytes(place / files[0].name, result.midi())
        if len(files) > 1:
            from otowake.tasks.drawing.roll import piano_roll

            piano_roll(place / files[1].name, recording.samples.mean(0), recording.rate, result.score, title=title)


def _say(report: dict[str, Any], as_json: bool) -> None:
    from otowake.cli.screen import paths, summary

    if as_json:
        typer.echo(json.dumps(report, indent=2))
    elif sys.stdout.isatty():
        typer.echo(summary(report))
    else:
        typer.echo(os.fsencode(paths(report)))
