"""Each bin of each frame to one source, by its direction."""

from otowake.core.method import Method
from otowake.mixture import ALIGN, AngularMixture, Weights, aligned, per_bin, per_frame
from otowake.recipes.recipe import listed
from otowake.signal.filters import Output, wiener


@listed(
    "Every bin of every frame belongs to one source, told by its direction; masks become Wiener filters.",
    "speech, also with more talkers than microphones; say how many there are (--sources)",
    "N. Ito, S. Araki, T. Nakatani, Complex angular central Gaussian mixture model for directional statistics in "
    "mask-based microphone array signal processing, 2016",
    takes="any",
    iterations=50,
    frame=0.064,
    single=True,
)
def cacgmm(
    sources: int = 2,
    weights: Weights = per_frame,
    output: Output = wiener,
    align: int = ALIGN,
    prior: float = 0.0,
) -> Method:
    """Mixture of complex angular central Gaussians.

    Args:
        sources: how many; more than microphones, too.
        weights: how often a source is heard: frame, the same in all bins of a frame, or bin, the same in all frames.
        output: how masks become sounds: wiener, mwf (one filter a bin), mvdr or mask.
        align: iterations with weights=bin that come before weights=frame; then sources of all bins get one order.
        prior: how many frames of noise from everywhere keep each covariance from collapsing; 0 is none.
    """
    mixture = AngularMixture(sources, prior, per_bin, output)
    return mixture if weights is per_bin else aligned(mixture, align)


@listed(
    "The same mixture read as Gaussians of free levels, with a prior that keeps covariances from collapsing.",
    "as cacgmm, where there are few frames or noise",
    "T. Higuchi, N. Ito, T. Yoshioka, T. Nakatani, Robust MVDR beamforming using time-frequency masks for "
    "online/offline ASR in noise, 2016",
    takes="any",
    iterations=50,
    frame=0.064,
    single=True,
)
def cgmm(
    sources: int = 2,
    weights: Weights = per_frame,
    output: Output = wiener,
    align: int = ALIGN,
    prior: float = 1.0,
) -> Method:
    """Mixture of complex Gaussians.

    Args:
        sources: how many; more than microphones, too.
        weights: how often a source is heard: frame, the same in all bins of a frame, or bin, the same in all frames.
        output: how masks become sounds: wiener, mwf (one filter a bin), mvdr or mask.
        align: iterations with weights=bin that come before weights=frame; then sources of all bins get one order.
        prior: how many frames of noise from everywhere the prior of each covariance is worth; with 0 this is cacgmm.
    """
    return cacgmm(sources, weights, output, align, prior)
