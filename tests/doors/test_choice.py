"""What is taken where nothing is named."""

import numpy as np
import pytest
import torch
from kit import one_sentence, quickly, recording, refuses

import otowake
from otowake.recipes import RECIPES
from otowake.signal.reverberation import Reverberation
from otowake.spec import parse_settings, recipe
from otowake.tasks import choice, limits
from otowake.tasks.choice import DEFAULT, RULES, SHORTEST, STRONG, Rule, Scene, choose, default_stft

RATES = (8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seconds", sorted({recipe.frame for recipe in RECIPES.values()}))
def test_the_frame_lasts_what_the_recipe_says(rate, seconds):
    stft = default_stft(rate, seconds, 100 * rate)
    assert 0.8 < stft.n_fft / (seconds * rate) < 1.25
    assert stft.hop * 4 == stft.n_fft
    odd = stft.n_fft // (stft.n_fft & -stft.n_fft)
    assert odd in (1, 3), "a size the FFT is fast for"


@pytest.mark.parametrize("samples", [0, 1, 255, 1024, 5000, 20_000])
def test_a_short_recording_gets_short_frames(samples):
    stft = default_stft(16_000, 0.4, samples)
    assert stft.n_fft == SHORTEST or stft.n_fft < samples / 3
    assert default_stft(16_000, 0.4, 16_000).n_fft > 1000


def test_a_second_is_separated_and_a_hundred_samples_are_refused():
    x = np.random.default_rng(1).laplace(size=(2, 16_000))
    assert np.isfinite(otowake.separate(x, 16_000, iterations=2).sources).all()
    with pytest.raises(otowake.OtowakeError, match="100 samples are less than one STFT frame of 256"):
        otowake.separate(x[:, :100], 16_000)


@pytest.mark.parametrize("shape", [(0, 16_000), (2, 0), (0, 2, 16_000)])
@pytest.mark.parametrize("door", [otowake.separate, otowake.parts])
def test_no_samples_at_all_are_refused(door, shape):
    with pytest.raises(otowake.OtowakeError, match="which holds none"):
        door(np.zeros(shape), 16_000)


def test_offset_of_all_channels_takes_no_dimension():
    mixing = np.array([[1.0, 0.5, 0.2], [0.3, 1.0, -0.4], [-0.2, 0.6, 1.0]])
    sounds = np.diff(np.random.default_rng(2).laplace(size=(3, 16_003)), n=3)  # little at low frequencies
    x = 1e-2 * mixing @ sounds + 0.7
    result = otowake.separate(x, 16_000, iterations=2)
    assert result.diagnostics["rank"] == 3
    assert len(result.sources) == 3


@pytest.mark.parametrize("method", ["fastmnmf", "fastmnmf2", "mnmf"])
def test_more_sources_than_microphones_where_the_method_can(method):
    x = 0.1 * np.random.default_rng(3).laplace(size=(2, 4_000))
    result = otowake.separate(x, 8_000, method, sources=3, iterations=1, stft="256/64", settings={"start": "cold"})
    assert result.sources.shape == (3, 4_000)
    np.testing.assert_allclose(result.sources.sum(0), x[0], atol=1e-9)
    assert result.settings["sources"] == 3
    with pytest.raises(otowake.OtowakeError, match="3 sources cannot be told apart"):
        otowake.separate(x, 8_000, "ilrma", sources=3, stft="256/64")


def test_as_many_sources_as_independent_channels_unless_told():
    x = 0.1 * np.random.default_rng(4).laplace(size=(3, 4_000))
    x[2] = x[0] - x[1]
    result = otowake.separate(x, 8_000, "fastmnmf2", iterations=1, stft="256/64", settings={"start": "cold"})
    assert result.settings["sources"] == len(result.sources) == 2
    with pytest.raises(otowake.OtowakeError, match="rcscme finds one source"):
        otowake.separate(x, 8_000, "rcscme", sources=2, stft="256/64")


# ---- the rules of auto ------------------------------------------------------------------------------------


def scene(channels=2, sources=2, seconds=5.0, rate=8_000):
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(channels, round(seconds * rate), generator=generator, dtype=torch.float64)
    return Scene(0.1 * samples, rate, sources)


CASES = {
    "stereo": (scene(), DEFAULT), "three of three": (scene(3, 3), DEFAULT), "four of eight": (scene(8, 4), "fastmnmf2"),
    "three talkers, two microphones": (scene(2, 3), "mnmf"), "five talkers, four": (scene(4, 5), "mnmf"),
    "three talkers for minutes": (scene(2, 3, seconds=130.0, rate=1_000), "cacgmm"),
    "short": (scene(seconds=0.5), DEFAULT),
}  # fmt: skip


@pytest.mark.parametrize(("it", "expected"), CASES.values(), ids=CASES)
def test_auto_takes(it, expected):
    chosen = choose("auto", it.samples, it.rate, it.sources)
    assert chosen.recipe.name == expected
    assert chosen.why
    assert "{" not in chosen.why


def test_a_rule_holds_for_everything_and_names_what_is_there():
    odd = Scene(torch.zeros(64, 0), 8_000, 1)
    assert RULES[-1].holds(odd)
    odd.__dict__["room"] = Reverberation(0.61, 0.5, 0.7)
    for rule in RULES:
        parse_settings(recipe(rule.take), rule.settings)
        assert rule.why.format(it=odd)


def test_strong_reverberation_is_said():
    it = decaying(STRONG + 0.2)
    found = choose("auto", it.samples, it.rate, 2)
    assert "strong reverberation (about 0." in found.why
    assert found.found["reverberation"]["seconds"] > STRONG
    assert "strong" not in choose("auto", decaying(0.3).samples, it.rate, 2).why


def test_without_a_number_of_sources_there_are_as_many_as_microphones():
    it = scene(3, 3)
    assert choose("auto", it.samples, it.rate, None) == choose("auto", it.samples, it.rate, 3)


def reverberant(it):
    return it.room is not None and it.room.seconds > 0.3


def test_the_room_is_measured_only_when_a_rule_looks_at_it(monkeypatch):
    asked = []
    monkeypatch.setattr(choice, "reverberation", lambda x, rate: asked.append(x.shape))
    it = scene()
    assert choose("auto", it.samples, it.rate, 3).found == {}
    assert choose("ilrma", it.samples, it.rate, 2).found == {}
    assert asked == []
    assert choose("auto", torch.stack([it.samples] * 3), it.rate, 2).found == {"reverberation": None}
    assert asked == [it.samples.shape], "once, the first of the batch"


def decaying(seconds):
    """Bursts of noise that die away with this reverberation time."""
    it = scene()
    t = torch.arange(it.samples.shape[-1]) / it.rate % 1.5
    return Scene(it.samples * 10 ** (-3 * (t - 0.3).clamp_min(0) / seconds), it.rate, it.sources)


def test_a_room_that_was_measured_is_reported(monkeypatch):
    x = decaying(0.4).samples.numpy()
    result = otowake.separate(x, 8_000, iterations=1)
    assert result.method == DEFAULT
    assert set(result.diagnostics["reverberation"]) == {"seconds", "low", "high"}
    assert result.diagnostics["reverberation"]["seconds"] == pytest.approx(0.4, rel=0.25)
    assert "reverberation" not in otowake.separate(x, 8_000, "ilrma", iterations=1).diagnostics


def test_settings_of_a_rule_give_way_to_those_asked_for(monkeypatch):
    rule = Rule(lambda it: it.seconds < 9, "auxiva", "{it.seconds:g} s are short", {"density": "gauss"})
    monkeypatch.setattr(choice, "RULES", (rule, *RULES))
    x = scene(seconds=1.0).samples.numpy()
    taken = otowake.separate(x, 8_000, iterations=1)
    assert (taken.method, taken.why, taken.settings["density"]) == ("auxiva", "1 s are short", "gauss")
    mine = otowake.separate(x, 8_000, iterations=1, settings={"density": "laplace"})
    assert mine.settings["density"] == "laplace"


def test_auto_separates_more_talkers_than_microphones(tmp_path, capsys):
    source = recording(tmp_path / "mix.wav")
    words = ("--sources", "3", "--iterations", "2", "--no-plots", "-o", tmp_path / "out")
    assert quickly(capsys, "separate", source, *words)[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*source*")) == [
        f"mix-source{n}.wav" for n in (1, 2, 3)
    ]


# ---- numbers of sources that cannot be --------------------------------------------------------------------

SQUARE = [name for name, one in RECIPES.items() if one.takes in ("square", "more")]
FREE = [name for name, one in RECIPES.items() if one.takes == "any"]
FRAME = ("--stft", "256/64", "--iterations", "1", "--no-plots")


@pytest.mark.parametrize("method", SQUARE)
def test_demixing_refuses_more_sources_than_microphones_and_says_who_does_not(method, tmp_path, capsys):
    source = recording(tmp_path / "mix.wav")
    words = ("separate", source, "--method", method, *FRAME, "-o", tmp_path / "out", "--sources")
    for many in (3, 100_000):
        refuses(capsys, tmp_path, (*words, many), "--method fastmnmf, fastmnmf2, mnmf, cacgmm or cgmm")


@pytest.mark.parametrize("method", [*RECIPES, "auto"])
@pytest.mark.parametrize("sources", [0, -1, 100_000])
def test_absurd_numbers_of_sources_are_refused_before_anything_is_made(method, sources):
    mono = method != "auto" and RECIPES[method].takes == "one"
    x = scene(1 if mono else 2, seconds=1.0).samples.numpy()
    with one_sentence("sources cannot be|finds one source"):
        otowake.separate(x, 8_000, method, sources=sources)


@pytest.mark.parametrize("method", FREE)
def test_the_most_sources_are_said(method, tmp_path, capsys):
    source = recording(tmp_path / "mix.wav")
    words = ("separate", source, "--method", method, *FRAME, "-o", tmp_path / "out", "--sources", "65")
    refuses(capsys, tmp_path, words, "ask for 1 to 64")


@pytest.mark.parametrize("method", [name for name, one in RECIPES.items() if one.takes != "one"])
def test_fewer_sources_than_microphones(method):
    x = scene(3, seconds=0.5).samples.numpy()
    result = otowake.separate(x, 8_000, method, sources=1, iterations=1, stft="256/64")
    assert result.sources.shape == x[:1].shape
    rest = 0 if result.rest is None else result.rest
    np.testing.assert_allclose(result.sources.sum(0) + rest, x[0], atol=1e-9)


def test_what_does_not_fit_into_the_memory_is_refused(monkeypatch, tmp_path, capsys):
    source = recording(tmp_path / "mix.wav")
    monkeypatch.setattr(limits, "memory", lambda: 2**22)
    words = ("separate", source, "--method", "fastmnmf2", *FRAME, "-o", tmp_path / "out", "--sources", "60")
    refuses(capsys, tmp_path, words, "ask for fewer sources, or take a shorter recording")
    monkeypatch.setattr(limits, "memory", lambda: None)
    limits.check_fits(RECIPES["mnmf"], torch.zeros(1, 10**9).expand(2, -1), 64, default_stft(8_000, 0.4, 10**9))


def test_the_memory_of_this_machine_is_known_or_not():
    assert limits.memory() is None or limits.memory() > 2**20


# ---- microphones that do not fit ---------------------------------------------------------------------------

GROUPS = {"1,2": "2 groups were given for 3 outputs", "1,2,1,2": "4 groups", "1,2,3": "each of the sources 1 to 2",
          "1,1,1": "each of the sources", "0,1,2": "each of the sources"}  # fmt: skip


@pytest.mark.parametrize(("groups", "said"), GROUPS.items())
def test_groups_that_do_not_fit_the_microphones(groups, said, tmp_path, capsys):
    source = recording(tmp_path / "mix.wav", np.random.default_rng(0).laplace(0, 0.05, (3, 4_000)))
    words = ("separate", source, "--method", "auxiva_plus", "--sources", "2", "--set", f"groups={groups}", *FRAME)
    refuses(capsys, tmp_path, (*words, "-o", tmp_path / "out"), said)


STACKS = {
    "another length": (4_000, 8_000, "cut them"), "another rate": (8_000, 16_000, "resample"),
}  # fmt: skip


@pytest.mark.parametrize(("samples", "rate", "said"), STACKS.values(), ids=STACKS)
def test_files_that_are_not_of_one_recording(samples, rate, said, tmp_path, capsys):
    noise = np.random.default_rng(0).laplace(0, 0.05, (1, 8_000))
    files = recording(tmp_path / "left.wav", noise), recording(tmp_path / "right.wav", noise[:, :samples], rate=rate)
    refuses(capsys, tmp_path, ("separate", *files, "--stack", *FRAME, "-o", tmp_path / "out"), said)


@pytest.mark.parametrize("reference", [-1, 2])
def test_a_reference_that_is_no_channel(reference):
    with one_sentence(f"reference channel {reference} does not exist"):
        otowake.separate(scene().samples.numpy(), 8_000, reference=reference)


@pytest.mark.parametrize("target", ["3", "-1"])
def test_a_target_that_is_no_output(target, tmp_path, capsys):
    source = recording(tmp_path / "mix.wav")
    words = ("separate", source, "--method", "rcscme", "--set", f"target={target}", *FRAME)
    refuses(capsys, tmp_path, (*words, "-o", tmp_path / "out"), f"no target {target}")
