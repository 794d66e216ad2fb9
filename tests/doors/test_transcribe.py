"""Notes of recordings: names, pitches, spectra that know them, MIDI files, the command and its endings."""

import io
import json
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
import torch
from kit import RATE, left_over, quickly, recording, refused, refuses

import otowake
from otowake.core.errors import OtowakeError
from otowake.signal import pitch
from otowake.signal.period import heard
from otowake.signal.stft import Stft
from otowake.source.harmonic import harmonic, noise
from otowake.tasks.bases import save_bases
from otowake.tasks.drawing.roll import piano_roll
from otowake.tasks.notes.midi import written
from otowake.tasks.notes.onsets import Note, detected
from otowake.tasks.notes.pitched import decompose
from otowake.tasks.notes.tones import labelled

MUSIC = Path(__file__).resolve().parents[2] / "examples" / "music"
FEW = ("--iterations", "30", "--no-plots")


def tune(pitches, rate=RATE, seconds=0.3, tilt=1.2):
    """Notes one after the other, with six harmonics each and a decay."""
    t = np.arange(int(seconds * rate)) / rate
    shape = np.exp(-2 * t / seconds) * (1 - np.exp(-t / 0.003)) * np.clip((seconds - t) / 0.01, 0, 1)
    notes = [sum(h**-tilt * np.sin(2 * np.pi * pitch.hertz(p) * h * t) for h in range(1, 7)) for p in pitches]
    return 0.1 * np.concatenate([shape * note for note in notes])


MELODY = [60, 64, 64, 67, 62, 62, 69, 60]


@pytest.fixture(scope="module")
def scale():
    return otowake.tones(tune(range(57, 73)), RATE, name="flute")


@pytest.fixture
def files(tmp_path):
    return recording(tmp_path / "song.wav", tune(MELODY)), recording(tmp_path / "flute-scale.wav", tune(range(57, 73)))


def f_measure(score, reference):
    """reference: (onset, offset, pitch) of each note."""
    from mir_eval.transcription import precision_recall_f1_overlap

    times, heights = np.array([one[:2] for one in reference]), np.array([pitch.hertz(one[2]) for one in reference])
    found = np.array([(n.onset, n.offset) for n in score]), np.array([pitch.hertz(n.pitch) for n in score])
    return precision_recall_f1_overlap(times, heights, *found, offset_ratio=None)[2]


def of_example(part):
    """The notes of a part of examples/music."""
    score = json.loads((MUSIC / "score.json").read_text())
    beat = 60 / score["bpm"]
    return [(b * beat, (b + d) * beat, p) for p, b, d in score["notes"][part]]


# ---- names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "number"),
    [("C4", 60), ("A4", 69), ("F#3", 54), ("Bb2", 46), ("c-1", 0), ("G9", 127), ("B#3", 60), ("Cb4", 59), ("E♭4", 63)],
)
def test_names_are_numbers(word, number):
    assert pitch.number(word) == number
    assert pitch.number(pitch.name(number)) == number


def test_every_number_has_a_name_and_a_frequency():
    for number in range(128):
        assert pitch.number(pitch.name(number)) == number
        assert pitch.hertz(number + 12) == pytest.approx(2 * pitch.hertz(number))
    assert pitch.hertz(69) == 440
    assert pitch.hertz(60) == pytest.approx(261.6256, abs=1e-4)


@pytest.mark.parametrize(
    ("word", "offered"), [("H3", "A3, B3"), ("F#", "F#3, F#4"), ("60", "C4"), ("C12", "C1, C2"), ("", "C4")]
)
def test_a_name_that_does_not_exist_offers_the_nearest(word, offered):
    with pytest.raises(OtowakeError, match=f"{offered}\\?$"):
        pitch.number(word)


def test_ranges():
    assert list(pitch.span("B3..C#4")) == [59, 60, 61]
    assert list(pitch.span("C4")) == [60]
    with pytest.raises(OtowakeError, match=r"C4\.\.C5"):
        pitch.span("C5..C4")


