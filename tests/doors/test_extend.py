"""Extending the band: how near it comes, what stays as it was, what is refused; from Python and by the command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from kit import command, left_over, quickly, recording, refuses

import otowake
from otowake.core.errors import OtowakeError
from otowake.signal.band import band_end, from_on
from otowake.signal.phases import agreeing, rectified
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft
from otowake.tasks.bases import Bases, load_bases, save_bases

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RATE, LOW = 16_000, 8000


def distance(truth, found, rate, cut, floor):
    """LSD in dB above `cut`: the root of the mean square over bins, averaged over frames that are not silent."""
    n_fft = 512 if rate <= RATE else 2048
    a, b = (Stft(n_fft, n_fft // 4).forward(torch.from_numpy(x)).abs() for x in (truth, found))
    power = a.square().sum(0)
    live, high = power > 1e-5 * power.max(), torch.arange(len(a)) * rate / n_fft >= cut
    least = a.max() * 10 ** (floor / 20)
    d = 20 * torch.log10(a.clamp_min(least) / b.clamp_min(least))[high][:, live]
    return float(d.square().mean(0).sqrt().mean())


def below(x, rate, cut):
    X = np.fft.rfft(x)
    X[..., np.linspace(0, rate / 2, X.shape[-1]) >= cut] = 0
    return np.fft.irfft(X, n=x.shape[-1])


def decibels(error, whole):
    return 10 * np.log10(np.sum(error**2) / np.sum(whole**2))


def speech():
    """(example, the truth that follows it), 1 samples."""
    x = otowake.read(EXAMPLES / "two-talkers-ref1.flac").samples
    return x[:, : 6 * RATE], x[:, 6 * RATE :]


def oboe():
    return [otowake.read(EXAMPLES / "music" / f"{name}.flac").samples for name in ("oboe-scale", "oboe")]


@pytest.fixture(scope="module")
def known():
    return otowake.exemplars(speech()[0], RATE, 60)


@pytest.fixture
def files(tmp_path):
    """A low recording and an example, two seconds each."""
    example, truth = speech()
    low = recording(tmp_path / "low.wav", resampled(truth[:, : 2 * RATE], RATE, LOW), rate=LOW)
    return low, recording(tmp_path / "high.wav", example[:, : 2 * RATE], rate=RATE)


QUICK = ("--iterations", "5", "--no-plots")


# ---- how near it comes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sounds", "rate", "floors"), [(speech, RATE, (-80, -100)), (oboe, 44_100, (-80, -100))])
def test_the_lost_band_is_half_as_far_from_the_truth_as_silence(sounds, rate, floors):
    example, truth = sounds()
    low = resampled(truth, rate, LOW)
    result = otowake.extend(low, LOW, otowake.exemplars(example, rate))
    assert result.rate == rate
    assert result.cut == LOW / 2
    plain = resampled(low, LOW, rate, result.samples.shape[-1])
    samples = min(truth.shape[-1], plain.shape[-1])
    truth, plain, found = truth[0, :samples], plain[0, :samples], result.samples[0, :samples]
    for floor in floors:
        ours, silence = (distance(truth, x, rate, LOW / 2, floor) for x in (found, plain))
        assert ours <= 0.5 * silence, (floor, ours, silence)
    assert decibels(below(found - plain, rate, 0.9 * LOW / 2), below(plain, rate, 0.9 * LOW / 2)) < -60
    assert all(np.diff(result.costs) <= 1e-4 * abs(result.costs[0]))


def test_exemplars_that_teach_come_nearer():
    example, truth = speech()
    low = resampled(truth, RATE, LOW)
    known = otowake.exemplars(example, RATE)
    assert known.stft == Stft(512, 256)
    samples, phases = low.shape[-1] * RATE // LOW, []
    taught = otowake.extend(low, LOW, known, watch=lambda tick: phases.append(tick.phase))
    untaught = otowake.extend(low, LOW, replace(known, around=None))
    for floor in (-80, -100):
        ours, theirs = (distance(truth[0, :samples], r.samples[0], RATE, 4000, floor) for r in (taught, untaught))
        assert ours < theirs - 0.1, (floor, ours, theirs)
    assert "corrected" in taught.why
    assert "corrected" not in untaught.why
    assert list(dict.fromkeys(phases)) == ["fitting", "checking examples"]


def test_a_breath_before_speech_is_no_sibilant():
    """From 0.4 to 0.95 s there is a breath; in single frames it is like a sibilant, up to 4 kHz."""
    example, truth = speech()
    result = otowake.extend(resampled(truth, RATE, LOW), LOW, otowake.exemplars(example, RATE))
    breath = slice(int(0.4 * RATE), int(0.95 * RATE))
    made, was = ((x - below(x, RATE, LOW / 2))[0, breath] for x in (result.samples[:, : truth.shape[-1]], truth))
    assert abs(decibels(made, was)) < 4


def test_a_file_keeps_what_is_around_exemplars(known, tmp_path):
    save_bases(tmp_path / "talker.bases", known)
    torch.testing.assert_close(load_bases(tmp_path / "talker.bases").around, known.around)
    with pytest.raises(OtowakeError, match="around"):
        replace(known, around=known.around[:, 1:])


def test_few_exemplars_teach_nothing():
    example, truth = speech()
    low = resampled(truth, RATE, LOW)
    assert "corrected" not in otowake.extend(low, LOW, otowake.exemplars(example, RATE, 20), iterations=3).why


def test_spectra_of_learn_do_it_too():
    example, truth = oboe()
    low = resampled(truth[:, :150_000], 44_100, LOW)
    result = otowake.extend(low, LOW, otowake.learn(example, 44_100, 27, iterations=60), iterations=60)
    plain = resampled(low, LOW, 44_100, 150_000)[0]
    ours, silence = (distance(truth[0, :150_000], x, 44_100, 4000, -100) for x in (result.samples[0, :150_000], plain))
    assert ours <= 0.6 * silence


# ---- what stays --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "samples"), [(8000, 12_001), (8000, 12_000), (11_025, 16_537), (16_000, 24_001)])
def test_lengths_and_rates(known, rate, samples):
    truth = speech()[1]
    x = resampled(resampled(truth, RATE, LOW), LOW, rate)[:, :samples]
    result = otowake.extend(x, rate, known, iterations=3)
    assert result.rate == RATE
    assert result.samples.shape == (1, round(samples * RATE / rate))
    assert result.cut == pytest.approx(4000, rel=0.06)
    plain = resampled(x, rate, RATE, result.samples.shape[-1])
    kept = 0.9 * result.cut
    assert decibels(below(result.samples - plain, RATE, kept), below(plain, RATE, kept)) < -60
    assert np.square(result.samples - plain).sum() > 0


def test_a_lower_rate_than_the_examples(known):
    low = resampled(speech()[1], RATE, LOW)
    result = otowake.extend(low, LOW, known, to=12_000, iterations=3)
    assert (result.rate, result.samples.shape[-1]) == (12_000, low.shape[-1] * 3 // 2)


def test_a_recording_of_a_higher_rate_than_the_examples(known):
    x = resampled(resampled(speech()[1], RATE, LOW), LOW, 48_000)
    result = otowake.extend(x, 48_000, known, iterations=3)
    assert result.rate == 48_000
    assert result.samples.shape == x.shape
    assert any("above 8000 Hz nothing was added" in note for note in result.notes)
    new = result.samples - x
    assert decibels(new - below(new, 48_000, 8100), new) < -40  # its ends splatter


def test_where_the_content_ends_can_be_said(known):
    truth = speech()[1]
    result = otowake.extend(truth, RATE, known, cut=5000, iterations=3)
    assert result.cut == 5000
    assert decibels(below(result.samples - truth, RATE, 4500), truth) < -60


def test_channels_keep_their_levels(known):
    low = resampled(speech()[1], RATE, LOW)[0]
    x = torch.from_numpy(np.stack([low, 0.5 * low, 0 * low])).float()
    result = otowake.extend(x, LOW, known, iterations=5)
    assert result.samples.dtype == torch.float32
    torch.testing.assert_close(result.samples[1], 0.5 * result.samples[0], atol=1e-6, rtol=1e-3)
    assert not result.samples[2].any()


def test_a_seed_says_it_all(known):
    low = resampled(speech()[1], RATE, LOW)
    one, same, other = (otowake.extend(low, LOW, known, iterations=5, seed=seed).samples for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-6


@pytest.mark.parametrize("gain", [1e-200, 1e-8, 1e8])
def test_any_gain(known, gain):
    low = resampled(speech()[1], RATE, LOW)
    one, other = (otowake.extend(g * low, LOW, known, iterations=5).samples / g for g in (1.0, gain))
    np.testing.assert_allclose(other, one, atol=1e-3 * np.abs(one).max())


def test_silence_within_stays_silent(known):
    low = resampled(speech()[1], RATE, LOW)
    low[:, 8000:20_000] = 0
    result = otowake.extend(low, LOW, known, iterations=5)
    assert np.isfinite(result.samples).all()
    assert np.abs(result.samples[:, 20_000:36_000]).max() < 1e-3 * np.abs(result.samples).max()


# ---- the band and its phases -------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "low"), [(44_100, 8000), (44_100, 22_050), (48_000, 16_000), (16_000, 8000)])
def test_the_end_of_the_content_is_found(rate, low):
    x = resampled(otowake.read(EXAMPLES / "music" / "drums.flac").samples, 44_100, rate)
    narrow = np.rint(resampled(resampled(x, rate, low), low, rate) * 32_768) / 32_768
    found = band_end(torch.from_numpy(narrow), rate)
    assert found == (pytest.approx(low / 2, rel=0.08))


@pytest.mark.parametrize("name", ["oboe", "flute", "piano", "bassoon", "drums"])
def test_whole_recordings_end_at_half_their_rate(name):
    x = otowake.read(EXAMPLES / "music" / f"{name}.flac").samples
    assert band_end(torch.from_numpy(x), 44_100) == 22_050
    assert band_end(torch.from_numpy(resampled(x, 44_100, LOW)), LOW) == 4000


@pytest.mark.parametrize("samples", [999, 1000])
def test_from_on_leaves_what_is_above(samples):
    t = torch.arange(samples, dtype=torch.float64) / LOW
    window = torch.hann_window(samples, dtype=torch.float64)
    low, high = (window * torch.sin(2 * torch.pi * f * t) for f in (500, 3000))
    torch.testing.assert_close(from_on(low + high, LOW, 1500, 2000), high, atol=1e-4, rtol=0)


def test_rounds_of_phases_agree_better():
    x = torch.from_numpy(speech()[1][0, :RATE])
    stft = Stft(512, 128)
    M = stft.forward(x).abs()

    def misfit(rounds):
        y = agreeing(M, rectified(x.roll(5000), stft), stft, len(x), rounds)
        return float((stft.forward(y).abs() - M).square().sum())

    misfits = [misfit(rounds) for rounds in (0, 1, 2, 5, 10)]
    assert all(np.diff(misfits) < 0)


# ---- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"stft": "1024/256"}, "512/256.*1024/256"), ({"to": 44_100}, "44100 Hz.*16000"), ({"to": 4000}, "8000"),
        ({"cut": 5000}, "5000"), ({"cut": -1}, "-1"), ({"cut": float("nan")}, "nan"), ({"iterations": -1}, "-1"),
        ({"cut": 100}, "100 Hz.*bins"),
    ],
)  # fmt: skip
def test_wishes_that_cannot_be_granted(known, wishes, words):
    with pytest.raises(OtowakeError, match=words):
        otowake.extend(resampled(speech()[1], RATE, LOW), LOW, known, **wishes)


def test_examples_that_know_no_more():
    example, truth = speech()
    low = resampled(truth, RATE, LOW)
    with pytest.raises(OtowakeError, match=r"8000 Hz.*nothing to learn above"):
        otowake.extend(low, LOW, otowake.exemplars(resampled(example, RATE, LOW), LOW))
    narrow = resampled(resampled(example, RATE, LOW), LOW, RATE)
    with pytest.raises(OtowakeError, match="nothing to learn above"):
        otowake.extend(low, LOW, otowake.exemplars(narrow, RATE))
    with pytest.raises(OtowakeError, match="nothing to learn above"):
        otowake.extend(truth, RATE, otowake.exemplars(example, RATE))
    B = torch.zeros(257, 1, dtype=torch.float64)
    B[200:] = 1
    with pytest.raises(OtowakeError, match="nothing below"):
        otowake.extend(low, LOW, Bases(B, RATE, Stft(512, 256)))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((1, 9000)), "silent"), (np.ones(9000), "channels"), (np.full((1, 9000), np.nan), "finite"),
        (np.ones((1, 9000), dtype=int), "floating"), (np.ones((1, 100)), "frame"), (np.ones((2, 2, 9000)), "shape"),
    ],
)  # fmt: skip
def test_recordings_that_cannot_be_extended(known, x, words):
    with pytest.raises(OtowakeError, match=words):
        otowake.extend(x, LOW, known)


@pytest.mark.parametrize(("count", "words"), [(0, "0 exemplars"), (10_001, "10001")])
def test_numbers_of_exemplars(count, words):
    with pytest.raises(OtowakeError, match=words):
        otowake.exemplars(speech()[0], RATE, count)


def test_exemplars_take_the_lowest_rate():
    example = speech()[0]
    made = otowake.exemplars([resampled(example, RATE, 44_100), example], [44_100, RATE], 50)
    assert (made.rate, made.B.shape[1]) == (RATE, 50)
    assert "resampled to 16000 Hz" in made.notes[0]


# ---- the command -------------------------------------------------------------------------------------------


def test_the_command(files, tmp_path):
    done = command("extend", files[0], "--example", files[1], "--iterations", "5")
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "low-extended"
    names = ["extended.wav", "spectrogram.png", "cost.png", "extension.json"]
    assert done.stdout.splitlines() == [str(folder / f"low-{name}") for name in names]
    info, low = soundfile.info(folder / "low-extended.wav"), soundfile.info(files[0])
    assert (info.samplerate, info.frames, info.subtype) == (RATE, 2 * low.frames, "PCM_16")
    report = json.loads((folder / "low-extension.json").read_text())
    assert (report["cut"], report["rate"], report["bases"]["examples"]) == (4000, RATE, ["high.wav"])
    assert not left_over(tmp_path)


def test_several_recordings_one_of_which_fails(files, tmp_path, capsys):
    silent = recording(tmp_path / "silent.wav", np.zeros((1, LOW)))
    words = (*QUICK, "-o", tmp_path / "out", "--json")
    code, out, err = quickly(capsys, "extend", files[0], silent, "--example", files[1], *words)
    assert code == 2
    assert "silent.wav" in err
    assert [run["files"][0] for run in json.loads(out)["runs"]] == [str(tmp_path / "out" / "low-extended.wav")]


def test_a_sound_that_would_clip_becomes_float(files, tmp_path, capsys):
    x = soundfile.read(files[0])[0]
    loud = recording(tmp_path / "loud.flac", x / np.abs(x).max() * 0.9999, rate=LOW)
    code, out, err = quickly(capsys, "extend", loud, "--example", files[1], *QUICK)
    assert (code, err) == (0, "")
    written = soundfile.info(out.splitlines()[0])
    peak = np.abs(soundfile.read(out.splitlines()[0])[0]).max()
    assert (written.format, written.subtype) == ("WAV", "FLOAT") if peak >= 1 else ("FLAC", "PCM_16")


def test_a_file_of_bases_and_another_rate(files, tmp_path, capsys):
    save_bases(tmp_path / "talker.bases", otowake.learn(speech()[0], RATE, 10, iterations=5))
    words = ("--bases", tmp_path / "talker.bases", "--rate", "12000", "--from", "3900", "--json", *QUICK)
    code, out, err = quickly(capsys, "extend", files[0], *words)
    assert (code, err) == (0, "")
    assert (json.loads(out)["rate"], json.loads(out)["cut"]) == (12_000, 3900)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--example"), (("--example", "high.wav", "--bases", "a.bases"), "one way"), (("--bases", "none"), "none"),
        (("--example", "none.wav"), "none.wav"), (("--example", "silent.wav"), "silent.wav is silent"),
        (("--example", "low.wav"), "nothing to learn"), (("--bases", "a.bases", "--stft", "512/128"), "512/256"),
        (("--bases", "a.bases", "--rate", "44100"), "16000"), (("--example", "high.wav", "--from", "4001"), "4001"),
        (("--example", "high.wav", "--rate", "7000"), "7000"), (("--example", "high.wav", "-o", "low.wav"), "low.wav"),
        (("--example", "high.wav", "--stft", "512"), "512"),
    ],
)  # fmt: skip
def test_the_command_refuses_in_one_sentence(files, known, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    save_bases("a.bases", known)
    recording("silent.wav", np.zeros((1, RATE)), rate=RATE)
    refuses(capsys, tmp_path, ("extend", "low.wav", *words), said)
