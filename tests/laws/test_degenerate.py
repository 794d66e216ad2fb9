"""Odd input: every number that comes out is finite, or one sentence says what is wrong."""

import json

import numpy as np
import pytest
import torch
from cases import PAIRINGS, PLAIN, RECIPE_CASES, Case, problem, ran

import otowake
from otowake.core.errors import OtowakeError
from otowake.core.run import finite, iterate, last, until
from otowake.core.state import rebuilt, tensors
from otowake.recipes import RECIPES

# ---- spectrograms, at the method -------------------------------------------------------------------------------------


def dead_bin(X):
    X[..., 0, :] = 0
    X[..., 4, :] = 0
    return X


def dust(X):
    """Bins at 1e-12 of the power of the others, and at 1e-300."""
    X[..., 2, :] *= 1e-6
    X[..., 5, :] *= 1e-150
    return X


def twin(X):
    X[-1] = X[0]
    return X


def twin_but_for_noise(X):
    X[-1] = X[0] + 1e-5 * X[-1]
    return X


def silent_microphone(X):
    X[-1] = 0
    return X


def silence(X):
    return torch.zeros_like(X)


def constant(X):
    """Power in the lowest bin only, the same in every frame."""
    X[..., 1:, :] = 0
    X[..., 0, :] = X[..., 0, :1]
    return X


def silent_frames(X):
    X[..., 10:30] = 0
    return X


def one_frame(X):
    return X[..., :1]


def few_frames(X):
    """Fewer than microphones."""
    return X[..., :2]


def clicks(X):
    X[..., ::20] *= 1e6
    return X


def quiet(X):
    return 1e-8 * X


def loud(X):
    return 1e8 * X


ODD = [
    dead_bin,
    dust,
    twin,
    twin_but_for_noise,
    silent_microphone,
    silence,
    constant,
    silent_frames,
    one_frame,
    few_frames,
    clicks,
    quiet,
    loud,
]


def attempt(work):
    """(what came out, "") or (None, the sentence)."""
    try:
        return work(), ""
    except OtowakeError as error:
        return None, str(error)


def assert_finite(case: Case, X: torch.Tensor, steps: int, dtypes: tuple[torch.dtype, ...]) -> None:
    """States, costs and images.  One clear error is as good."""
    for dtype in dtypes:
        Xd = X.to(dtype)
        s, sentence = attempt(lambda: last(until(finite(iterate(case.method, Xd)), steps=steps)).state)
        assert "not finite any more" not in sentence, f"{dtype}: {sentence}"
        if sentence:
            continue
        images = case.method.images(Xd, s, range(case.mics))
        assert images.isfinite().all(), dtype
        assert images.dtype == dtype
        assert case.method.cost(Xd, s).isfinite().all(), dtype
        assert images.abs().max() <= 1e3 * Xd.abs().max(), f"{dtype}: large outputs that cancel"


def dtypes_for(odd):
    """Methods take unit mean power; v^3 of a gain of 1e8 leaves single precision, double still holds it."""
    return (torch.complex128,) if odd in (quiet, loud) else (torch.complex128, torch.complex64)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.__name__)
@pytest.mark.parametrize("name", RECIPE_CASES)
def test_methods(name, odd):
    case = RECIPE_CASES[name]
    assert_finite(case, odd(problem(case, 61)), 8, dtypes_for(odd))


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.__name__)
@pytest.mark.parametrize("name", PAIRINGS)
def test_pairings(name, odd):
    case = PAIRINGS[name]
    assert_finite(case, odd(problem(case, 62)), 20, dtypes_for(odd))


@pytest.mark.parametrize("name", PLAIN)
def test_one_odd_item_leaves_the_rest_of_a_batch_alone(name):
    case = PLAIN[name]
    X = problem(case, 63)
    both = torch.stack([X, dead_bin(twin(X.clone()))])
    images = case.method.images(both, ran(case.method, both, 4), (0,))
    alone = case.method.images(X, ran(case.method, X, 4), (0,))
    torch.testing.assert_close(images[0], alone, rtol=1e-9, atol=1e-9)
    assert images.isfinite().all()


@pytest.mark.parametrize("name", PLAIN)
def test_a_state_that_is_not_finite_is_named(name):
    """Nothing in a method hides NaN; the loop finds it and says where and when."""
    case = PLAIN[name]
    X = problem(case, 64)
    s = ran(case.method, X, 2)
    broken = next(key for key, x in tensors(s).items() if x.is_floating_point())
    s = rebuilt(s, {key: x * torch.nan if key == broken else x for key, x in tensors(s).items()})
    with pytest.raises(OtowakeError, match=rf"After 2 iterations {broken} is not finite any more"):
        last(until(finite(iterate(case.method, X, s, start=2)), steps=3))


