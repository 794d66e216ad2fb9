"""Sources that reach the microphones from more than one direction."""

from otowake import opening as openings
from otowake.core.method import Method
from otowake.core.separator import Separator
from otowake.divergence.density import Density, Gauss
from otowake.opening import Beginning, Opening
from otowake.rank_constrained import RankConstrained
from otowake.recipes.recipe import listed
from otowake.signal.stft import Stft
from otowake.source.nmf import Nmf
from otowake.spatial.demix import Demix, ip1
from otowake.spatial.determined import Determined
from otowake.spatial.fullrank import FullRank
from otowake.spatial.jointdiag import JointDiag
from otowake.spatial.shares import all_bins, each_bin

_SEKIGUCHI = (
    "K. Sekiguchi, Y. Bando, A. A. Nugraha, K. Yoshii, T. Kawahara, Fast multichannel nonnegative matrix factorization "
    "with directivity-aware jointly-diagonalizable spatial covariance matrices for blind source separation, 2020"
)


@listed(
    "Sources that overlap in every channel: one matrix a bin makes the covariances of all of them diagonal.",
    "reverberation; with more sources than microphones the fast one, mnmf the better one",
    _SEKIGUCHI,
    takes="any",
    crowded=0.128,
    single=True,
)
def fastmnmf(
    sources: int = 2,
    bases: int = 8,
    density: Density = Gauss(),  # noqa: B008
    demix: Demix = ip1,
    start: Opening = openings.masks,
    stft: Stft = Stft(),  # noqa: B008
    relevance: float = 0.0,
) -> Method:
    """FastMNMF: in each bin the sources share the channels in another way.

    Args:
        sources: how many; more or fewer than microphones, or as many.
        bases: spectra a source.
        density: of a channel: gauss, laplace, cauchy, t:NU or ggd:SHAPE (2 at most).
        demix: the update of the matrices: ip1, ip2, iss1, iss2 or ipa.
        start: masks (of directions, in shorter frames), ilrma or auxiva (30 iterations), two-step (30 with two bases)
            or cold.
        stft: the transform of the recording.
        relevance: what a source costs, in nats a cell, so that those not needed go out: 0.1 is usual, 0 keeps all.
    """
    joint = JointDiag(sources, demix, density, each_bin, relevance)
    return start(Beginning(Separator(Nmf(bases), joint), demix, stft, joint))


@listed(
    "FastMNMF whose sources share the channels in the same way in all bins.",
    "reverberation, with as many microphones as sources or more; not with fewer",
    _SEKIGUCHI,
    takes="any",
    crowded=0.128,
    single=True,
)
def fastmnmf2(
    sources: int = 2,
    bases: int = 8,
    density: Density = Gauss(),  # noqa: B008
    demix: Demix = ip1,
    start: Opening = openings.masks,
    stft: Stft = Stft(),  # noqa: B008
    relevance: float = 0.0,
) -> Method:
    """FastMNMF2: far fewer numbers, and bins that hold together.

    Args:
        sources: how many; more or fewer than microphones, or as many.
        bases: spectra a source.
        density: of a channel: gauss, laplace, cauchy, t:NU or ggd:SHAPE (2 at most).
        demix: the update of the matrices: ip1, ip2, iss1, iss2 or ipa.
        start: masks (of directions, in shorter frames), ilrma or auxiva (30 iterations), two-step (30 with two bases)
            or cold.
        stft: the transform of the recording.
        relevance: what a source costs, in nats a cell, so that those not needed go out: 0.1 is usual, 0 keeps all.
    """
    joint = JointDiag(sources, demix, density, all_bins, relevance)
    return start(Beginning(Separator(Nmf(bases), joint), demix, stft, joint))


@listed(
    "Each source has a free covariance in every bin: the most general model of sources that overlap.",
    "more talkers than microphones, where it is the best here; slow",
    "H. Sawada, H. Kameoka, S. Araki, N. Ueda, Multichannel extensions of non-negative matrix factorization with "
    "complex-valued data, 2013",
    takes="any",
    iterations=60,
    crowded=0.128,
)
def mnmf(
    sources: int = 2,
    bases: int = 8,
    density: Density = Gauss(),  # noqa: B008
    demix: Demix = ip1,
    start: Opening = openings.masks,
    stft: Stft = Stft(),  # noqa: B008
    relevance: float = 0.0,
) -> Method:
    """Multichannel NMF.

    Args:
        sources: how many; more or fewer than microphones, or as many.
        bases: spectra a source.
        density: of all microphones of a bin at once: gauss, laplace, cauchy, t:NU or ggd:SHAPE (2 at most).
        demix: the update of the matrices in the start: ip1, ip2, iss1, iss2 or ipa.
        start: masks (of directions, in shorter frames), ilrma, auxiva or two-step (30 iterations of it or of
            fastmnmf2) or cold.
        stft: the transform of the recording.
        relevance: what a source costs, in nats a cell, so that those not needed go out: 0.1 is usual, 0 keeps all.
    """
    joint = JointDiag(sources, demix, shares=all_bins, relevance=relevance)
    method = Separator(Nmf(bases), FullRank(sources, density, relevance))
    return start(Beginning(method, demix, stft, joint))


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
