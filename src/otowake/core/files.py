"""Durable writing: after a crash, a kill or a full disk a file is the old one or the new one, never half.

The bytes go to `name.<pid>.<rand>.tmp` beside the target, are forced to the disk, and then take the target's
name in one step (`os.replace`); the folder is forced to the disk too.  A process that is killed can only
leave a temporary file behind, and the next process that writes in that folder sweeps it away.
"""

import errno
import functools
import hashlib
import os
import platform
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from otowake.core.errors import OtowakeError

_TEMPORARY = re.compile(r"\.(\d+)\.([0-9a-f]{8})[0-9a-f]{8}\.tmp$")
_DAY = 86_400.0  # seconds
_NAME_BYTES = 255  # the longest file name of ext4, APFS and NTFS
_swept: set[Path] = set()

_REASONS = {
    errno.ENOENT: "the folder {folder} does not exist; create it or choose another",
    errno.ENOTDIR: "{folder} is not a folder; choose another",
    errno.EACCES: "this user may not write in {folder}; choose another folder or change its permissions",
    errno.EPERM: "this user may not write in {folder}; choose another folder or change its permissions",
    errno.EROFS: "{folder} is on a read-only file system; choose another folder",
    errno.ENOSPC: "the disk is full; free some space or choose another disk",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another disk",
    errno.EFBIG: "it would be larger than the system allows a file to be; raise that limit or write less",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


def shown(path: str | os.PathLike[str]) -> str:
    """A file name that any terminal can print: control characters and undecodable bytes are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in os.fspath(path))


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path to write to; when the block ends well it becomes `path`, else it disappears.

    The temporary file exists already, is empty and lies in the target's folder.  Its name ends in `.tmp`, so
    a library that guesses a format from the name has to be told the format.  A symbolic link is followed;
    the permissions of a file that is replaced are kept.

    Errors: `OtowakeError` when the file cannot be written (no such folder, no permission, full disk, the name
    is a directory, a read-only file, ...).  What was at `path` before is then untouched.
    """
    target = _resolved(path)
    temporary = _temporary(target)
    try:
        _check(target)
        _sweep_once(target.parent)
        _create(temporary, target)
        yield temporary
        _commit(temporary, target)
    except OSError as error:
        if error.filename is not None and Path(error.filename) not in (temporary, target, target.parent):
            raise  # the block tripped over another file; that is its own story
        raise OtowakeError(_sentence(error, target)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()  # after a commit there is nothing left to remove


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` durably.  Errors: as `atomic`."""
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def check(path: str | os.PathLike[str]) -> None:
    """Asks before a long computation what `atomic` would find out after it.  Errors: as `atomic`."""
    target = _resolved(path)
    temporary = _temporary(target)
    try:
        _check(target)
        _create(temporary, target)
    except OSError as error:
        raise OtowakeError(_sentence(error, target)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def sweep(folder: str | os.PathLike[str]) -> int:
    """Remove temporary files that dead processes left in `folder`, and return how many.

    A process id means something on its own machine only, so the name carries a mark of the machine: a file
    of this machine goes when its process is gone, one of another machine after a day untouched.
    """
    removed = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if (match := _TEMPORARY.search(entry.name)) and _abandoned(entry, int(match[1]), match[2]):
                with suppress(OSError):
                    os.unlink(entry.path)
                    removed += 1
    return removed


def _sweep_once(folder: Path) -> None:
    if folder not in _swept:  # listing a folder of 10 000 files at every write would cost more than the write
        _swept.add(folder)
        sweep(folder)


def _abandoned(entry: os.DirEntry[str], pid: int, machine: str) -> bool:
    if os.name == "posix" and machine == _machine():
        return not _alive(pid)
    with suppress(OSError):
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _DAY
    return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


@functools.cache
def _machine() -> str:
    """Eight hexadecimal digits for this machine and, in a container, for its own numbering of processes."""
    namespace = ""
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    return hashlib.blake2s(f"{platform.node()} {namespace}".encode(), digest_size=4).hexdigest()


def _resolved(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:  # a zero byte in the name
        raise OtowakeError(f"Cannot write {shown(path)}: this is no valid file name; choose another.") from error


def _temporary(target: Path) -> Path:
    tail = f".{os.getpid()}.{_machine()}{secrets.token_hex(4)}.tmp"
    name = os.fsencode(target.name)[: _NAME_BYTES - len(tail)]
    return target.with_name(os.fsdecode(name) + tail) if name else target / tail


def _check(target: Path) -> None:
    if target.is_dir():
        raise OtowakeError(f"Cannot write {shown(target)}: it is a directory; give the name of a file in it.")
    if not target.exists():
        return
    if not target.is_file():
        raise OtowakeError(f"Cannot write {shown(target)}: it is a device or a pipe; give the name of a file.")
    if not os.access(target, os.W_OK):
        raise OtowakeError(f"Cannot write {shown(target)}: the file is read-only; choose another name.")


def _create(temporary: Path, target: Path) -> None:
    """Made here and not by the library that fills it: only the system call says why it cannot be made."""
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    if target.exists():
        temporary.chmod(stat.S_IMODE(target.stat().st_mode))


def _commit(temporary: Path, target: Path) -> None:
    _flush(temporary, os.O_RDWR)
    os.replace(temporary, target)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        _flush(target.parent, os.O_RDONLY)


def _flush(path: Path, mode: int) -> None:
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot force a folder to the disk
            raise
    finally:
        os.close(handle)


def _sentence(error: OSError, target: Path) -> str:
    reason = _REASONS.get(error.errno or 0, f"{error.strerror or error}; choose another place")
    return f"Cannot write {shown(target)}: {reason.replace('{folder}', shown(target.parent))}."
