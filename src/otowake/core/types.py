"""The shapes of the house, by name.  Letters and axes: NOTATION.md."""

from jaxtyping import Bool, Complex, Float, Inexact
from torch import Tensor

Mixture = Inexact[Tensor, "*b m f t"]
"""X: what the microphones heard; real where `Observed` factorises data that have no phases."""
Spec = Complex[Tensor, "*b n f t"]
"""Y: one spectrogram a source."""
Power = Float[Tensor, "*b n #f #t"]
"""r, v: one power spectrogram a source; an axis of 1 holds for all bins or frames."""
Half = Float[Tensor, "*b #n #f #t"]
"""neg, pos: the halves of a derivative in r; an axis of 1 holds for all sources, bins or frames."""
Weight = Float[Tensor, "*b n #f t"]
"""phi: weights, per bin, or one a frame for densities pooled over frequency."""
Demixer = Complex[Tensor, "*b f n m"]
"""W: row n is w_n^H."""
Covariance = Complex[Tensor, "*b f m m"]
"""C: the plain covariance of each bin."""
Covariances = Complex[Tensor, "*b f n m m"]
"""V: one weighted covariance a source and bin."""
Images = Complex[Tensor, "*b n _ f t"]
"""Each source as some microphones hear it, all or a choice of them."""
Gain = Float[Tensor, "*b n #f 1"]
"""g: a change of scale of r."""
Live = Bool[Tensor, "*b f"]
"""Bins that carry a mixture of full rank."""
Cost = Float[Tensor, "*b"]
"""One number a mixture, in nats."""
