"""Words for parts: every divergence and rule can be named, shown and read again; what cannot be is refused."""

import numpy as np
import pytest
import torch

import otowake
from otowake.core.errors import OtowakeError
from otowake.divergence import AlphaBeta, Beta, DualIs, DualKl, HeavyT, Hellinger, Sum
from otowake.divergence.density import GGD, Gauss, Laplace, StudentT
from otowake.source.start import STARTS, Values
from otowake.source.step import RULES
from otowake.spec import describe, parse_settings, recipe, show
from otowake.tasks.door import Run

WORDS = {
    "is": Beta(0.0),
    "kl": Beta(1.0),
    "euclid": Beta(2.0),
    "beta:0.5": Beta(0.5),
    "beta:-1": Beta(-1.0),
    "ab:0.3,-2": AlphaBeta(0.3, -2.0),
    "hellinger": Hellinger(),
    "dual-kl": DualKl(),
    "dual-is": DualIs(),
    "gauss": Gauss(),
    "laplace": Laplace(),
    "cauchy": HeavyT(1.0),
    "t:2.5": HeavyT(2.5),
    "t:30": StudentT(30.0),
    "ggd:1.5": GGD(1.5),
    "is+kl": Sum((Beta(0.0), Beta(1.0))),
    "hellinger+beta:0.5+t:2.5": Sum((Hellinger(), Beta(0.5), HeavyT(2.5))),
}


@pytest.mark.parametrize("word", WORDS)
def test_divergences_by_name(word):
    read = parse_settings(recipe("nmf"), {"divergence": f" {word.upper()} "})["divergence"]
    assert read == WORDS[word]
    assert show(read) == word


@pytest.mark.parametrize(
    ("word", "part", "usual"),
    [
        ("frobenius", Beta(2.0), "euclid"),
        ("beta:1", Beta(1.0), "kl"),
        ("ab:-1,1", DualIs(), "dual-is"),
        ("t:1", HeavyT(1.0), "cauchy"),
    ],
)
def test_other_names_of_the_same(word, part, usual):
    read = parse_settings(recipe("nmf"), {"divergence": word})["divergence"]
    assert read == part
    assert show(read) == usual


NONE = ["", "nosuch", "beta", "beta:", "beta:two", "ab:1", "ab:1,2,3", "is:1", "kl:", "t:x", "is+", "+", "is+nosuch"]


@pytest.mark.parametrize("word", NONE)
def test_what_is_no_divergence_is_told_what_is(word):
    with pytest.raises(
        OtowakeError, match=r"divergence=.*nmf takes is, kl, euclid, beta:B, ab:A,B, .* or a sum such as is\+kl there"
    ):
        parse_settings(recipe("nmf"), {"divergence": word})


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("beta:11", "Beta: b must be"),
        ("ab:0,1", "AlphaBeta: a and b must be"),
        ("t:-1", "nu must be"),
        ("ggd:0", "GGD"),
    ],
)
def test_numbers_outside_are_told_the_range(word, sentence):
    with pytest.raises(OtowakeError, match=sentence):
        parse_settings(recipe("nmf"), {"divergence": word})


@pytest.mark.parametrize("name", RULES)
def test_rules_by_name(name):
    rule = parse_settings(recipe("nmf"), {"rule": name})["rule"]
    assert rule is RULES[name]
    assert show(rule) == name


@pytest.mark.parametrize("name", STARTS)
def test_starts_by_name(name):
    start = parse_settings(recipe("nmf"), {"start": name.upper()})["start"]
    assert start is STARTS[name]
    assert show(start) == name
    x = np.random.default_rng(5).laplace(size=(1, 4000))
    result = otowake.separate(x, 8000, "nmf", sources=3, iterations=3, stft="256/64", settings={"start": name})
    assert result.settings["start"] == name
    with pytest.raises(OtowakeError, match="nmf takes random or nndsvd there"):
        parse_settings(recipe("nmf"), {"start": "nosuch"})


def test_a_start_from_singular_vectors_knows_no_seed():
    x = np.random.default_rng(6).laplace(size=(1, 4000))
    one, two = (
        otowake.separate(x, 8000, "nmf", sources=3, seed=n, iterations=3, stft="256/64", settings={"start": "nndsvd"})
        for n in (0, 1)
    )
    np.testing.assert_array_equal(one.sources, two.sources)


def test_values_to_start_from():
    x = np.random.default_rng(7).laplace(size=(1, 4000))
    start = Values(torch.rand(3, 129, 1))
    result = otowake.separate(x, 8000, "nmf", sources=3, iterations=0, stft="256/64", settings={"start": start})
    assert result.settings["start"] == "values"
    torch.testing.assert_close(result.state.z.B, start.B.double())


def test_dual_kl_adds_to_nothing():
    x = np.random.default_rng(8).laplace(size=(1, 4000))
    with pytest.raises(OtowakeError, match="sum of divergences"):
        otowake.separate(x, 8000, "nmf", iterations=1, stft="256/64", settings={"divergence": "is+dual-kl"})


def test_defaults_can_be_read_again():
    for name in ("nmf", "ilrma", "auxiva", "auxiva_plus", "pds", "hva"):
        chosen = recipe(name)
        shown = {p.name: p.default_text for p in describe(chosen)}
        assert {key: show(value) for key, value in parse_settings(chosen, shown).items()} == shown


