"""A piece in four parts, written down: with a scale of each instrument, and without."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from gallery import MUSIC, sound, table
from mir_eval.transcription import precision_recall_f1_overlap

import otowake
from otowake.signal.pitch import hertz
from otowake.tasks.drawing.roll import piano_roll
from otowake.tasks.notes.onsets import Note

PARTS = {"oboe": "melody1", "flute": "melody2", "piano": "midrange", "bassoon": "bass"}
PARTIALS = (1.0, 0.5, 0.35, 0.2, 0.12, 0.06)


def make(out: Path) -> dict[str, str]:
    parts = {name: otowake.read(MUSIC / f"{name}.flac") for name in PARTS}
    rate = parts["oboe"].rate
    piece = sum(0.05 * part.samples / np.sqrt(np.mean(part.samples**2)) for part in parts.values())
    scales = [otowake.read(MUSIC / f"{name}-scale.flac") for name in PARTS]
    known = [otowake.tones(one.samples, one.rate, name=name) for name, one in zip(PARTS, scales, strict=True)]
    told, blind = otowake.transcribe(piece, rate, known), otowake.transcribe(piece, rate)
    piano_roll(out / "known.png", piece[0], rate, told.score, title="With a scale of each instrument")
    piano_roll(out / "unknown.png", piece[0], rate, blind.score, title="Without any example")
    (out / "piece.mid").write_bytes(told.midi())
    sound(out / "piece.ogg", 0.9 * piece / np.abs(piece).max(), rate)
    sound(out / "played.ogg", played(told.score, rate, piece.shape[-1]), rate)
    rows = [["what is known", "notes", "precision", "recall", "F"]]
    for title, score in (("a scale of each instrument", told.score), ("nothing", blind.score)):
        p, r, f = scores(score, PARTS.values())
        rows.append([title, str(len(score)), f"{p:.3f}", f"{r:.3f}", f"{f:.3f}"])
    by_part = [["instrument", "its notes", "found", "precision", "recall", "F"]]
    for name, part in PARTS.items():
        own = [note for note in told.score if note.voice == name]
        p, r, f = scores(own, [part])
        by_part.append([name, str(len(reference([part])[0])), str(len(own)), f"{p:.3f}", f"{r:.3f}", f"{f:.3f}"])
    return {"all": table(rows), "parts": table(by_part)}


def reference(parts: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """(onset, offset) in seconds and hertz of the score's notes."""
    score = json.loads((MUSIC / "score.json").read_text())
    beat = 60 / score["bpm"]
    notes = [note for part in parts for note in score["notes"][part]]
    return np.array([(b * beat, (b + d) * beat) for _, b, d in notes]), np.array([hertz(p) for p, *_ in notes])


def scores(notes: Sequence[Note], parts: Iterable[str]) -> tuple[float, float, float]:
    """Precision, recall and F of pitches with onsets within 50 ms."""
    found = np.array([(n.onset, n.offset) for n in notes]), np.array([hertz(n.pitch) for n in notes])
    return precision_recall_f1_overlap(*reference(parts), *found, offset_ratio=None)[:3]


def played(notes: Sequence[Note], rate: int, samples: int) -> np.ndarray:
    """The notes as sums of six partials, so that they can be heard."""
    y = np.zeros(samples)
    for note in notes:
        begin, end = round(note.onset * rate), min(samples, round(note.offset * rate))
        t = np.arange(end - begin) / rate
        shape = np.minimum(1, t / 0.01) * np.minimum(1, (t[-1] - t) / 0.02) * np.exp(-t)
        partials = sum(a * np.sin(2 * np.pi * hertz(note.pitch) * h * t) for h, a in enumerate(PARTIALS, start=1))
        y[begin:end] += (note.velocity / 127) ** 2 * shape * partials
    return 0.9 * y / np.abs(y).max()
