"""How a kernel is compiled: once, without the GIL, kept on disk where there is a place for it (`kept.py`).

`fastmath` is limited to what changes rounding only (reordered sums, fused multiply-add): NaN and infinity keep
their meaning.
"""

import logging
import pickle
from collections.abc import Callable, Iterator
from typing import Any, cast

import numba
from llvmlite.binding import get_host_cpu_features
from numba.core import config
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.runtime import rtsys
from numba.core.serialize import dumps

from otowake import kept

ROUNDING = ("reassoc", "contract", "nsz", "arcp")
_OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": set(ROUNDING), "error_model": "numpy"}
_log = logging.getLogger("otowake")

FEATURES = getattr(config, "CPU_FEATURES", None) or ",".join(k for k, on in get_host_cpu_features().items() if on)
WIDE = "avx512f" in FEATURES
"""Whether there are 32 registers of 64 bytes, and not 16 of 32."""
CLASSES = {"x86-64-v3": "+avx2,+fma", "x86-64-v4": "+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"}
"""Processors that a wheel has kernels for: NUMBA_CPU_NAME and NUMBA_CPU_FEATURES when they are compiled."""


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call of each dtype; the result is kept on disk.

    A disk that takes nothing (full, read-only) costs the compile time of every start, nothing else.
    """
    compiled = numba.njit(**_OPTIONS)(function)
    compiled._cache = _Kept(function)
    return cast(Callable[..., Any], compiled)


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """A piece of kernels that is written into each of them: a call on rows takes longer than a loop over one."""
    return cast(Callable[..., Any], numba.njit(inline="always", **_OPTIONS)(function))


class _Kept(_Cache):  # type: ignore[misc]
    """What a dispatcher of Numba asks for code that was compiled before.

    Numba's own cache first gets ready all types and functions that Numba knows, which takes longer than to read the
    kernels of a separation; and it knows of a kernel's own file only, not of the parts that are written into it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._kernel = f"{function.__module__.rsplit('.', 1)[-1]}.{function.__qualname__}"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Compiled for this very processor, or for its class."""
        triple, *own = target_context.codegen().magic_tuple()
        for file in dict.fromkeys(self._file(sig, (triple, *at)) for at in (own, *of_class())):
            if (data := kept.read(file)) is not None:
                try:
                    rtsys.initialize(target_context)
                    return CompileResult._rebuild(target_context, *pickle.loads(data))
                except Exception as error:  # whatever an odd pickle makes
                    _log.info("a kept kernel cannot be used and is compiled anew: %s", error)
                    kept.forget(file)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if not data.library.has_dynamic_globals:
            kept.write(self._file(sig, data.codegen.magic_tuple()), dumps(data._reduce()))

    def _file(self, sig: Any, processor: tuple[str, ...]) -> str:
        return kept.name(self._kernel, str(sig), tuple(processor))

    @property
    def cache_path(self) -> str:
        return str(kept.folders()[0])

    def enable(self) -> None: ...

    def disable(self) -> None: ...

    def flush(self) -> None: ...


def of_class() -> Iterator[tuple[str, str]]:
    """Name and features of this processor's class, with registers as wide as its own; nothing where it is of none."""
    name = "x86-64-v4" if WIDE else "x86-64-v3"
    if fits(name):
        yield name, CLASSES[name]


def fits(name: str) -> bool:
    """Whether this processor runs what is compiled for a class."""
    there = get_host_cpu_features()
    return all(there.get(feature.lstrip("+")) for feature in CLASSES[name].split(","))
