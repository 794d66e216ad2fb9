"""How good a separation is, when the true sources are known."""

from otowake.metrics.bss import Evaluation, Scores, evaluate

__all__ = ["Evaluation", "Scores", "evaluate"]
