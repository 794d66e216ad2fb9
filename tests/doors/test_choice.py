"""What is taken where nothing is named."""

import numpy as np
import pytest

import otowake
from otowake.recipes import RECIPES
from otowake.tasks.choice import SHORTEST, default_stft

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
