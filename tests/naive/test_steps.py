"""The list of steps behind IP1, done by rows for all bins at once as on an accelerator, is its definition."""

import pytest
import torch
from test_ops import ARGUMENTS, LAYOUTS, Problem, assert_close

from otowake.ops import OPS, registry
from otowake.ops.gpu.sweep import ip1_sweep
from otowake.ops.sweep import ip1_definition


def problem(mics, **more):
    return ARGUMENTS["ip1_sweep"](Problem(mics=mics, sources=mics, frames=37, **more))


@pytest.mark.parametrize("single", [False, True], ids=["double", "single"])
@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
@pytest.mark.parametrize("mics", range(1, 9))
def test_rows_are_the_definition(mics, batch, single):
    V, W = problem(mics, batch=batch, single=single, bins=2)
    assert_close(ip1_sweep(V, W), ip1_definition(V, W))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_does_not_matter(layout):
    args = problem(3, batch=(2,))
    assert torch.equal(ip1_sweep(*map(LAYOUTS[layout], args)), ip1_sweep(*args))


def test_rows_keep_empty_bins_and_exchange_pivots():
    V, W = problem(3, bins=4)
    V[1] = 0
    V[2, 0] = 0
    W[3] = torch.tensor([[0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=W.dtype)
    assert_close(ip1_sweep(V, W), ip1_definition(V, W))


def test_inputs_are_not_modified():
    V, W = problem(2)
    before = V.clone(), W.clone()
    ip1_sweep(V, W).zero_()
    assert torch.equal(V, before[0])
    assert torch.equal(W, before[1])


def test_the_registry_takes_rows_on_an_accelerator(monkeypatch):
    """Only there, and not where a gradient is wanted."""
    op, (V, W), calls = OPS["ip1_sweep"], problem(2), []
    monkeypatch.setattr(op, "gpu", lambda *args: calls.append(args) or ip1_sweep(*args))
    wanted = op(V, W)
    assert not calls
    monkeypatch.setattr(registry, "ACCELERATOR", "cpu")
    monkeypatch.setattr(op, "_fast", None)
    assert_close(op(V, W), wanted)
    assert len(calls) == 1
    op(V.requires_grad_(), W)
    assert len(calls) == 1
