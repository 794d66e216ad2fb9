"""From how loud every pitch is in every frame to notes: when they begin and end, and how loud they are.

Begin    a course g rises to `AGAIN` times what it was a twentieth of a second ago, and above `AUDIBLE` of the loudest
         course's peak; the note begins before `BEGUN` of the rise is done, by `BEFORE` of the time from there to half
         of the rise: the slower an instrument speaks, the earlier it began; `LATE` is for edges under a window
End      g falls below `FADED` of the note's own level or half of what is audible, or the same pitch begins again; the
         note ends where half of that last fall is done
Dropped  notes shorter than `SHORTEST`; those that are `GHOST` of what sounds at the same time in a pitch that shares
         partials with them (octaves, twelfths, ...) or lies next to them: of its level or, where it has grown since, of
         what it has become
Velocity 1 to 127, of the level's square root, as General MIDI has it; the loudest note has `LOUDEST`
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from otowake.signal.pitch import name
from otowake.tasks.notes.pitched import Pitched

AUDIBLE = 0.08
AGAIN = 3.0
FADED = 0.2
BEGUN = 0.1
BEFORE = 0.5
LATE = 0.015  # seconds
SHORTEST = 0.07  # seconds
EDGE = 0.06  # seconds that a rise takes, seen through a window
RISE = 0.15  # seconds in which a note is as loud as it is said to be
GHOST = 0.2
DOUBLE = 0.5
KIN = (1, 2, 12, 19, 24, 28, 31)  # semitones: neighbours, and the intervals of the first partials
LOUDEST = 112

Course = Float[np.ndarray, " t"]
Courses = dict[tuple[str, int], Course]  # by voice and pitch


@dataclass(frozen=True)
class Note:
    """One note.

    Attributes:
        pitch: MIDI number.
        onset, offset: seconds.
        velocity: 1 to 127.
        voice: the name of what plays it.
        level: how loud it is, in the units of the courses.
    """

    pitch: int
    onset: float
    offset: float
    velocity: int
    voice: str
    level: float

    @property
    def name(self) -> str:
        return name(self.pitch)


def found(pitched: Pitched, sensitivity: float = 1.0) -> list[Note]:
    """The notes of a decomposition, in the order of their onsets.

    Args:
        pitched: of `decompose`.
        sensitivity: above 1 softer notes are heard, too.
    """
    courses = {
        (voice, pitch): pitched.course(pitched.of(pitch, voice)).numpy()
        for voice in pitched.voices()
        for pitch in pitched.pitches()
        if bool(pitched.of(pitch, voice).any())
    }
    return detected(courses, pitched.times().numpy(), sensitivity)


def detected(courses: Courses, times: Course, sensitivity: float = 1.0) -> list[Note]:
    """Notes of courses by voice and pitch; frames are evenly spaced."""
    loudest = max((float(g.max()) for g in courses.values()), default=0.0)
    if loudest <= 0:
        return []
    least = AUDIBLE * loudest / sensitivity
    notes: list[Note] = []
    for (voice, pitch), g in courses.items():
        notes += _apart(list(_of_course(g, times, least, pitch, voice)))
    return _with_velocities(_without_ghosts(notes, courses, times))


def _of_course(g: Course, times: Course, least: float, pitch: int, voice: str) -> Iterable[Note]:
    step = float(times[1] - times[0]) if len(times) > 1 else 1.0
    reach = max(1, round(RISE / step))
    edge = max(1, round(EDGE / step))
    starts = _starts(g, least, edge)
    for at, after in zip(starts, [*starts, len(g)][1:], strict=True):
        level = float(g[at : min(at + reach, after)].max())
        top = at + int(np.argmax(g[at : min(at + reach, after)]))
        low = np.flatnonzero(g[top:after] < max(least / 2, FADED * level))
        end = min(top + int(low[0]) if len(low) else after, len(g) - 1)
        onset = max(0.0, _begun(g, times, at, level, edge))
        offset = _ended(g, times, top, end, reach)
        if offset - onset >= SHORTEST:
            yield Note(pitch, onset, offset, 0, voice, level)


def _apart(notes: list[Note]) -> list[Note]:
    """Notes of one pitch, each of which ends before the next begins."""
    nexts = [*(note.onset for note in notes), np.inf][1:]
    return [replace(one, offset=min(one.offset, after)) for one, after in zip(notes, nexts, strict=True)]


def _starts(g: Course, least: float, edge: int) -> list[int]:
    """The first frame of each rise."""
    before = np.lib.stride_tricks.sliding_window_view(np.pad(g, (edge, 0)), edge)[: len(g)].min(1)
    rising = (g >= least) & (g + least / 2 >= AGAIN * (before + least / 2))
    return np.flatnonzero(rising & ~np.pad(rising, (1, 0))[:-1]).tolist()


def _begun(g: Course, times: Course, at: int, level: float, edge: int) -> float:
    """Seconds, between frames, where the rise around frame `at` begins."""
    begin = max(0, at - edge)
    begin += int(np.argmin(g[begin : at + 1]))
    floor = float(g[begin])
    first, half = (_passes(g, times, begin, floor + (level - floor) * share) for share in (BEGUN, 0.5))
    return first - BEFORE * (half - first) + LATE


def _passes(g: Course, times: Course, begin: int, mark: float) -> float:
    """Seconds, between frames, where g first comes up to `mark`."""
    up = begin
    while up < len(g) - 1 and g[up] < mark:
        up += 1
    if up == 0 or g[up] <= g[up - 1]:
        return float(times[up])
    part = (g[up] - mark) / (g[up] - g[up - 1])
    return float(times[up] - np.clip(part, 0, 1) * (times[up] - times[up - 1]))


def _ended(g: Course, times: Course, top: int, end: int, reach: int) -> float:
    """Seconds where the fall that ends at frame `end` is half done."""
    begin = max(top, end - reach)
    last = begin + int(np.flatnonzero(g[begin : end + 1] >= g[begin : end + 1].max() / 2)[-1])
    return float(times[last])


def _without_ghosts(notes: Sequence[Note], courses: Courses, times: Course) -> list[Note]:
    """A ghost is soft next to a kindred note that sounds with it."""
    return [one for one in notes if not any(_haunts(one, other, courses, times) for other in notes)]


def _haunts(ghost: Note, note: Note, courses: Courses, times: Course) -> bool:
    begin, end = max(ghost.onset, note.onset), min(ghost.offset, note.offset)
    if end - begin <= (ghost.offset - ghost.onset) / 2:
        return False
    if ghost.voice != note.voice and ghost.pitch == note.pitch:
        return ghost.level < DOUBLE * note.level
    if ghost.voice != note.voice or abs(ghost.pitch - note.pitch) not in KIN:
        return False
    now = courses[note.voice, note.pitch][(times >= begin) & (times <= end)]
    return ghost.level < GHOST * max(note.level, float(now.max(initial=0.0)))


def _with_velocities(notes: Sequence[Note]) -> list[Note]:
    loudest = max((note.level for note in notes), default=1.0)
    ordered = sorted(notes, key=lambda note: (note.onset, note.pitch, note.voice))
    return [replace(one, velocity=max(1, round(LOUDEST * (one.level / loudest) ** 0.5))) for one in ordered]
