"""Kernels run over bins, in as many threads as torch uses; each bin is computed by one thread, so bits do not depend
on the number of threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import torch

_GRAIN = 32
"""Slices begin at multiples of this, so that the same frames fill a vector whatever the number of threads."""
_SLICES = 4
"""Of rows that are summed over: each has a sum of its own, so that bits do not depend on the number of threads."""


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="otowake")


def over_bins(kernel: Callable[..., None], bins: int, *args: Any) -> None:
    """Call kernel(*args, lo, hi) on slices of range(bins); the kernel releases the GIL and writes its result."""
    threads = min(torch.get_num_threads(), max(1, bins // _GRAIN))
    if threads == 1:
        kernel(*args, 0, bins)
        return
    edges = [*(bins * i // threads // _GRAIN * _GRAIN for i in range(threads)), bins]
    jobs = [_pool(threads).submit(kernel, *args, lo, hi) for lo, hi in zip(edges[1:-1], edges[2:], strict=True)]
    kernel(*args, edges[0], edges[1])
    for job in jobs:
        job.result()


def slices(rows: int) -> np.ndarray:
    """Rows where slices begin and end: as many slices whatever the number of threads."""
    pieces = max(1, min(_SLICES, rows))
    return np.arange(pieces + 1) * rows // pieces


def in_threads(work: Callable[[np.ndarray, int], Any], edges: np.ndarray) -> None:
    """work(edges[s : s + 2], s) for each slice s, by whichever thread is free; work(edges, 0) where there is one.

    On a busy machine a thread may come late, or not at all: the others do not wait for slices that it has not begun.
    """
    pieces = len(edges) - 1
    threads = min(torch.get_num_threads(), pieces)
    if threads == 1:
        work(edges, 0)
        return
    left = iter(range(pieces))  # Python's own iterators are moved by one thread at a time

    def some() -> None:
        for s in left:
            work(edges[s : s + 2], s)

    jobs = [_pool(threads).submit(some) for _ in range(threads - 1)]
    some()
    for job in jobs:
        if not job.cancel():
            job.result()
