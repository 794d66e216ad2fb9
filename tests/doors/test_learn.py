"""Learning a sound and extracting it: the real commands and the same from Python, sums, endings, files."""

import json
import sys

import numpy as np
import pytest
import soundfile
import torch
from kit import RATE, command, integers, left_over, quickly, recording, refused, refuses, stopped
from safetensors.torch import save_file

import otowake
from otowake.core.errors import OtowakeError
from otowake.signal.stft import Stft
from otowake.signal.stream import stream
from otowake.tasks.bases import SCHEMA, Bases, load_bases, save_bases
from otowake.tasks.learn import learn

NOTES = 220.0 * 2 ** (np.arange(8) / 6)
SMALL = ("--bases", "8", "--iterations", "60", "--stft", "512/256")
FEW = ("--iterations", "30", "--rest", "8", "--no-plots")


def played(order, tilt, rate=RATE, seconds=0.2):
    """Notes one after the other, harmonics falling by `tilt`; a negative one leaves out the even ones."""
    t = np.arange(int(seconds * rate)) / rate
    shape = np.exp(-4 * t / seconds) * (1 - np.exp(-t / 0.005))
    step = 2 if tilt < 0 else 1
    notes = [sum(h ** -abs(tilt) * np.sin(2 * np.pi * f * h * t) for h in range(1, 9, step)) for f in order]
    return 0.1 * np.concatenate([shape * note for note in notes])


def scale(rate=RATE):
    return played(NOTES, 0.7, rate)


def two(rate=RATE, seed=0):
    """The sound that is to be found, and another with other notes and other harmonics."""
    rng = np.random.default_rng(seed)
    target = played(rng.choice(NOTES, 12), 0.7, rate)
    other = played(97.0 * 2 ** (rng.integers(0, 12, 8) / 12), -0.2, rate, 0.3)
    samples = min(len(target), len(other))
    return target[:samples], other[:samples]


@pytest.fixture(scope="module")
def known():
    return learn(scale()[None], RATE, 8, stft="512/256", iterations=60)


@pytest.fixture
def files(tmp_path):
    """A mixture, an example, and its bases."""
    target, other = two()
    mix = recording(tmp_path / "mix.wav", target + other)
    example = recording(tmp_path / "scale.wav", scale())
    return mix, example


# ---- what comes out ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["cosine", "orthogonal", "plain"])
def test_the_target_is_found_and_the_parts_add_up(known, method):
    target, other = two()
    x = (target + other)[None]
    result = otowake.extract(x, RATE, known, method=method, rest_bases=12, iterations=60)
    np.testing.assert_allclose(result.target + result.rest, x, atol=1e-15)
    scores = otowake.evaluate(np.stack([target, other]), np.concatenate([result.target, result.rest]), x[0])
    assert scores.permutation.tolist() == [0, 1]
    assert scores.sdr_improvement[0] > 5
    assert all(np.diff(result.costs) <= 1e-4 * abs(result.costs[0]))


def test_auto_takes_the_mean_of_the_weights_that_still_fit(known):
    from otowake.tasks.extract import SCAN, SLACK

    x = sum(two())[None]
    result = otowake.extract(x, RATE, known, rest_bases=12, iterations=40)
    tried = result.diagnostics["tried"]
    misfits = [one["misfit"] for one in tried]
    taken = result.settings["weights"]
    assert taken == [weight for weight, misfit in zip(SCAN, misfits) if misfit <= SLACK * misfits[0]]
    assert len(taken) > 1
    assert len(taken) in (len(SCAN), len(tried) - 1)
    assert result.settings["weight"] == taken[-1]
    each = [otowake.extract(x, RATE, known, rest_bases=12, iterations=40, weight=weight).target for weight in taken]
    np.testing.assert_allclose(result.target, np.mean(each, 0), atol=1e-12)


def test_channels_share_a_mask_and_kinds_are_kept(known):
    target, other = two()
    x = torch.from_numpy(np.stack([target + other, 0.5 * (target + other), 0 * target])).float()
    result = otowake.extract(x, RATE, known, weight=0.01, rest_bases=8, iterations=10)
    assert result.target.dtype == torch.float32
    assert result.target.shape == x.shape
    torch.testing.assert_close(result.target[1], 0.5 * result.target[0])
    assert not result.target[2].any()


