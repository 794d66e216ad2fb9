"""Compiled kernels on disk: what is sound is found again, what is not is as if it were not there."""

import os
import subprocess
import sys

import pytest

from otowake import kept

FILE = kept.name("some", "types")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """One beside the kernels, and the user's."""
    places = [tmp_path / "beside", tmp_path / "own"]
    monkeypatch.setattr(kept, "BESIDE", places[0])
    monkeypatch.setattr(kept, "folders", lambda: places)
    return places


def test_what_was_written_is_read(folders):
    assert kept.read(FILE) is None
    kept.write(FILE, b"code")
    assert kept.read(FILE) == b"code"
    assert [path.name for path in folders[0].iterdir()] == [FILE]
    assert not folders[1].exists()


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 40])
def test_a_damaged_file_is_none(folders, damage):
    folders[0].mkdir()
    (folders[0] / FILE).write_bytes(damage)
    assert kept.read(FILE) is None
    assert not (folders[0] / FILE).exists()


def test_a_folder_that_cannot_be_written_in_gives_way_to_the_users(folders):
    folders[0].write_text("a file where the folder should be")  # also for the superuser, who may write everywhere
    kept.write(FILE, b"code")
    assert [path.name for path in folders[1].iterdir()] == [FILE]
    assert kept.read(FILE) == b"code"


def test_where_nothing_can_be_written_nothing_is_kept(folders):
    for folder in folders:
        folder.write_text("")
    kept.write(FILE, b"code")
    assert kept.read(FILE) is None


def test_beside_the_kernels_older_versions_go(folders, monkeypatch):
    kept.write(FILE, b"old")
    kept.write(kept.name("some", "other types"), b"old, too")
    monkeypatch.setattr(kept, "made_of", lambda: "younger")
    kept.write(kept.name("some", "types"), b"new")
    kept.write(kept.name("some.more", "types"), b"of another kernel")
    assert len(list(folders[0].iterdir())) == 2


def test_names_tell_kernels_types_and_versions_apart(monkeypatch):
    names = {kept.name(*words) for words in [("a",), ("b",), ("a", "x"), ("a", "x", "y"), ("a", "xy")]}
    assert len(names) == 5
    monkeypatch.setattr(kept, "made_of", lambda: "younger")
    assert kept.name("a") not in names


@pytest.mark.parametrize("variable", ["NUMBA_CACHE_DIR", "XDG_CACHE_HOME"])
def test_folders_are_where_the_environment_says(variable, tmp_path, monkeypatch):
    if variable == "XDG_CACHE_HOME" and os.name == "nt":
        pytest.skip("Windows does not know XDG_CACHE_HOME")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    assert kept.folders()[-1] == tmp_path / "otowake"


def test_a_user_without_a_home_has_no_folder_there(monkeypatch):
    def homeless():
        raise RuntimeError

    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(kept.Path, "home", homeless)
    assert kept.folders() == [kept.BESIDE]


CALL = """
import torch
from otowake.ops import slope_weight
from otowake.ops.cpu import ratio
v = torch.rand(2, 3, 4) + 0.1
slope = torch.tensor([1.7, 0.3, -1.0], dtype=torch.float64)
torch.testing.assert_close(slope_weight(v, v, slope), slope_weight.definition(v, v, slope))
print(sum(found.metadata is not None for found in ratio._weight.overloads.values()))
"""


def compiled_in(environment):
    """How many kernels a process of its own compiled, rather than found."""
    run = subprocess.run([sys.executable, "-c", CALL], env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


def test_a_kernel_that_is_kept_is_not_compiled_again_unless_it_is_damaged(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    assert compiled_in(environment) == 1
    assert compiled_in(environment) == 0
    (file,) = tmp_path.rglob("ratio._weight.*.kernel")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert compiled_in(environment) == 1
    assert compiled_in(environment) == 0


def test_kernels_of_a_class_of_processors_serve_this_one(tmp_path):
    from otowake.ops.cpu.compile import of_class

    asked = next(of_class(), None)
    if asked is None:
        pytest.skip("this processor is of none of the classes that wheels have kernels for")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    classed = dict(zip(("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"), asked))
    assert compiled_in(environment | classed) == 1
    assert compiled_in(environment) == 0
