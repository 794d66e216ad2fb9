"""The list of steps behind IP1, done by rows for all bins at once as on an accelerator, is its definition."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_ops import ARGUMENTS, LAYOUTS, Problem, assert_close

from otowake.ops import OPS, registry
from otowake.ops.gpu import sweep
from otowake.ops.gpu.sweep import ip1_sweep
from otowake.ops.sweep import ip1_definition


@pytest.fixture(autouse=True)
def _rows_of_every_size(monkeypatch):
    monkeypatch.setattr(sweep, "FEW", 8)


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


def test_many_rows_are_left_to_libraries(monkeypatch):
    """Where there is no Triton."""
    monkeypatch.setattr(sweep, "FEW", 2)
    monkeypatch.setattr(sweep, "rows", None)
    args = problem(3)
    assert torch.equal(ip1_sweep(*args), ip1_definition(*args))


def test_what_triton_cannot_compile_is_left_with_one_warning(monkeypatch):
    """A module that is not there stands for all that can go wrong."""
    monkeypatch.setattr(sweep, "_KERNEL", {"triton": True})
    monkeypatch.setattr(sweep, "import_module", lambda name: None)
    args = problem(2)

    class There(torch.Tensor):
        device = torch.device("cuda")

    V, W = (sweep._rows(x, n).as_subclass(There) for x, n in zip(args, (8, 4)))
    with pytest.warns(RuntimeWarning, match="Please report"):
        assert sweep._by_triton(None, V, W, 1e-15) is None
    assert sweep._by_triton(None, V, W, 1e-15) is None


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


TRITON = """
from test_steps import problem
from test_ops import assert_close
from otowake.linalg.safe import loading
from otowake.ops.gpu import lanes, rows
from otowake.ops.gpu.sweep import _rows
from otowake.ops.projection import ip1_steps

for mics, programs in ((1, 9), (2, 9), (3, 1), (4, 9)):
    lanes.MOST = programs
    V, W = problem(mics, bins=37)
    args = ip1_steps(mics), _rows(V, mics**3), _rows(W, mics**2), loading(V)
    assert_close(lanes.run(*args), rows.run(*args))
"""


def test_triton_s_kernel_is_the_rows():
    """As its interpreter reads it, which needs no device."""
    pytest.importorskip("triton", reason="Triton is not installed")
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    run = subprocess.run(
        [sys.executable, "-c", TRITON],
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
