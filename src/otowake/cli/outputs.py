"""What a command leaves on the disk: all of its files or none, and never in place of what it was given."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from otowake.cli.interrupt import undisturbed
from otowake.core.errors import OtowakeError
from otowake.core.files import shown

if TYPE_CHECKING:
    pass


def check(folder: Path, stem: str, inputs: Sequence[Path]) -> None:
    """Refuses now what would fail after a long computation.

    Raises:
        OtowakeError: `folder` is no folder or cannot be written in, or a file that will be written there for
            `stem` would replace one of `inputs`.
    """
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    except OSError as error:
        raise OtowakeError(f"{shown(folder)} cannot be made: {error.strerror}.  Choose a folder with -o.") from error
    if not there.is_dir():
        raise OtowakeError(f"{shown(there)} is not a folder; choose another place with -o.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OtowakeError(f"This user may not write in {shown(there)}; choose another folder with -o.")
    parts = r"source\d+|target|rest|part\d+|harmonic|percussive|extended|edited"
    ours = re.compile(rf"{re.escape(stem)}-({parts})\.\w+")
    for path in inputs:
        if ours.fullmatch(path.name) and path.resolve().parent == folder.resolve():
            raise OtowakeError(f"The parts of {shown(stem)} would replace the input {shown(path)}; choose another -o.")


@contextlib.contextmanager
def together(folder: Path) -> Iterator[Path]:
    """Gives an empty place to write files to; when the block ends well they all move into `folder`.

    Otherwise none does.  Files of the same names are replaced.  Folders that were made in vain go again.

    Raises:
        OtowakeError: something cannot be written; the sentence says what and why.
    """
    made = [place for place in (folder, *folder.absolute().parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".otowake-", suffix=".tmp", dir=folder))
        try:
            yield staged
            _move(staged, folder)
        except OtowakeError as error:  # its sentence names a place that the user has never seen
            seen = str(error).replace(shown(staged.resolve()), shown(folder))
            raise OtowakeError(seen) from error
        finally:
            with undisturbed():  # a second Ctrl-C
                shutil.rmtree(staged, ignore_errors=True)
    except OSError as error:
        raise OtowakeError(f"Cannot write in {shown(folder)}: {error.strerror or error}.") from error
    finally:
        for place in made:
            with contextlib.suppress(OSError):  # not empty: the block ended well
                place.rmdir()


def _move(staged: Path, folder: Path) -> None:
    files = sorted(staged.iterdir())
    for file in files:  # asked before the first one moves, so that it is all or none
        target = folder / file.name
        if target.is_dir():
            raise OtowakeError(f"Cannot write {shown(target)}: it is a directory; choose another folder with -o.")
        if target.exists() and not os.access(target, os.W_OK):
            raise OtowakeError(f"Cannot write {shown(target)}: the file is read-only; choose another folder.")
    with undisturbed():
        for file in files:
            os.replace(file, folder / file.name)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        with contextlib.suppress(OSError):  # some file systems cannot force a folder to the disk
            os.fsync(handle)
        os.close(handle)
