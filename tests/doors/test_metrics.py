"""The measures against their definitions, and every odd input against a sentence or a defined value."""

import itertools

import numpy as np
import pytest
from kit import one_sentence

from otowake.core.errors import OtowakeError
from otowake.metrics import evaluate

T = 4000


def sources(n=2, seed=0, samples=T):
    return np.random.default_rng(seed).standard_normal((n, samples))


def delays(s, taps):
    """The matrix whose columns are s and its delays, both padded with zeros: (samples + taps - 1, taps)."""
    return np.stack([np.pad(s, (d, taps - 1 - d)) for d in range(taps)], axis=1)


def energy_in(columns, e, taps):
    """|P e|² / |e|² by least squares: the paper as it is written."""
    e = np.pad(e, (0, taps - 1))
    projection = columns @ np.linalg.lstsq(columns, e, rcond=None)[0]
    return projection @ projection / (e @ e)


def db(c):
    return 10 * np.log10(c / (1 - c))


def test_bss_eval_is_the_least_squares_projection():
    taps, s = 8, sources(2)
    e = np.stack([np.convolve(s[1], [0, 1, -0.4])[:T], s[0]]) + 0.3 * sources(2, 1) + 0.2 * s
    result = evaluate(s, e, taps=taps)
    np.testing.assert_array_equal(result.permutation, [1, 0])
    every = np.concatenate([delays(si, taps) for si in s], axis=1)
    for i, j in enumerate(result.permutation):
        one, all_ = energy_in(delays(s[i], taps), e[j], taps), energy_in(every, e[j], taps)
        np.testing.assert_allclose(result.sdr[i], db(one), atol=1e-6)
        np.testing.assert_allclose(result.sir[i], db(one / all_), atol=1e-6)
        np.testing.assert_allclose(result.sar[i], db(all_), atol=1e-6)


def test_si_sdr_of_orthogonal_noise_is_the_energy_ratio():
    s = sources(1)
    v = sources(1, 1)
    v -= (v @ s.T) / (s @ s.T) * s
    v *= np.linalg.norm(s) / np.linalg.norm(v) * 10 ** (-12.5 / 20)
    for scale in (1.0, -3.0, 1e-6):
        np.testing.assert_allclose(evaluate(s, scale * (s + v)).si_sdr, [12.5], atol=1e-9)


@pytest.mark.parametrize("scale", [1.0, -0.5, 1e-9, 1e8])
def test_a_scaled_copy_is_nearly_perfect(scale):
    s = sources(3)
    result = evaluate(s, scale * s)
    for measure in (result.sdr, result.sir, result.sar, result.si_sdr):
        assert (measure > 100).all()
        assert np.isfinite(measure).all()


def test_a_filtered_copy_is_perfect_for_bss_eval_and_not_for_si_sdr():
    s = sources(2)
    e = np.stack([np.convolve(si, [0.5, 0.5])[:T] for si in s])
    result = evaluate(s, e)
    assert (result.sdr > 30).all()
    assert (result.si_sdr < 1).all()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_any_order_of_the_estimates_gives_the_same_scores(order):
    s = sources(3)
    e = s + 0.1 * sources(3, 1)
    straight, mixed = evaluate(s, e), evaluate(s, e[list(order)])
    np.testing.assert_array_equal(np.array(order)[mixed.permutation], [0, 1, 2])
    np.testing.assert_allclose(mixed.sdr, straight.sdr)


def test_of_too_many_estimates_the_best_are_taken():
    s = sources(2)
    e = np.concatenate([sources(1, 5), s + 0.5 * sources(2, 1), sources(1, 6), s[::-1] + 0.1 * s])
    np.testing.assert_array_equal(evaluate(s, e[:4]).permutation, [1, 2])
    np.testing.assert_array_equal(evaluate(s[:1], s + 0.1 * sources(2, 1)).permutation, [0])


def test_improvements_are_over_the_mixture():
    s = sources(2)
    x = s.sum(axis=0)
    e = s + 0.1 * s[::-1]
    result = evaluate(s, e, x)
    alone = evaluate(s[:1], x)
    np.testing.assert_allclose(result.mixture.si_sdr[0], alone.si_sdr[0])
    np.testing.assert_allclose(result.mixture.sdr[0], alone.sdr[0])
    np.testing.assert_allclose(result.sdr_improvement, result.sdr - result.mixture.sdr)
    np.testing.assert_allclose(result.si_sdr_improvement, [20, 20], atol=0.5)
    np.testing.assert_allclose(result.sir_improvement, [20, 20], atol=0.5)
    assert evaluate(s, e).sdr_improvement is None


