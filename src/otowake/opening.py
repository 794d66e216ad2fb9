"""Where spatial models of full rank begin: of their many minima, a good one is near a simpler model's.

cold       Q = I, and nothing is known of the sources
two_step   30 iterations with two bases a source; then the bases begin anew, Q and G stay
ilrma      30 iterations of ILRMA; its W becomes Q

All openings are Gaussian: densities with heavy tails come after them.

Source     Sekiguchi et al. 2020, section V (a start from ILRMA); two steps: their public code.
"""

from collections.abc import Callable
from dataclasses import replace

from otowake.core.method import Method, SourceModel
from otowake.core.separator import Separator
from otowake.core.wrap import Started
from otowake.divergence.density import Gauss
from otowake.source.nmf import Nmf
from otowake.spatial.determined import Determined
from otowake.spatial.jointdiag import JointDiag

STEPS = 30
"""Iterations of the first model."""
FEW = 2
"""Its bases a source."""

Opening = Callable[[SourceModel, JointDiag], Method]
"""(source model, spatial model) -> the method that begins there."""


def cold(source: SourceModel, spatial: JointDiag) -> Method:
    """No opening at all."""
    return Separator(source, spatial)


def two_step(source: SourceModel, spatial: JointDiag) -> Method:
    """The same spatial model with few bases first."""
    first = replace(spatial, density=Gauss())
    return Started(Separator(source, spatial), Separator(Nmf(FEW), first), STEPS)


def ilrma(source: SourceModel, spatial: JointDiag) -> Method:
    """ILRMA first: as many sources as microphones, whatever comes then."""
    first = Separator(Nmf(FEW), Determined(spatial.demix))
    return Started(Separator(source, spatial), first, STEPS, spatial.begun)


OPENINGS: dict[str, Opening] = {"cold": cold, "two-step": two_step, "ilrma": ilrma}
"""Every opening by name."""
