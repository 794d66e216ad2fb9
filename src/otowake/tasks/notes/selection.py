"""Which notes are meant: a value, and its words.

G4               every G4                                C3..C4    every note from C3 to C4
G4@1.5-2         those that sound from 1.5 to 2 s        G4,B4@2   several, with commas between them
G4@1.7           the one that sounds at 1.7 s            oboe:G4   the oboe's, where instruments are known
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from otowake.core.errors import OtowakeError
from otowake.signal.pitch import name, span

_SECONDS = r"((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"
_TIME = re.compile(rf"{_SECONDS}(?:-{_SECONDS})? *s?")
SHOWN = 8  # times of a note that a refusal names


@runtime_checkable
class Sounding(Protocol):
    """A note as it was found: MIDI number, whose it is, and seconds from the beginning of the recording."""

    @property
    def pitch(self) -> int: ...
    @property
    def voice(self) -> str: ...
    @property
    def onset(self) -> float: ...
    @property
    def offset(self) -> float: ...


@dataclass(frozen=True)
class Selection:
    """MIDI numbers from `low` to `high`, sounding from `start` to `end` seconds; by default at any time, by anybody."""

    low: int
    high: int
    start: float = 0.0
    end: float = math.inf
    voice: str = ""

    def takes(self, note: Sounding) -> bool:
        """Whether half of the note lies within the time, or half of the time within the note."""
        if not self.names(note):
            return False
        both = min(self.end, note.offset) - max(self.start, note.onset)
        shorter = min(self.end - self.start, note.offset - note.onset)
        return both >= 0 and 2 * both >= shorter

    def names(self, note: Sounding) -> bool:
        """Whether it is one of these notes, at whatever time."""
        return self.low <= note.pitch <= self.high and self.voice in ("", note.voice)

    @property
    def pitches(self) -> str:
        pitches = name(self.low) if self.low == self.high else f"{name(self.low)}..{name(self.high)}"
        return f"{self.voice}:{pitches}" if self.voice else pitches

    @property
    def times(self) -> str:
        if (self.start, self.end) == (0.0, math.inf):
            return ""
        return f"{self.start!r}" if self.start == self.end else f"{self.start!r}-{self.end!r}"

    def __str__(self) -> str:
        """Its words; `selected` gives the value back."""
        return f"{self.pitches}@{self.times}" if self.times else self.pitches


def selected(words: str) -> tuple[Selection, ...]:
    """Selections as they are written.

    Raises:
        OtowakeError: a note does not exist (the nearest are offered), or a time cannot be read.
    """
    return tuple(_one(word.strip()) for word in words.split(",") if word.strip())


def _one(word: str) -> Selection:
    voice, _, rest = word.rpartition(":")
    notes, at, times = rest.partition("@")
    numbers = span(notes)
    if not at:
        return Selection(numbers[0], numbers[-1], voice=voice)
    match = _TIME.fullmatch(times.strip())
    if not match:
        raise OtowakeError(
            f"The time of {word} was not understood: give seconds, such as {notes}@1.5-2 or {notes}@1.7."
        )
    start, end = float(match[1]), float(match[2] or match[1])
    if end < start:
        raise OtowakeError(f"The time of {word} ends before it begins; give {notes}@{match[2]}-{match[1]}.")
    return Selection(numbers[0], numbers[-1], start, end, voice)


def check_occurs(selection: Selection, notes: Sequence[Sounding]) -> None:
    """Refuses a selection that takes none of the notes, and says what there is instead."""
    if any(selection.takes(note) for note in notes):
        return
    wanted = selection.pitches
    if not notes:
        raise OtowakeError(f"{wanted} does not occur in the recording: no note was found in it.")
    voices = list(dict.fromkeys(note.voice for note in notes))
    if selection.voice and selection.voice not in voices:
        raise OtowakeError(
            f"Nobody called {selection.voice} plays in the recording; those who do: {', '.join(voices)}."
        )
    there = [note for note in notes if selection.names(note)]
    if there:
        times = ", ".join(f"{note.onset:.2f}-{note.offset:.2f}" for note in there[:SHOWN])
        more = f", ... ({len(there)} in all)" if len(there) > SHOWN else ""
        raise OtowakeError(f"{wanted} occurs, but not at {selection.times} s: it sounds at {times}{more} s.")
    middle = (selection.low + selection.high) / 2
    mine = {note.pitch for note in notes if selection.voice in ("", note.voice)}
    near = sorted(mine, key=lambda pitch: (abs(pitch - middle), pitch))[:3]
    names = ", ".join(name(pitch) for pitch in sorted(near))
    raise OtowakeError(f"{wanted} does not occur in the recording; the nearest notes that do: {names}.")
