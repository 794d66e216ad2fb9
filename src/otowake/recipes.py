"""Every named algorithm: which parts, which defaults, whose idea.  The signature is the schema of all doors.

`sources` and `stft` are given by whoever has the recording; everything else is a setting.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from otowake.complex_nmf import ComplexNmf
from otowake.core.method import Divergence, Method
from otowake.core.separator import Separator
from otowake.core.wrap import Grouped, Started, Warm
from otowake.divergence.beta import Beta
from otowake.divergence.density import Density, Gauss, Laplace, Pooled
from otowake.mixture import AngularMixture, Weights, arranged, per_bin, per_frame
from otowake.signal.filters import Output, wiener
from otowake.signal.stft import Stft
from otowake.source.flat import Flat
from otowake.source.frame import Frame
from otowake.source.nmf import Nmf
from otowake.source.partitioned import Partitioned
from otowake.source.start import Start, random
from otowake.source.step import Rule, mm
from otowake.spatial.consistent import Consistent
from otowake.spatial.demix import GIP, Demix, ip1
from otowake.spatial.determined import Determined
from otowake.spatial.observed import Observed
from otowake.spatial.overdetermined import Overdetermined

Takes = Literal["one", "square", "more", "any"]


@dataclass(frozen=True)
class Recipe:
    """A named algorithm.

    Attributes:
        name: as on the command line.
        build: typed function that makes the method.
        summary: what it does, one sentence.
        good_for: when to take it.
        citation: author, year, title.
        takes: "one" channel, as many channels as sources ("square"), "more" channels than sources, or "any" number
            from two on.
        iterations: how many are usual.
        frame: seconds of the STFT's usual frame (experiments/quality).
    """

    name: str
    build: Callable[..., Method]
    summary: str
    good_for: str
    citation: str
    takes: Takes = "square"
    iterations: int = 100
    frame: float = 0.25


RECIPES: dict[str, Recipe] = {}
"""Every recipe by name."""


def _recipe(
    summary: str,
    good_for: str,
    citation: str,
    takes: Takes = "square",
    iterations: int = 100,
    frame: float = 0.25,
) -> Callable[[Callable[..., Method]], Callable[..., Method]]:
    def listed(build: Callable[..., Method]) -> Callable[..., Method]:
        name = build.__name__
        RECIPES[name] = Recipe(name, build, summary, good_for, citation, takes, iterations, frame)
        return build

    return listed


@_recipe(
    "One channel as a sum of spectral patterns; each source is the share of its pattern in every bin.",
    "a mono recording of few repeating sounds (notes, drum hits), and as a part of everything else",
    "C. Fevotte, N. Bertin, J.-L. Durrieu, Nonnegative matrix factorization with the Itakura-Saito divergence, 2009",
    takes="one",
)
def nmf(
    sources: int = 8,
    divergence: Divergence = Beta(0.0),  # noqa: B008 - frozen
    power: float = 2.0,
    bases: int = 1,
    domain: float = 2.0,
    rule: Rule = mm,
    start: Start = random,
) -> Method:
    """NMF of a spectrogram.

    Args:
        sources: how many patterns to find; each becomes an output.
        divergence: what is small when the patterns explain the recording; with power 2, is suits most sounds, t:NU and
            cauchy forgive clicks.
        power: v = |x|^power is explained: 2 suits is and densities, 1 suits kl and euclid.
        bases: spectra a source.
        domain: power of the amplitude in which spectra add up where v is a power: 2 power, 1 amplitude (Cauchy-NMF).
        rule: how far an update goes: mm, me (further, also proved) or heuristic.
        start: where the spectra begin: random, or nndsvd, the recording's singular vectors, which know no seed.
    """
    return Separator(Nmf(bases, domain, rule, start=start), Observed(divergence, sources, power))


@_recipe(
    "One channel as a sum of spectral patterns that keep their own phases, so that sounds may cancel each other.",
    "a mono recording of few sounds that overlap in the same bins; several times slower than nmf, which comes first",
    "H. Kameoka, N. Ono, K. Kashino, S. Sagayama, Complex NMF: a new sparse representation for acoustic signals, 2009",
    takes="one",
    frame=0.064,
)
def complex_nmf(
    sources: int = 8, bases: int = 1, sparsity: float = 10.0, shape: float = 1.2, spread: float = 1.0
) -> Method:
    """Complex NMF.

    Args:
        sources: how many patterns to find; each becomes an output.
        bases: spectra a source; each has phases of its own, and memory grows with their number.
        sparsity: what loud gains cost, as a share of the recording's energy at gains that are all equal; 0 is free.
        shape: from above 0 to 2: the smaller, the more gains are next to nothing.
        spread: how far phases start from the recording's: 1 anywhere; 0 not at all, which is NMF of magnitudes.
    """
    return ComplexNmf(sources, bases, sparsity, shape, spread)


@_recipe(
    "Demixes by independence alone: all bins of a sound are loud together.",
    "a fast first answer, and speech in moderate reverberation",
    "N. Ono, Stable and fast update rules for independent vector analysis based on auxiliary function technique, 2011",
    iterations=50,
)
def auxiva(density: Density = Laplace(), demix: Demix = ip1) -> Method:  # noqa: B008 - frozen
    """Independent vector analysis by auxiliary functions.

    Args:
        density: of a frame of a source: laplace, gauss (time-varying), t:NU or ggd:SHAPE.
        demix: the update of the demixing matrices: ip1, ip2, iss1, iss2 or ipa.
    """
    if isinstance(density, Gauss):
        return Separator(Frame(), Determined(demix, density))
    return Separator(Flat(), Determined(demix, Pooled(density)))


@_recipe(
    "AuxIVA with as many outputs as microphones, put together into the number of sources asked for.",
    "more microphones than sources in reverberation: the extra outputs catch reflections",
    'N. Ono, 2011 (AuxIVA); grouping its outputs is a known baseline ("AuxIVA+"), this measure of likeness is ours',
    takes="more",
    iterations=50,
)
def auxiva_plus(sources: int = 2, density: Density = Laplace(), demix: Demix = ip1) -> Method:  # noqa: B008
    """AuxIVA+: all outputs, grouped by how alike their activities are.

    Args:
        sources: how many groups.
        density: of a frame of a source: laplace, gauss (time-varying), t:NU or ggd:SHAPE.
        demix: the update of the demixing matrices: ip1, ip2, iss1, iss2 or ipa.
    """
    return Grouped(auxiva(density, demix), sources)


@_recipe(
    "Demixes fewer sources than there are microphones; the rest of space is kept apart as stationary noise.",
    "more microphones than sources in steady noise",
    "R. Scheibler, N. Ono, Independent vector analysis with more microphones than sources, 2019",
    takes="more",
    iterations=50,
)
def overiva(sources: int = 2, density: Density = Gauss()) -> Method:  # noqa: B008
    """OverIVA.

    Args:
        sources: how many sources to find; fewer than microphones.
        density: of a frame of a source: laplace, gauss (time-varying), t:NU or ggd:SHAPE.
    """
    if isinstance(density, Gauss):
        return Separator(Frame(), Overdetermined(sources, density))
    return Separator(Flat(), Overdetermined(sources, Pooled(density)))


@_recipe(
    "Demixes by independence and by a low-rank spectrogram of each source.",
    "music, and speech when consistent_ilrma is too slow",
    "D. Kitamura, N. Ono, H. Sawada, H. Kameoka, H. Saruwatari, Determined blind source separation unifying IVA and "
    "NMF, 2016",
    frame=0.4,
)
def ilrma(
    bases: int = 2,
    density: Density = Gauss(),  # noqa: B008
    demix: Demix = ip1,
    domain: float = 2.0,
    shared: int = 0,
    warm: int = 40,
) -> Method:
    """Independent low-rank matrix analysis.

    Args:
        bases: spectra a source: 2 for speech, 10 to 30 for music.
        density: of a bin: gauss, t:NU, ggd:SHAPE (below 2 heavy, above 2 light tails), laplace or cauchy.
        demix: the update of the demixing matrices (ggd above 2 brings its own): ip1, ip2, iss1, iss2 or ipa.
        domain: power of the amplitude in which spectra add up: 2 power, 1 amplitude.
        shared: a number above 0 deals out that many spectra among all sources (partitioned ILRMA); 0: each its own.
        warm: how many Gauss iterations come before a density other than gauss.
    """
    source = Partitioned(shared, domain) if shared else Nmf(bases, domain)
    first = Separator(source, Determined(demix, Gauss()))
    if isinstance(density, Gauss):
        return first
    rule = GIP(density.degree) if density.degree > 2 else demix
    return Warm(first, Separator(source, Determined(rule, density)), warm)


@_recipe(
    "ILRMA whose source models look at spectrograms that a signal can really have.",
    "most recordings with as many microphones as sources; the best of the determined methods here",
    "D. Kitamura, K. Yatabe, Consistent independent low-rank matrix analysis for determined blind source separation, "
    "2020",
    iterations=60,
    frame=0.4,
)
def consistent_ilrma(stft: Stft = Stft(), bases: int = 4, demix: Demix = ip1, start: int = 0) -> Method:  # noqa: B008
    """Consistent ILRMA.

    Args:
        stft: the transform of the recording.
        bases: spectra a source: 2 to 4 for speech, 10 to 30 for music.
        demix: the update of the demixing matrices: ip1, ip2, iss1, iss2 or ipa.
        start: iterations of AuxIVA that come first; with short frames they make the result depend less on the seed.
    """
    method = Separator(Nmf(bases), Consistent(Determined(demix, Gauss()), stft))
    return Started(method, Separator(Flat(), Determined(demix, Pooled(Laplace()))), start) if start else method


@_recipe(
    "Every bin of every frame belongs to one source, told by its direction; masks become Wiener filters.",
    "speech, also with more talkers than microphones; it needs to know how many there are",
    "N. Ito, S. Araki, T. Nakatani, Complex angular central Gaussian mixture model for directional statistics in "
    "mask-based microphone array signal processing, 2016",
    takes="any",
    iterations=50,
    frame=0.064,
)
def cacgmm(
    sources: int = 2,
    weights: Weights = per_frame,
    output: Output = wiener,
    align: int = 20,
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
    first = AngularMixture(sources, prior, per_bin, output)
    return (
        first if weights is per_bin else Warm(first, AngularMixture(sources, prior, weights, output), align, arranged)
    )


@_recipe(
    "The same mixture read as Gaussians of free levels, with a prior that keeps covariances from collapsing.",
    "as cacgmm, where there are few frames or noise",
    "T. Higuchi, N. Ito, T. Yoshioka, T. Nakatani, Robust MVDR beamforming using time-frequency masks for "
    "online/offline ASR in noise, 2016",
    takes="any",
    iterations=50,
    frame=0.064,
)
def cgmm(
    sources: int = 2,
    weights: Weights = per_frame,
    output: Output = wiener,
    align: int = 20,
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
