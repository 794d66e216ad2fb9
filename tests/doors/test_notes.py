"""Editing notes: what is touched and what is not, on a real piano; the command, its files and its refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from kit import RATE, command, integers, left_over, quickly, recording, refuses

import otowake
from otowake.core.errors import OtowakeError
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft
from otowake.signal.transpose import fundamental
from otowake.tasks.notes.edit import edit, hear
from otowake.tasks.notes.edits import Gain, Mute, Transpose
from otowake.tasks.notes.scene import share, spectrogram
from otowake.tasks.notes.tones import tones

MUSIC = Path(__file__).resolve().parents[2] / "examples" / "music"
PIANO = 16_000
FEW = ("--iterations", "30")
G4, WHEN = 392.0, (2.2, 2.6)  # a note of the piano's part, and more than the time in which it sounds


def music(name, seconds):
    x, rate = soundfile.read(MUSIC / f"{name}.flac", frames=int(seconds * 44_100))
    return resampled(x[None], rate, PIANO)


@pytest.fixture(scope="module")
def known():
    """What the piano sounds like, from an octave of its scale."""
    return [tones(music("piano-scale", 7.5), PIANO, name="piano")]


@pytest.fixture(scope="module")
def piano(known):
    """The first bars of the piano's part, in stereo, and its notes."""
    x = music("piano", 3.2)
    x = np.concatenate([x, 0.5 * x])
    return x, hear(x, PIANO, known, iterations=60)


def spectrum(x, hertz):
    """|STFT| of the first channel, which bins lie near a partial of the note, and which are far from all of them."""
    stft = Stft(4096, 512)
    size = stft.forward(torch.from_numpy(np.asarray(x)[:1]))[0].abs().numpy()
    f = np.arange(stft.bins) * PIANO / stft.n_fft
    off = np.abs(f - np.maximum(1, np.round(f / hertz)) * hertz)
    return size, off < 12, off > f * (2 ** (50 / 1200) - 1) + 4 * PIANO / 1536


def decibels(a, b):
    return 10 * np.log10(np.square(a).sum() / np.square(b).sum())


# ---- what is not touched -----------------------------------------------------------------------------------


@pytest.mark.parametrize("edits", [[], ["gain G4=0"], ["transpose C4..A4=0", Gain("A3", 0.0)]])
def test_without_a_change_the_samples_are_the_recordings_bit_for_bit(piano, edits):
    x, heard = piano
    result = heard.edited(edits)
    np.testing.assert_array_equal(result.samples, x)
    assert result.samples.dtype == x.dtype


@pytest.mark.parametrize("words", ["mute G4@2.3", "gain G4@2.3=6", "gain G4@2.3=-6"])
def test_nothing_else_changes(piano, words):
    x, heard = piano
    change = heard.edited([words]).samples - x
    frame = 1536 / PIANO
    t = np.arange(x.shape[1]) / PIANO
    beyond = (t < WHEN[0] - frame) | (t > WHEN[1] + frame + 0.2)  # it fades
    assert not change[:, beyond].any()
    size, _, far = spectrum(change, G4)
    assert far.mean() > 0.2
    assert decibels(size[far], spectrum(x, G4)[0]) < -60
    np.testing.assert_allclose(change[1], 0.5 * change[0], atol=1e-12)


@pytest.mark.parametrize("cut", [-0.01, 0.0, 0.01, 0.02, 0.04, 0.08])
@pytest.mark.parametrize("edge", ["start", "end"])
def test_nothing_else_changes_where_an_end_of_the_file_cuts_a_note(known, edge, cut):
    """C4 and G4 begin together; the file begins, or ends, so many seconds after that, or 0.2 s more."""
    onset, x = 4 * 60 / 108 + cut, music("piano", 4.0)
    begin, end = (onset, onset + 0.8) if edge == "start" else (onset - 0.6, onset + 0.2)
    piece = x[:, int(begin * PIANO) : int(end * PIANO)]
    heard = hear(piece, PIANO, known, iterations=40)
    for name, hertz in (("C4", 261.63), ("G4", G4)):
        time = 0.1 if edge == "start" else end - begin - 0.05
        words = f"{name}@{time:.3f}"
        for edits in ([f"mute {words}"], [f"gain {words}=-6"], [f"gain {words}=6"]):
            change = heard.edited(edits).samples - piece
            size, _, far = spectrum(change, hertz)
            assert decibels(change, piece) > -30  # it was found, and something was done
            assert decibels(size[far], spectrum(piece, hertz)[0]) < -60
            assert change[0, 0 if edge == "start" else -1] == 0


