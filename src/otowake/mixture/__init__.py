"""Mixtures: every cell of the spectrogram belongs to one source."""

from otowake.mixture.angular import WEIGHTS, AngularMixture, Weights, aligned, arranged, per_bin, per_frame

__all__ = ["WEIGHTS", "AngularMixture", "Weights", "aligned", "arranged", "per_bin", "per_frame"]
