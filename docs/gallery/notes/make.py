"""Single notes of real recordings: taken out, moved, and what that does to everything else."""

import json
from pathlib import Path

import numpy as np
import torch
from gallery import MUSIC, smaller, sound, table

import otowake
from otowake.signal.pitch import hertz, name
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft
from otowake.tasks.drawing.boxes import boxes
from otowake.tasks.drawing.spectrograms import spectrograms
from otowake.tasks.notes.edit import Heard, hear
from otowake.tasks.notes.edits import parsed, plan
from otowake.tasks.notes.scene import Placed, share, spectrogram
from otowake.tasks.notes.tones import tones

RATE, SECONDS, BEAT = 16_000, 4.5, 60 / 108
FRAMES = Stft(1536, 384)  # twice the usual hop: half the time
PARTS = {"oboe": "melody1", "flute": "melody2", "piano": "midrange", "bassoon": "bass"}
MAJOR = ["transpose C4=1"]


def make(out: Path) -> dict[str, str]:
    """Pictures and sounds into `out`; tables as texts."""
    parts = {part: read(part) for part in PARTS}
    known = {part: tones(read(f"{part}-scale", 12.0), RATE, name=part, stft=FRAMES) for part in PARTS}
    piano = hear(parts["piano"], RATE, [known["piano"]])
    sound(out / "piano.ogg", 2 * parts["piano"], RATE)
    sound(out / "piano-major.ogg", 2 * shown(out / "piano-major.png", piano, MAJOR), RATE)
    piece = hear(sum(parts.values()), RATE, list(known.values()), iterations=60)
    sound(out / "piece.ogg", 0.6 * piece.x, RATE)  # it would clip
    todo = ["mute flute:A5", "transpose oboe:E5=-2"]
    sound(out / "piece-edited.ogg", 0.6 * shown(out / "piece-edited.png", piece, todo), RATE)
    sound(out / "flute-alone.ogg", 0.6 * piece.edited(["solo flute:C4..C7"]).samples, RATE)
    return {"muted": muted(piece, parts), "chords": chords(piano), "moved": moved(piano)}


def read(stem: str, seconds: float = SECONDS) -> np.ndarray:
    recording = otowake.read(MUSIC / f"{stem}.flac")
    return resampled(recording.samples[:1, : int(seconds * recording.rate)], recording.rate, RATE)


def shown(path: Path, heard: Heard, edits: list[str]) -> np.ndarray:
    """The edited sound, and before and after as a small picture."""
    after = heard.edited(edits).samples
    score = heard.transcription.score
    over = boxes(plan([parsed(one) for one in edits], score), score)
    spectrograms(path, heard.x[0], after[:1], RATE, names=["Edited"], over=over)
    smaller(path)
    return after


