"""Signals hop by hop: each stretch is added up once, and written to all frames that it is a part of."""

import numpy as np
import torch
from torch import Tensor

from otowake.ops.cpu.arrays import flat
from otowake.ops.cpu.compile import kernel
from otowake.ops.cpu.registers import at, count, filled, put
from otowake.ops.cpu.threads import in_threads, slices
from otowake.ops.cpu.vectors import spread


@kernel
def _reframed(Z, window, whole, out, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Stretch s begins where frame s does.  Z, out: t n; window: n / hop, hop; whole: hop."""
    T, (Q, hop) = len(Z), window.shape
    for s in range(lo, hi):
        for x in range(0, hop, count(Z)):
            y = spread(0, Z)
            if Q - 1 <= s < T:
                for i in range(Q):
                    y += at(Z[s - i, i * hop : (i + 1) * hop], x) * at(window[i], x)
                y /= filled(whole, x)
            for i in range(max(0, s - T + 1), min(Q, s + 1)):
                put(y * at(window[i], x), out[s - i, i * hop : (i + 1) * hop], x)


def reframed(Z: Tensor, window: Tensor, whole: Tensor) -> Tensor:
    """Kernel of `ops.frames.reframed`."""
    out = torch.empty(Z.shape, dtype=Z.dtype)
    w, total = (np.ascontiguousarray(x.detach().numpy()) for x in (window, whole))
    windows = w.reshape(-1, len(total))
    edges = slices(Z.shape[-2] + len(windows) - 1)
    for z, to in zip(flat(Z, 2), flat(out, 2)):
        frames = np.ascontiguousarray(z), windows, total, to
        in_threads(lambda some, _: _reframed(*frames, some[0], some[-1]), edges)  # noqa: B023 - done in here
    return out