def test_a_transposed_note_adds_only_itself(piano):
    x, heard = piano
    result = heard.edited(["transpose G4@2.3=1"]).samples - heard.edited(["mute G4@2.3"]).samples
    size, _, far = spectrum(result, G4 * 2 ** (1 / 12))
    assert decibels(size[far], spectrum(x, G4)[0]) < -55


# ---- what is touched ---------------------------------------------------------------------------------------


def test_a_muted_note_is_gone(piano):
    x, heard = piano
    before, near, _ = spectrum(x, G4)
    after, *_ = spectrum(heard.edited(["mute G4@2.3"]).samples, G4)
    frames = slice(int(2.3 * PIANO / 512), int(2.5 * PIANO / 512))
    low = near & (np.arange(len(near)) * PIANO / 4096 < 450)  # its first partial, which no other note shares
    assert decibels(after[low][:, frames], before[low][:, frames]) < -20


def test_a_gain_is_as_large_as_asked_for(piano):
    x, heard = piano
    note = x - heard.edited(["mute G4@2.3"]).samples
    for db in (-12.0, -6.0, 3.0):
        louder = note + heard.edited([Gain("G4@2.3", db)]).samples - x
        assert decibels(louder, note) == pytest.approx(db, abs=0.01)


def test_an_isolated_note_gets_as_loud_as_asked_for(known):
    alone = music("piano-scale", 3.0)[:, int(2.5 * PIANO) :]  # A#3
    heard = hear(alone, PIANO, known, iterations=60)
    changed = heard.edited(["gain A#3=-6"]).samples
    inner = np.s_[:, PIANO // 20 : 9 * PIANO // 20]
    assert decibels(changed[inner], alone[inner]) == pytest.approx(-6, abs=0.5)
    assert decibels(heard.edited(["mute A#3"]).samples[inner], alone[inner]) < -12  # the hammer is left


@pytest.mark.parametrize("semitones", [-3.0, 1.0, 7.0])
def test_a_transposed_note_has_the_right_pitch(piano, semitones):
    x, heard = piano
    silence = heard.edited(["mute G4@2.3"]).samples
    moved = heard.edited([Transpose("G4@2.3", semitones)]).samples - silence
    a = 2 ** (semitones / 12)
    was, now = (fundamental(torch.from_numpy(y), PIANO, f) for y, f in ((x - silence, G4), (moved, a * G4)))
    assert abs(1200 * np.log2(now / was / a)) < 5
    assert decibels(moved, x - silence) == pytest.approx(0, abs=0.5)
    assert np.abs(np.diff(moved, 2)).max() < 3 * np.abs(np.diff(x - silence, 2)).max() * max(1, a**2)  # no click


def test_a_solo_is_the_sum_of_its_notes(piano):
    x, heard = piano
    alone = heard.edited(["solo G4"]).samples
    np.testing.assert_allclose(alone, x - heard.edited(["mute G4"]).samples, atol=1e-12)
    np.testing.assert_array_equal(heard.edited(["solo G4", "mute G4"]).samples, 0 * x)
    both = heard.edited(["solo G4", "solo C4"]).samples
    np.testing.assert_allclose(both, alone + heard.edited(["solo C4"]).samples, atol=1e-12)
    order = [heard.edited(todo).samples for todo in (["gain G4=3", "mute C4"], ["mute C4", "gain G4=3"])]
    np.testing.assert_array_equal(*order)


def test_another_rate_than_the_examples_and_other_kinds(piano, known):
    x, _ = piano
    slow = torch.from_numpy(resampled(x[:1, : 2 * PIANO], PIANO, 11_025)).float()
    result = edit(slow, 11_025, [Mute("C4")], known, iterations=20)
    assert result.samples.dtype == torch.float32
    assert result.samples.shape == slow.shape
    same = edit(slow, 11_025, [], known, iterations=20)
    assert torch.equal(same.samples, slow)
    assert "11025 Hz" in " ".join(same.report()["notes"])


def test_a_report_replays_a_session(piano):
    x, heard = piano
    first = heard.edited(["mute G4", "transpose C4=2"])
    report = json.loads(json.dumps(first.report()))
    again = heard.edited([otowake.tasks.notes.edits.from_data(one) for one in report["edits"]])
    np.testing.assert_array_equal(first.samples, again.samples)
    assert {"note", "hertz", "onset", "offset", "level"} < set(report["score"][0])


def test_the_list_of_notes(piano):
    _, heard = piano
    rows = heard.rows()
    score = {(69 - 12, 0.0), (64, 0.0), (60, 0.278), (64, 0.556)}
    for pitch, onset in score:
        found = [row for row in rows if row["pitch"] == pitch and abs(row["onset"] - onset) < 0.06]
        assert len(found) == 1
        assert abs(1200 * np.log2(found[0]["hertz"] / (440 * 2 ** ((pitch - 69) / 12)))) < 25
        assert -40 < found[0]["level"] < -10


# ---- the command -------------------------------------------------------------------------------------------


def tune():
    """(2, samples): C4, G4, C4, E4 with harmonics, a third of a second each."""
    t = np.arange(PIANO // 3) / PIANO
    shape = np.exp(-6 * t) * (1 - np.exp(-t / 0.005))
    notes = [261.63, 392.0, 261.63, 329.63]
    x = np.concatenate([shape * sum(np.sin(2 * np.pi * f * h * t) / h for h in range(1, 6)) for f in notes])
    return 0.2 * np.stack([x, 0.7 * x])


@pytest.fixture
def mix(tmp_path):
    return recording(tmp_path / "mix.wav", tune(), rate=PIANO)


@pytest.fixture
def harp(tmp_path_factory):
    """The same notes alone: what the instrument sounds like."""
    return recording(tmp_path_factory.mktemp("harp") / "harp-scale.wav", tune()[:1], rate=PIANO)


def test_notes_of_a_file(mix, harp, tmp_path):
    words = ("--mute", "G4", "--gain", "E4=-6", "--transpose", "C4@0.1=2", "--example", harp)
    done = command("notes", mix, *words, *FEW)
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "mix-edited"
    names = ["edited.wav", "spectrogram.png", "cost.png", "notes.json"]
    assert done.stdout.splitlines() == [str(folder / f"mix-{name}") for name in names]
    was, now = integers(mix, 16), integers(folder / "mix-edited.wav", 16)
    assert was.shape == now.shape
    third = PIANO // 3  # a note
    muted, other = slice(third + 1600, 2 * third - 1600), slice(2 * third + 2400, 3 * third - 1600)
    assert decibels(now[:, muted], was[:, muted]) < -20
    np.testing.assert_array_equal(now[:, other], was[:, other])
    report = json.loads((folder / "mix-notes.json").read_text())
    assert [one["edit"] for one in report["edits"]] == ["mute", "gain", "transpose"]
    assert not left_over(tmp_path)
    again = command("notes", mix, "--edits", folder / "mix-notes.json", "-o", tmp_path / "again", "--no-plots")
    assert again.returncode == 0
    assert (tmp_path / "again" / "mix-edited.wav").read_bytes() == (folder / "mix-edited.wav").read_bytes()


@pytest.mark.parametrize(
    ("suffix", "subtype", "channels"),
    [("wav", "PCM_16", 1), ("wav", "PCM_16", 2), ("wav", "FLOAT", 1), ("wav", "FLOAT", 2), ("wav", "PCM_U8", 1),
     ("wav", "DOUBLE", 1), ("flac", "PCM_24", 2), ("aiff", "PCM_16", 1)],
)  # fmt: skip
def test_unedited_files_are_the_same_bit_for_bit(tmp_path, capsys, suffix, subtype, channels):
    mix = recording(tmp_path / f"mix.{suffix}", tune()[:channels, : PIANO // 2], subtype, rate=PIANO)
    (tmp_path / "none.json").write_text("[]")
    words = ("--edits", tmp_path / "none.json", "--iterations", "3", "--no-plots", "-o", tmp_path / "out")
    code, _, err = quickly(capsys, "notes", mix, *words)
    assert (code, err) == (0, "")
    made = tmp_path / "out" / f"mix-edited.{suffix}"
    assert soundfile.info(made).subtype == subtype
    a, b = (soundfile.read(path, dtype="float64")[0] for path in (mix, made))
    np.testing.assert_array_equal(a, b)


def test_the_list(mix, harp, tmp_path, capsys):
    code, out, err = quickly(capsys, "notes", mix, "--list", "--example", harp, *FEW)
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line.split() for line in out.splitlines()}
    assert list(lines) == ["note", "C4", "E4", "G4"]
    assert float(lines["G4"][1]) == pytest.approx(392, rel=0.005)
    assert -30 < float(lines["G4"][2]) < -10
    assert [float(time.split("-")[0]) for time in lines["C4"][3:]] == pytest.approx([0, 2 / 3], abs=0.06)
    code, out, _ = quickly(capsys, "notes", mix, "--list", "--json", "--example", harp, *FEW)
    assert [row["note"] for row in json.loads(out)["score"]] == ["C4", "G4", "C4", "E4"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mix.wav"]


def test_without_examples(mix, tmp_path, capsys):
    code, out, err = quickly(capsys, "notes", mix, "--list", *FEW)
    assert (code, err) == (0, "")
    assert {"C4", "E4", "G4"} <= {line.split()[0] for line in out.splitlines()}
    assert quickly(capsys, "notes", mix, "--mute", "G4", "--no-plots", *FEW)[0] == 0
    was, now = integers(mix, 16), integers(tmp_path / "mix-edited" / "mix-edited.wav", 16)
    muted = np.s_[:, PIANO // 3 + 1600 : 2 * PIANO // 3 - 1600]
    assert decibels(now[muted], was[muted]) < -3


def test_examples_give_their_names_to_notes(mix, harp, tmp_path, capsys):
    code, _, err = quickly(capsys, "notes", mix, "--solo", "harp:G4", "--example", harp, "--no-plots", *FEW)
    assert (code, err) == (0, "")
    report = json.loads((tmp_path / "mix-edited" / "mix-notes.json").read_text())
    assert report["examples"] == [str(harp)]
    assert {row["voice"] for row in report["score"]} == {"harp"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--list"), (("--list", "--mute", "G4"), "--list"), (("--mute", "H4"), "did you mean"),
        (("--mute", "G4x"), "G4"), (("--mute", "A6"), "A6 does not occur"), (("--gain", "G4"), "A4=-6"),
        (("--mute", "G4@0.9"), "G4 occurs, but not at 0.9 s"), (("--transpose", "G4=99"), "99 semitones"),
        (("--edits", "none.json"), "none.json"), (("--edits", "mix.wav"), "mix.wav"), (("--solo", ","), "no note"),
        (("--mute", "oboe:G4"), "Nobody called oboe"), (("--mute", "G4", "--lowest", "X1"), "X1 is no note"),
        (("--mute", "G4", "--sensitivity", "0"), "sensitivity"), (("--mute", "G4", "--stft", "7"), "7"),
        (("--mute", "G4", "--example", "none.wav"), "none.wav"), (("--mute", "G4", "-o", "mix.wav"), "mix.wav"),
    ],
)  # fmt: skip
def test_notes_refuses_in_one_sentence(mix, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    refuses(capsys, tmp_path, ("notes", "mix.wav", *words, *FEW), said)


def test_other_refusals(mix, tmp_path, capsys):
    recording(tmp_path / "silence.wav", np.zeros((1, RATE)))
    for name, said in (("silence.wav", "silent"), ("none.wav", "none.wav")):
        refuses(capsys, tmp_path, ("notes", tmp_path / name, "--mute", "G4"), said)
    mine = recording(tmp_path / "mix-edited.wav", tune())
    refuses(capsys, tmp_path, ("notes", mix, "--mute", "G4", "--example", mine, "-o", tmp_path), "replace")


def test_wishes_from_python_are_refused_before_the_notes_are_looked_for(mix):
    with pytest.raises(OtowakeError, match="H4"):
        edit(np.zeros((1, 9000)), RATE, ["mute H4"])


def test_a_notes_spectrogram_is_the_recordings_in_its_frames(piano):
    x, heard = piano
    scene = heard.scene
    whole = scene.pitched.stft.forward(scene.x)
    for one in (*scene.placed[:2], scene.placed[-1]):  # the first begin with the recording, the last ends with it
        torch.testing.assert_close(spectrogram(scene, one), whole[..., one.frames], rtol=0, atol=1e-9)
        assert one.frames.stop > one.frames.start
        assert float(share(scene, one).max()) <= 1
