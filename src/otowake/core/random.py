"""Random starts: made on the CPU in double precision, so that a seed means the same on every device and dtype."""

from collections.abc import Sequence

import torch
from torch import Tensor


def uniform(seed: int, shape: Sequence[int], like: Tensor, *, stream: int, low: float = 0.1) -> Tensor:
    """U(low, 1) of `shape`, with the dtype and device of `like`; each stream of a seed is independent."""
    g = torch.Generator().manual_seed(seed * 1000 + stream)
    u = torch.rand(*shape, generator=g, dtype=torch.float64)
    return (low + (1 - low) * u).to(dtype=like.dtype, device=like.device)
