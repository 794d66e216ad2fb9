"""Sounds add up to the mixture where the model says so: 1e-12 of its largest value."""

import pytest
import torch
from cases import RECIPE_CASES, mixture, problem, warmed

from otowake.core.separator import Separator
from otowake.divergence.density import Gauss
from otowake.recipes import RECIPES
from otowake.source import SOURCES
from otowake.spatial.observed import Observed

APART = ("overiva", "rcscme")
SUMS = {name: case for name, case in RECIPE_CASES.items() if not name.startswith(APART) and not name.endswith("mvdr")}
"""All but OverIVA and RCSCME, which keep a share apart as noise, and beamformers, which know nothing of each other."""


def assert_sums_to(images, X):
    assert (images.sum(-4) - X).abs().max() <= 1e-12 * X.abs().max()


@pytest.mark.parametrize("name", SUMS)
def test_images_at_every_microphone(name):
    case = SUMS[name]
    X = problem(case, 41)
    s = warmed(case.method, X)
    images = case.method.images(X, s, range(case.mics))
    assert_sums_to(images, X)
    assert torch.equal(case.method.estimate(X, s), images[:, 0])
    assert (images.abs().amax((-3, -2, -1)) > 0).all(), "a source is empty"


@pytest.mark.parametrize("name", SUMS)
def test_bins_that_are_not_demixed_are_shared_out(name):
    """A bin of fewer dimensions than microphones, and an empty one."""
    case = SUMS[name]
    X = problem(case, 42)
    X[..., 3, :] = 0
    X[:, 5] = X[:1, 5] * torch.arange(1, case.mics + 1)[:, None]
    s = warmed(case.method, X)
    assert_sums_to(case.method.images(X, s, range(case.mics)), X)


@pytest.mark.parametrize("name", [name for name in RECIPE_CASES if name.startswith("overiva")])
def test_what_overiva_leaves_is_unlike_its_sources(name):
    """The rest is uncorrelated with every source, bin by bin: that is what J says."""
    case = RECIPE_CASES[name]
    X = problem(case, 43)
    s = warmed(case.method, X)
    images = case.method.images(X, s, range(case.mics))
    rest = X - images.sum(0)
    assert rest.abs().max() > 1e-3 * X.abs().max()
    correlation = torch.einsum("mft,nft->fmn", rest, images[:, 0].conj())
    assert correlation.abs().max() <= 1e-9 * X.abs().square().sum((-3, -1)).max()


@pytest.mark.parametrize("source", SOURCES)
def test_wiener_images(source):
    X = mixture(44, 1, sources=3)
    method = Separator(SOURCES[source], Observed(Gauss(), 3))
    assert_sums_to(method.images(X, warmed(method, X), (0,)), X)


@pytest.mark.parametrize("name", [name for name in RECIPES if RECIPES[name].takes != "one"])
def test_microphones_come_in_the_order_asked_for(name):
    case = RECIPE_CASES[name]
    X = problem(case, 45)
    s = warmed(case.method, X)
    images = case.method.images(X, s, range(case.mics))
    assert torch.equal(case.method.images(X, s, (2, 0)), images[:, [2, 0]])