@pytest.mark.parametrize("word", [*WORDS, "frobenius"])
def test_a_recording_is_separated_with_it(word):
    x = np.random.default_rng(3).laplace(size=(1, 4000)) * np.sin(np.arange(4000) / 200)
    result = otowake.separate(
        x, 8000, "nmf", sources=2, iterations=3, stft="256/64", settings={"divergence": word, "power": "1"}
    )
    assert result.settings["divergence"] == {"frobenius": "euclid"}.get(word, word)
    assert result.settings["rule"] == "mm"
    np.testing.assert_allclose(result.sources.sum(0), x[0], atol=1e-9)


def test_cauchy_nmf_by_name():
    x = np.random.default_rng(4).laplace(size=(1, 4000))
    settings = {"divergence": "cauchy", "domain": "1", "rule": "me"}
    result = otowake.separate(x, 8000, "nmf", sources=2, iterations=3, stft="256/64", settings=settings)
    assert result.diagnostics["proved_monotone"]
    settings = {"divergence": "dual-kl", "rule": "me"}
    with pytest.raises(OtowakeError, match="rule mm only"):
        otowake.separate(x, 8000, "nmf", sources=2, iterations=3, stft="256/64", settings=settings)


# ---- what sources are drawn to, and who is who --------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"source": "group+low-rank", "splitting": "admm:2"},
        {"source": "harmonic+group:0.3", "splitting": "pds:0.7"},
        {"source": "sparse", "splitting": "pds", "tolerance": "0.1"},
    ],
)
def test_plug_and_play_by_name(settings):
    x = np.random.default_rng(9).laplace(size=(2, 8000))
    result = otowake.separate(x, 8000, "pds", iterations=5, stft="256/64", settings=settings)
    assert {key: result.settings[key] for key in ("source", "splitting")} == {
        key: settings[key] for key in ("source", "splitting")
    }
    np.testing.assert_allclose(result.sources.sum(0), x[0], atol=1e-9)
    assert 0 <= result.diagnostics["primal_residual"] < 10
    assert 0 <= result.diagnostics["dual_residual"] < 10
    for name, gap in result.residuals.items():
        assert gap[-1] == result.diagnostics[name]
        assert len(gap) == result.iterations
    assert result.report()["residuals"] == result.residuals


@pytest.mark.parametrize("text", ["loud", "group:", "group:x", "harmonic:2", "group+", "admm:a"])
def test_what_sources_cannot_be_drawn_to(text):
    key = "splitting" if text.startswith("admm") else "source"
    if text == "group:":
        assert parse_settings(recipe("pds"), {key: text})
        return
    with pytest.raises(OtowakeError, match=f"{key}={text.replace('+', '.')}: pds takes"):
        parse_settings(recipe("pds"), {key: text})


@pytest.mark.parametrize("weights", ["frame", "bin"])
@pytest.mark.parametrize("seeds", [1, 2])
def test_masks_divide_every_bin(weights, seeds):
    x = np.random.default_rng(9).laplace(size=(2, 8000)).astype(np.float32)
    run = {"sources": 3, "iterations": 25, "stft": "256/64", "seeds": seeds}
    result = otowake.separate(x, 8000, "cacgmm", settings={"weights": weights, "output": "mask"}, **run)
    assert result.masks.shape == (3, result.transform.bins, result.transform.frames(8000))
    assert result.masks.dtype == np.float32
    np.testing.assert_allclose(result.masks.sum(0), 1, atol=1e-6)
    X = result.transform.forward(torch.from_numpy(x[0]))
    heard = result.transform.inverse(torch.from_numpy(result.masks) * X, 8000)
    np.testing.assert_allclose(result.sources, heard, atol=1e-5)
    assert otowake.separate(x, 8000, "auxiva", iterations=2, stft="256/64").masks is None


@pytest.mark.parametrize(
    ("falling", "sentence"), [(0.95, "; more may help."), (1.0, ", which hardly fell in the last 10.")]
)
def test_it_says_whether_residuals_still_fall(falling, sentence):
    readings = tuple({"primal_residual": 0.1 * falling**k, "dual_residual": 0.01} for k in range(40))
    costs = [(k, 0, 1.0) for k in range(41)]
    (note,) = Run(None, costs, rest=(readings[-1], False), readings=readings).notes()
    assert sentence in note


def test_it_stops_at_rest_and_says_so():
    rng = np.random.default_rng(10)
    x = rng.laplace(size=(2, 2)) @ (rng.laplace(size=(2, 8000)) * np.repeat(rng.uniform(0, 1, (2, 40)), 200, 1))
    result = otowake.separate(
        x, 8000, "pds", iterations=500, stft="256/64", settings={"tolerance": 0.02, "source": "group:0.3"}
    )
    assert result.iterations < 500
    assert result.converged
    assert not result.notes
    hurried = otowake.separate(x, 8000, "pds", iterations=12, stft="256/64")
    assert not hurried.converged
    assert "had not come to rest" in hurried.notes[0]


def test_outputs_are_put_together_as_asked():
    x = np.random.default_rng(11).laplace(size=(3, 8000))
    alone = otowake.separate(x, 8000, "auxiva", iterations=5, stft="256/64").sources
    result = otowake.separate(
        x, 8000, "auxiva_plus", sources=2, iterations=5, stft="256/64", settings={"groups": "2,1,2"}
    )
    np.testing.assert_allclose(result.sources, [alone[1], alone[0] + alone[2]], atol=1e-9)
    assert result.settings["groups"] == "2,1,2"
    for groups, words in (("1,1,1", "each of the sources 1 to 2"), ("1,2", "2 groups were given for 3 outputs")):
        with pytest.raises(OtowakeError, match=words):
            otowake.separate(
                x, 8000, "auxiva_plus", sources=2, iterations=1, stft="256/64", settings={"groups": groups}
            )