def test_one_source_has_no_interference():
    s = sources(1)
    result = evaluate(s[0], s[0] + 0.1 * sources(1, 1)[0], s[0])
    assert result.sir[0] == np.inf
    assert result.sir_improvement[0] == 0
    np.testing.assert_allclose(result.sdr, result.sar)


def test_a_silent_estimate_is_the_worst_there_is():
    s = sources(3)
    e = s + 0.1 * sources(3, 1)
    e[1] = 0
    result = evaluate(s, e, s.sum(axis=0))
    assert result.permutation.tolist() == [0, 1, 2]
    for measure in (result.sdr, result.sir, result.sar, result.si_sdr, result.sdr_improvement):
        assert measure[1] == -np.inf
        assert np.isfinite(measure[[0, 2]]).all()
    assert evaluate(s[:1], np.zeros(T)).sir[0] == -np.inf


ODD = {
    "silent reference": (np.stack([sources(1)[0], np.zeros(T)]), sources(2), None, "reference 1 is silent"),
    "fewer estimates": (sources(3), sources(2), None, "3 references but 2 estimates"),
    "lengths": (sources(2), sources(2)[:, :-1], None, "4000 samples and the estimates 3999"),
    "same reference": (np.stack([sources(1)[0], -2 * sources(1)[0]]), sources(2), None, "same signal"),
    "too short": (sources(2, samples=511), sources(2, samples=511), None, "fewer than the 512 taps"),
    "not finite": (sources(2), np.where(np.arange(T) == 7, np.nan, sources(2)), None, "nan at sample 7"),
    "silent mixture": (sources(2), sources(2), np.zeros(T), "mixture is silent"),
    "short mixture": (sources(2), sources(2), np.ones(T - 1), "mixture has shape"),
    "stereo mixture": (sources(2), sources(2), sources(2), "mixture has shape"),
    "no numbers": (np.array([["a"]]), sources(2), None, "real numbers"),
    "complex": (sources(2) * 1j, sources(2), None, "real numbers"),
    "nothing": (np.zeros((2, 0)), sources(2), None, "real numbers"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_input_is_one_sentence(case):
    references, estimates, mixture, words = ODD[case]
    with one_sentence(words):
        evaluate(references, estimates, mixture)


@pytest.mark.parametrize("scale", [1e-300, 1e-8, 1e8, 1e300])
def test_no_scale_is_too_small_or_too_large(scale):
    s = sources(2)
    e = s + 0.1 * sources(2, 1)
    np.testing.assert_allclose(evaluate(scale * s, scale * e).sdr, evaluate(s, e).sdr)


def hard_references():
    t = np.arange(T)
    yield "tones", np.stack([np.sin(0.1 * t), np.sin(0.37 * t)])
    yield "constant", np.stack([np.ones(T), sources(1)[0]])
    yield "one click each", np.eye(2, T)
    yield "delayed copy", np.stack([sources(1)[0], np.roll(sources(1)[0], 3)])
    yield "dull", np.stack([np.convolve(si, np.hanning(200))[:T] for si in sources(2)])
    yield "mostly silent", sources(2) * (t < 5)


@pytest.mark.parametrize(
    ("name", "s"), list(hard_references()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_references_of_little_bandwidth_give_numbers_or_a_sentence_never_nan(name, s):
    e = s[::-1] + 0.1 * sources(2, 1)
    try:
        result = evaluate(s, e, s.sum(axis=0))
    except OtowakeError:
        return
    for measure in (
        result.sdr,
        result.sir,
        result.sar,
        result.si_sdr,
        result.sdr_improvement,
        *result.mixture,
    ):
        assert not np.isnan(measure).any(), name


def test_inputs_are_not_changed_and_integers_are_welcome():
    s = (1000 * sources(2)).astype(np.int16)
    kept = s.copy()
    e = (s + 100 * sources(2, 1)).astype(np.float32)
    e.setflags(write=False)
    assert (evaluate(s, e[:, ::1]).sdr > 10).all()
    np.testing.assert_array_equal(s, kept)
