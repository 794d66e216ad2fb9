"""The shapes of the house, by name.  Letters and axes: NOTATION.md."""

from jaxtyping import Bool, Complex, Float
from torch import Tensor

Mixture = Complex[Tensor, "*b m f t"]
"""X: what the microphones heard."""
Spec = Complex[Tensor, "*b n f t"]
"""Y: one spectrogram a source."""
Power = Float[Tensor, "*b n f t"]
"""r, v: one power spectrogram a source."""
Weight = Float[Tensor, "*b n #f t"]
"""phi: weights, per bin, or one a frame for densities pooled over frequency."""
Demixer = Complex[Tensor, "*b f n m"]
"""W: row n is w_n^H."""
Covariance = Complex[Tensor, "*b f m m"]
"""C: the plain covariance of each bin."""
Covariances = Complex[Tensor, "*b f n m m"]
"""V: one weighted covariance a source and bin."""
Images = Complex[Tensor, "*b n m f t"]
"""Each source as each microphone hears it."""
Gain = Float[Tensor, "*b n #f 1"]
"""g: a change of scale of r."""
Live = Bool[Tensor, "*b f"]
"""Bins that carry a mixture of full rank."""
Cost = Float[Tensor, "*b"]
"""One number a mixture, in nats."""