@pytest.mark.parametrize("gain", [1e-200, 1e-8, 1e8])
def test_any_gain(known, gain):
    x = sum(two())[None]
    one = otowake.extract(x, RATE, known, weight=0.01, rest_bases=8, iterations=10)
    other = otowake.extract(gain * x, RATE, known, weight=0.01, rest_bases=8, iterations=10)
    np.testing.assert_allclose(other.target / gain, one.target, atol=1e-3 * np.abs(one.target).max())


@pytest.mark.parametrize("rate", [16_000, 11_025, 6000])
def test_a_mixture_at_another_rate(known, rate):
    target, other = two(rate)
    x = (target + other)[None]
    result = otowake.extract(x, rate, known, rest_bases=12, iterations=40)
    np.testing.assert_allclose(result.target + result.rest, x, atol=1e-15)
    assert f"{rate} Hz" in result.notes[0]
    assert ("went to the rest" in result.notes[0]) == (rate > RATE)
    scores = otowake.evaluate(np.stack([target, other]), np.concatenate([result.target, result.rest]), x[0])
    assert scores.sdr_improvement[0] > 4


def test_spectra_above_what_the_mixture_holds():
    x = sum(two())[None]
    B = torch.zeros(257, 2, dtype=torch.float64)
    B[200:, 0] = 1.0
    with pytest.raises(OtowakeError, match="higher rate"):
        otowake.extract(x, RATE, Bases(B[:, :1], 16_000, Stft(512, 256)), iterations=2)
    B[:50, 1] = 1.0
    result = otowake.extract(x, RATE, Bases(B, 16_000, Stft(512, 256)), iterations=2, rest_bases=4)
    assert np.isfinite(result.target).all()


def test_examples_of_other_rates_and_channels():
    stereo = np.stack([scale(16_000), scale(16_000)])
    bases = learn([scale()[None], stereo], [RATE, 16_000], 4, iterations=5, names=["a.wav", "b.wav"])
    assert bases.rate == RATE
    assert bases.examples == ("a.wav", "b.wav")
    assert "b.wav has 2 channels" in bases.notes[0]
    assert "resampled to 8000 Hz" in bases.notes[1]
    assert bases.stft == Stft(768, 384)


def test_a_watcher_hears_all_and_can_stop(known):
    heard = []
    otowake.extract(sum(two())[None], RATE, known, weight=0.01, iterations=3, rest_bases=4, watch=heard.append)
    assert [tick.iteration for tick in heard] == [0, 1, 2, 3]

    def enough(tick):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        learn(scale()[None], RATE, 4, iterations=3, watch=enough)


# ---- long examples, several seeds, earlier bases -----------------------------------------------------------


@pytest.fixture
def short(monkeypatch):
    """What is long, at the size of a test."""
    taught = sys.modules["otowake.tasks.learn"]
    monkeypatch.setattr(taught, "LONG", 30_000)
    for module in (taught, sys.modules["otowake.tasks.passes"]):
        monkeypatch.setattr(module, "BLOCK", 16)


def found(bases, **settings):
    target, other = two()
    result = otowake.extract((target + other)[None], RATE, bases, rest_bases=12, iterations=60, **settings)
    parts = np.concatenate([result.target, result.rest])
    return otowake.evaluate(np.stack([target, other]), parts, target + other).sdr_improvement[0], result


def test_long_examples_teach_as_short_ones_do(short, tmp_path):
    long = np.tile(scale(), 4)
    path = recording(tmp_path / "long.flac", np.stack([long, long]), "PCM_24")
    bases = learn(stream(path), bases=8, stft="512/256", names=["long.flac"])
    assert (bases.settings["passes"], bases.rate, bases.B.shape) == (5, RATE, (257, 8))
    assert "2 channels" in bases.notes[0]
    assert "in blocks of 16 frames, 5 times over" in bases.notes[1]
    assert float(bases.B.mean(0).sum()) == pytest.approx(1 / 0.55, rel=1e-3)  # the sizes that one piece leaves
    assert found(bases)[0] > 5
    torch.testing.assert_close(learn(np.stack([long, long]), RATE, 8, stft="512/256").B, bases.B, rtol=1e-3, atol=1e-3)
    again = learn([stream(path), scale(16_000)[None]], [RATE, 16_000], 8, stft="512/256", iterations=100)
    assert any("resampled to 8000 Hz" in note for note in again.notes)
    assert bool(again.B.isfinite().all())


