"""Frames of a signal: what frames add up to, cut into frames again."""

import torch
from torch import Tensor

from otowake.ops.registry import Op


def overlap_added(frames: Tensor, hop: int) -> Tensor:
    """Frames *b t n laid over each other every hop samples: *b (t - 1) hop + n."""
    *batch, t, n = frames.shape
    blocks = -(-n // hop)
    out = frames.new_zeros(*batch, t + blocks - 1, hop)
    for i in range(blocks):
        part = frames[..., i * hop : (i + 1) * hop]
        out[..., i : i + t, : part.shape[-1]] += part
    return out.reshape(*batch, -1)[..., : (t - 1) * hop + n]


def definition(Z: Tensor, window: Tensor, whole: Tensor) -> Tensor:
    hop, (t, n) = len(whole), Z.shape[-2:]
    at = torch.arange(n - hop, t * hop, device=Z.device)
    x = overlap_added(Z * window, hop)[..., n - hop : t * hop] / whole[at % hop]
    return torch.nn.functional.pad(x, (n - hop, n - hop)).unfold(-1, n, hop) * window


def _suits(Z: Tensor, window: Tensor, whole: Tensor) -> bool:
    return Z.dtype == window.dtype == whole.dtype and len(window) % len(whole) == 0


reframed = Op("reframed", definition, "frames", "(Tensor Z, Tensor window, Tensor whole) -> Tensor", _suits)
"""(Z: *b t n, of as many frames as lie over one sample or more; window: n; whole: hop) -> *b t n.

Z windowed and laid over each other every hop samples, by `whole`, the squared windows that lie over a sample, are a
signal; before its first sample with all of them and behind its last is silence.  The result are its windowed frames."""
