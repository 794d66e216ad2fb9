"""`otowake evaluate`: the table, the JSON, the globs, and the sentences."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from otowake.cli.arguments import expand_many
from otowake.cli.evaluate import evaluate
from otowake.core.errors import AudioRefused, OtowakeError
from otowake.signal import audio

RATE = 16_000


@pytest.fixture
def scene(tmp_path):
    """Two references, two estimates in the other order, the mixture of two channels; all as files."""
    s = 0.1 * np.random.default_rng(0).standard_normal((2, RATE // 4))
    x = np.stack([s.sum(axis=0), s[0] - s[1]])
    signals = {"ref1": s[0], "ref2": s[1], "est1": s[1] + 0.1 * s[0], "est2": s[0] + 0.1 * s[1], "mix": x}
    for name, samples in signals.items():
        audio.write(tmp_path / f"{name}.wav", samples, RATE)
    return tmp_path


def call(folder, *words):
    app = typer.Typer()
    app.command()(evaluate)
    words = [str(folder / word) if "." in word else word for word in words]
    return CliRunner().invoke(app, expand_many(words), env={"COLUMNS": "100"})


def test_the_table_names_the_matched_estimate_of_each_source(scene):
    result = call(scene, "ref1.wav", "ref2.wav", "--estimate", "est1.wav", "est2.wav", "--mixture", "mix.wav")
    assert result.exit_code == 0, result.output
    first, second, mean = [line for line in result.output.splitlines() if "wav" in line or "mean" in line]
    assert "est2.wav" in first
    assert "est1.wav" in second
    assert "mean" in mean
    for head in ("SDR", "SIR", "SAR", "SI-SDR", "SDRi", "SIRi", "SI-SDRi"):
        assert head in result.output


def test_json_is_one_object_and_nothing_else(scene):
    result = call(scene, "ref1.wav", "ref2.wav", "--estimate", "est1.wav", "est2.wav", "--mixture", "mix.wav", "--json")
    report = json.loads(result.stdout)
    assert [source["estimate"][-8:] for source in report["sources"]] == ["est2.wav", "est1.wav"]
    assert (report["unit"], report["rate"], report["samples"]) == ("dB", RATE, RATE // 4)
    for name, value in report["mean"].items():
        np.testing.assert_allclose(value, np.mean([source[name] for source in report["sources"]]))
    assert report["mean"]["si_sdr"] == pytest.approx(20, abs=0.5)
    assert report["mean"]["si_sdr_improvement"] == pytest.approx(20, abs=0.5)


def test_without_a_mixture_there_are_no_improvements(scene):
    report = json.loads(call(scene, "ref1.wav", "--estimate", "est1.wav", "est2.wav", "--json").stdout)
    assert set(report["mean"]) == {"sdr", "sir", "sar", "si_sdr"}
    assert report["mean"]["sir"] is None  # infinite: one reference has no interference
    assert "inf" in call(scene, "ref1.wav", "--estimate", "est2.wav").output


def test_a_silent_estimate_is_shown_as_minus_infinity(scene):
    audio.write(scene / "nothing.wav", np.zeros(RATE // 4), RATE)
    words = ("ref1.wav", "ref2.wav", "--estimate", "ref1.wav", "nothing.wav")
    report = json.loads(call(scene, *words, "--json").stdout)
    assert report["sources"][0]["sdr"] > 100
    assert report["sources"][1]["sdr"] is None
    assert report["mean"]["sdr"] is None
    assert "-inf" in call(scene, *words).output


def test_another_channel_can_be_compared(scene):
    words = ("ref1.wav", "--estimate", "mix.wav", "--json")
    audio.write(scene / "duo.wav", np.stack([np.ones(RATE // 4), audio.read(scene / "ref1.wav").samples[0]]), RATE)
    report = json.loads(call(scene, "ref1.wav", "--estimate", "duo.wav", "--channel", "1", "--json").stdout)
    assert report["sources"][0]["si_sdr"] > 100
    assert json.loads(call(scene, *words).stdout)["sources"][0]["si_sdr"] < 3
    result = call(scene, "ref1.wav", "--estimate", "duo.wav", "--channel", "2")
    assert isinstance(result.exception, OtowakeError)
    assert "channels 0 to 1" in str(result.exception)


def test_files_that_do_not_fit_together_are_one_sentence(scene):
    audio.write(scene / "slow.wav", np.ones(RATE // 4), 8000)
    audio.write(scene / "short.wav", np.ones(RATE // 8), RATE)
    for name, words in (("slow.wav", "8000 Hz"), ("short.wav", "2000")):
        result = call(scene, "ref1.wav", "--estimate", name)
        assert isinstance(result.exception, OtowakeError)
        assert name in str(result.exception)
        assert "ref1.wav" in str(result.exception)
        assert words in str(result.exception)
    assert isinstance(call(scene, "ref1.wav", "--estimate", "gone.wav").exception, AudioRefused)
    result = call(scene, "ref1.wav", "ref2.wav", "--estimate", "est1.wav")
    assert "2 references but 1 estimates" in str(result.exception)


def test_names_with_markup_are_shown_as_they_are(scene):
    (scene / "est1.wav").rename(scene / "[red]e.wav")
    assert "[red]e.wav" in call(scene, "ref2.wav", "--estimate", "[red]e.wav").output


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("evaluate r --estimate a b c", "evaluate r --estimate a --estimate b --estimate c"),
        ("r --estimate a b --json", "r --estimate a --estimate b --json"),
        ("r --estimate a b --mixture m x", "r --estimate a --estimate b --mixture m x"),
        ("--estimate a --estimate b c", "--estimate a --estimate b --estimate c"),
        ("--estimate a b -- r s", "--estimate a --estimate b -- r s"),
        ("--estimate=a b", "--estimate=a b"),
        ("r --estimate", "r --estimate"),
        ("r --estimate --json", "r --estimate --json"),
        ("separate a b", "separate a b"),
        ("", ""),
    ],
)
def test_one_flag_takes_many_values(given, expected):
    assert expand_many(given.split()) == expected.split()