def test_a_stream_that_is_short_is_one_piece(tmp_path):
    path = recording(tmp_path / "scale.flac", scale(), "PCM_24")
    bases = learn(stream(path), bases=8, stft="512/256", iterations=20)
    same = learn(otowake.read(path).samples, RATE, 8, stft="512/256", iterations=20)
    assert torch.equal(bases.B, same.B)
    assert "passes" not in bases.settings
    with pytest.raises(OtowakeError, match=r"scale\.flac has 8000 Hz, not 16000"):
        learn(stream(path), 16_000)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((1, 90_000)), "silent"), (np.full((1, 90_000), np.nan), "nan in channel 0, sample 0"),
        (np.tile(np.stack([scale(), -scale()]), 4), "cancels"),
    ],
)  # fmt: skip
def test_long_examples_that_teach_nothing(short, tmp_path, x, words):
    path = recording(tmp_path / "long.wav", x, "FLOAT")
    with pytest.raises(OtowakeError, match=words):
        learn(stream(path), bases=4)


def test_a_long_file_with_a_hole_in_it(short, tmp_path):
    x = np.tile(scale(), 6)
    x[20_000:50_000] = 0
    bases = learn(stream(recording(tmp_path / "long.wav", x)), bases=8, stft="512/256")
    assert bool(bases.B.isfinite().all())
    assert found(bases)[0] > 4


def test_long_examples_can_be_stopped(short, tmp_path):
    path = recording(tmp_path / "long.wav", np.tile(scale(), 4))
    heard = []

    def enough(tick):
        heard.append(tick)
        if tick.phase == "learning" and tick.iteration == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        learn(stream(path), bases=4, stft="512/256", watch=enough)
    assert {tick.phase for tick in heard} == {"measuring", "learning"}
    assert heard[-1].total > 3


@pytest.mark.parametrize("long", [False, True])
def test_the_best_of_seeds_is_one_of_them(request, long):
    if long:
        request.getfixturevalue("short")
    x = np.tile(scale(), 4 if long else 1)[None]
    several = learn(x, RATE, 6, stft="512/256", iterations=30, seeds=3, seed=4)
    starts = several.settings["starts"]
    assert [one["seed"] for one in starts] == [4, 5, 6]
    best = min(starts, key=lambda one: one["cost"])["seed"]
    assert several.settings["seed_taken"] == best
    assert torch.equal(several.B, learn(x, RATE, 6, stft="512/256", iterations=30, seed=best).B)
    assert len({one["cost"] for one in starts}) == 3


def test_extract_takes_the_best_of_seeds(known):
    _, several = found(known, seeds=3, weight=0.01)
    best = several.diagnostics["seed_taken"]
    _, alone = found(known, seed=best, weight=0.01)
    np.testing.assert_array_equal(several.target, alone.target)
    assert several.costs[-1] == pytest.approx(min(one["cost"] for one in several.diagnostics["starts"]))
    assert several.settings["seeds"] == 3
    assert several.iterations == 180


def test_earlier_bases_are_a_start(known):
    again = learn(scale()[None], RATE, iterations=0, start=known)
    torch.testing.assert_close(again.B, known.B, rtol=1e-6, atol=0)
    assert again.settings["start"] == list(known.examples)
    more = learn(scale(16_000)[None], 16_000, 10, iterations=5, start=known)
    assert (more.B.shape[1], more.rate, more.stft) == (10, RATE, known.stft)
    with pytest.raises(OtowakeError, match="are 8, asked for are 4"):
        learn(scale()[None], RATE, 4, start=known)
    with pytest.raises(OtowakeError, match="512/256, asked for is 1024/512"):
        learn(scale()[None], RATE, start=known, stft="1024/512")


def test_devices_and_seeds_that_are_none(known):
    for wishes, words in (({"device": "tpu"}, "no device 'tpu'"), ({"seeds": 0}, "0 starts")):
        with pytest.raises(OtowakeError, match=words):
            learn(scale()[None], RATE, 4, **wishes)
        with pytest.raises(OtowakeError, match=words):
            otowake.extract(sum(two())[None], RATE, known, **wishes)


