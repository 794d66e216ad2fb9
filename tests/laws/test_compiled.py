"""A compiled method takes the steps of the method itself, and has its cost."""

import pytest
import torch
from cases import RECIPE_CASES, problem, ran

from otowake.core.state import tensors
from otowake.divergence.density import StudentT
from otowake.fused import compiled
from otowake.recipes import RECIPES

STEPS = 4


@pytest.mark.parametrize("name", RECIPE_CASES)
def test_the_steps_are_the_same(name):
    case = RECIPE_CASES[name]
    X = problem(case, 71)
    plain, fast = (tensors(ran(method, X, STEPS)) for method in (case.method, compiled(case.method)))
    assert list(plain) == list(fast)
    for key, x in plain.items():
        assert fast[key].dtype == x.dtype
        torch.testing.assert_close(fast[key], x, rtol=1e-6, atol=1e-9, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.parametrize("name", RECIPE_CASES)
def test_the_cost_is_the_same(name):
    case = RECIPE_CASES[name]
    X = problem(case, 72)
    s = ran(case.method, X, STEPS)
    torch.testing.assert_close(compiled(case.method).cost(X, s), case.method.cost(X, s), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("settings", [{}, {"bases": 20}, {"sparsity": 0.1}], ids=str)
@pytest.mark.parametrize("name", ["ilrma", "consistent_ilrma"])
def test_kernels_are_taken_inside_of_starts(name, settings):
    assert compiled(RECIPES[name].build(**settings)).method.whole is not None


def test_kernels_are_taken_after_warm_starts():
    method = compiled(RECIPES["ilrma"].build(density=StudentT(30.0), temper=2))
    assert all(part.whole is not None for part in (method.first.method, method.then, *method.between))


@pytest.mark.parametrize("name", ["auxiva", "hva", "nmf", "cacgmm"])
def test_what_has_no_kernel_is_the_same_object(name):
    method = RECIPES[name].build()
    assert compiled(method) is method
