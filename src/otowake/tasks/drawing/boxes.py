"""Notes as boxes over a spectrogram: those that edits touch with what was done, the others faintly."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from otowake.signal.pitch import hertz, name
from otowake.tasks.drawing.figure import minus
from otowake.tasks.notes.edits import Part, Plan
from otowake.tasks.notes.selection import Sounding

SEEN, OTHERS, GONE = "#7df9ff", "#ffffff", "#ff8080"
MANY = 40  # touched notes that still have room for words
BELOW, ABOVE = 5, 24  # semitones around the notes: two octaves of harmonics are in sight


def boxes(plan: Plan, notes: Sequence[Sounding]) -> Callable[[Any, int], None]:
    """Draws over a panel, 0 being before the edits: axes in seconds and log2 of hertz."""
    touched = [part != Part() for part in plan.parts]
    wordy = sum(touched) <= MANY
    low, high = min((n.pitch for n in notes), default=40), max((n.pitch for n in notes), default=88)

    def over(axes: Any, panel: int) -> None:
        top = min(np.log2(hertz(float(high + ABOVE))), axes.get_ylim()[1])
        axes.set_ylim(max(np.log2(hertz(float(low - BELOW))), axes.get_ylim()[0]), top)
        for note, part, edited in zip(notes, plan.parts, touched, strict=True):
            if not edited:
                _box(axes, note, 0.0, OTHERS, "")
            elif panel == 0:
                _box(axes, note, 0.0, SEEN, name(note.pitch) if wordy else "")
            else:
                _result(axes, note, part, wordy)

    return over


def _result(axes: Any, note: Sounding, part: Part, wordy: bool) -> None:
    """What became of an edited note."""
    if part.gain == 0:
        _box(axes, note, 0.0, GONE, "muted" if wordy else "")
        return
    decibels = 20 * np.log10(part.gain)
    words = [f"{decibels:+.3g} dB"] if round(decibels, 2) else []
    if part.semitones:
        _box(axes, note, 0.0, GONE, "")
        words.insert(0, f"{part.semitones:+.3g}")
    _box(axes, note, part.semitones, SEEN, minus(", ".join(words)) if wordy else "")


def _box(axes: Any, note: Sounding, semitones: float, colour: str, words: str) -> None:
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    low, high = (np.log2(hertz(note.pitch + semitones + half)) for half in (-0.6, 0.6))
    style = {SEEN: ("-", 1.2), OTHERS: ("-", 0.3), GONE: (":", 1.2)}[colour]
    size = (note.offset - note.onset, high - low)
    axes.add_patch(Rectangle((note.onset, low), *size, fill=False, ec=colour, ls=style[0], lw=style[1]))
    if words:
        axes.annotate(
            words, (note.onset, high), xytext=(1, 2), textcoords="offset points", color=colour, fontsize=7.5,
            path_effects=[withStroke(linewidth=1.6, foreground="black")], clip_on=True,
        )  # fmt: skip
