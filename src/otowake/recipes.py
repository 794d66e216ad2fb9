"""Every named algorithm: which parts, which defaults, whose idea.  The signature is the schema of all doors.

`sources` and `stft` are given by whoever has the recording; everything else is a setting.
"""

from otowake import opening as openings
from otowake.complex_nmf import ComplexNmf
from otowake.core.method import Divergence, Method
from otowake.core.separator import Separator
from otowake.core.wrap import Grouped, Groups, Started, Warm
from otowake.divergence.beta import Beta
from otowake.divergence.density import Density, Gauss, Laplace, Pooled, tempered
from otowake.proximal import Pds, Proximal, Splitting
from otowake.opening import Opening, two_step
from otowake.rank_constrained import RankConstrained
from otowake.recipe import RECIPES as RECIPES
from otowake.recipe import Recipe as Recipe
from otowake.recipe import listed
from otowake.signal.stft import Stft
from otowake.source.flat import Flat
from otowake.source.frame import Frame
from otowake.source.mask import Harmonic
from otowake.source.nmf import Nmf
from otowake.source.partitioned import Partitioned
from otowake.source.shrink import Group, Shrinks
from otowake.source.start import Start, random
from otowake.source.step import Rule, mm
from otowake.spatial.consistent import Consistent
from otowake.spatial.demix import GIP, Demix, ip1
from otowake.spatial.determined import Determined
from otowake.spatial.fullrank import FullRank
from otowake.spatial.jointdiag import JointDiag, all_bins, each_bin
from otowake.spatial.observed import Observed
from otowake.spatial.overdetermined import Overdetermined


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


