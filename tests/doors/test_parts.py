"""Taking recordings apart: the real command and the same from Python, sums, groups, pictures, endings."""

import json
import sys

import numpy as np
import pytest
import soundfile
import torch
from kit import RATE, command, integers, left_over, quickly, recording, refuses, stopped

import otowake
from otowake.core.errors import OtowakeError
from otowake.signal.stft import Stft
from otowake.source.nmf import NmfState
from otowake.tasks import sounds
from otowake.tasks.grouping import by_shape, by_timbre, mel

FAST = {"stft": "512/256", "iterations": 40}
QUICK = ("-k", "6", "--stft", "512/256", "--iterations", "20")
SECONDS = 3.0


def tones(f, tilt, every, seconds=SECONDS, phase=0.0):
    """Notes of one timbre, each f held for `every` seconds."""
    t = np.arange(int(seconds * RATE)) / RATE
    which = ((t + phase) // every).astype(int) % len(f)
    age = (t + phase) % every
    shape = np.exp(-2 * age / every) * (1 - np.exp(-age / 0.01))
    return sum(h**-tilt * shape * np.sin(2 * np.pi * np.array(f)[which] * h * t) for h in range(1, 9))


def hits(every=0.25, seconds=SECONDS, seed=0):
    """Short bursts of noise."""
    t = np.arange(int(seconds * RATE)) / RATE
    return np.exp(-(t % every) / 0.01) * np.random.default_rng(seed).standard_normal(len(t))


def level(x):
    return x / np.sqrt(np.mean(x**2)) / 20


@pytest.fixture(scope="module")
def played():
    return level(tones([220.0, 330.0, 277.0], 1.0, 0.5))


@pytest.fixture(scope="module")
def struck():
    return level(hits())


@pytest.fixture
def file(tmp_path, played, struck):
    return recording(tmp_path / "mix.wav", np.stack([played + struck, 0.5 * played + struck]))


# ---- what comes out ----------------------------------------------------------------------------------------


def test_components_add_up_and_the_loudest_comes_first(played, struck):
    x = np.stack([played + struck, 0.3 * played, 0 * played])
    result = otowake.parts(x, RATE, 6, **FAST)
    assert result.sounds.shape == (6, *x.shape)
    np.testing.assert_allclose(result.sounds.sum(0), x, atol=1e-14)
    assert not result.sounds[:, 2].any()
    shares = [one.share for one in result.components]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert [one.sound for one in result.components] == [1, 2, 3, 4, 5, 6]
    assert result.names == [f"part0{n}" for n in range(1, 7)]
    assert all(np.diff(result.costs) <= 1e-4 * abs(result.costs[0]))


def test_the_factors_explain_the_recording(played):
    result = otowake.parts(played[None], RATE, 6, **FAST)
    v = np.abs(Stft(512, 256).forward(torch.from_numpy(played)).numpy())
    r = result.spectra @ result.activations
    np.testing.assert_allclose(result.spectra.sum(0), 1, rtol=1e-5)
    assert np.corrcoef(r.ravel(), v.ravel())[0, 1] > 0.98


def test_components_are_described():
    """Two tones, one after the other."""
    t = np.arange(2 * RATE) / RATE
    x = np.where(t < 1, 2 * np.sin(2 * np.pi * 500 * t), np.sin(2 * np.pi * 1250 * t)) * np.abs(np.sin(np.pi * t))
    one, two = otowake.parts(x[None], RATE, 2, **FAST).components
    assert one.peak == pytest.approx(500, abs=16)
    assert two.peak == pytest.approx(1250, abs=16)
    assert one.share == pytest.approx(0.8, abs=0.02)
    assert one.onset < 0.1
    assert two.onset == pytest.approx(1, abs=0.1)


def test_harmonic_and_percussive(played, struck):
    x = (played + struck)[None]
    result = otowake.parts(x, RATE, 12, group="harmonic-percussive", **FAST)
    assert result.names == ["harmonic", "percussive"]
    np.testing.assert_allclose(result.sounds.sum(0), x, atol=1e-14)
    scores = otowake.evaluate(np.stack([played, struck]), result.sounds[:, 0], x[0])
    assert scores.permutation.tolist() == [0, 1]
    assert min(scores.sdr) > 8


def test_only_harmonic_is_said(played):
    result = otowake.parts(played[None], RATE, 3, group="harmonic-percussive", **FAST)
    assert result.sounds.shape[0] == 2
    assert not result.sounds[1].any() or "percussive" in result.names
    assert any("No component was percussive" in note for note in result.notes)
    np.testing.assert_allclose(result.sounds.sum(0), played[None], atol=1e-14)


def test_groups_are_timbres():
    """A dull and a bright instrument, each with notes of its own."""
    dull, bright = level(tones([220.0, 330.0, 277.0], 3.0, 0.5)), level(tones([392.0, 494.0], 0.0, 0.33, phase=0.1))
    x = (dull + bright)[None]
    result = otowake.parts(x, RATE, 8, group=2, **FAST)
    assert result.names == ["part01", "part02"]
    np.testing.assert_allclose(result.sounds.sum(0), x, atol=1e-14)
    scores = otowake.evaluate(np.stack([dull, bright]), result.sounds[:, 0], x[0])
    assert min(scores.sdr) > 8


@pytest.mark.parametrize("group", [1, 3, 5])
def test_as_many_groups_as_asked_for(played, struck, group):
    x = (played + struck)[None]
    result = otowake.parts(x, RATE, 5, group=group, **FAST)
    assert result.sounds.shape == (group, *x.shape)
    assert {one.sound for one in result.components} == set(range(1, group + 1))
    power = (result.sounds**2).sum((1, 2))
    assert all(np.diff(power) <= 0.05 * power[:-1])


@pytest.mark.parametrize("divergence", ["kl", "is", "euclid"])
def test_divergences(played, struck, divergence):
    x = (played + struck)[None]
    result = otowake.parts(x, RATE, 5, divergence=divergence, **FAST)
    np.testing.assert_allclose(result.sounds.sum(0), x, atol=1e-14)
    assert result.costs[-1] < result.costs[0]
    assert np.isfinite(result.sounds).all()


def test_the_same_seed_gives_the_same_and_another_does_not(played, struck):
    x = (played + struck)[None]
    one, same, other = (otowake.parts(x, RATE, 5, group=2, seed=seed, **FAST).sounds for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-6


def test_kinds_are_kept(played):
    x = torch.from_numpy(played[None]).float()
    result = otowake.parts(x, RATE, 3, **FAST)
    assert result.sounds.dtype == result.spectra.dtype == torch.float32
    assert result.report()["settings"]["components"] == 3


@pytest.mark.parametrize("exact", [True, False])  # in single precision
@pytest.mark.parametrize("frames", ["512/256", "512/100"])
@pytest.mark.parametrize("group", [None, 2])
def test_sounds_made_block_by_block_are_masks_of_the_whole(played, struck, exact, frames, group):
    x = np.tile(np.stack([played + struck, 0.3 * struck]), 3)[:, 7:]
    x = np.rint(x * 2**15) / 2**15 if exact else x
    before = x.copy()
    result = otowake.parts(x, RATE, 5, group=group, stft=frames, iterations=5)
    x[:] = 0.0  # what becomes of it does not matter any more
    B, H, e = (part[0] for part in result.each.z)
    of, X = np.array([c.sound - 1 for c in result.components]), result.stft.forward(torch.from_numpy(before))
    assert X.shape[-1] > 2 * sounds.FRAMES  # several blocks
    for n, sound in enumerate(result.each):
        mine = of == n
        mask = (B[:, mine] @ H[mine] + e * mine.mean()) / (B @ H + e)
        expected = result.stft.inverse(X * mask, x.shape[-1]).numpy()
        np.testing.assert_allclose(sound, expected, atol=1e-14)
        np.testing.assert_array_equal(sound, result.sounds[n])
        np.testing.assert_array_equal(np.concatenate([*result.each.pieces(n)], -1), sound)
    assert result.each.shape == result.sounds.shape
    assert len(result.each) == len(result.names)
    with pytest.raises(IndexError):
        result.each[len(result.names)]


@pytest.mark.parametrize("gain", [1e-200, 1e-8, 1e8])
def test_any_gain(played, gain):
    one, other = (otowake.parts(g * played[None], RATE, 4, **FAST).sounds for g in (1.0, gain))
    np.testing.assert_allclose(other / gain, one, atol=1e-3 * np.abs(one).max())


def test_a_sound_and_digital_silence_around_it(played):
    x = np.concatenate([np.zeros(RATE), played, np.zeros(RATE)])[None]
    result = otowake.parts(x, RATE, 20, group=4, **FAST)
    np.testing.assert_allclose(result.sounds.sum(0), x, atol=1e-14)
    assert np.isfinite(result.spectra).all()
    assert np.isfinite(result.activations).all()


def test_a_watcher_hears_all_and_can_stop(played):
    heard = []
    otowake.parts(played[None], RATE, 3, stft="512/256", iterations=3, watch=heard.append)
    assert [tick.iteration for tick in heard] == [0, 1, 2, 3]

    def enough(tick):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        otowake.parts(played[None], RATE, 3, watch=enough)


# ---- groups ------------------------------------------------------------------------------------------------


def test_timbre_does_not_hear_loudness_or_order():
    stft, g = Stft(512, 256), np.random.default_rng(0)
    dull, bright = np.exp(-np.arange(257) / 10), np.exp(-((np.arange(257) - 150) ** 2) / 5000)
    B = np.stack([dull, bright, dull, dull, bright], 1) * g.uniform(0.8, 1.2, (257, 5)) * 10 ** g.uniform(-3, 3, 5)
    group = by_timbre(torch.from_numpy(B), 2, stft, RATE)
    assert group[0] == group[2] == group[3] != group[1] == group[4]


def test_a_spectrum_outside_of_all_bands_joins_some_group():
    B = torch.rand(257, 4, dtype=torch.float64)
    B[1:, 2] = 0
    assert sorted(set(by_timbre(B, 3, Stft(512, 256), RATE))) == [0, 1, 2]


def test_shape_tells_lines_from_clicks():
    B, H = torch.full((257, 2), 1e-3), torch.full((2, 60), 1e-3)
    B[20::20, 0], H[0, 10:40] = 1.0, 1.0
    B[:, 1], H[1, 5::12] = 1.0, 1.0
    assert by_shape(NmfState(B[None], H[None], torch.zeros(1, 257, 1)), Stft(512, 256), RATE) == [0, 1]


@pytest.mark.parametrize(("rate", "frame"), [(8000, 256), (8000, 4096), (44_100, 4096), (1000, 512)])
def test_mel_bands(rate, frame):
    bands = mel(Stft(frame, frame // 2), rate)
    assert bands.shape == (20, frame // 2 + 1)
    assert (bands >= 0).all()
    full = bands.sum(1) > 0
    torch.testing.assert_close(bands.sum(1)[full], torch.ones(int(full.sum()), dtype=torch.float64))
    centres = (bands * torch.arange(bands.shape[1])).sum(1)[full]
    assert (centres.diff() > 0).all()


# ---- what is refused from Python ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"components": 0}, "0 components"), ({"components": 100_000}, "frames.*ask.*hop"),
        ({"group": 7}, "5 components cannot be put into 7"), ({"group": 0}, "into 0"), ({"group": "drums"}, "drums"),
        ({"components": 1, "group": "harmonic-percussive"}, "2 or more"), ({"divergence": "no"}, "'no'"),
        ({"iterations": -1}, "iterations"), ({"stft": "512"}, "512"), ({"stft": "65536/4096"}, "longer"),
    ],
)  # fmt: skip
def test_wishes_that_cannot_be_granted(played, wishes, words):
    with pytest.raises(OtowakeError, match=words):
        otowake.parts(played[None], RATE, **{"components": 5, **wishes})


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((1, 9000)), "silent"), (np.ones((1, 100)), "frame"), (np.full((1, 9000), np.nan), "finite"),
        (np.ones(9000), "channels"), (np.ones((2, 1, 9000)), "channels"), (np.ones((1, 9000), dtype=int), "floating"),
    ],
)  # fmt: skip
def test_recordings_that_cannot_be_taken_apart(x, words):
    with pytest.raises(OtowakeError, match=words):
        otowake.parts(x, RATE, 2)


