"""The steps of IP1 and IP2, done by rows for all bins at once as on an accelerator, are their definitions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_ops import ARGUMENTS, LAYOUTS, Problem, assert_close

from otowake.linalg.safe import loaded
from otowake.ops import OPS, registry
from otowake.ops.gpu import sweep
from otowake.ops.gpu.sweep import ip1_sweep, ip2_sweep

SWEEPS = {"ip1_sweep": ip1_sweep, "ip2_sweep": ip2_sweep}


@pytest.fixture(autouse=True)
def _rows_of_every_size(monkeypatch):
    monkeypatch.setattr(sweep, "FEW", 8)


def problem(mics, **more):
    return ARGUMENTS["ip1_sweep"](Problem(mics=mics, sources=mics, frames=37, **more))


@pytest.mark.parametrize("single", [False, True], ids=["double", "single"])
@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
@pytest.mark.parametrize("mics", range(1, 9))
@pytest.mark.parametrize("name", SWEEPS)
def test_rows_are_the_definition(name, mics, batch, single):
    V, W = problem(mics, batch=batch, single=single, bins=2)
    assert_close(SWEEPS[name](V, W), OPS[name].definition(V, W))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", SWEEPS)
def test_layout_does_not_matter(name, layout):
    args = problem(3, batch=(2,))
    assert torch.equal(SWEEPS[name](*map(LAYOUTS[layout], args)), SWEEPS[name](*args))


@pytest.mark.parametrize("level", [-50, 50])
@pytest.mark.parametrize("who", ["rows", "op", "definition"])
@pytest.mark.parametrize("name", SWEEPS)
def test_sweeps_know_no_level(name, who, level):
    """What is 300 dB quieter in a bin has rows that are 300 dB larger, to the bit."""
    sweep = {"rows": SWEEPS[name], "op": OPS[name], "definition": OPS[name].definition}[who]
    V, W = problem(3, bins=4)
    wanted = sweep(V, W).clone()
    V[1::2] *= 4.0**level
    W[1::2] *= 2.0**-level
    wanted[1::2] *= 2.0**-level
    assert torch.equal(sweep(V, W), wanted)


def test_rows_keep_empty_bins_and_exchange_pivots():
    V, W = problem(3, bins=4)
    V[1] = 0
    V[2, 0] = 0
    W[3] = torch.tensor([[0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=W.dtype)
    assert_close(ip1_sweep(V, W), OPS["ip1_sweep"].definition(V, W))
    V = loaded(V)
    V[1, 1:] = V[3, 1:]  # two of the same would leave the directions open
    assert_close(ip2_sweep(V, W), OPS["ip2_sweep"].definition(V, W))


@pytest.mark.parametrize("sweep", [ip2_sweep, OPS["ip2_sweep"], OPS["ip2_sweep"].definition], ids=["rows", "op", "def"])
@pytest.mark.parametrize("mics", [2, 3])
def test_pairs_of_equal_covariances_have_any_directions(mics, sweep):
    """But finite ones, of unit power, that have nothing in common."""
    V, W = problem(mics, bins=3)
    V[0] = V[0, 0]
    V[1:] = torch.eye(mics)
    W[2] = torch.eye(mics)
    Z = sweep(V, W)
    wanted = torch.eye(mics, dtype=Z.dtype).expand_as(Z)
    assert_close(Z @ V[:, 0] @ Z.mH, wanted)


@pytest.mark.parametrize("name", SWEEPS)
def test_many_rows_are_left_to_libraries(name, monkeypatch):
    """Where there is no Triton."""
    monkeypatch.setattr(sweep, "FEW", 2)
    monkeypatch.setattr(sweep, "rows", None)
    args = problem(3)
    assert torch.equal(SWEEPS[name](*args), OPS[name].definition(*args))


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


@pytest.mark.parametrize("name", SWEEPS)
def test_inputs_are_not_modified(name):
    V, W = problem(2)
    before = V.clone(), W.clone()
    SWEEPS[name](V, W).zero_()
    assert torch.equal(V, before[0])
    assert torch.equal(W, before[1])


@pytest.mark.parametrize("name", SWEEPS)
def test_the_registry_takes_rows_on_an_accelerator(name, monkeypatch):
    """Only there, and not where a gradient is wanted."""
    op, (V, W), calls = OPS[name], problem(2), []
    monkeypatch.setattr(op, "gpu", lambda *args: calls.append(args) or SWEEPS[name](*args))
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
from otowake.ops.projection import ip1_steps, ip2_steps
from otowake.ops.steps import EMPTY

for mics, programs, steps in ((1, 9, ip1_steps), (2, 9, ip1_steps), (3, 1, ip1_steps), (4, 9, ip1_steps),
                              (2, 9, ip2_steps), (3, 1, ip2_steps)):
    lanes.MOST = programs
    V, W = problem(mics, bins=37)
    least = loading(V) if steps is ip1_steps else EMPTY
    args = steps(mics), _rows(V, mics**3), _rows(W, mics**2), least
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
