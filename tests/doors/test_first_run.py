"""The first run: what is compiled beside it, and when nothing is."""

import os
import subprocess
import sys

import numpy as np
import pytest

import otowake
from otowake.cli import host
from otowake.ops import OPS
from otowake.ops.cpu import ahead


@pytest.fixture
def started(tmp_path, monkeypatch):
    """A package that nothing has been compiled of; the processes that are started."""
    calls = []

    class Process:
        def __init__(self, words, **streams):
            calls.append(words)
            assert set(streams.values()) == {subprocess.DEVNULL}

        def kill(self):
            pass

    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "fused.py").touch()
    os.utime(tmp_path / "fused.py", (1e9, 1e9))
    monkeypatch.setattr(host, "KERNELS", tmp_path)
    monkeypatch.setattr(host.subprocess, "Popen", Process)
    monkeypatch.setattr(host.os, "cpu_count", lambda: 2)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    return calls


def compiled(folder, when):
    index = folder / "__pycache__" / "fused._covariances-7.py311.nbi"
    index.touch()
    os.utime(index, (when, when))


def test_on_the_first_run_another_process_compiles(started):
    host.compile_ahead()
    assert started == [[sys.executable, "-m", "otowake.ops.cpu.ahead"]]


def test_what_is_compiled_is_left_alone(started, tmp_path):
    compiled(tmp_path, 1e9 + 1)
    host.compile_ahead()
    assert not started


def test_kernels_that_are_kept_elsewhere_are_found_there(started, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "elsewhere"))
    host.compile_ahead()
    assert len(started) == 1
    (tmp_path / "elsewhere" / "cpu_1" / "__pycache__").mkdir(parents=True)
    compiled(tmp_path / "elsewhere" / "cpu_1", 1e9 + 1)
    host.compile_ahead()
    assert len(started) == 1


def test_what_was_compiled_of_an_older_version_does_not_count(started, tmp_path):
    compiled(tmp_path, 1e9 - 1)
    host.compile_ahead()
    assert len(started) == 1


@pytest.mark.parametrize("reason", ["one core", "read only"])
def test_nothing_is_started_where_it_would_not_help(started, monkeypatch, reason):
    if reason == "one core":
        monkeypatch.setattr(host.os, "cpu_count", lambda: 1)
    else:
        monkeypatch.setattr(host.os, "access", lambda *_: False)
    host.compile_ahead()
    assert not started


def test_the_kernels_of_the_usual_separation_are_compiled(monkeypatch):
    """Every kernel that the default takes for two microphones, in the same precision, is among them."""

    def taken(run):
        found = set()
        for name, op in OPS.items():
            if op.kernel is not None:

                def spy(*args, kernel=op.kernel, name=name):
                    found.add((name, *(str(a.dtype) for a in args)))
                    return kernel(*args)

                monkeypatch.setattr(op, "_fast", spy)
        run()
        return found

    ahead_of = taken(ahead.main)
    x = np.random.default_rng(0).laplace(size=(2, 9000))
    needed = taken(lambda: otowake.separate(x, 8000, iterations=2))
    same_kernel = {"demixed_radius": "demixed_power"}
    missing = {name for name, *types in needed if (same_kernel.get(name, name), *types) not in ahead_of}
    assert not missing
