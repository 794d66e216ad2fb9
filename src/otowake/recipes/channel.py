"""One channel.  The signature is the schema of all doors: `recipes/__init__.py`."""

from otowake.complex_nmf import ComplexNmf
from otowake.core.method import Divergence, Method
from otowake.core.separator import Separator
from otowake.divergence.beta import Beta
from otowake.recipes.recipe import listed
from otowake.source.nmf import Nmf
from otowake.source.start import Start, random
from otowake.source.step import Rule, mm
from otowake.spatial.observed import Observed


@listed(
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


@listed(
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
