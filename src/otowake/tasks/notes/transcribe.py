"""Notes of a recording: which, when, how loud, and by which of the known instruments.

result = transcribe(x, rate, [tones(scale, scale_rate, name="oboe")])      with spectra of the instruments
result = transcribe(x, rate)                                               without any
result.score, result.midi()                                                the notes, and a MIDI file of them
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from otowake.core.errors import OtowakeError
from otowake.signal.pitch import name, number
from otowake.signal.stft import Stft
from otowake.spec import show
from otowake.tasks.bases import Bases
from otowake.tasks.door import Result, Watch, as_stft
from otowake.tasks.notes.midi import written
from otowake.tasks.notes.onsets import Note, found
from otowake.tasks.notes.pitched import ITERATIONS, Pitched, decompose
from otowake.tasks.notes.tones import Tones, labelled

LOWEST, HIGHEST = "E1", "C7"
UNKNOWN = 0.65  # of the sensitivity, where nothing is known of the instruments: what one note is spreads over several


@dataclass(frozen=True, kw_only=True)
class Transcription(Result):
    """What came out.

    Attributes:
        score: the notes, in the order of their onsets.
        rate: samples a second of the recording.
        method, why: what the spectra are, and of how many notes.
        settings: every parameter in effect, JSON-able.
        costs: before the first and after each iteration, in nats.
        converged: whether the last tenth of the iterations brought less than 1 % of the descent.
        iterations, seconds: how many and how long.
        diagnostics: how many notes each voice has, JSON-able.
        notes: what a person should know, in sentences.
        pitched: the decomposition that the notes were found in.
    """

    score: tuple[Note, ...]
    pitched: Pitched = field(repr=False)

    def midi(self) -> bytes:
        """The notes as a Standard MIDI File: a track and a channel for each voice, 120 beats a minute."""
        return written(self.score)

    def _more(self) -> dict[str, Any]:
        return {"score": [_line(note) for note in self.score]}


def transcribe(
    x: Any,
    rate: int,
    known: Sequence[Tones | Bases] = (),
    *,
    lowest: str = LOWEST,
    highest: str = HIGHEST,
    sensitivity: float = 1.0,
    iterations: int = ITERATIONS,
    seed: int = 0,
    stft: str | Stft | None = None,
    watch: Watch | None = None,
) -> Transcription:
    """Write down the notes of a recording.

    Args:
        x: (channels, samples) floating point, NumPy or torch.  Never modified.
        rate: samples a second; where the known spectra have another, the recording is analysed at theirs.
        known: what the instruments sound like, of `tones`, or of `learn`, whose spectra get their pitches here; without
            any, harmonic spectra are taken.
        lowest, highest: names of the notes that are looked for, such as C2 and C7.
        sensitivity: above 1 softer notes are heard, too; below 1 fewer.
        iterations: how many.
        seed: of the random start; the same seed gives the same notes.
        stft: "frame/hop" in samples; by default about 93 ms every 12 ms, or that of the known spectra.
        watch: called after each iteration; an exception that it raises stops the work and is passed on.

    Raises:
        OtowakeError: one sentence: what came, where, what to try.
    """
    began = time.perf_counter()
    low, high = number(lowest), number(highest)
    if low > high:
        raise OtowakeError(f"Notes from {lowest} to {highest} are none; give the lower one first.")
    if not 0.01 <= sensitivity <= 100:
        raise OtowakeError(f"A sensitivity of {sensitivity:g} cannot be had; give 0.01 to 100, 1 is usual.")
    spectra = [one if isinstance(one, Tones) else labelled(one) for one in known]
    pitched = decompose(
        x, rate, spectra, lowest=low, highest=high, stft=as_stft(stft), iterations=iterations, seed=seed, watch=watch
    )
    score = tuple(found(pitched, sensitivity if spectra else UNKNOWN * sensitivity))
    return Transcription(
        score=score,
        rate=rate,
        method="known spectra" if spectra else "harmonic spectra",
        why=_why(pitched),
        settings={
            "lowest": name(low),
            "highest": name(high),
            "sensitivity": sensitivity,
            "iterations": iterations,
            "seed": seed,
            "stft": show(pitched.stft),
        },
        diagnostics={voice: sum(note.voice == voice for note in score) for voice in pitched.voices()},
        notes=[
            *(note for one in spectra for note in one.notes),
            *pitched.notes,
            *([] if score else ["No note was heard; a higher sensitivity or a wider range may help."]),
        ],
        pitched=pitched,
        **pitched.run.told(began, iterations),
    )


def _why(pitched: Pitched) -> str:
    heights = [sorted({p for p, v in zip(pitched.pitch, pitched.voice) if v == w and p}) for w in pitched.voices()]
    words = [f"{len(p)} of {v}" for p, v in zip(heights, pitched.voices(), strict=True)]
    return f"notes that can be heard: {', '.join(words)}"


def _line(note: Note) -> dict[str, Any]:
    return {
        "note": note.name,
        "pitch": note.pitch,
        "onset": round(note.onset, 4),
        "offset": round(note.offset, 4),
        "velocity": note.velocity,
        "voice": note.voice,
    }
