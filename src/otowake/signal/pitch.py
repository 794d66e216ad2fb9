"""Names, numbers and frequencies of notes.

number("C4") = 60    name(61) = "C#4"    hertz(69) = 440    span("C3..C4") = 48, 49, ..., 60

A name is a letter of A to G, signs (# or b, two at most), and the octave, -1 to 9; C4 is the middle C, A4 has 440 Hz.
"""

import difflib
import re

from otowake.core.errors import OtowakeError

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = {"C#": "Db", "D#": "Eb", "F#": "Gb", "G#": "Ab", "A#": "Bb"}
LOWEST, HIGHEST = 0, 127  # MIDI numbers: C-1 to G9
MIDDLE = 60  # C4: of names that are equally near, those of the octaves around it are offered
_NAME = re.compile(r"([A-Ga-g])(#{0,2}|b{0,2})(-?\d{1,2})")


def number(name: str) -> int:
    """The MIDI number of a note's name.

    Args:
        name: such as C4, F#3 or Bb2; ♯ and ♭ are understood, and small letters.

    Raises:
        OtowakeError: there is no such note; the nearest names are offered.
    """
    match = _NAME.fullmatch(name.strip().replace("♯", "#").replace("♭", "b"))
    if match:
        letter, signs, octave = match.groups()
        found = 12 * (int(octave) + 1) + LETTERS[letter.upper()] + signs.count("#") - signs.count("b")
        if LOWEST <= found <= HIGHEST:
            return found
    raise OtowakeError(f"{name} is no note; did you mean {', '.join(nearest(name))}?")


def name(number: int) -> str:
    """The name of a MIDI number, with a sharp where one is needed."""
    if not LOWEST <= number <= HIGHEST:
        raise OtowakeError(f"{number} is no note's number; those are {LOWEST} to {HIGHEST}.")
    return f"{SHARPS[number % 12]}{number // 12 - 1}"


def hertz(number: float | int) -> float:
    """The frequency of a MIDI number, which need not be whole."""
    return 440.0 * 2.0 ** ((number - 69) / 12)


def span(names: str) -> range:
    """The MIDI numbers of a range of notes, both ends with it.

    Args:
        names: two names, such as C3..C4, the lower first; or one.

    Raises:
        OtowakeError: one of them is no note, or they are the wrong way round.
    """
    first, dots, second = names.partition("..")
    low = number(first)
    high = number(second) if dots else low
    if high < low:
        raise OtowakeError(f"{names} goes down; give the lower note first: {second.strip()}..{first.strip()}.")
    return range(low, high + 1)


def nearest(word: str, count: int = 2) -> list[str]:
    """The names that are written most like the word, the lowest first; a MIDI number gives its own name."""
    word = word.strip()
    if word.isdecimal() and LOWEST <= int(word) <= HIGHEST:
        return [name(int(word))]
    word = word[:1].upper() + word[1:].replace("♯", "#").replace("♭", "b")

    def unlike(at: tuple[int, str]) -> tuple[float, int]:
        return -difflib.SequenceMatcher(None, word, at[1]).ratio(), abs(at[0] - MIDDLE)

    return [one for _, one in sorted(sorted(_all_names(), key=unlike)[:count])]


def _all_names() -> list[tuple[int, str]]:
    names = [(n, name(n)) for n in range(LOWEST, HIGHEST + 1)]
    return names + [(n, FLATS[SHARPS[n % 12]] + one[2:]) for n, one in names if SHARPS[n % 12] in FLATS]
