"""Phases for magnitudes that have none.

Rectified   those of |x|: its harmonics stand where those of x would go on, and start when they do
Agreeing    repeat  E <- phase of STFT(ISTFT(M E)):  || |STFT(ISTFT(M E))| - M || never rises

Source      Griffin & Lim 1984, equation 10; full-wave rectification: Makhoul & Berouti 1979.
"""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from otowake.linalg.safe import polar
from otowake.signal.stft import Stft

Phases = Complex[Tensor, "*b f t"]


def rectified(x: Float[Tensor, "*b samples"], stft: Stft) -> Phases:
    """E of |x|, |E| = 1."""
    X = stft.forward(x.abs())
    return polar(X, torch.ones_like(X))[0]


def agreeing(
    M: Float[Tensor, "*b f t"], E: Phases, stft: Stft, samples: int, rounds: int
) -> Float[Tensor, "*b samples"]:
    """The signal of magnitudes M, with phases that began as E and agree with each other better after each round."""
    for _ in range(rounds):
        E = polar(stft.forward(stft.inverse(M * E, samples)), E)[0]
    return stft.inverse(M * E, samples)
