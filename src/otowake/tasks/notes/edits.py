"""Edits of notes, as data: what is done with which notes; as values, as words, and as JSON.

    mute G4    solo C3..C4    gain A4@1.5-2=-6    transpose E4=-1

Notes are called what they are in the recording, whatever other edits do to them, so that the order of edits does not
matter: undoing one is leaving it out of the list.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from otowake.core.errors import OtowakeError
from otowake.core.files import shown
from otowake.tasks.notes.selection import Selection, Sounding, check_occurs, selected

LOUDEST, FARTHEST = 60.0, 24.0  # dB, semitones


class Part(NamedTuple):
    """What edits make of one note."""

    gain: float = 1.0
    semitones: float = 0.0
    muted: bool = False
    soloed: bool = False


@dataclass(frozen=True)
class Edit(ABC):
    """Something that is done with notes.

    Args:
        notes: which: selections, or their words, such as "G4" or "C3..C4,A4@1.5-2".
    """

    notes: tuple[Selection, ...] | str

    word: ClassVar[str]
    number: ClassVar[str | None] = None  # the field that says how much

    def __post_init__(self) -> None:
        if isinstance(self.notes, str):
            object.__setattr__(self, "notes", selected(self.notes))
        if not self.notes:
            raise OtowakeError(f"{self.word}: no note is named; give one, such as G4.")

    @abstractmethod
    def on(self, part: Part) -> Part:
        """What becomes of a note that is meant."""

    @property
    def selections(self) -> tuple[Selection, ...]:
        return self.notes  # type: ignore[return-value]  # words were read at the beginning

    def takes(self, note: Sounding) -> bool:
        return any(selection.takes(note) for selection in self.selections)

    def data(self) -> dict[str, Any]:
        """JSON-able; `from_data` gives the edit back."""
        numbers = {} if self.number is None else {self.number: getattr(self, self.number)}
        return {"edit": self.word, "notes": ",".join(map(str, self.selections)), **numbers}

    def __str__(self) -> str:
        """Its words; `parsed` gives the edit back."""
        amount = "" if self.number is None else f"={getattr(self, self.number)!r}"
        return f"{self.word} {','.join(map(str, self.selections))}{amount}"


@dataclass(frozen=True)
class Mute(Edit):
    """The notes are taken out."""

    word = "mute"

    def on(self, part: Part) -> Part:
        return part._replace(muted=True)


@dataclass(frozen=True)
class Solo(Edit):
    """All but the notes that are soloed is taken out; and of these what is muted, too."""

    word = "solo"

    def on(self, part: Part) -> Part:
        return part._replace(soloed=True)


@dataclass(frozen=True)
class Gain(Edit):
    """The notes get louder by so many decibels, quieter where negative."""

    db: float
    word = "gain"
    number = "db"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not abs(self.db) <= LOUDEST:
            raise OtowakeError(f"A gain of {self.db:g} dB cannot be had: give -60 to 60, or mute the note.")

    def on(self, part: Part) -> Part:
        return part._replace(gain=part.gain * 10 ** (self.db / 20))


@dataclass(frozen=True)
class Transpose(Edit):
    """The notes move by so many semitones, downwards where negative; parts of a semitone are possible."""

    semitones: float
    word = "transpose"
    number = "semitones"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not abs(self.semitones) <= FARTHEST:
            raise OtowakeError(f"A note cannot move by {self.semitones:g} semitones: give -24 to 24.")

    def on(self, part: Part) -> Part:
        return part._replace(semitones=part.semitones + self.semitones)


KINDS: dict[str, type[Edit]] = {kind.word: kind for kind in (Mute, Solo, Gain, Transpose)}
SAMPLES = {"db": "A4=-6", "semitones": "E4=-1"}


class Plan(NamedTuple):
    """What becomes of each note, and whether all else is heard."""

    parts: tuple[Part, ...]
    rest: bool


def plan(edits: Sequence[Edit], notes: Sequence[Sounding]) -> Plan:
    """Folds the edits over the notes; a note that is not to be heard has the gain 0.

    Raises:
        OtowakeError: an edit means notes that do not occur; the nearest that do are named.
    """
    parts = [Part()] * len(notes)
    for one in edits:
        for selection in one.selections:
            check_occurs(selection, notes)
        parts = [one.on(part) if one.takes(note) else part for part, note in zip(parts, notes, strict=True)]
    alone = any(part.soloed for part in parts)
    heard = [not part.muted and (part.soloed or not alone) for part in parts]
    return Plan(tuple(part if sounds else part._replace(gain=0.0) for part, sounds in zip(parts, heard)), not alone)


# ---- words and files ---------------------------------------------------------------------------------------


def edit(kind: str, words: str) -> Edit:
    """An edit from the name of its kind and what follows it, such as "gain" and "A4=-6".

    Raises:
        OtowakeError: one sentence: what came, and what to give.
    """
    if kind not in KINDS:
        raise OtowakeError(f"There is no edit {kind!r}: use {', '.join(KINDS)}.")
    number = KINDS[kind].number
    if number is None:
        return KINDS[kind](words)
    notes, _, amount = words.rpartition("=")
    try:
        value = float(amount.strip().lower().removesuffix("db"))
    except ValueError:
        value = float("nan")
    if not notes or value != value:
        raise OtowakeError(f"{kind} {words} was not understood: give NOTE=NUMBER, such as {SAMPLES[number]}.")
    return KINDS[kind](notes, value)  # type: ignore[call-arg]


def parsed(words: str) -> Edit:
    """An edit from its words, such as "mute G4@1.5-2"."""
    kind, _, rest = words.strip().partition(" ")
    return edit(kind, rest)


def from_data(data: Any) -> Edit:
    """An edit from what `data` gave."""
    kind = KINDS.get(str(data.get("edit"))) if isinstance(data, dict) else None
    if kind is None or set(data) - {"edit", "notes", kind.number} or not isinstance(data.get("notes"), str):
        raise OtowakeError(f"{json.dumps(data)[:200]} is no edit; one looks like {json.dumps(Mute('G4').data())}.")
    if kind.number is None:
        return kind(data["notes"])
    value = data.get(kind.number)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise OtowakeError(f"{json.dumps(data)[:200]} lacks a number {kind.number!r}.")
    return kind(data["notes"], float(value))  # type: ignore[call-arg]


def load_edits(path: str | Path) -> tuple[tuple[Edit, ...], dict[str, Any]]:
    """The edits of a JSON file, and what the file says besides: a list of edits, or a report of `otowake notes`.

    Raises:
        OtowakeError: it is missing or not such a file.
    """
    place = shown(path)
    try:
        whole = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise OtowakeError(f"{place} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise OtowakeError(f"{place} is not JSON: give a list of edits, or a report of `otowake notes`.") from error
    more = whole if isinstance(whole, dict) else {"edits": whole}
    if not isinstance(more.get("edits"), list):
        raise OtowakeError(f"{place} holds no edits: give a list of edits, or a report of `otowake notes`.")
    try:
        return tuple(from_data(one) for one in more["edits"]), more
    except OtowakeError as error:
        raise OtowakeError(f"{place}: {error}") from None
