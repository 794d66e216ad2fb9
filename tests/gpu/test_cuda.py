"""On a CUDA device every recipe gives what the CPU gives; `pytest -m gpu`."""

import numpy as np
import pytest
import torch
from cases import PLAIN, RECIPE_CASES, asked, problem, ran, warmed
from test_equivariance import recording

import otowake
from otowake.core.errors import OtowakeError
from otowake.core.graph import graphed
from otowake.core.state import tensors
from otowake.core.wrap import Warm
from otowake.ops import OPS
from otowake.tasks import blocks

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]
STEPS = 5
GRAPHS = ["auxiva", "ilrma", "ilrma-bases=3", "consistent_ilrma", "fastmnmf", "fastmnmf2", "cacgmm", "nmf"]


def images(case, X, state):
    return case.method.images(X, state, (0,)).cpu()


def assert_near(found, wanted, tolerance):
    """Beside the largest value."""
    assert bool(found.isfinite().all())
    assert float((found - wanted).abs().max()) <= tolerance * float(wanted.abs().max())


@pytest.mark.parametrize("name", RECIPE_CASES)
def test_the_same_as_on_the_cpu(name):
    case = RECIPE_CASES[name]
    X = problem(case, 51)
    Y = X.cuda()
    s, t = ran(case.method, X, STEPS), ran(case.method, Y, STEPS)
    assert_near(case.method.cost(Y, t).cpu(), case.method.cost(X, s), 1e-7)
    assert_near(images(case, Y, t), images(case, X, s), 1e-5)


@pytest.mark.parametrize("name", RECIPE_CASES)
def test_a_batch_of_two_is_two_runs(name):
    case = RECIPE_CASES[name]
    X = torch.stack([problem(case, 52), problem(case, 53)]).cuda()
    both = images(case, X, ran(case.method, X, STEPS))
    for i in range(2):
        assert_near(both[i], images(case, X[i], ran(case.method, X[i], STEPS)), 1e-6)


@pytest.mark.parametrize("name", RECIPE_CASES)
def test_single_precision_stays_finite(name):
    case = RECIPE_CASES[name]
    X = problem(case, 54).to("cuda", torch.complex64)
    s = ran(case.method, X, STEPS)
    assert bool(case.method.cost(X, s).isfinite().all())
    assert bool(images(case, X, s).isfinite().all())


@pytest.mark.parametrize("single", [False, True], ids=["double", "single"])
@pytest.mark.parametrize("mics", range(1, 9))
@pytest.mark.parametrize("name", ["ip1_sweep", "ip2_sweep"])
def test_the_sweep_is_its_definition(name, mics, single):
    g = torch.Generator().manual_seed(55)
    Z = torch.randn(2, 300, mics, mics, 3 * mics, dtype=torch.complex128, generator=g)
    W = torch.randn(2, 300, mics, mics, dtype=torch.complex128, generator=g) / 4 + torch.eye(mics)
    V = Z @ Z.mH
    args = [x.to(torch.complex64) if single else x for x in ((V + V.mH) / 2, W)]
    sweep = OPS[name]
    assert_near(sweep(*(x.cuda() for x in args)).cpu(), sweep.definition(*args), 1e-4 if single else 1e-11)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_is_the_step(name):
    case = RECIPE_CASES[name]
    X = problem(case, 56).cuda()
    begun = warmed(case.method, X)
    method, begun = (case.method.active(begun), begun.s) if isinstance(case.method, Warm) else (case.method, begun)
    before = {key: x.clone() for key, x in tensors(begun).items()}
    step, s = graphed(method, X, begun), begun
    for _ in range(STEPS):
        s = step(s)
    wanted = ran(method, X, STEPS, begun)
    assert_near(method.images(X, s, (0,)).cpu(), method.images(X, wanted, (0,)).cpu(), 1e-9)
    assert all(torch.equal(x, before[key]) for key, x in tensors(begun).items())


@pytest.mark.parametrize("name", PLAIN)
def test_a_recording_is_separated(name):
    wanted = {"sources": asked(name), "iterations": 6, "stft": "256/64", "precision": "double"}
    x = recording(name)
    here = otowake.separate(x, 8000, name, **wanted)
    there = otowake.separate(x, 8000, name, device="cuda", **wanted)
    assert there.settings["device"] == "cuda"
    np.testing.assert_allclose(there.sources, here.sources, rtol=0, atol=1e-5 * np.abs(here.sources).max())


def test_several_starts_side_by_side():
    wanted = {"sources": 2, "iterations": 6, "stft": "256/64", "seeds": 3, "precision": "double"}
    x = recording("ilrma")
    here, there = (otowake.separate(x, 8000, "ilrma", device=device, **wanted) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.sources, here.sources, rtol=0, atol=1e-5 * np.abs(here.sources).max())


def test_blocks_go_on():
    options = {"iterations": 4, "stft": "256/64", "device": "cuda"}
    plan, first = blocks.Plan(8000, 4000, 1000, "ilrma", 2, options), blocks.Part(0, recording("ilrma"))
    done = plan.separated(first._replace(start=3000), plan.separated(first, None, 0), 2)
    assert np.isfinite(done.sounds).all()


def test_a_step_that_waits_is_no_graph():
    case = RECIPE_CASES["mnmf"]
    X = problem(case, 57).cuda()
    with pytest.raises(OtowakeError, match=r"method\.step"):
        graphed(case.method, X, case.method.init(X, 0))
