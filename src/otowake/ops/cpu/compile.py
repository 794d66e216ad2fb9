"""How a kernel is compiled: once, without the GIL, kept on disk where there is a place for it.

`fastmath` is limited to what changes rounding only (reordered sums, fused multiply-add): NaN and infinity keep
their meaning.
"""

import contextlib
import logging
import os
from collections.abc import Callable
from typing import Any, cast

import numba

ROUNDING = ("reassoc", "contract", "nsz", "arcp")
_OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": set(ROUNDING), "error_model": "numpy"}
_log = logging.getLogger("otowake")


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call of each dtype; the result is cached beside the file or in the user's cache folder.

    A disk that takes no cache (full, read-only) costs the compile time of every start, nothing else.
    """
    try:
        compiled = numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError as error:  # no folder can be written
        _log.info("kernels are not kept on disk: %s", error)
        return numba.njit(**_OPTIONS)(function)
    _survive_bad_disk(compiled)
    return compiled


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """A piece of kernels that is written into each of them: a call on rows takes longer than a loop over one."""
    return cast(Callable[..., Any], numba.njit(inline="always", **_OPTIONS)(function))


def _survive_bad_disk(compiled: Any) -> None:
    """A cache that cannot be written or read is one that is not there.

    After a failed write the index goes, too: it might name the data of an older version of the kernel.
    """
    cache = compiled._cache
    save, load = cache.save_overload, cache.load_overload

    def saved_if_possible(*args: Any) -> None:
        try:
            save(*args)
        except OSError as error:
            _log.info("a kernel could not be kept on disk: %s", error)
            _forget(cache)

    def loaded_if_sound(*args: Any) -> Any:
        try:
            return load(*args)
        except Exception as error:  # whatever a damaged pickle makes
            _log.info("a kept kernel is damaged and is compiled anew: %s", error)
            _forget(cache)
            return None

    cache.save_overload, cache.load_overload = saved_if_possible, loaded_if_sound


def _forget(cache: Any) -> None:
    with contextlib.suppress(OSError):
        os.unlink(cache._cache_file._index_path)
