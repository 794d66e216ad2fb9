"""Editing single notes of a recording.

result = edit(x, rate, ["mute G4", "gain A4@1.5-2=-6", Transpose("E4", -1)])     x: (channels, samples)
result.samples          x but for these notes; without edits x itself, bit for bit

heard = hear(x, rate)              finds the notes, which takes a while
heard.edited(["mute G4"])          tries edits, which does not

Parts    beside this file: the notes: `transcribe.py`; edits as data: `edits.py`; how a note is changed: `scene.py`
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from otowake.signal.pitch import name
from otowake.signal.rate import resampled
from otowake.tasks.bases import Bases
from otowake.tasks.door import like, tensor
from otowake.tasks.notes.edits import Edit, parsed, plan
from otowake.tasks.notes.scene import Scene, change, level, pitch, scene
from otowake.tasks.notes.tones import Tones
from otowake.tasks.notes.transcribe import Transcription, transcribe


@dataclass(frozen=True, eq=False)
class Heard:
    """A recording and the notes in it.

    Attributes:
        x: the recording, as it came in.
        transcription: its notes, and how they were found.
        scene: what their sounds are made from.
    """

    x: Any = field(repr=False)
    transcription: Transcription
    scene: Scene = field(repr=False)

    def rows(self) -> list[dict[str, Any]]:
        """The notes as a table: names, MIDI numbers, hertz as played, seconds, levels in dB (0: a full-scale sine)."""
        return [
            {
                "note": name(one.note.pitch),
                "pitch": one.note.pitch,
                "voice": one.note.voice,
                "hertz": round(pitch(self.scene, one), 2),
                "onset": round(one.note.onset, 4),
                "offset": round(one.note.offset, 4),
                "level": round(level(self.scene, one), 1),
            }
            for one in self.scene.placed
        ]

    def edited(self, edits: Sequence[Edit | str]) -> "Edited":
        """The recording with edits.

        Args:
            edits: values, or their words such as "mute G4"; notes are called what they are in the recording.

        Raises:
            OtowakeError: an edit cannot be read, or means notes that do not occur; the nearest that do are named.
        """
        began = time.perf_counter()
        todo = _values(edits)
        wanted = plan(todo, self.transcription.score)
        x, rate = tensor(self.x), self.transcription.rate
        changed = resampled(change(self.scene, wanted).numpy(), self.scene.pitched.rate, rate, x.shape[-1])
        samples = torch.from_numpy(changed) + (x if wanted.rest else 0.0)
        return Edited(like(samples, self.x), todo, self, time.perf_counter() - began)

    def report(self) -> dict[str, Any]:
        """All but the sounds, JSON-able, with versions."""
        return {**self.transcription.report(), "score": self.rows()}


@dataclass(frozen=True, eq=False)
class Edited:
    """A recording whose notes were edited.

    Attributes:
        samples: channels samples, of the kind and dtype that came in.
        edits: what was done.
        heard: the recording that it was done to; undoing is `heard.edited` with fewer edits.
        seconds: that it took.
    """

    samples: Any = field(repr=False)
    edits: tuple[Edit, ...]
    heard: Heard
    seconds: float

    def report(self) -> dict[str, Any]:
        """All but the sounds, JSON-able: with the recording, `settings` and `edits` make the same samples again."""
        whole = self.heard.report()
        return {**whole, "edits": [one.data() for one in self.edits], "seconds": whole["seconds"] + self.seconds}


def hear(x: Any, rate: int, known: Sequence[Tones | Bases] = (), **options: Any) -> Heard:
    """Find the notes of a recording, ready to be edited.

    Args:
        x: (channels, samples) floating point, NumPy or torch.  Never modified.
        rate: samples a second.
        known: what the instruments sound like, of `tones` or of `learn`; without any, harmonic spectra are taken.
        options: those of `transcribe`.

    Raises:
        OtowakeError: one sentence: what came, where, what to try.
    """
    found = transcribe(x, rate, known, **options)
    return Heard(x, found, scene(tensor(x), rate, found.pitched, found.score))


def edit(x: Any, rate: int, edits: Sequence[Edit | str], known: Sequence[Tones | Bases] = (), **options: Any) -> Edited:
    """Find the notes of a recording and edit some of them: `hear`, then `edited`.

    Raises:
        OtowakeError: one sentence: what came, where, what to try.
    """
    todo = _values(edits)  # refused before the notes are looked for
    return hear(x, rate, known, **options).edited(todo)


def _values(edits: Sequence[Edit | str]) -> tuple[Edit, ...]:
    return tuple(parsed(one) if isinstance(one, str) else one for one in edits)