# ---- spectra -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [1, 2])
def test_the_pitch_of_a_spectrum_needs_no_fundamental(first):
    t = torch.arange(8192) / 16_000
    stft = Stft(2048, 512)
    pitches = torch.arange(45, 84, 3)
    for p in pitches:
        x = sum(torch.sin(2 * torch.pi * pitch.hertz(float(p) + 0.2) * h * t) / h for h in range(first, 7))
        found = heard(stft.forward(x).abs()[:, 8:9], 16_000, stft)
        assert found.pitch[0] == pytest.approx(float(p) + 0.2, abs=0.1)
        assert found.clarity[0] > 0.9


def test_noise_and_silence_have_no_pitch():
    stft = Stft(2048, 512)
    x = torch.randn(40_000, generator=torch.Generator().manual_seed(0))
    assert heard(stft.forward(x).abs(), 16_000, stft).clarity.median() < 0.6
    nothing = heard(torch.zeros(1025, 2), 16_000, stft)
    assert nothing.pitch.isnan().all()
    assert not nothing.clarity.any()


def test_harmonic_spectra_have_partials_and_nothing_between():
    stft = Stft(4096, 512)
    B = harmonic(torch.tensor([57.0, 69.0]), 44_100, stft, cents=0)
    torch.testing.assert_close(B.sum(0), torch.ones(2, dtype=torch.float64))
    assert abs(int(B[:, 1].argmax()) - 440 * 4096 / 44_100) <= 0.5
    between = round(1.5 * 440 * 4096 / 44_100)
    assert not B[between - 10 : between + 10, 1].any()
    assert B[between, 0] > 0  # the third partial of the octave below
    wide = harmonic(torch.tensor([69.0]), 44_100, stft, cents=60)
    assert (wide[:, 0] > 0).sum() > (B[:, 1] > 0).sum()
    with pytest.raises(OtowakeError, match="leave such high notes out"):
        harmonic(torch.tensor([120.0]), 8000, Stft(512, 64))


def test_partials_stay_partials_when_spectra_adapt():
    from otowake.core.run import iterate, last, until
    from otowake.core.separator import Separator
    from otowake.divergence.beta import Beta
    from otowake.source.nmf import Given, Nmf
    from otowake.spatial.observed import Observed

    stft = Stft(1024, 256)
    B = harmonic(torch.tensor([60.0, 64.0]), RATE, stft)
    X = stft.forward(torch.from_numpy(tune([60, 64]))[None])
    method = Separator(Nmf(2, given=Given(B, False)), Observed(Beta(1.0), 1, power_of_v=1.0))
    adapted = last(until(iterate(method, X), steps=20)).state.z.B[0]
    assert not adapted[B == 0].any()
    assert (adapted - B.to(adapted)).abs().max() > 0.1


