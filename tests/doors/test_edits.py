"""Edits of notes as values: their words, their JSON, what they mean, and what is refused."""

import json
import math
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otowake.core.errors import OtowakeError
from otowake.tasks.notes.edits import Gain, Mute, Part, Solo, Transpose, edit, from_data, load_edits, parsed, plan
from otowake.tasks.notes.selection import Selection, selected


class Note(NamedTuple):
    pitch: int
    onset: float
    offset: float
    voice: str = "harmonic"


NOTES = (Note(67, 0.5, 1.0), Note(67, 1.5, 2.0), Note(69, 1.5, 2.5), Note(60, 3.0, 3.5))

seconds = st.floats(0, 1e4, allow_nan=False)


@st.composite
def selections(draw):
    low, start = draw(st.integers(0, 127)), draw(seconds)
    high, voice = draw(st.integers(low, 127)), draw(st.sampled_from(["", "oboe", "grand piano 2"]))
    timed = Selection(low, high, start, start + draw(seconds), voice)
    return draw(st.sampled_from([Selection(low, high, voice=voice), timed]))


@st.composite
def edits(draw):
    notes = tuple(draw(st.lists(selections(), min_size=1, max_size=3)))
    made = [Mute(notes), Solo(notes), Gain(notes, draw(st.floats(-60, 60))), Transpose(notes, draw(st.floats(-24, 24)))]
    return draw(st.sampled_from(made))


@given(edits())
def test_words_and_json_give_the_edit_back(one):
    assert parsed(str(one)) == one
    assert from_data(json.loads(json.dumps(one.data()))) == one


def test_words_as_people_write_them():
    assert selected("Bb3") == selected("A#3") == (Selection(58, 58),)
    assert selected("C3..C4, A4@1.5-2s") == (Selection(48, 60), Selection(69, 69, 1.5, 2.0))
    assert edit("gain", "A4=+3 dB") == Gain("A4", 3.0)
    assert parsed("transpose E4@2=-1") == Transpose((Selection(64, 64, 2.0, 2.0),), -1.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("mute H4", "H4 is no note; did you mean"), ("mute G12", "G12 is no note"), ("mute", "no note is named"),
        ("mute A4@3-2", "A4@2-3"), ("mute A4@x", "seconds"), ("solo C4..C3", "C3..C4"), ("gain A4", "A4=-6"),
        ("gain A4=loud", "A4=-6"), ("gain A4=nan", "A4=-6"), ("gain A4=100", "100 dB"), ("gain =3", "A4=-6"),
        ("transpose E4=25", "25 semitones"), ("move A4=1", "mute, solo, gain, transpose"),
    ],
)  # fmt: skip
def test_words_that_are_no_edit(words, said):
    with pytest.raises(OtowakeError) as caught:
        parsed(words)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        ("G4", {0, 1}), ("G4@1.5-2", {1}), ("G4@1.7", {1}), ("G4@0-3", {0, 1}), ("G4@0.9-1.6", set()),
        ("C4..A4", {0, 1, 2, 3}), ("A4@1-1.8", set()), ("A4@1-2.1", {2}), ("A4@2-2.2", {2}), ("C4,A4", {2, 3}),
        ("G4@1.0", {0}), ("G4@1.2", set()), ("harmonic:G4", {0, 1}), ("oboe:G4", set()),
    ],
)  # fmt: skip
def test_which_notes_are_meant(words, taken):
    found = {n for n, note in enumerate(NOTES) if any(one.takes(note) for one in selected(words))}
    assert found == taken


def test_a_plan_does_not_depend_on_the_order():
    todo = [Mute("G4@0.7"), Solo("G4..A4"), Gain("A4", -6.0), Transpose("A4", 2.0), Gain("G4@1.7", 20.0)]
    for order in (todo, todo[::-1]):
        parts, rest = plan(order, NOTES)
        assert not rest
        assert [part.gain for part in parts] == pytest.approx([0, 10, 10**-0.3, 0])
        assert [part.semitones for part in parts] == [0, 0, 2, 0]
    assert plan([], NOTES) == ((Part(),) * 4, True)
    assert plan([Gain("G4", 3.0), Gain("G4", -3.0)], NOTES).parts[0].gain == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("one", "notes", "said"),
    [
        (Mute("B4"), NOTES, "B4 does not occur in the recording; the nearest notes that do: C4, G4, A4."),
        (Mute("G4@4-5"), NOTES, "G4 occurs, but not at 4.0-5.0 s: it sounds at 0.50-1.00, 1.50-2.00 s."),
        (Mute("C2..C3"), NOTES, "C2..C3 does not occur"), (Solo("C4"), (), "no note was found"),
        (Mute("G4,B4"), NOTES, "B4 does not occur"), (Mute("oboe:G4"), NOTES, "those who do: harmonic"),
    ],
)  # fmt: skip
def test_notes_that_do_not_occur(one, notes, said):
    with pytest.raises(OtowakeError) as caught:
        plan([one], notes)
    assert said in str(caught.value)


def test_a_file_of_edits(tmp_path):
    path, todo = tmp_path / "edits.json", (Mute("G4"), Gain("A4", -6.0))
    path.write_text(json.dumps([one.data() for one in todo]))
    assert load_edits(path)[0] == todo
    path.write_text(json.dumps({"edits": [one.data() for one in todo], "seed": 3}))
    assert load_edits(path) == (todo, {"edits": [one.data() for one in todo], "seed": 3})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no json", "not JSON"), ("3", "no edits"), ("{}", "no edits"), ("[3]", "3 is no edit"),
        ('[{"edit": "mute"}]', "is no edit"), ('[{"edit": "move", "notes": "G4"}]', "is no edit"),
        ('[{"edit": "gain", "notes": "G4"}]', "'db'"), ('[{"edit": "gain", "notes": "G4", "db": true}]', "'db'"),
        ('[{"edit": "mute", "notes": "G4", "db": 3}]', "is no edit"), ('[{"edit": "mute", "notes": "H4"}]', "H4"),
    ],
)  # fmt: skip
def test_files_that_hold_no_edits(tmp_path, text, said):
    path = tmp_path / "edits.json"
    path.write_text(text)
    with pytest.raises(OtowakeError, match=r"edits\.json") as caught:
        load_edits(path)
    assert said in str(caught.value)
    with pytest.raises(OtowakeError, match=r"none\.json"):
        load_edits(tmp_path / "none.json")


def test_numbers_that_are_none():
    for amount in (math.inf, math.nan, 61.0):
        with pytest.raises(OtowakeError, match="dB"):
            Gain("G4", amount)
