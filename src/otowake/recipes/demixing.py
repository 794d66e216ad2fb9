"""As many outputs as directions, each by one demixing row a bin."""

from otowake.core.errors import OtowakeError
from otowake.core.method import Method
from otowake.core.separator import Separator
from otowake.core.wrap import Grouped, Groups, Warm
from otowake.divergence.density import Density, Gauss, Laplace, Pooled, tempered
from otowake.divergence.penalty import Hoyer, Penalty
from otowake.opening import Beginning, Opening, masks
from otowake.proximal import Pds, Proximal, Splitting
from otowake.recipes.recipe import listed
from otowake.signal.stft import Stft
from otowake.source.flat import Flat
from otowake.source.frame import Frame
from otowake.source.mask import Harmonic
from otowake.source.nmf import Nmf
from otowake.source.partitioned import Partitioned
from otowake.source.shrink import Group, Shrinks
from otowake.spatial.consistent import Consistent
from otowake.spatial.demix import GIP, Demix, ip1
from otowake.spatial.determined import Determined
from otowake.spatial.overdetermined import Overdetermined


@listed(
    "Demixes by independence alone: all bins of a sound are loud together.",
    "a fast first answer, and speech in moderate reverberation",
    "N. Ono, Stable and fast update rules for independent vector analysis based on auxiliary function technique, 2011",
    iterations=50,
    single=True,
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
    single=True,
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
    single=True,
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
    single=True,
)
def ilrma(
    bases: int = 2,
    density: Density = Gauss(),  # noqa: B008
    demix: Demix = ip1,
    domain: float = 2.0,
    shared: int = 0,
    warm: int = 40,
    temper: int = 0,
    start: Opening = masks,
    stft: Stft = Stft(),  # noqa: B008
    sparsity: float = 0.0,
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
        start: masks (of directions, in shorter frames), auxiva or ilrma (30 iterations), or cold.
        stft: the transform of the recording.
        sparsity: what gains that are not few and large cost, in nats a cell; 0 is free, 0.01 to 0.1 can be felt.
    """
    if shared and sparsity:
        raise OtowakeError("ilrma: spectra dealt out among the sources take no sparsity; leave shared or sparsity 0.")
    source = Partitioned(shared, domain) if shared else Nmf(bases, domain, penalties=_sparse(sparsity))
    first = start(Beginning(Separator(source, Determined(demix)), demix, stft))
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
    single=True,
)
def consistent_ilrma(
    stft: Stft = Stft(),  # noqa: B008
    bases: int = 4,
    demix: Demix = ip1,
    start: Opening = masks,
    sparsity: float = 0.0,
) -> Method:
    """Consistent ILRMA.

    Args:
        stft: the transform of the recording.
        bases: spectra a source: 2 to 4 for speech, 10 to 30 for music.
        demix: the update of the demixing matrices: ip1, ip2, iss1, iss2 or ipa.
        start: masks (of directions, in shorter frames), auxiva or ilrma (30 iterations), or cold.
        sparsity: what gains that are not few and large cost, in nats a cell; 0 is free, 0.01 to 0.1 can be felt.
    """
    method = Separator(Nmf(bases, penalties=_sparse(sparsity)), Consistent(Determined(demix), stft))
    return start(Beginning(method, demix, stft))


@listed(
    "Demixes by what the sources are drawn to, a penalty that is put in and taken out without new equations.",
    "trying other ideas of what a source is: group is independent vector analysis, low-rank and harmonic have no other",
    "K. Yatabe, D. Kitamura, Determined blind source separation via proximal splitting algorithm, 2018",
    single=True,
)
def pds(
    source: Shrinks = (Group(),),  # noqa: B008
    splitting: Splitting = Pds(),  # noqa: B008
    tolerance: float = 1e-3,
    start: Opening = masks,
    stft: Stft = Stft(),  # noqa: B008
) -> Method:
    """Plug-and-play demixing.

    Args:
        source: what sources are like: group (all bins of a frame together), low-rank, harmonic, sparse (which alone
            leaves open which bin belongs to whom), or a sum such as group+harmonic.
        splitting: how the problem is split: pds, pds:RELAX (above 0, below 2) or admm, admm:RHO.
        tolerance: it stops where both residuals are below; 0 never does.
        start: masks (of directions, in shorter frames), auxiva or ilrma (30 iterations), or cold.
        stft: the transform of the recording.
    """
    return start(Beginning(Proximal(source, splitting, tolerance), ip1, stft))


@listed(
    "Demixes so that the harmonics of each source stand out: a mask of cepstra in place of a source model.",
    "speech and single voices, where no more is known than that they have harmonics",
    "K. Yatabe, D. Kitamura, Determined BSS based on time-frequency masking and its application to harmonic vector "
    "analysis, 2021",
    single=True,
)
def hva(kappa: int = 0, splitting: Splitting = Pds(), tolerance: float = 1e-3) -> Method:  # noqa: B008
    """Harmonic vector analysis.

    Args:
        kappa: how often small cepstra are made smaller still; the paper's is 1.
        splitting: how the problem is split: pds, pds:RELAX (up to 1 with masks) or admm, admm:RHO.
        tolerance: it stops where both residuals are below; 0 never does.
    """
    return Proximal((Harmonic(kappa),), splitting, tolerance)


def _sparse(weight: float) -> tuple[Penalty, ...]:
    """Without weight nothing: updates keep their short ways."""
    return (Hoyer(weight),) if weight else ()
