"""How a kernel is compiled: once, without the GIL, kept on disk where there is a place for it (`kept.py`).

`fastmath` is limited to what changes rounding only (reordered sums, fused multiply-add): NaN and infinity keep
their meaning.
"""

import logging
import pickle
from collections.abc import Callable
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
LEVEL = ("x86-64-v4", "+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl") if WIDE else ("x86-64-v3", "+avx2,+fma")
"""The class of processors that kernels of a wheel are compiled for, as NUMBA_CPU_NAME and NUMBA_CPU_FEATURES."""


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
        classed = (triple, *LEVEL) if _fits(LEVEL[1]) else (triple, *own)
        for file in dict.fromkeys(self._file(sig, at) for at in ((triple, *own), classed)):
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


def _fits(features: str) -> bool:
    """Whether this processor has them."""
    there = get_host_cpu_features()
    return all(there.get(feature.lstrip("+")) for feature in features.split(","))