# ---- what is refused from Python ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"stft": "1024/256"}, "512/256.*1024/256"), ({"weight": -1}, "weight"), ({"weight": "much"}, "much"),
        ({"weight": float("nan")}, "weight"), ({"rest_bases": 0}, "rest"), ({"method": "nosuch"}, "nosuch"),
        ({"iterations": -1}, "iterations"),
    ],
)  # fmt: skip
def test_wishes_that_cannot_be_granted(known, wishes, words):
    with pytest.raises(OtowakeError, match=words):
        otowake.extract(sum(two())[None], RATE, known, **wishes)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((1, 9000)), "silent"), (np.ones(100), "frame"), (np.full((1, 9000), np.nan), "finite"),
        (np.stack([scale(), -scale()]), "cancels"), (np.ones((1, 9000), dtype=int), "floating"),
    ],
)  # fmt: skip
def test_examples_that_teach_nothing(x, words):
    with pytest.raises(OtowakeError, match=words):
        learn(x, RATE, 4, iterations=2)


# ---- the file ----------------------------------------------------------------------------------------------


def test_a_file_gives_back_what_was_saved(known, tmp_path):
    save_bases(tmp_path / "a.bases", known)
    again = load_bases(tmp_path / "a.bases")
    assert torch.equal(again.B, known.B)
    assert (again.rate, again.stft, again.examples, again.settings) == (
        known.rate, known.stft, known.examples, known.settings,
    )  # fmt: skip


META = {"schema": SCHEMA, "n_fft": 512, "hop": 256, "rate": RATE, "divergence": "kl", "examples": [], "settings": {}}


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "otowake-state-1"}, {"schema": None}, {"n_fft": 1024}, {"n_fft": "512"}, {"hop": 400}, {"hop": None},
        {"rate": 0}, {"rate": 8000.5}, {"rate": True}, {"divergence": "is"}, {"examples": 3}, {"settings": 3},
    ],
)  # fmt: skip
def test_files_that_are_none(known, tmp_path, change):
    path = tmp_path / "a.bases"
    save_file({"B": known.B}, path, {"otowake": json.dumps({**META, **change})})
    with pytest.raises(OtowakeError, match=r"a\.bases.*\.$"):
        load_bases(path)


@pytest.mark.parametrize(
    "hurt",
    [
        lambda B: B[:-1], lambda B: B[:, :0], lambda B: -B, lambda B: B / 0, lambda B: B * 0, lambda B: B[0],
        lambda B: B.long(),
    ],
)  # fmt: skip
def test_numbers_that_are_no_spectra(known, tmp_path, hurt):
    path = tmp_path / "a.bases"
    save_file({"B": hurt(known.B).contiguous()}, path, {"otowake": json.dumps(META)})
    with pytest.raises(OtowakeError, match="damaged"):
        load_bases(path)


def test_bases_fit_their_transform(known):
    with pytest.raises(OtowakeError, match="513 bins"):
        Bases(known.B, RATE, Stft(1024, 512))


# ---- the commands ------------------------------------------------------------------------------------------


def test_learn_and_extract(files, tmp_path):
    mix, example = files
    done = command("learn", example, "-o", tmp_path / "sax.bases", *SMALL)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [str(tmp_path / "sax.bases")]
    done = command("extract", mix, "--bases", tmp_path / "sax.bases", "--iterations", "30", "--rest", "8")
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "mix-extracted"
    names = ["target.wav", "rest.wav", "spectrogram.png", "cost.png", "extraction.json"]
    assert done.stdout.splitlines() == [str(folder / f"mix-{name}") for name in names]
    total = sum(integers(folder / f"mix-{name}.wav", 16) for name in ("target", "rest"))
    np.testing.assert_array_equal(total, integers(mix, 16))
    target, _ = two()
    found = soundfile.read(folder / "mix-target.wav")[0]
    gain = otowake.evaluate(target[None], found[None], soundfile.read(mix)[0]).sdr_improvement
    assert gain[0] > 5
    assert not left_over(tmp_path)


def test_examples_in_place_of_bases(files, tmp_path, capsys):
    mix, example = files
    second = recording(tmp_path / "again.wav", scale(16_000), rate=16_000)
    words = ("--example", example, second, "--stft", "512/256", "-o", tmp_path / "out", *FEW, "--json")
    code, out, err = quickly(capsys, "extract", mix, *words)
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["bases"]["examples"] == ["scale.wav", "again.wav"]
    assert any("again.wav has 16000 Hz" in note for note in report["notes"])
    assert json.loads((tmp_path / "out" / "mix-extraction.json").read_text()) == report


