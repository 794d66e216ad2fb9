"""Mixtures: every cell of the spectrogram belongs to one source."""

from otowake.mixture.angular import ALIGN, WEIGHTS, AngularMixture, Weights, aligned, arranged, per_bin, per_frame

__all__ = ["ALIGN", "WEIGHTS", "AngularMixture", "Weights", "aligned", "arranged", "per_bin", "per_frame"]
