"""A run that was cut in two is the same run: bit for bit, in memory and through a file."""

import json
import math

import pytest
import torch
from cases import PLAIN, RECIPE_CASES, problem, ran
from safetensors.torch import load_file, save_file

from otowake.core.errors import OtowakeError
from otowake.core.run import iterate, last, saved, until
from otowake.core.state import SCHEMA, load_state, save_state, tensors


def assert_same(a, b):
    a, b = tensors(a), tensors(b)
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("name", RECIPE_CASES)
def test_four_and_six_steps_are_ten(name, dtype, tmp_path):
    method, X = RECIPE_CASES[name].method, problem(RECIPE_CASES[name], 21).to(dtype)
    whole, four = ran(method, X, 10), ran(method, X, 4)
    assert_same(ran(method, X, 6, four), whole)
    save_state(tmp_path / "state", four, k=4)
    k, loaded = load_state(tmp_path / "state", method.init(X, seed=5))  # `like` gives form only
    assert k == 4
    assert type(loaded) is type(four)
    assert_same(loaded, four)
    assert_same(ran(method, X, 6, loaded), whole)


@pytest.mark.parametrize("name", PLAIN)
def test_a_step_leaves_its_input_alone(name):
    method, X = RECIPE_CASES[name].method, problem(RECIPE_CASES[name], 22)
    s = ran(method, X, 3)
    before, heard = {n: x.clone() for n, x in tensors(s).items()}, X.clone()
    method.step(X, s)
    method.cost(X, s)
    method.estimate(X, s)
    assert torch.equal(X, heard)
    for n, x in tensors(s).items():
        assert torch.equal(x, before[n]), n


@pytest.mark.parametrize("name", PLAIN)
def test_a_seed_is_a_run(name):
    method, X = RECIPE_CASES[name].method, problem(RECIPE_CASES[name], 23)
    assert_same(ran(method, X, 3, seed=4), ran(method, X, 3, seed=4))


def test_seeds_differ():
    method, X = RECIPE_CASES["ilrma"].method, problem(RECIPE_CASES["ilrma"], 23)
    assert not torch.equal(ran(method, X, 3, seed=4).z.B, ran(method, X, 3, seed=5).z.B)


@pytest.mark.parametrize("name", PLAIN)
def test_the_loop_saves_what_it_stood_at(name, tmp_path):
    method, X = RECIPE_CASES[name].method, problem(RECIPE_CASES[name], 24)
    path = tmp_path / "state"
    end = last(until(saved(iterate(method, X, seed=1), path, every=3), steps=7))
    k, state = load_state(path, method.init(X))
    assert k == 6
    resumed = last(until(iterate(method, X, state, start=k), steps=7))
    assert resumed.k == 7
    assert_same(resumed.state, end.state)


# ---- files that are not taken ----------------------------------------------------------------------------------------


@pytest.fixture
def written(tmp_path):
    """(path, method, X) of a saved ILRMA."""
    method, X = RECIPE_CASES["ilrma"].method, problem(RECIPE_CASES["ilrma"], 25)
    save_state(tmp_path / "state", ran(method, X, 2), k=2)
    return tmp_path / "state", method, X


def refused(path, like):
    with pytest.raises(OtowakeError) as caught:
        load_state(path, like)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("other", ["auxiva", "nmf", "overiva", "ilrma-bases=3", "ilrma-shared=5", "ilrma-density=t"])
def test_a_state_of_another_method(written, other):
    path, _, _ = written
    case = RECIPE_CASES[other]
    assert "another method or mixture" in refused(path, case.method.init(problem(case, 25)))


def test_a_state_of_another_mixture_or_precision(written):
    path, method, X = written
    assert "another method or mixture" in refused(path, method.init(X[..., :-1]))
    assert "another method or mixture" in refused(path, method.init(X.to(torch.complex64)))


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_a_truncated_file(written, size):
    path, method, X = written
    path.write_bytes(path.read_bytes()[:size])
    assert "could not be read" in refused(path, method.init(X))


def test_no_file(tmp_path):
    method, X = RECIPE_CASES["ilrma"].method, problem(RECIPE_CASES["ilrma"], 25)
    assert "could not be read" in refused(tmp_path / "none", method.init(X))
    assert "could not be read" in refused(tmp_path, method.init(X))


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["z.B", "p.W:complex"])
def test_numbers_that_are_none(written, name, value):
    path, method, X = written
    named = load_file(path)
    named[name].view(-1)[3] = value
    save_file(named, path, {"otowake": json.dumps({"schema": SCHEMA, "k": 2})})
    assert "not finite" in refused(path, method.init(X))


@pytest.mark.parametrize(
    "meta",
    [None, "", "not json", "[]", "3", "{}", '{"schema": "otowake-state-0", "k": 1}', f'{{"schema": "{SCHEMA}"}}'],
)
def test_files_of_others(written, meta):
    path, method, X = written
    save_file(load_file(path), path, None if meta is None else {"otowake": meta})
    refused(path, method.init(X))


def test_complex_numbers_of_three_parts(written):
    path, method, X = written
    named = load_file(path)
    named["p.W:complex"] = torch.zeros(9, 3, 3, 3, dtype=torch.float64)
    save_file(named, path, {"otowake": json.dumps({"schema": SCHEMA, "k": 2})})
    refused(path, method.init(X))
