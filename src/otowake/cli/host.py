"""What the command asks of the machine before the heavy libraries come in.

Only the command does this: a library has no business with the settings of its host process.
"""

import atexit
import contextlib
import ctypes
import gc
import logging
import os
import subprocess
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)


def prepare_process() -> None:
    """Threads that wait sleep, freed memory stays at hand, garbage waits, matplotlib is silent.

    Call before torch is imported.

    Sleeping: threads of OpenMP and OpenBLAS otherwise spin while they wait; with other work on the machine an
    iteration then took five times as long. Memory: Linux's C library otherwise gives pages back and fetches them
    anew, zeroed, at every iteration, up to half of its time (docs/decisions/0004-kernels.md). What the user has set
    is left alone. Garbage: importing torch and Numba makes a million objects that stay; looking through them again
    and again for garbage took a sixth of that time. Silent: matplotlib would tell of building its font cache.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    gc.set_threshold(50_000, 50, 1000)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # 2^4 cycles
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, 2**30)
        mallopt(_MMAP_THRESHOLD, 2**30)


def compile_ahead() -> None:
    """On the first run kernels are compiled in two processes: this one from the first that is needed on, and another
    from the last (`ops/cpu/ahead.py`), which is ended with this one.

    Nothing is done where kernels were compiled before, cannot be kept here, or a second process would be in the way.
    """
    from otowake import kept  # which reads the kernels' sources: no other command needs to

    if kept.read(kept.DONE) is not None or not kept.writable() or (os.cpu_count() or 1) < 2:
        return
    words, none = [sys.executable, "-m", "otowake.ops.cpu.ahead", "--beside"], subprocess.DEVNULL
    with contextlib.suppress(OSError):  # then all is compiled here
        atexit.register(subprocess.Popen(words, stdin=none, stdout=none, stderr=none).kill)
