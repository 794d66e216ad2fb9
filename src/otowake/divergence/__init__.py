"""Divergences and densities: what is small when a model explains what was observed; penalties on factors."""

import torch

from otowake.core.method import Divergence
from otowake.divergence.alphabeta import AlphaBeta, DualIs, Hellinger
from otowake.divergence.beta import Beta
from otowake.divergence.bregman import Bregman, DualKl
from otowake.divergence.heavy import HeavyT
from otowake.divergence.sum import Sum

DIVERGENCES: dict[str, Divergence] = {
    "is": Beta(0.0),
    "kl": Beta(1.0),
    "frobenius": Beta(2.0),
    "beta-1": Beta(-1.0),
    "beta0.5": Beta(0.5),
    "beta1.5": Beta(1.5),
    "beta3": Beta(3.0),
    "hellinger": Hellinger(),
    "pearson": AlphaBeta(2.0, -1.0),
    "neyman": AlphaBeta(-1.0, 2.0),
    "ab-0.5-0.5": AlphaBeta(-0.5, -0.5),
    "dual-is": DualIs(),
    "dual-kl": DualKl(),
    "is+kl": Bregman(lambda s: (1 + s) / s**2, -2.0, -1.0),
    "is+frobenius": Bregman(
        lambda s: s**-2 + 1, -2.0, 0.0, phi=(lambda s: s**2 / 2 - torch.log(s), lambda s: s - 1 / s)
    ),
    "cauchy-nmf": HeavyT(1.0),
    "sum": Sum((Beta(0.0), Beta(1.0), Hellinger())),
}
"""Every divergence that the laws are tried with; densities (`density.DENSITIES`) serve as divergences, too."""

__all__ = [
    "DIVERGENCES",
    "AlphaBeta",
    "Beta",
    "Bregman",
    "Divergence",
    "DualIs",
    "DualKl",
    "HeavyT",
    "Hellinger",
    "Sum",
]
