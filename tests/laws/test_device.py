"""Every recipe runs on another device: what it makes is made there, and nothing of the CPU's is mixed in."""

import numpy as np
import pytest
import torch
from cases import PLAIN, RECIPE_CASES, asked, problem, ran
from elsewhere import Elsewhere, Refused, There
from test_equivariance import recording

import otowake
from otowake.core.errors import OtowakeError
from otowake.core.graph import Graphed, graphed
from otowake.core.state import rebuilt, tensors
from otowake.ops import registry
from otowake.ops.gpu import sweep
from otowake.tasks import blocks, extract, learn, separate

STEPS = 3
NEW = {name.partition("-")[2]: name for name in reversed(RECIPE_CASES)}.values()
"""One case of every setting; the same setting of another recipe is tried before a release."""
WAITLESS = [
    *(name for name in PLAIN if name not in ("pds", "hva", "mnmf")),  # these take eigenvectors or singular values
    *(f"{recipe}-demix={demix}" for recipe in ("ilrma", "fastmnmf2") for demix in ("ip1", "ip2", "iss1", "iss2")),
    "auxiva-density=gauss",
    "fastmnmf2-relevance=0.1",
    "ilrma-sparsity=0.1",
    "ilrma-shared=5",
]
"""Methods whose step CUDA could keep as a graph."""


def back(x):
    return x.cpu() if isinstance(x, There) else x


@pytest.mark.parametrize(
    "name",
    [name if name in PLAIN or name in NEW else pytest.param(name, marks=pytest.mark.slow) for name in RECIPE_CASES],
)
def test_a_recipe_runs_elsewhere(name):
    """The same state, cost and images, by the definitions of all ops."""
    case = RECIPE_CASES[name]
    X = problem(case, 41)
    s = ran(case.method, X, STEPS)
    with Elsewhere() as there:
        Y = X.to(there.device)
        t = ran(case.method, Y, STEPS)
        cost, images = case.method.cost(Y, t), case.method.images(Y, t, (0,))
        assert isinstance(cost, There)
        assert isinstance(images, There)
        assert all(isinstance(x, There) or x.ndim == 0 for x in tensors(t).values())
        cost, images, found = back(cost), back(images), {name: back(x) for name, x in tensors(t).items()}
    torch.testing.assert_close(cost, case.method.cost(X, s), rtol=1e-9, atol=1e-7)
    torch.testing.assert_close(images, case.method.images(X, s, (0,)), rtol=1e-7, atol=1e-8)
    for name, x in tensors(s).items():
        torch.testing.assert_close(found[name], x, rtol=1e-6, atol=1e-7, msg=name)


@pytest.mark.parametrize("name", WAITLESS)
def test_a_step_waits_for_nothing(name, monkeypatch):
    """The host learns no number of the device, so a step can be kept as a graph (`core/graph.py`)."""
    case = RECIPE_CASES[name]
    monkeypatch.setattr(registry, "ACCELERATOR", Elsewhere.device.type)
    monkeypatch.setattr(sweep, "FEW", 8)
    with Elsewhere() as there:
        X = problem(case, 42).to(there.device)
        s = ran(case.method, X, 1)
        there.unbroken = True
        case.method.step(X, s)


@pytest.mark.parametrize("name", ["auxiva", "ilrma", "fastmnmf2", "cacgmm"])
def test_a_graph_s_states_follow_each_other(name):
    """With a graph that makes the step anew: states come in by copies and go out in one place."""
    case = RECIPE_CASES[name]
    X = problem(case, 43)
    begun = ran(case.method, X, 1)
    held = rebuilt(begun, {key: x.clone() for key, x in tensors(begun).items()})
    result = case.method.step(X, held)

    class Again:
        def replay(self):
            for place, x in zip(tensors(result).values(), tensors(case.method.step(X, held)).values()):
                place.copy_(x)

    step, s = Graphed(X, held, Again(), result), begun
    for _ in range(3):
        s = step(s)
    wanted = ran(case.method, X, 3, begun)
    assert all(torch.equal(x, y) for x, y in zip(tensors(s).values(), tensors(wanted).values()))


