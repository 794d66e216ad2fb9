"""Where spatial models of full rank begin: of their many minima, a good one is near a simpler model's.

cold       Q = I, and nothing is known of the sources
two_step   30 iterations with two bases a source; then the bases begin anew, Q and G stay
ilrma      30 iterations of ILRMA; its W becomes Q

All openings are Gaussian: densities with heavy tails come after them.

Source     Sekiguchi et al. 2020 (a start from ILRMA; two steps)
"""

from collections.abc import Callable
from dataclasses import replace

from otowake.core.method import Method, SourceModel
from otowake.core.separator import Separator
from otowake.core.wrap import Started
from otowake.divergence.density import Gauss
from otowake.source.nmf import Nmf
from otowake.spatial.determined import Determined
from otowake.spatial.fullrank import FullRank
from otowake.spatial.jointdiag import JointDiag

STEPS = 30
"""Iterations of the first model."""
FEW = 2
"""Its bases a source."""

Opening = Callable[[SourceModel, JointDiag | FullRank, JointDiag], Method]
"""(source model, spatial model, the jointly diagonalisable one beside it) -> the method that begins there."""


def cold(source: SourceModel, spatial: JointDiag | FullRank, joint: JointDiag) -> Method:
    """No opening at all."""
    return Separator(source, spatial)


def two_step(source: SourceModel, spatial: JointDiag | FullRank, joint: JointDiag) -> Method:
    """The jointly diagonalisable model with few bases first."""
    first = Separator(Nmf(FEW), replace(joint, density=Gauss()))
    return Started(Separator(source, spatial), first, STEPS, spatial.begun)


def ilrma(source: SourceModel, spatial: JointDiag | FullRank, joint: JointDiag) -> Method:
    """ILRMA first: as many sources as microphones, whatever comes then."""
    first = Separator(Nmf(FEW), Determined(joint.demix))
    return Started(Separator(source, spatial), first, STEPS, lambda p: spatial.begun(joint.begun(p)))


OPENINGS: dict[str, Opening] = {"cold": cold, "two-step": two_step, "ilrma": ilrma}
"""Every opening by name."""