# ---- the command -------------------------------------------------------------------------------------------


def test_the_command(file, tmp_path):
    done = command("parts", file, *QUICK, "-o", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    names = [f"part0{n}.wav" for n in range(1, 7)]
    names += ["parts.png", "spectrogram.png", "cost.png", "parts.json"]
    assert done.stdout.splitlines() == [str(tmp_path / "out" / f"mix-{name}") for name in names]
    total = sum(integers(tmp_path / "out" / f"mix-{name}", 16) for name in names[:6])
    np.testing.assert_array_equal(total, integers(file, 16))
    report = json.loads((tmp_path / "out" / "mix-parts.json").read_text())
    assert [one["sound"] for one in report["diagnostics"]["components"]] == [1, 2, 3, 4, 5, 6]
    assert not left_over(tmp_path)


def test_harmonic_and_percussive_files(file, tmp_path, capsys):
    code, out, err = quickly(capsys, "parts", file, *QUICK, "--group", "harmonic-percussive", "--json")
    assert (code, err) == (0, "")
    folder = tmp_path / "mix-parts"
    total = sum(integers(folder / f"mix-{name}.wav", 16) for name in ("harmonic", "percussive"))
    np.testing.assert_array_equal(total, integers(file, 16))
    assert json.loads(out) == json.loads((folder / "mix-parts.json").read_text())


def test_many_components_have_no_spectrograms(file, tmp_path, capsys):
    words = ("-k", "13", "--stft", "512/256", "--iterations", "2", "-o", tmp_path / "out")
    code, out, err = quickly(capsys, "parts", file, *words)
    assert (code, err) == (0, "")
    assert "mix-part13.wav" in out
    assert "spectrogram" not in out
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"mix-parts.png", "mix-cost.png"}


