"""A file is the old one or the new one, never half of one, whatever happens to the writer."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kit import one_sentence

from otowake.core import files
from otowake.core.errors import OtowakeError

needs_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX signals, limits and permissions")


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".tmp"))


def start(code: str, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def gone_process() -> int:
    child = start("")
    child.communicate()
    return child.pid


def test_the_new_content_replaces_the_old(tmp_path):
    target = tmp_path / "a.bin"
    files.write_bytes(target, b"old")
    with files.atomic(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(f"a.bin.{os.getpid()}.")
        assert temporary.name.endswith(".tmp")
        temporary.write_bytes(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert leftovers(tmp_path) == []


def fail_while_writing(target: Path, trouble: type[BaseException]) -> None:
    with files.atomic(target) as temporary:
        temporary.write_bytes(b"half")
        raise trouble


@pytest.mark.parametrize("trouble", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, trouble):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(trouble):
        fail_while_writing(target, trouble)
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert target.read_bytes() == b"old"


@needs_posix
def test_a_link_is_followed_and_permissions_are_kept(tmp_path):
    real = tmp_path / "real.bin"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link = tmp_path / "link.bin"
    link.symlink_to(real)
    files.write_bytes(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("folder", "directory"),
        ("missing/a.bin", "does not exist"),
        ("file/a.bin", "not a folder"),
        ("x" * 300, "long"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(tmp_path, name, word):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with one_sentence(word):
        files.write_bytes(tmp_path / name, b"x")
    assert leftovers(tmp_path) == []


def test_a_zero_byte_in_the_name_is_one_sentence():
    with pytest.raises(OtowakeError, match="no valid file name"):
        files.write_bytes("a\0b", b"x")


@needs_posix
def test_a_device_is_not_replaced():
    with pytest.raises(OtowakeError, match="device"):
        files.write_bytes(os.devnull, b"x")
    assert not Path(os.devnull).is_file()


@needs_posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_folders_and_files_without_permission_are_one_sentence(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    with pytest.raises(OtowakeError, match="permissions"):
        files.write_bytes(closed / "a.bin", b"x")
    kept = tmp_path / "kept.bin"
    kept.write_bytes(b"old")
    kept.chmod(0o400)
    with pytest.raises(OtowakeError, match="read-only"):
        files.write_bytes(kept, b"x")


@pytest.mark.parametrize("number", ["EACCES", "EROFS", "ENOSPC", "EDQUOT", "EIO"])
def test_each_reason_the_system_gives_has_its_sentence(tmp_path, monkeypatch, number):
    import errno

    def refuse(*_):
        code = getattr(errno, number)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OtowakeError, match=r"^Cannot write .*; .*\.$"):
        files.write_bytes(tmp_path / "a.bin", b"x")
    assert list(tmp_path.iterdir()) == []


def test_trouble_with_another_file_is_not_blamed_on_this_one(tmp_path):
    with pytest.raises(FileNotFoundError), files.atomic(tmp_path / "a.bin"):
        (tmp_path / "other.bin").read_bytes()


@needs_posix
def test_a_full_disk_leaves_nothing(tmp_path):
    code = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
from otowake.core.errors import OtowakeError
from otowake.core.files import write_bytes
try:
    write_bytes(sys.argv[1], bytes(5000))
except OtowakeError as error:
    print(error)
"""
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    out, err = start(code, target).communicate()
    assert "larger than the system allows" in out, err
    assert target.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


@needs_posix
def test_killed_writers_leave_no_half_file_and_the_next_one_sweeps(tmp_path):
    code = """
import sys
from otowake.core.files import atomic
print("ready", flush=True)
while True:
    for letter in b"ab":
        with atomic(sys.argv[1]) as temporary, temporary.open("wb") as file:
            for _ in range(64):
                file.write(bytes([letter]) * 16384)
"""
    target = tmp_path / "a.bin"
    for attempt in range(10):
        child = start(code, target)
        child.stdout.readline()
        time.sleep(0.01 + 0.007 * attempt)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        if target.exists():
            data = target.read_bytes()
            assert len(data) == 2**20
            assert len(set(data)) == 1
    files.sweep(tmp_path)
    assert leftovers(tmp_path) == []


@needs_posix
def test_the_sweep_takes_what_the_dead_left_and_nothing_else(tmp_path):
    here, dead = files._machine(), gone_process()
    stale = tmp_path / f"a.wav.{dead}.{here}01234567.tmp"
    alive = tmp_path / f"a.wav.{os.getpid()}.{here}01234567.tmp"
    foreign = tmp_path / f"a.wav.{dead}.{'0' * 8}01234567.tmp"
    forgotten = tmp_path / f"b.wav.{dead}.{'0' * 8}01234567.tmp"
    unrelated = tmp_path / "notes.tmp"
    for path in (stale, alive, foreign, forgotten, unrelated):
        path.write_bytes(b"x")
    os.utime(forgotten, (0, 0))
    assert files.sweep(tmp_path) == 2
    assert sorted(tmp_path.iterdir()) == sorted([alive, foreign, unrelated])
    assert files.sweep(tmp_path / "missing") == 0


def test_names_are_shown_without_control_characters():
    assert files.shown("a\x1b[31m\udcff\n音.wav") == "a\\x1b[31m\\udcff\\n音.wav"
