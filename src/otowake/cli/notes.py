"""otowake notes: a recording in; its notes, or the recording with some of them changed, out."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from otowake.cli.arguments import Frames, Plots, Verbose
from otowake.cli.host import prepare_process
from otowake.cli.instruments import instruments
from otowake.cli.jobs import Outcome, each, finite, followed, planned, say_what_happens, told, whole
from otowake.core.errors import OtowakeError

if TYPE_CHECKING:
    from otowake.signal.audio import Recording
    from otowake.tasks.door import Watch
    from otowake.tasks.notes.edit import Heard
    from otowake.tasks.notes.edits import Edit

Words = list[str] | None


def notes(
    file: Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="The recording.")],
    list_: Annotated[bool, typer.Option("--list", help="Only list the notes that are in it.")] = False,
    mute: Annotated[Words, typer.Option(metavar="NOTES", help="Take notes out, such as G4 or C3..C4@1.5-2.")] = None,
    solo: Annotated[Words, typer.Option(metavar="NOTES", help="Take all but these out.")] = None,
    gain: Annotated[Words, typer.Option(metavar="NOTES=DB", help="Louder by so many dB, such as A4=-6.")] = None,
    transpose: Annotated[
        Words, typer.Option(metavar="NOTES=SEMITONES", help="Move by semitones, such as E4=-1.")
    ] = None,
    edits: Annotated[
        Path | None, typer.Option(metavar="JSON", help="Edits from a file, such as the report of an earlier run.")
    ] = None,
    bases: Annotated[
        list[Path] | None, typer.Option(metavar="BASES", help="An instrument's spectra, from `otowake learn`.")
    ] = None,
    example: Annotated[
        list[Path] | None,
        typer.Option("--example", metavar="EXAMPLE", help="An instrument's notes one by one, such as its scale."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="Folder for the files. [default: NAME-edited]")
    ] = None,
    lowest: Annotated[
        str | None, typer.Option(metavar="NOTE", help="The lowest note that is looked for. [default: E1]")
    ] = None,
    highest: Annotated[str | None, typer.Option(metavar="NOTE", help="The highest one. [default: C7]")] = None,
    sensitivity: Annotated[
        float | None, typer.Option(metavar="X", help="Above 1 softer notes are found, too. [default: 1]")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="S", help="Of the random start. [default: 0]")] = None,
    iterations: Annotated[int | None, typer.Option(min=0, metavar="N", help="How many. [default: 100]")] = None,
    stft: Frames = None,
    plots: Plots = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list or the report as JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """List the notes of a recording, or mute, solo, amplify or transpose some of them.

    NOTES is a name (G4, Bb3), a range (C3..C4), one time of it (G4@1.7, G4@1.5-2), an instrument's where
    examples are given (oboe:G4), or several with commas between them.

    Writes NAME-edited.wav, in which all else is what it was; NAME-notes.json, the report with the edits; and
    the pictures NAME-spectrogram.png and NAME-cost.png, into the folder NAME-edited beside the recording, or
    into DIR. All are written at the end, or none; files of the same names are replaced.

    Examples: otowake notes song.wav --list;  otowake notes song.wav --mute G4 --transpose E4@2=-1
    """
    words = {"mute": mute, "solo": solo, "gain": gain, "transpose": transpose}
    if list_ == (edits is not None or any(words.values())):
        raise OtowakeError("Say what to do with the notes: --list them, or edit some, with --mute G4 for example.")
    say_what_happens(verbose)
    prepare_process()
    options = {"lowest": lowest, "highest": highest, "sensitivity": sensitivity, "seed": seed, "stft": stft}
    wishes = _wishes(words, edits, {**options, "iterations": iterations}, example or [], bases or [])
    bar = sys.stderr.isatty() and not verbose
    if list_:
        _listed(followed(file.name, bar, lambda watch: _report(file, wishes, watch)), as_json)
        return
    inputs = [file, *wishes.examples, *wishes.bases, *([edits] if edits else [])]
    jobs = planned([(file,)], out, "edited", inputs)
    told(*each(jobs, whole(lambda x, watch: _computed(x, wishes, watch), plots=plots, bar=bar)), as_json, "edited")


class Wishes(NamedTuple):
    """What is asked for: edits, how notes are to be found, and files of what the instruments sound like."""

    edits: "list[Edit]"
    options: dict[str, Any]
    examples: list[Path]
    bases: list[Path]


def _hear(recording: "Recording", wishes: Wishes, watch: "Watch") -> "Heard":
    from otowake.tasks.notes.edit import hear

    known = instruments(wishes.examples, wishes.bases, recording.rate, wishes.options.get("stft"))
    return hear(recording.samples, recording.rate, known, watch=watch, **wishes.options)


def _computed(recording: "Recording", wishes: Wishes, watch: "Watch") -> Outcome:
    import numpy as np

    from otowake.tasks.drawing.boxes import boxes
    from otowake.tasks.notes.edits import plan

    heard = _hear(recording, wishes, watch)
    edited = heard.edited(wishes.edits)
    whole = np.asarray(edited.samples)
    score = heard.transcription.score
    files = {"examples": [*map(str, wishes.examples)], "bases": [*map(str, wishes.bases)]}
    over = boxes(plan(wishes.edits, score), score)
    return Outcome(whole[None], ("edited",), {**edited.report(), **files}, "notes", whole=whole, over=over)


# ---- what is asked for -------------------------------------------------------------------------------------


def _wishes(
    words: dict[str, Words], path: Path | None, given: dict[str, Any], examples: list[Path], bases: list[Path]
) -> Wishes:
    """What a file says, and what the command line adds to its edits, or says instead of the rest."""
    from otowake.signal.pitch import number
    from otowake.tasks.notes.edits import edit, load_edits

    first, more = load_edits(path) if path else ((), {})
    settings = more.get("settings")
    kept = settings if isinstance(settings, dict) else {}
    kinds = {"lowest": str, "highest": str, "sensitivity": int | float, "seed": int, "iterations": int, "stft": str}
    options = {key: kept[key] for key, kind in kinds.items() if isinstance(kept.get(key), kind)}
    options |= {key: value for key, value in given.items() if value is not None}
    for key in ("lowest", "highest"):
        number(options.get(key, "C4"))  # refused before anything long begins
    if not examples and not bases:
        examples, bases = ([Path(name) for name in _texts(more.get(key))] for key in ("examples", "bases"))
    todo = [*first, *(edit(kind, word) for kind, several in words.items() for word in several or [])]
    return Wishes(todo, options, examples, bases)


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


# ---- the list ----------------------------------------------------------------------------------------------


def _report(file: Path, wishes: Wishes, watch: "Watch") -> dict[str, Any]:
    from otowake.signal.audio import read

    recording = read(file)
    report = _hear(recording, wishes, watch).report()
    return {"inputs": [str(file)], **report, "notes": [*recording.notes, *report["notes"]]}


def _listed(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(finite(report), indent=2))
        return
    for note in report["notes"]:
        typer.echo(f"Note: {note}", err=True)
    typer.echo(_table(report["score"], voices=len({row["voice"] for row in report["score"]}) > 1))


def _table(rows: list[dict[str, Any]], voices: bool) -> str:
    """A line for each note of each instrument, the lowest first: its pitch, how loud it gets, and when it sounds."""
    from statistics import median

    groups: dict[tuple[float, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["pitch"], row["voice"], row["note"]), []).append(row)
    lines = [f"{'note':<{_wide(groups, voices)}}  {'Hz':>8}  {'dB':>6}  seconds"]
    for (_, voice, name), group in sorted(groups.items()):
        times = ", ".join(f"{row['onset']:.2f}-{row['offset']:.2f}" for row in group)
        title = f"{voice}:{name}" if voices else name
        hertz, level = median(row["hertz"] for row in group), max(row["level"] for row in group)
        lines.append(f"{title:<{_wide(groups, voices)}}  {hertz:8.2f}  {level:6.1f}  {times}")
    return "\n".join(lines) if rows else "No note was found."


def _wide(groups: Any, voices: bool) -> int:
    return max(4, *(len(f"{voice}:{name}" if voices else name) for _, voice, name in groups)) if groups else 4