def test_noise_of_any_rate_is_flat():
    for rate, n_fft in ((8000, 512), (44_100, 4096), (192_000, 16_384)):
        B = noise(rate, Stft(n_fft, n_fft // 8))
        assert bool((B >= 0).all())
        torch.testing.assert_close(B.sum(0), torch.ones(B.shape[1], dtype=torch.float64))
        assert bool((B.sum(1) > 0).all())


def test_a_scale_needs_no_labels(scale):
    assert scale.pitches() == list(range(57, 73))
    assert scale.rate == RATE


def test_bases_of_learn_get_their_pitches():
    bases = otowake.learn(tune([60, 64, 67])[None], RATE, 3, stft="1024/128", iterations=100)
    assert sorted(labelled(bases).pitch) == [60, 64, 67]
    found = otowake.transcribe(tune([67, 60, 64])[None], RATE, [bases], iterations=30)
    assert [note.pitch for note in found.score] == [67, 60, 64]


def test_shares_add_up_to_the_whole(scale):
    pitched = decompose(tune(MELODY)[None], RATE, [scale], iterations=20)
    some = pitched.of(64).double().unsqueeze(-1)
    total = pitched.share(some) + pitched.share(1 - some)
    torch.testing.assert_close(total[:200, 10:50], torch.ones_like(total[:200, 10:50]))
    assert pitched.times()[0] < 0 < pitched.times()[8]


# ---- notes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [1.0, 1e-8, 1e8])
def test_a_melody_with_repeated_notes(scale, gain):
    found = otowake.transcribe(gain * tune(MELODY)[None], RATE, [scale], iterations=50)
    reference = [(0.3 * i, 0.3 * (i + 1), p) for i, p in enumerate(MELODY)]
    assert f_measure(found.score, reference) == 1
    assert {note.voice for note in found.score} == {"flute"}


@pytest.mark.parametrize(("name", "part", "least"), [("oboe", "melody1", 0.95), ("piano", "midrange", 0.9)])
def test_a_part_with_its_scale(name, part, least):
    song, example = otowake.read(MUSIC / f"{name}.flac"), otowake.read(MUSIC / f"{name}-scale.flac")
    tones = otowake.tones(example.samples, example.rate, name=name)
    found = otowake.transcribe(song.samples, song.rate, [tones], iterations=60)
    assert f_measure(found.score, of_example(part)) >= least


def test_a_part_without_an_example():
    song = otowake.read(MUSIC / "bassoon.flac")
    found = otowake.transcribe(song.samples, song.rate, iterations=60)
    assert f_measure(found.score, of_example("bass")) >= 0.75
    assert found.method == "harmonic spectra"


def test_louder_notes_have_more_velocity(scale):
    quiet, loud = tune([60]), tune([64])
    notes = otowake.transcribe(np.concatenate([0.25 * quiet, loud])[None], RATE, [scale], iterations=50).score
    assert [note.pitch for note in notes] == [60, 64]
    assert notes[1].velocity == 112
    assert notes[0].velocity == pytest.approx(56, abs=6)


def test_ghosts_of_a_note_go():
    times = np.arange(100) * 0.01
    real = np.where((times > 0.2) & (times < 0.7), 1.0, 0.0)
    courses = {("a", 60): real, ("a", 72): 0.15 * real, ("a", 66): 0.15 * real}
    assert [note.pitch for note in detected(courses, times)] == [60, 66]
    assert detected({("a", 60): 0 * real}, times) == []


def test_a_range_leaves_the_others_out(scale):
    found = otowake.transcribe(tune(MELODY)[None], RATE, [scale], lowest="D4", iterations=30)
    assert min(note.pitch for note in found.score) >= 62
    with pytest.raises(OtowakeError, match="widen"):
        otowake.transcribe(tune(MELODY)[None], RATE, [scale], lowest="C6", iterations=30)


def test_bases_of_another_transform_are_named(scale):
    other = otowake.tones(tune(range(57, 73)), RATE, name="horn", stft=Stft(1024, 128))
    with pytest.raises(OtowakeError, match=r"flute .*768/96.*horn .*1024/128"):
        otowake.transcribe(tune(MELODY)[None], RATE, [scale, other])
    with pytest.raises(OtowakeError, match=r"768/96.*2048/256"):
        otowake.transcribe(tune(MELODY)[None], RATE, [scale], stft="2048/256")


# ---- the file ------------------------------------------------------------------------------------------------


def test_a_midi_file_gives_back_the_notes():
    notes = [
        Note(60, 0.0, 0.5, 100, "oboe", 1.0),
        Note(60, 0.5, 1.0, 90, "oboe", 1.0),
        Note(40, 0.25, 0.75, 1, "Flöte 笛", 1.0),
    ]
    file = mido.MidiFile(file=io.BytesIO(written(notes)))
    assert [track.name for track in file.tracks] == ["", "oboe", "Flöte ?"]
    sounding, now, back = {}, 0.0, []
    for message in file:
        now += message.time
        if message.type == "note_on":
            sounding[message.channel, message.note] = now, message.velocity
        elif message.type == "note_off":
            begin, velocity = sounding.pop((message.channel, message.note))
            back.append((message.note, round(begin, 3), round(now, 3), velocity))
    assert sorted(back) == [(40, 0.25, 0.75, 1), (60, 0.0, 0.5, 100), (60, 0.5, 1.0, 90)]
    assert len(mido.MidiFile(file=io.BytesIO(written([]))).tracks) == 1


def test_a_note_ends_before_it_is_played_again():
    notes = [Note(60, 0.0, 0.6, 100, "oboe", 1.0), Note(60, 0.5, 1.0, 90, "oboe", 1.0)]
    track = mido.MidiFile(file=io.BytesIO(written(notes))).tracks[1]
    assert [m.type for m in track if not m.is_meta] == ["note_on", "note_off", "note_on", "note_off"]


def test_the_tenth_channel_is_for_drums():
    notes = [Note(60, 0.0, 0.5, 100, f"voice {i}", 1.0) for i in range(17)]
    tracks = mido.MidiFile(file=io.BytesIO(written(notes))).tracks[1:]
    channels = [track[1].channel for track in tracks]
    assert 9 not in channels
    assert channels[:9] == list(range(9))
    assert channels[15] == 0


@pytest.mark.parametrize("notes", [[], [Note(0, 0.0, 0.01, 1, "a", 1.0), Note(127, 0.5, 0.6, 127, "b", 1.0)]])
def test_a_roll_of_few_notes(notes, tmp_path):
    piano_roll(tmp_path / "a.png", 0 * tune([60, 64]), RATE, notes)
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


# ---- the command ---------------------------------------------------------------------------------------------


def test_transcribe_writes_a_file_and_a_picture(files, tmp_path, capsys):
    song, scale = files
    code, out, err = quickly(capsys, "transcribe", song, "--example", scale, "--iterations", "50")
    assert (code, err) == (0, "")
    assert out.splitlines() == [str(tmp_path / "song.mid"), str(tmp_path / "song-roll.png")]
    file = mido.MidiFile(tmp_path / "song.mid")
    assert file.tracks[1].name == "flute"
    assert [message.note for message in file if message.type == "note_on"] == MELODY
    assert not left_over(tmp_path)


def test_the_report_has_every_note(files, tmp_path, capsys):
    other = recording(tmp_path / "again-scale.wav", tune(range(57, 73), 16_000), rate=16_000)
    words = ("--example", other, *FEW, "--json", "-o", tmp_path / "new" / "a.mid")
    assert refused(quickly(capsys, "transcribe", files[0], *words))  # no such folder
    code, out, err = quickly(capsys, "transcribe", files[0], *words[:-1], tmp_path / "a.mid")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert any("16000 Hz: it was resampled to 8000 Hz" in note for note in report["notes"])
    assert [one["note"] for one in report["score"]] == ["C4", "E4", "E4", "G4", "D4", "D4", "A4", "C4"]
    assert report["files"] == [str(tmp_path / "a.mid")]


def test_the_same_seed_gives_the_same_bytes(files, tmp_path, capsys):
    for name in ("one", "two"):
        assert quickly(capsys, "transcribe", files[0], *FEW, "-o", tmp_path / f"{name}.mid")[0] == 0
    assert (tmp_path / "one.mid").read_bytes() == (tmp_path / "two.mid").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lowest", "H3"), "did you mean A3, B3?"), (("--lowest", "C5", "--highest", "C4"), "the lower one first"),
        (("--example", "silence.wav"), "silence is silent"), (("--example", "noise.wav"), "No note was heard in noise"),
        (("--bases", "a.bases", "--stft", "2048/256"), "1024/128, asked for is 2048/256"),
        (("--bases", "song.wav"), "song.wav"), (("--example", "none.wav"), "none.wav"),
        (("-o", "song.wav"), "replace the input"), (("-o", "."), "directory"), (("--sensitivity", "0"), "sensitivity"),
        (("--sensitivity", "nan"), "sensitivity"), (("--stft", "512"), "512"),
    ],
)  # fmt: skip
def test_transcribe_refuses_in_one_sentence(files, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    recording("silence.wav", np.zeros((1, RATE)))
    recording("noise.wav", 0.1 * np.random.default_rng(0).standard_normal((1, RATE)))
    save_bases("a.bases", otowake.learn(tune([60, 64])[None], RATE, 2, stft="1024/512", iterations=30))
    refuses(capsys, tmp_path, ("transcribe", "song.wav", *words), said)


def test_a_folder_is_no_recording(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused(quickly(capsys, "transcribe", "."))
    assert not list(tmp_path.iterdir())


def test_a_recording_without_notes(tmp_path, capsys):
    song = recording(tmp_path / "song.wav", tune([60]))
    code, out, _ = quickly(capsys, "transcribe", song, "--lowest", "C6", "--highest", "D6", "--json", *FEW)
    report = json.loads(out)
    assert code == 0
    assert (tmp_path / "song.mid").exists()
    assert report["score"] or any("No note was heard" in note for note in report["notes"])


def test_silence_is_refused(tmp_path, capsys):
    silence = recording(tmp_path / "silence.wav", np.zeros((1, RATE)))
    assert refused(quickly(capsys, "transcribe", silence))
    assert soundfile.info(silence).frames == RATE
    assert not (tmp_path / "silence.mid").exists()
