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


def in_threads(work: Callable[[np.ndarray], Any], edges: np.ndarray) -> None:
    """work(edges[j : k + 1]) for stretches of slices, one for each thread, or work(edges) where there is one thread."""
    slices = len(edges) - 1
    threads = min(torch.get_num_threads(), slices)
    if threads == 1:
        work(edges)
        return
    cuts = [slices * i // threads for i in range(threads + 1)]
    own, *others = (edges[first : last + 1] for first, last in zip(cuts, cuts[1:]))
    jobs = [_pool(threads).submit(work, stretch) for stretch in others]
    work(own)
    for job in jobs:
        job.result()
