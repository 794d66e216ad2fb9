"""Keep freed memory in this process: every iteration asks for the same buffers again.

By default the C library of Linux hands pages back to the system and fetches them anew, zeroed, which took up to half
of an iteration's time (docs/decisions/0004-kernels.md).  Only the command does this: a library has no business with
its host's allocator.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)


def keep_pages() -> None:
    """Ask glibc to keep what is freed, up to 1 GiB; elsewhere nothing happens."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, 2**30)
        mallopt(_MMAP_THRESHOLD, 2**30)
