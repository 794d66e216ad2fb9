"""What instruments sound like, from the files that a command is given: scales of them, and learned bases."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otowake.tasks.notes.tones import Tones


def instruments(examples: Sequence[Path], bases: Sequence[Path], rate: int, stft: str | None) -> "list[Tones]":
    """Spectra with pitches of each, named after their files; examples are learned at the recording's rate."""
    return [*_examples(examples, rate, stft), *_labelled(bases)]


def _examples(paths: Sequence[Path], rate: int, stft: str | None) -> "list[Tones]":
    """What each instrument sounds like, at the recording's rate."""
    from otowake.signal.audio import read
    from otowake.tasks.door import as_stft
    from otowake.tasks.notes.tones import tones

    made = []
    for path in paths:
        scale = read(path)
        made.append(tones(scale.samples, scale.rate, name=_voice(path), stft=as_stft(stft), wanted=rate))
    return _told_apart(made)


def _labelled(paths: Sequence[Path]) -> "list[Tones]":
    from otowake.tasks.bases import load_bases
    from otowake.tasks.notes.tones import labelled

    return _told_apart([labelled(load_bases(path), _voice(path)) for path in paths])


def _told_apart(known: "list[Tones]") -> "list[Tones]":
    """Two of one name are counted: oboe, oboe 2."""
    from dataclasses import replace

    names = [one.name for one in known]
    return [
        replace(one, name=f"{one.name} {names[: at + 1].count(one.name)}" if one.name in names[:at] else one.name)
        for at, one in enumerate(known)
    ]


def _voice(path: Path) -> str:
    """oboe-scale.wav is a scale of the oboe."""
    from otowake.core.files import shown

    stem = shown(path.stem)
    short = stem.removesuffix("scale").rstrip(" -_")
    return short or stem
