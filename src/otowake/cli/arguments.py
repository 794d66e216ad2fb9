"""What the command line does to its words before Click sees them, and options that several commands share."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated

import typer


class Device(StrEnum):
    """Where to compute."""

    cpu = "cpu"
    cuda = "cuda"
    auto = "auto"


class Finesse(StrEnum):
    """What numbers a method runs in."""

    auto = "auto"
    single = "single"
    double = "double"


Frames = Annotated[str | None, typer.Option(metavar="WINDOW/HOP", help="In samples. [default: about 93 ms]")]
Json = Annotated[bool, typer.Option("--json", help='Print the report as JSON; of several files {"runs": [...]}.')]
Plots = Annotated[bool, typer.Option("--plots/--no-plots", help="Draw spectrograms and cost.")]
Seed = Annotated[int, typer.Option(min=0, metavar="S", help="Of the random start.")]
Seeds = Annotated[
    int, typer.Option(min=1, max=1000, metavar="N", help="Starts, from the seed on; the lowest end is taken.")
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say on stderr what happens.")]
Where = Annotated[Device, typer.Option(help="Where to compute.")]


def expand_many(argv: Sequence[str], flag: str = "--estimate") -> list[str]:
    """Let one flag take several values: `--estimate a b c` becomes `--estimate a --estimate b --estimate c`.

    Click gives an option one value, but a shell turns `--estimate demo/*.flac` into many.  The values end at
    the next word that begins with "-"; what follows "--" is left alone, and so is `--estimate=a`.
    """
    return list(_expanded(argv, flag))


def _expanded(argv: Sequence[str], flag: str) -> Iterator[str]:
    taking = False
    first = False
    for at, word in enumerate(argv):
        if word == "--":
            yield from argv[at:]
            return
        if word.startswith("-"):
            taking = first = word == flag
        elif taking and not first:
            yield flag
        else:
            first = False
        yield word
