"""A piano roll: notes drawn over the spectrogram that they were heard in.

Both axes are those of the music: seconds, and semitones with the names of the notes.  The shades are levels, from the
loudest spot down to 50 dB below it, in steps of 2.5; a note is a bar in its voice's colour, with its name where there
is room.
"""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from jaxtyping import Float

from otowake.signal.pitch import hertz, name
from otowake.signal.stft import Stft
from otowake.tasks.drawing.axes import time_axis
from otowake.tasks.drawing.figure import FAINT, TEXT, WIDTH, heading, new_figure, placed, save
from otowake.tasks.drawing.levels import column_width, decibels, loudest
from otowake.tasks.notes.onsets import Note

COLOURS = ("#d1495b", "#00798c", "#e0a100", "#6a4c93", "#3a7d44", "#c05a00", "#2a5caa", "#8d6e63")
BLACK = {1, 3, 6, 8, 10}  # keys of a piano, from C
STEPS = 4  # rows a semitone
RANGE, SHADE = 50.0, 2.5  # decibels, of all and of one shade: pictures of few shades are small files
MARGIN = 2  # semitones above and below the notes
SEMITONE = 0.11  # inches
LEFT, RIGHT, TOP, BOTTOM = 0.55, 0.15, 0.4, 0.75  # inches
LETTER = 0.075  # inches that a letter of a note's name takes


def piano_roll(
    path: str | PathLike[str], sound: Float[np.ndarray, "samples"], rate: int, notes: Sequence[Note], *, title: str = ""
) -> None:
    """Draws notes over a sound as a PNG file.

    Args:
        path: the PNG file; it appears whole or not at all.
        sound: one channel.
        rate: samples a second.
        notes: what is drawn; without any, the octaves around the middle C are shown.
        title: such as the recording's name.

    Raises:
        OSError: the file cannot be written.
    """
    pitches = [note.pitch for note in notes] or [48, 72]
    low, high = max(0, min(pitches) - MARGIN), min(127, max(pitches) + MARGIN)
    seconds = len(sound) / rate
    tall = max(1.6, SEMITONE * (high - low + 1))
    height = TOP + tall + BOTTOM
    figure = new_figure(WIDTH, height)
    across = WIDTH - LEFT - RIGHT
    axes = placed(figure, LEFT, BOTTOM, across, tall)
    levels = SHADE * np.round(_levels(sound, rate, low, high) / SHADE)
    axes.imshow(
        levels, cmap="Greys", vmin=levels.max() - RANGE, vmax=levels.max() + 15, origin="lower", aspect="auto",
        extent=(0.0, seconds, low - 0.5, high + 0.5), interpolation="nearest",
    )  # fmt: skip
    _bars(axes, notes, across / seconds)
    _keys(axes, low, high)
    axes.set_xlim(0.0, seconds)
    axes.set_ylim(low - 0.5, high + 0.5)
    heading(axes, title or "Notes", f"{len(notes)} note{'s' * (len(notes) != 1)}")
    time_axis(axes, seconds)
    _legend(figure, notes, height)
    save(figure, path)


def _levels(sound: Float[np.ndarray, "samples"], rate: int, low: int, high: int) -> Float[np.ndarray, "rows columns"]:
    """Decibels at each quarter of a semitone, the loudest frame of each column."""
    n_fft = 2 ** max(6, round(np.log2(rate * 0.093)))
    stft = Stft(n_fft, n_fft // 8)
    rows = hertz(low - 0.5) * 2.0 ** ((np.arange((high - low + 1) * STEPS) + 0.5) / STEPS / 12)
    at = np.minimum(rows * n_fft / rate, stft.bins - 1)
    below = np.minimum(at.astype(int), stft.bins - 2)

    def seen(bins: Any) -> Any:
        return bins[:, below] * (1 - (at - below)) + bins[:, below + 1] * (at - below)

    return decibels(loudest(sound, stft, column_width(len(sound), stft), len(rows), seen))


def _bars(axes: Any, notes: Sequence[Note], inches: float) -> None:
    """A bar each; softer notes are paler."""
    from matplotlib.patches import Rectangle

    colours = _colours(notes)
    for note in notes:
        long = note.offset - note.onset
        fill = 0.35 + 0.5 * note.velocity / 127
        axes.add_patch(
            Rectangle((note.onset, note.pitch - 0.42), long, 0.84, facecolor=colours[note.voice], alpha=fill, lw=0)
        )
        axes.add_patch(
            Rectangle((note.onset, note.pitch - 0.42), long, 0.84, fill=False, edgecolor=colours[note.voice], lw=0.8)
        )
        if long * inches > LETTER * (len(note.name) + 0.5):
            axes.text(
                note.onset + 0.03 / inches, note.pitch, note.name, va="center_baseline", fontsize=6.5, color="white",
                fontweight="bold", clip_on=True,
            )  # fmt: skip


def _keys(axes: Any, low: int, high: int) -> None:
    """Names of the Cs and, of few notes, of every white key; lines between octaves."""
    white = [p for p in range(low, high + 1) if p % 12 not in BLACK]
    shown = white if len(white) <= 24 else [p for p in white if p % 12 in (0, 7)]
    axes.set_yticks(shown, [name(p) for p in shown])
    for p in range(low, high + 1):
        if p % 12 == 0:
            axes.axhline(p - 0.5, color=FAINT, lw=0.6, alpha=0.6)


def _legend(figure: Any, notes: Sequence[Note], height: float) -> None:
    """Voices in their colours, below the picture."""
    x = LEFT
    for voice, colour in _colours(notes).items():
        text = f"\N{BLACK SQUARE} {voice} ({sum(note.voice == voice for note in notes)})"
        figure.text(x / WIDTH, 0.12 / height, text, color=colour, fontsize=9, fontweight="bold", va="bottom")
        x += 0.35 + 0.085 * len(text)
    if not notes:
        figure.text(x / WIDTH, 0.12 / height, "no note was heard", color=TEXT, fontsize=9, va="bottom")


def _colours(notes: Sequence[Note]) -> dict[str, str]:
    voices = list(dict.fromkeys(note.voice for note in notes))
    return {voice: COLOURS[i % len(COLOURS)] for i, voice in enumerate(voices)}
