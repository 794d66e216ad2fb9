"""The first run: what is compiled beside it, and when nothing is."""

import os
import subprocess
import sys

import numpy as np
import pytest

import otowake
from otowake import kept
from otowake.cli import host
from otowake.ops import OPS
from otowake.ops.cpu import ahead


@pytest.fixture
def started(tmp_path, monkeypatch):
    """A place where nothing has been compiled; the processes that are started."""
    calls = []

    class Process:
        def __init__(self, words, **streams):
            calls.append(words)
            assert set(streams.values()) == {subprocess.DEVNULL}

        def kill(self):
            pass

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(host.subprocess, "Popen", Process)
    monkeypatch.setattr(host.os, "cpu_count", lambda: 2)
    return calls


def test_on_the_first_run_another_process_compiles(started):
    host.compile_ahead()
    assert started == [[sys.executable, "-m", "otowake.ops.cpu.ahead", "--beside"]]


def test_what_is_compiled_is_left_alone(started):
    kept.write(kept.DONE, b"")
    host.compile_ahead()
    assert not started


def test_what_was_compiled_of_an_older_version_does_not_count(started, monkeypatch):
    kept.write(kept.DONE, b"")
    monkeypatch.setattr(kept, "DONE", kept.DONE.replace(kept.made_of(), "younger"))
    host.compile_ahead()
    assert len(started) == 1


@pytest.mark.parametrize("reason", ["one core", "read only"])
def test_nothing_is_started_where_it_would_not_help(started, monkeypatch, reason):
    if reason == "one core":
        monkeypatch.setattr(host.os, "cpu_count", lambda: 1)
    else:
        monkeypatch.setattr(kept, "writable", lambda: False)
    host.compile_ahead()
    assert not started


def test_all_is_compiled_once_and_then_known(tmp_path):
    """In two processes that meet, then in none; whatever its folder, a process of its own finds all."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    words = [sys.executable, "-m", "otowake.ops.cpu.ahead"]
    files = []
    for _ in range(2):
        subprocess.run(words, env=environment, check=True, timeout=300)
        files.append({path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.kernel")})
    compiled = [{path: when for path, when in some.items() if not path.name.startswith("ahead.")} for some in files]
    assert compiled[0] == compiled[1]
    assert len(compiled[0]) >= len(ahead.calls())


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

    ahead_of = taken(lambda: [call() for call in ahead.calls()])
    x = np.random.default_rng(0).laplace(size=(2, 9000))
    needed = taken(lambda: otowake.separate(x, 8000, iterations=2))
    same_kernel = {"demixed_radius": "demixed_power"}
    missing = {name for name, *types in needed if (same_kernel.get(name, name), *types) not in ahead_of}
    assert not missing
