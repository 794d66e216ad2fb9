"""Notes as a Standard MIDI File."""

import io
from collections.abc import Sequence

from otowake.tasks.notes.onsets import Note

BEAT = 500_000  # microseconds: 120 beats a minute, as recordings do not say where their beats are
TICKS = 480  # a beat: steps of about a millisecond
DRUMS = 9  # the channel, from 0, that General MIDI keeps for them
CHANNELS = [channel for channel in range(16) if channel != DRUMS]


def written(notes: Sequence[Note]) -> bytes:
    """A file of format 1: the tempo, then a track for each voice, named after it, on a channel of its own.

    From the 16th voice on, channels are shared.
    """
    from mido import MetaMessage, MidiFile, MidiTrack

    file = MidiFile(type=1, ticks_per_beat=TICKS)
    file.tracks.append(MidiTrack([MetaMessage("set_tempo", tempo=BEAT)]))
    for at, voice in enumerate(dict.fromkeys(note.voice for note in notes)):
        own = [note for note in notes if note.voice == voice]
        file.tracks.append(MidiTrack(_messages(own, voice, CHANNELS[at % len(CHANNELS)])))
    held = io.BytesIO()
    file.save(file=held)
    return held.getvalue()


def _messages(notes: Sequence[Note], voice: str, channel: int) -> list:
    """Ends come before beginnings of the same pitch, so that a note that is played again is heard again."""
    from mido import Message, MetaMessage

    events = []
    ordered = sorted(notes, key=lambda note: (note.pitch, note.onset))
    for note, after in zip(ordered, [*ordered[1:], None], strict=True):
        begin, end = _ticks(note.onset), _ticks(note.offset)
        if after is not None and after.pitch == note.pitch:
            end = min(end, _ticks(after.onset))
        events.append((begin, 1, note.pitch, note.velocity))
        events.append((max(begin + 1, end), 0, note.pitch, 0))
    title = voice.encode("latin-1", "replace").decode("latin-1")  # what the format can hold
    messages, now = [MetaMessage("track_name", name=title)], 0
    for tick, on, pitch, velocity in sorted(events):
        kind = "note_on" if on else "note_off"
        messages.append(Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    return messages


def _ticks(seconds: float) -> int:
    return round(seconds * 1e6 / BEAT * TICKS)