def test_a_mixture_of_another_transform():
    method, X = PLAIN["consistent_ilrma"].method, problem(PLAIN["consistent_ilrma"], 66, bins=10)
    with pytest.raises(OtowakeError, match="10 bins, the STFT of 16 samples makes 9"):
        method.init(X)
    with pytest.raises(OtowakeError, match="2 frames, the STFT of a single sample has 4"):
        method.init(problem(PLAIN["consistent_ilrma"], 66, frames=2))


# ---- samples, at the front door --------------------------------------------------------------------------------------

SAMPLES = 3000


def clipped(x):
    return np.clip(x, -0.02, 0.02)


def offset(x):
    return np.full_like(x, 0.3)


def offset_and_sound(x):
    return x + 0.7


def duplicated(x):
    x[-1] = x[0]
    return x


def inverted(x):
    x[-1] = -x[0]
    return x


def no_sound(x):
    return 0 * x


def dead_channel(x):
    x[-1] = 0
    return x


def one_sample(x):
    x[:] = 0
    x[:, 1500] = [0.5, 0.4, 0.3, 0.2][: len(x)]
    return x


def sine(x):
    t = np.arange(x.shape[-1])
    return np.stack([np.sin(0.2 * t + m) for m in range(len(x))])


def half_silent(x):
    x[:, : SAMPLES // 2] = 0
    return x


def one_stft_frame(x):
    return x[:, :256]


def short(x):
    return x[:, :255]


def not_a_number(x):
    x[0, 700] = np.nan
    return x


def infinite(x):
    x[-1, 3] = np.inf
    return x


def band_limited(x):
    spectrum = np.fft.rfft(x)
    spectrum[:, spectrum.shape[1] // 3 :] = 0
    return np.fft.irfft(spectrum, n=x.shape[-1])


def tiny(x):
    return x * 1e-8


def huge(x):
    return x * 1e8


def denormal(x):
    return x * 1e-310


RECORDINGS = [
    clipped,
    offset,
    offset_and_sound,
    duplicated,
    inverted,
    no_sound,
    dead_channel,
    one_sample,
    sine,
    half_silent,
    one_stft_frame,
    short,
    not_a_number,
    infinite,
    band_limited,
    tiny,
    huge,
    denormal,
]


def recording(mics):
    rng = np.random.default_rng(65)
    sounds = rng.laplace(size=(2, SAMPLES)) * np.abs(np.sin(np.arange(SAMPLES) * [[0.003], [0.007]]))
    filters = rng.standard_normal((mics, 2, 8)) * 0.6 ** np.arange(8)
    x = np.array([sum(np.convolve(s, h)[:SAMPLES] for s, h in zip(sounds, hs)) for hs in filters])
    return 0.1 * x / np.abs(x).max() + 1e-4 * rng.standard_normal(x.shape)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("odd", RECORDINGS, ids=lambda odd: odd.__name__)
@pytest.mark.parametrize("name", RECIPES)
def test_the_front_door(name, odd, dtype):
    x = odd(recording({"one": 1, "square": 2, "more": 3, "any": 2}[RECIPES[name].takes])).astype(dtype)
    given = x.copy()
    result, sentence = attempt(lambda: otowake.separate(x, 8000, name, sources=2, iterations=8, stft="256/64"))
    if sentence:
        assert "not finite any more" not in sentence, sentence
        assert "\n" not in sentence
        assert odd not in (clipped, half_silent, band_limited, tiny, huge), f"refused: {sentence}"
        return
    assert odd not in (no_sound, short, not_a_number, infinite), "should have been refused"
    np.testing.assert_array_equal(x, given)
    rest = 0 if result.rest is None else result.rest
    assert np.isfinite(result.sources).all()
    close = (1e-6 if dtype == np.float32 else 1e-9) * max(np.abs(x).max(), np.abs(result.sources).max())
    np.testing.assert_allclose(result.sources.sum(0) + rest, x[0], atol=close, rtol=0)
    json.dumps(result.report(), allow_nan=False)


@pytest.mark.parametrize("name", [name for name in RECIPES if RECIPES[name].takes != "one"])
def test_one_channel_is_refused_where_channels_are_compared(name):
    with pytest.raises(OtowakeError, match="one channel"):
        otowake.separate(recording(1), 8000, name, sources=2, stft="256/64")


def test_every_tensor_of_a_state_is_looked_at():
    case = RECIPE_CASES["ilrma-density=t"]
    assert set(tensors(case.method.init(problem(case, 1)))) == {
        "k",
        "s.z.B",
        "s.z.H",
        "s.z.e",
        "s.p.W",
        "s.p.C",
        "s.p.live",
    }