def test_stereo_in_flac_stays_stereo_in_flac(files, tmp_path, capsys):
    x = sum(two())
    mix = recording(tmp_path / "song.flac", np.stack([x, 0.3 * x]), "PCM_24")
    code, _, err = quickly(capsys, "extract", mix, "--example", files[1], *FEW)
    assert (code, err) == (0, "")
    parts = [integers(tmp_path / "song-extracted" / f"song-{name}.flac", 24) for name in ("target", "rest")]
    np.testing.assert_array_equal(sum(parts), integers(mix, 24))


def test_json_of_learn(files, tmp_path, capsys):
    code, out, err = quickly(capsys, "learn", files[1], *SMALL, "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["file"] == str(tmp_path / "scale.bases")
    assert (report["bases"], report["rate"], report["stft"]) == (8, RATE, "512/256")


def test_seeds_starts_and_devices_on_the_command_line(files, tmp_path, capsys):
    mix, example = files
    code, out, err = quickly(capsys, "learn", example, *SMALL, "--seeds", "2", "--device", "cpu", "--json")
    assert (code, err) == (0, "")
    assert len(json.loads(out)["settings"]["starts"]) == 2
    one = tmp_path / "scale.bases"
    code, out, err = quickly(
        capsys, "learn", example, "--start", one, "--iterations", "5", "-o", tmp_path / "b", "--json"
    )
    assert (code, json.loads(out)["bases"]) == (0, 8)
    words = ("--bases", one, "--seeds", "2", "--weight", "0.01", *FEW, "--json")
    code, out, err = quickly(capsys, "extract", mix, *words)
    assert (code, err) == (0, "")
    assert {start["seed"] for start in json.loads(out)["diagnostics"]["starts"]} == {0, 1}
    words = ("--method", "nmf", "--sources", "3", "--set", "start=nndsvd", "--seeds", "2", "--iterations", "3")
    code, out, err = quickly(capsys, "separate", mix, *words, "--no-plots", "--json")
    report = json.loads(out)
    assert (code, report["settings"]["seeds"], report["settings"]["start"]) == (0, 2, "nndsvd")
    assert report["diagnostics"]["seed_taken"] == 0
    assert refused(quickly(capsys, "learn", example, "--start", mix, "-o", tmp_path / "c"))
    assert refused(quickly(capsys, "learn", example, "--start", tmp_path / "none", "-o", tmp_path / "c"))


def test_the_same_seed_gives_the_same_bytes(files, tmp_path, capsys):
    for name in ("one", "two"):
        assert quickly(capsys, "learn", files[1], *SMALL, "-o", tmp_path / f"{name}.bases")[0] == 0
    assert (tmp_path / "one.bases").read_bytes() == (tmp_path / "two.bases").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--bases"), (("--bases", "a.bases", "--example", "scale.wav"), "one way"), (("--bases", "none"), "none"),
        (("--bases", "mix.wav"), "mix.wav"), (("--bases", "a.bases", "--stft", "2048/512"), "512/256"),
        (("--bases", "a.bases", "--weight", "much"), "much"), (("--bases", "a.bases", "--weight", "-1"), "weight"),
        (("--example", "silence.wav"), "silence.wav is silent"), (("--bases", "a.bases", "--method", "no"), "no"),
        (("--bases", "a.bases", "-o", "mix.wav"), "mix.wav"),
    ],
)  # fmt: skip
def test_extract_refuses_in_one_sentence(files, known, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    save_bases("a.bases", known)
    recording("silence.wav", np.zeros((1, RATE)))
    refuses(capsys, tmp_path, ("extract", "mix.wav", *words), said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("silence.wav",), "silence.wav is silent"), (("none.wav",), "none.wav"), (("text.wav",), "text.wav"),
        (("scale.wav", "-o", "scale.wav"), "example"), (("scale.wav", "-o", "no/such/a.bases"), "no/such"),
        (("scale.wav", "-o", "."), "directory"), (("scale.wav", "--bases", "0"), "--bases"), ((), "EXAMPLE"),
        (("scale.wav", "--stft", "512"), "512"),
    ],
)  # fmt: skip
def test_learn_refuses_in_one_sentence(files, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    recording("silence.wav", np.zeros((1, RATE)))
    (tmp_path / "text.wav").write_text("no sound")
    refuses(capsys, tmp_path, ("learn", *words), said)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_ctrl_c_leaves_nothing(files, tmp_path):
    before = sorted(path.name for path in tmp_path.iterdir())
    end = stopped("learn", files[1], "--iterations", "1000000", "-v", once="learning", after=0.2)
    assert len(end.heard) == 1
    assert end.code == 130
    assert "stopped, nothing was written" in end.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before
