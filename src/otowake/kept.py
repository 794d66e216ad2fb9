"""Compiled kernels as files, from run to run: named by all that they are made of, so that none is ever out of date.

In a name stand the kernel, a digest of the kernels' sources and of the versions of what compiles them, and one of types
and processor.  A file begins with the digest of what follows: one that is damaged is one that is not there.  They lie
beside the kernels, where a wheel may have brought some (`make wheel`), or in the user's cache folder.
"""

import hashlib
import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from otowake.core.errors import OtowakeError
from otowake.core.files import write_bytes

HERE = Path(__file__).parent
BESIDE = HERE / "ops" / "cpu" / "kernels"
_SOURCES = ("ops/cpu/*.py", "ops/steps.py", "linalg/safe.py")
_COMPILER = ("numba", "llvmlite", "numpy")
_SIZE = 16
_log = logging.getLogger("otowake")


def folders() -> list[Path]:
    """Where to look, and where to write if it can be done, in this order; NUMBA_CACHE_DIR alone if it is set."""
    asked = os.environ.get("NUMBA_CACHE_DIR")
    if asked:
        return [Path(asked) / "otowake"]
    said = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    try:
        own = Path(said) if said else Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    except RuntimeError:  # a user without a home
        return [BESIDE]
    return [BESIDE, own / "otowake"]


def digest(*parts: object) -> str:
    return hashlib.blake2s(repr(parts).encode(), digest_size=8).hexdigest()


@cache
def made_of() -> str:
    """Sources, and versions of what compiles them."""
    sources = [path.read_bytes() for pattern in _SOURCES for path in sorted(HERE.glob(pattern))]
    return digest(sys.implementation.cache_tag, *map(version, _COMPILER), *sources)


def name(kernel: str, *more: object) -> str:
    """Of the file of a kernel for these types and this processor."""
    return f"{kernel}.{made_of()}.{digest(*more)}.kernel"


DONE = name("ahead", sys.platform, platform.machine())
"""Whether kernels of the usual separation have been compiled."""


def read(file: str) -> bytes | None:
    """What was written under that name; None where there is nothing, or nothing sound."""
    for path in _places(file):
        with suppress(OSError):
            data = path.read_bytes()
            if hashlib.blake2s(data[_SIZE:], digest_size=_SIZE).digest() == data[:_SIZE]:
                return data[_SIZE:]
            _log.info("a kept kernel is damaged and is compiled anew: %s", path)
            path.unlink()
    return None


def write(file: str, data: bytes) -> None:
    """Into the first folder that takes it; where none does, nothing is kept and the next process compiles again."""
    whole = hashlib.blake2s(data, digest_size=_SIZE).digest() + data
    for path in _places(file):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, whole)
        except (OSError, OtowakeError) as error:
            _log.info("a kernel could not be kept on disk: %s", error)
        else:
            _forget_older(path)
            return


def forget(file: str) -> None:
    """What could not be used is not kept."""
    for path in _places(file):
        with suppress(OSError):
            path.unlink()


def writable() -> bool:
    """Whether anything can be kept."""
    return any(os.access(next(place for place in (at, *at.parents) if place.exists()), os.W_OK) for at in folders())


def _places(file: str) -> Iterator[Path]:
    return (folder / file for folder in folders())


def _forget_older(path: Path) -> None:
    """Of kernels beside the sources there is only one version; other folders may serve several."""
    if path.parent == BESIDE:
        kernel = path.name.rsplit(".", 3)[0]
        for file in BESIDE.glob(f"{kernel}.*.kernel"):
            if file.name.rsplit(".", 2)[0] != f"{kernel}.{made_of()}":
                with suppress(OSError):
                    file.unlink()