@pytest.mark.parametrize(("name", "why"), [("ilrma", "CUDA only"), ("ilrma-density=t", "another device")])
def test_what_cannot_be_a_graph_is_refused(name, why):
    method = RECIPE_CASES[name].method
    with Elsewhere() as there:
        X = problem(RECIPE_CASES[name], 44).to(there.device)
        with pytest.raises(OtowakeError, match=why):
            graphed(method, X, method.init(X, 0))


# ---- through the doors ------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(monkeypatch):
    """The device that "cuda" then means."""
    for door in (separate, extract, learn):
        monkeypatch.setattr(door, "device_name", lambda name: "meta" if name == "cuda" else name)
    return Elsewhere()


def sounds(name, device, **more):
    wanted = {"sources": asked(name), "iterations": 4, "stft": "256/64", **more}
    return otowake.separate(recording(name), 8000, name, device=device, **wanted)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        *((name, {}) for name in PLAIN if name != "mnmf"),
        ("ilrma", {"seeds": 2}),
        ("nmf", {"seeds": 2}),
        ("cacgmm", {"images": "all"}),
    ],
)
def test_a_recording_is_separated_elsewhere(name, more, elsewhere):
    here = sounds(name, "cpu", **more)
    with elsewhere:
        there = sounds(name, "cuda", **more)
    np.testing.assert_allclose(there.sources, here.sources, rtol=1e-6, atol=1e-8)


def test_blocks_go_on_elsewhere(elsewhere):
    """The filters that one block leaves to the next come back to the CPU."""

    def done(device):
        options = {"iterations": 4, "stft": "256/64", "device": device}
        plan, first = blocks.Plan(8000, 4000, 1000, "ilrma", 2, options), blocks.Part(0, recording("ilrma", seed=3))
        return plan.separated(first._replace(start=3000), plan.separated(first, None, 0), 2)

    here = done("cpu")
    with elsewhere:
        there = done("cuda")
    np.testing.assert_allclose(there.sounds, here.sounds, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("long", [False, True])
def test_examples_are_learned_and_extracted_elsewhere(long, elsewhere, monkeypatch):
    if long:
        monkeypatch.setattr(learn, "LONG", 10)
    x = recording("nmf")

    def done(device):
        bases = learn.learn(x, 8000, 3, iterations=5, device=device, seeds=2)
        return extract.extract(x, 8000, bases, weight=1.0, iterations=5, rest_bases=2, device=device)

    here = done("cpu")
    with elsewhere:
        there = done("cuda")
    np.testing.assert_allclose(there.target, here.target, rtol=1e-3, atol=1e-5)


# ---- the pretended device itself --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mixed",
    [
        lambda x: x + torch.ones(3),
        lambda x: torch.where(x > 0, x, torch.zeros(3)),
        lambda x: x @ torch.eye(3),
        lambda x: torch.stack([x[0], torch.tensor(1.0)]),
        lambda x: torch.ones(3).add_(x),
        lambda x: torch.arange(3)[x.long()],
        lambda x: x.numpy(),
        lambda x: torch.rand(3, generator=torch.Generator(), device=x.device),
    ],
)
def test_what_cuda_would_refuse_is_refused(mixed):
    with Elsewhere() as there, pytest.raises(Refused):
        mixed(torch.ones(3).to(there.device))


def test_what_cuda_takes_is_taken():
    with Elsewhere() as there:
        x = torch.arange(3.0).to(there.device)
        y = torch.where(x > 1, torch.tensor(5.0), x * torch.tensor(2.0)) + torch.eye(3, device=x.device)[0]
        y[[2, 0]] += x[torch.tensor([0, 1])]
        assert isinstance(y, There)
        assert y.cpu().tolist() == y.tolist() == [2.0, 2.0, 5.0]
        assert bool((y > 1).all())


@pytest.mark.parametrize("wait", [bool, float, lambda x: x.tolist(), lambda x: x.cpu(), torch.nonzero])
def test_waiting_is_refused_where_nothing_may_wait(wait):
    with Elsewhere() as there:
        x = torch.ones(1).to(there.device)
        wait(x)
        there.unbroken = True
        with pytest.raises(Refused):
            wait(x)
