"""otowake learn: examples of a sound in, its spectra out."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otowake.cli.arguments import Device, Frames, Seed, Seeds, Verbose, Where
from otowake.cli.host import prepare_process
from otowake.cli.interrupt import interruptible
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
    bases: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, metavar="N", help="How many spectra. [default: 27, or those of --start]"),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Begin with these spectra, from an earlier `otowake learn`.")
    ] = None,
    stft: Frames = None,
    iterations: Annotated[int, typer.Option(min=0, metavar="N", help="How many.")] = 500,
    seed: Seed = 0,
    seeds: Seeds = 1,
    device: Where = Device.cpu,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was learned as JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """Learn the spectra of a sound from examples of it, for `otowake extract`.

    Several examples are taken together, at the first one's rate; of several channels the mean is learned.
    Examples of any length are taken: long ones are read and learned block by block.

    Example: otowake learn scale.wav -o sax.bases
    """
    from otowake.core.files import check, shown

    say_what_happens(verbose)
    prepare_process()
    target = out or examples[0].parent / f"{examples[0].stem}.bases"
    if any(target.resolve() == example.resolve() for example in examples):
        raise OtowakeError(f"{shown(target)} is an example; choose another name with -o.")
    check(target)
    options = {
        "bases": bases, "stft": stft, "iterations": iterations, "seed": seed, "seeds": seeds, "device": device.value,
    }  # fmt: skip
    known = interruptible(lambda _: loaded(start)) if start else None
    made = learned(examples, {**options, "start": known}, bar=sys.stderr.isatty() and not verbose)

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
    """The spectra of files."""

    def work(watch: "Watch") -> "Bases":
        from otowake.core.files import shown
        from otowake.signal.stream import stream

        sounds = [stream(path) for path in examples]

        from otowake.tasks.learn import learn as taught

        return taught(sounds, names=[shown(path.name) for path in examples], watch=watch, **options)

    return followed(examples[0].name, bar, work)


def loaded(path: Path) -> "Bases":
    """The spectra of a file of `otowake learn`."""
    from otowake.tasks.bases import load_bases

    return load_bases(path)
