"""otowake learn: examples of a sound in, its spectra out."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otowake.cli.host import prepare_process
from otowake.cli.jobs import followed, say_what_happens
from otowake.core.errors import OtowakeError

if TYPE_CHECKING:
    from otowake.tasks.bases import Bases
    from otowake.tasks.door import Watch


def learn(
    examples: Annotated[
        list[Path], typer.Argument(metavar="EXAMPLE", readable=False, help="Recordings of the sound alone.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Where to. [default: NAME.bases beside the first example]"),
    ] = None,
    bases: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="How many spectra.")] = 27,
    stft: Annotated[str | None, typer.Option(metavar="WINDOW/HOP", help="In samples. [default: about 93 ms]")] = None,
    iterations: Annotated[int, typer.Option(min=0, metavar="N", help="How many.")] = 500,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Of the random start.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was learned as JSON.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say on stderr what happens.")] = False,
) -> None:
    """Learn the spectra of a sound from examples of it, for `otowake extract`.

    Several examples are taken together, at the first one's rate; of several channels the mean is learned.

    Example: otowake learn scale.wav -o sax.bases
    """
    from otowake.core.files import check, shown

    say_what_happens(verbose)
    prepare_process()
    target = out or examples[0].with_suffix(".bases")
    if any(target.resolve() == example.resolve() for example in examples):
        raise OtowakeError(f"{shown(target)} is an example; choose another name with -o.")
    check(target)
    options = {"bases": bases, "stft": stft, "iterations": iterations, "seed": seed}
    made = learned(examples, options, bar=sys.stderr.isatty() and not verbose)

    from otowake.tasks.bases import save_bases

    save_bases(target, made)
    if as_json:
        typer.echo(json.dumps({"file": str(target), **made.report(), "notes": list(made.notes)}, indent=2))
    elif sys.stdout.isatty():
        count = f"{made.B.shape[1]} spectra at {made.rate} Hz"
        typer.echo("\n".join([count, *(f"Note: {note}" for note in made.notes), f"  {shown(target)}"]))
    else:
        typer.echo(os.fsencode(target))


def learned(examples: Sequence[Path], options: dict[str, Any], bar: bool) -> "Bases":
    """The spectra of files, with the files' own notes."""

    def work(watch: "Watch") -> "Bases":
        from dataclasses import replace

        from otowake.core.files import shown
        from otowake.signal.audio import read

        recordings = [read(path) for path in examples]

        from otowake.tasks.learn import learn as taught

        names = [shown(path.name) for path in examples]
        samples, rates = [one.samples for one in recordings], [one.rate for one in recordings]
        made = taught(samples, rates, names=names, watch=watch, **options)
        return replace(made, notes=(*(note for one in recordings for note in one.notes), *made.notes))

    return followed(examples[0].name, bar, work)