def test_no_pictures(file, tmp_path, capsys):
    assert quickly(capsys, "parts", file, *QUICK, "--no-plots", "--group", "2", "-o", tmp_path / "out")[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "mix-part01.wav", "mix-part02.wav", "mix-parts.json",
    ]  # fmt: skip


def test_the_same_seed_gives_the_same_files(file, tmp_path, capsys):
    for name in ("one", "two"):
        assert quickly(capsys, "parts", file, *QUICK, "--group", "2", "-o", tmp_path / name)[0] == 0
    for name in ("mix-part01.wav", "mix-part02.wav", "mix-parts.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mix.wav", "-k", "100000"), "frames"), (("mix.wav", "-k", "0"), "--components"),
        (("mix.wav", "--group", "some"), "--group some"), (("mix.wav", "-k", "4", "--group", "5"), "5 groups"),
        (("mix.wav", "--divergence", "no"), "--divergence"), (("silence.wav",), "silent"), (("none.wav",), "none.wav"),
        (("text.wav",), "text.wav"), (("mix.wav", "-o", "mix.wav"), "mix.wav"), ((), "FILE"),
        (("mix.wav", "--stft", "512"), "512"), (("mix-part01.wav", "mix.wav", "-o", "."), "replace"),
        (("mix-percussive.wav", "mix.wav", "-o", "."), "replace"),
    ],
)  # fmt: skip
def test_the_command_refuses_in_one_sentence(file, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    recording("silence.wav", np.zeros((1, RATE)))
    recording("mix-part01.wav"), recording("mix-percussive.wav")
    (tmp_path / "text.wav").write_text("no sound")
    refuses(capsys, tmp_path, ("parts", *words), said)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_ctrl_c_leaves_nothing(file, tmp_path):
    before = sorted(path.name for path in tmp_path.iterdir())
    end = stopped("parts", file, "--iterations", "1000000", "-v", once="taking apart", after=0.2)
    assert end.code == 130
    assert "stopped, nothing was written" in end.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


# ---- the picture -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("components", "group"), [(1, None), (2, "harmonic-percussive"), (12, 3), (60, None)])
def test_the_picture(played, struck, tmp_path, components, group):
    result = otowake.parts((played + struck)[None], RATE, components, group=group, stft="512/256", iterations=5)
    result.draw(tmp_path / "a.png")
    pixels = (matplotlib_image(tmp_path / "a.png")[..., :3] * 255).astype(int)
    inked = (pixels < 200).any(-1)
    assert 0.02 < inked.mean() < 0.6
    rows = inked[:, pixels.shape[1] // 2 :].any(1)
    assert rows.mean() > 0.5 or components < 3
    colours = {tuple(pixel) for pixel in pixels[inked]}
    wanted = {None: 1, 3: 3, "harmonic-percussive": 2}[group]
    used = [(0x3B, 0x52, 0x8B), (0xD1, 0x60, 0x3D), (0x2A, 0x9D, 0x6F)]
    assert 1 <= [colour in colours for colour in used].count(True) <= wanted


def matplotlib_image(path):
    from matplotlib.image import imread

    return imread(path)


def test_the_picture_is_whole_or_not_at_all(played, tmp_path):
    result = otowake.parts(played[None], RATE, 3, stft="512/256", iterations=2)
    with pytest.raises(OtowakeError, match="nowhere"):
        result.draw(tmp_path / "nowhere" / "a.png")


def test_stereo_in_flac_stays_stereo_in_flac(tmp_path, capsys, played, struck):
    mix = recording(tmp_path / "song.flac", np.stack([played, struck]), "PCM_24")
    code, _, err = quickly(capsys, "parts", mix, *QUICK, "--group", "2", "--no-plots")
    assert (code, err) == (0, "")
    sounds = [integers(tmp_path / "song-parts" / f"song-part0{n}.flac", 24) for n in (1, 2)]
    np.testing.assert_array_equal(sum(sounds), integers(mix, 24))
    assert soundfile.info(tmp_path / "song-parts" / "song-part01.flac").channels == 2
