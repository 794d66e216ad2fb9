"""Words for parts: every divergence and rule can be named, shown and read again; what cannot be is refused."""

import numpy as np
import pytest

import otowake
from otowake.core.errors import OtowakeError
from otowake.divergence import AlphaBeta, Beta, DualIs, DualKl, HeavyT, Hellinger
from otowake.divergence.density import GGD, Gauss, Laplace, StudentT
from otowake.source.step import RULES
from otowake.spec import describe, parse_settings, recipe, show

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


@pytest.mark.parametrize("word", ["", "nosuch", "beta", "beta:", "beta:two", "ab:1", "ab:1,2,3", "is:1", "kl:", "t:x"])
def test_what_is_no_divergence_is_told_what_is(word):
    with pytest.raises(
        OtowakeError, match=r"divergence=.*nmf takes is, kl, euclid, beta:B, ab:A,B, .* ggd:SHAPE there"
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


def test_defaults_can_be_read_again():
    for name in ("nmf", "ilrma", "auxiva"):
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
