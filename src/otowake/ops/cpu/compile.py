"""How a kernel is compiled: once, without the GIL, kept on disk.

`fastmath` is limited to what changes rounding only (reordered sums, fused multiply-add): NaN and infinity keep
their meaning.
"""

from collections.abc import Callable
from typing import Any

import numba

_ROUNDING_ONLY = {"reassoc", "contract", "nsz", "arcp"}


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    return numba.njit(cache=True, nogil=True, fastmath=_ROUNDING_ONLY, error_model="numpy")(function)