@listed(
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


@listed(
    "AuxIVA with as many outputs as microphones, put together into the number of sources asked for.",
    "more microphones than sources in reverberation: the extra outputs catch reflections",
    'N. Ono, 2011 (AuxIVA); grouping its outputs is a known baseline ("AuxIVA+"), this measure of likeness is ours',
    takes="more",
    iterations=50,
)
def auxiva_plus(
    sources: int = 2,
    density: Density = Laplace(),  # noqa: B008
    demix: Demix = ip1,
    groups: Groups = (),
) -> Method:
    """AuxIVA+: all outputs, grouped by how alike their activities are.

    Args:
        sources: how many groups.
        density: of a frame of a source: laplace, gauss (time-varying), t:NU or ggd:SHAPE.
        demix: the update of the demixing matrices: ip1, ip2, iss1, iss2 or ipa.
        groups: auto, or the number of its source for each output, such as 1,2,1,2, when a first run has shown them.
    """
    return Grouped(auxiva(density, demix), sources, groups or None)


@listed(
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


@listed(
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
    temper: int = 0,
) -> Method:
    """Independent low-rank matrix analysis.

    Args:
        bases: spectra a source: 2 for speech, 10 to 30 for music.
        density: of a bin: gauss, t:NU, ggd:SHAPE (below 2 heavy, above 2 light tails), laplace or cauchy.
        demix: the update of the demixing matrices (ggd above 2 brings its own): ip1, ip2, iss1, iss2 or ipa.
        domain: power of the amplitude in which spectra add up: 2 power, 1 amplitude.
        shared: a number above 0 deals out that many spectra among all sources (partitioned ILRMA); 0: each its own.
        warm: how many Gauss iterations come before a density other than gauss.
        temper: in how many iterations gauss then becomes t or ggd, bit by bit; 0 changes at once.
    """
    source = Partitioned(shared, domain) if shared else Nmf(bases, domain)
    first = Separator(source, Determined(demix, Gauss()))
    if isinstance(density, Gauss):
        return first

    def of(density: Density) -> Method:
        return Separator(source, Determined(GIP(density.degree) if density.degree > 2 else demix, density))

    return Warm(first, of(density), warm, tuple(map(of, tempered(density, temper))))


@listed(
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


@listed(
    "Demixes by what the sources are drawn to, a penalty that is put in and taken out without new equations.",
    "trying other ideas of what a source is: group is independent vector analysis, low-rank and harmonic have no other",
    "K. Yatabe, D. Kitamura, Determined blind source separation via proximal splitting algorithm, 2018",
)
def pds(source: Shrinks = (Group(),), splitting: Splitting = Pds(), tolerance: float = 1e-3) -> Method:  # noqa: B008
    """Plug-and-play demixing.

    Args:
        source: what sources are like: group (all bins of a frame together), low-rank, harmonic, sparse (which alone
            leaves open which bin belongs to whom), or a sum such as group+sparse.
        splitting: how the problem is split: pds, pds:RELAX (above 0, below 2) or admm, admm:RHO.
        tolerance: it stops where both residuals are below; 0 never does.
    """
    return Proximal(source, splitting, tolerance)


@listed(
    "Demixes so that the harmonics of each source stand out: a mask of cepstra in place of a source model.",
    "speech and single voices, where no more is known than that they have harmonics",
    "K. Yatabe, D. Kitamura, Determined BSS based on time-frequency masking and its application to harmonic vector "
    "analysis, 2021",
)
def hva(kappa: int = 1, splitting: Splitting = Pds(), tolerance: float = 1e-3) -> Method:  # noqa: B008
    """Harmonic vector analysis.

    Args:
        kappa: how often small cepstra are made smaller.
        splitting: how the problem is split: pds, pds:RELAX (up to 1 with masks) or admm, admm:RHO.
        tolerance: it stops where both residuals are below; 0 never does.
    """
    return Proximal((Harmonic(kappa),), splitting, tolerance)


@listed(
    "Sources that overlap in every channel: one matrix a bin makes the covariances of all of them diagonal.",
    "reverberation, and more or fewer sources than microphones; fastmnmf2 comes first",
    "K. Sekiguchi, Y. Bando, A. A. Nugraha, K. Yoshii, T. Kawahara, Fast multichannel nonnegative matrix factorization "
    "with directivity-aware jointly-diagonalizable spatial covariance matrices for blind source separation, 2020",
    takes="any",
)
def fastmnmf(
    sources: int = 2,
    bases: int = 8,
    density: Density = Gauss(),  # noqa: B008
    demix: Demix = ip1,
    start: Opening = openings.ilrma,
) -> Method:
    """FastMNMF: in each bin the sources share the channels in another way.

    Args:
        sources: how many; more or fewer than microphones, or as many.
        bases: spectra a source.
        density: of a channel: gauss, laplace, cauchy, t:NU or ggd:SHAPE (2 at most).
        demix: the update of the matrices: ip1, ip2, iss1, iss2 or ipa.
        start: cold, two-step (30 iterations with two bases first) or ilrma (30 iterations of it first).
    """
    joint = JointDiag(sources, demix, density, each_bin)
    return start(Nmf(bases), joint, joint)


@listed(
    "FastMNMF whose sources share the channels in the same way in all bins.",
    "reverberation, and more or fewer sources than microphones",
    "K. Sekiguchi, Y. Bando, A. A. Nugraha, K. Yoshii, T. Kawahara, Fast multichannel nonnegative matrix factorization "
    "with directivity-aware jointly-diagonalizable spatial covariance matrices for blind source separation, 2020",
    takes="any",
)
def fastmnmf2(
    sources: int = 2,
    bases: int = 8,
    density: Density = Gauss(),  # noqa: B008
    demix: Demix = ip1,
    start: Opening = openings.ilrma,
) -> Method:
    """FastMNMF2: far fewer numbers, and bins that hold together.

    Args:
        sources: how many; more or fewer than microphones, or as many.
        bases: spectra a source.
        density: of a channel: gauss, laplace, cauchy, t:NU or ggd:SHAPE (2 at most).
        demix: the update of the matrices: ip1, ip2, iss1, iss2 or ipa.
        start: cold, two-step (30 iterations with two bases first) or ilrma (30 iterations of it first).
    """
    joint = JointDiag(sources, demix, density, all_bins)
    return start(Nmf(bases), joint, joint)


@listed(
    "Each source has a free covariance in every bin: the most general model of sources that overlap.",
    "diffuse or moving-about sounds; many times slower than fastmnmf2, which comes first",
    "H. Sawada, H. Kameoka, S. Araki, N. Ueda, Multichannel extensions of non-negative matrix factorization with "
    "complex-valued data, 2013",
    takes="any",
    iterations=60,
)
def mnmf(
    sources: int = 2,
    bases: int = 8,
    density: Density = Gauss(),  # noqa: B008
    demix: Demix = ip1,
    start: Opening = two_step,
) -> Method:
    """Multichannel NMF.

    Args:
        sources: how many; more or fewer than microphones, or as many.
        bases: spectra a source.
        density: of all microphones of a bin at once: gauss, laplace, cauchy, t:NU or ggd:SHAPE (2 at most).
        demix: the update of the matrices in the start: ip1, ip2, iss1, iss2 or ipa.
        start: cold, two-step (30 iterations of fastmnmf2 first) or ilrma (30 iterations of it first).
    """
    return start(Nmf(bases), FullRank(sources, density), JointDiag(sources, demix, shares=all_bins))


@listed(
    "Demixing finds one sound's direction; the noise, which has none, gets its full rank back. All else is the rest.",
    "one talker in diffuse noise: traffic, a crowd, wind",
    "Y. Kubo, N. Takamune, D. Kitamura, H. Saruwatari, Blind speech extraction based on rank-constrained spatial "
    "covariance matrix estimation with multivariate generalized Gaussian distribution, 2020",
    takes="any",
    iterations=50,
)
def rcscme(target: int = 0, alpha: float = -0.5, bases: int = 2, demix: Demix = ip1) -> Method:
    """Rank-constrained spatial covariance matrix estimation, after 30 iterations of ILRMA.

    Args:
        target: which of ILRMA's outputs is the target, from 1; 0: the one whose powers are spread widest.
        alpha: the larger, the more is taken for noise; above -1.
        bases: spectra a source in ILRMA.
        demix: the update of the demixing matrices: ip1, ip2, iss1, iss2 or ipa.
    """
    first = Separator(Nmf(bases), Determined(demix))
    return RankConstrained(first, openings.STEPS, target - 1 if target else None, alpha)
