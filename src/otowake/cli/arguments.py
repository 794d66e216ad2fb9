"""What the command line does to its words before Click sees them, and words that several commands share."""

from collections.abc import Iterator, Sequence
from enum import StrEnum


class Device(StrEnum):
    """Where to compute."""

    cpu = "cpu"
    cuda = "cuda"
    auto = "auto"


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