def decibels(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * np.log10(np.square(a).sum() / np.square(b).sum())


def written(part: str) -> list[tuple[int, float, float, float]]:
    """(MIDI number, onset, offset, onset of the next) of the score, as far as it is played here."""
    notes = json.loads((MUSIC / "score.json").read_text())["notes"][PARTS[part]]
    starts = [beat * BEAT for _, beat, _ in notes] + [SECONDS]
    found = [
        (p, b * BEAT, (b + d) * BEAT, min(s for s in starts if s > b * BEAT)) for p, b, d in notes if b * BEAT < SECONDS
    ]
    return [note for note in found if note[3] < SECONDS]


# ---- muted notes -------------------------------------------------------------------------------------------


def muted(piece: Heard, parts: dict[str, np.ndarray]) -> str:
    """Every note of the three parts that play one note at a time, muted, against the piece without it."""
    rows = [("muted", "notes", "SDR before", "SDR after", "its partials", "they should be", "elsewhere")]
    for part in ("oboe", "flute", "bassoon"):
        found = [figures(piece, parts[part], part, *note) for note in written(part)]
        values = [np.median([one[i] for one in found if one]) for i in range(5)]
        count = f"{sum(one is not None for one in found)} of {len(found)}"
        rows.append((f"a note of the {part}", count, *(f"{value:.1f} dB" for value in values)))
    return table(rows)


def figures(
    piece: Heard, part: np.ndarray, voice: str, pitch: int, onset: float, offset: float, after: float
) -> tuple[float, ...] | None:
    """SDR before and after; levels at the note's partials with it muted, and as they should be; change elsewhere."""
    words = f"mute {voice}:{name(pitch)}@{onset:.3f}-{offset:.3f}"
    try:
        result = piece.edited([words]).samples
    except otowake.OtowakeError:  # it was not found
        return None
    truth = piece.x.copy()
    here = np.s_[:, int(onset * RATE) : int(after * RATE)]
    truth[here] -= part[here]
    near, far = bins(pitch)
    frames = slice(int(onset * RATE / 512) + 4, int(offset * RATE / 512) + 4)
    size = {key: spectrum(x) for key, x in (("x", piece.x), ("y", result), ("true", truth), ("d", result - piece.x))}
    levels = [decibels(size[key][near][:, frames], size["x"][near][:, frames]) for key in ("y", "true")]
    sdr = [decibels(truth[here], truth[here] - x[here]) for x in (piece.x, result)]
    return *sdr, *levels, decibels(size["d"][far], size["x"])


def spectrum(x: np.ndarray) -> np.ndarray:
    return Stft(4096, 512).forward(torch.from_numpy(x))[0].abs().numpy()


def bins(pitch: int) -> tuple[np.ndarray, np.ndarray]:
    """Which bins lie near the first ten partials of a note, and which are far from all of them."""
    f = np.arange(2049) * RATE / 4096
    h = np.maximum(1, np.round(f / hertz(pitch)))
    off = np.abs(f - h * hertz(pitch))
    return (off < 12) & (h <= 10), off > f * (2 ** (50 / 1200) - 1) + 45


def chords(piano: Heard) -> str:
    """Each of two notes that sound together in the piano's part, muted: what is left of its first partial."""
    rows = [("chord", "muted", "its first partial", "the other one's", "elsewhere")]
    for low, high, onset in ((57, 64, 0.0), (60, 67, 4 * BEAT), (57, 64, 2 * BEAT)):
        for one, other in ((low, high), (high, low)):
            result = piano.edited([f"mute {name(one)}@{onset + 0.05:.2f}-{onset + 0.25:.2f}"]).samples
            size, was = spectrum(result), spectrum(piano.x)
            frames = slice(int((onset + 0.05) * RATE / 512) + 4, int((onset + 0.25) * RATE / 512) + 4)
            near = [np.abs(np.arange(2049) * RATE / 4096 - hertz(pitch)) < 8 for pitch in (one, other)]
            left = [decibels(size[bins_][:, frames], was[bins_][:, frames]) for bins_ in near]
            far = decibels(spectrum(result - piano.x)[bins(one)[1]], was)
            rows.append((f"{name(low)} {name(high)}", name(one), *(f"{value:.1f} dB" for value in (*left, far))))
    return table(rows)


# ---- moved notes -------------------------------------------------------------------------------------------


def moved(piano: Heard) -> str:
    """G4 of the piano's part moved, by its partials and by a stretched spectrum with the recording's phases."""
    rows = [("G4 moved by", "pitch off by", "level", "stretched spectrum, old phases: off by", "level")]
    one = next(one for one in piano.scene.placed if one.note.pitch == 67)
    rest = piano.edited(["mute G4@2.3"]).samples
    note = piano.x - rest
    for semitones in (-12, -5, -1, 1, 3, 7):
        a = 2 ** (semitones / 12)
        ours = piano.edited([f"transpose G4@2.3={semitones}"]).samples - rest
        cells = []
        for y in (ours, stretched(piano, one, a)):
            cells += [f"{cents(note, y, hertz(67), a):.1f} cents", f"{decibels(y, note):+.1f} dB"]
        rows.append((f"{semitones:+d}", *cells))
    return table(rows)


def stretched(heard: Heard, one: Placed, a: float) -> np.ndarray:
    """The note's magnitudes at a times the frequency, with the phases of the recording."""
    scene = heard.scene
    stft, X = scene.pitched.stft, spectrogram(scene, one)
    size, f = (X.abs() * share(scene, one)).numpy()[0], np.arange(stft.bins)
    new = np.stack([np.interp(f / a, f, column, right=0.0) for column in size.T], -1)
    Y = torch.zeros(1, stft.bins, stft.frames(scene.x.shape[-1]), dtype=X.dtype)
    Y[..., one.frames] = torch.from_numpy(new) * torch.polar(torch.ones_like(X.real), X.angle())
    return (stft.inverse(Y, scene.x.shape[-1]) * scene.peak).numpy()


def cents(was: np.ndarray, now: np.ndarray, f0: float, a: float) -> float:
    """Median over the first three partials of how far they are from a times what they were."""
    peaks = []
    for x, f in ((was[0], f0), (now[0], a * f0)):
        size = np.abs(np.fft.rfft(x * np.hanning(len(x)), 2**20))
        ranges = [[int(h * f * side * 2**20 / RATE) for side in (0.97, 1.03)] for h in (1, 2, 3)]
        peaks.append(np.array([low + np.argmax(size[low:high]) for low, high in ranges]))
    return float(np.median(np.abs(1200 * np.log2(peaks[1] / peaks[0] / a))))
