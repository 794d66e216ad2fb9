"""What a recording's lost band may hold: examples that sound alike below add up to it.

Model    |x_ft|^p ~ sum_k b_fk^p h_kt in the bins that are kept, by the Kullback-Leibler divergence: B known, H found;
         m_ft = (sum_k b_fk^p h_kt)^(1/p) in all.  |x| is the root of the mean power of the channels
Level    m_t is lowered (6 dB at most) to meet |x_t| just below the cut, so that the level is continuous
Taught   exemplars are themselves modelled, each by all but its neighbours and itself, and what that gets wrong above
         corrects m (`teach.py`)

p = 1/2, frames of the example as they are, not averaged (`exemplars`), and teaching: measured, experiments/extension.

Source   Smaragdis & Raj 2007 (bases of the full band, activations from the low one); frames as bases: Gemmeke,
         Virtanen, Hurmalainen 2011
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.divergence.beta import Beta
from otowake.linalg.safe import divide
from otowake.source.nmf import Given, Nmf
from otowake.source.start import Factors, Start, random
from otowake.spatial.observed import Observed
from otowake.tasks.bases import Bases
from otowake.tasks.door import Run, Watch, watched
from otowake.tasks.teach import Teacher, around

DOMAIN = 0.5  # p
NEAR = 0.8  # of what is kept: from there on levels are compared
LEVEL = 0.5, 1.0  # how far amplitudes may be brought to meet
TAUGHT, FEWEST = 1000, 50  # the most exemplars that are left out in turn, and how many there must be
OVERLAP = 4  # of a recording's frames: the hop is a quarter
NEIGHBOURS = 2  # on each side, which are left out with it: they overlap


class Fit(NamedTuple):
    """How models are made: from which bins on nothing is known, and what a run is told."""

    kept: int
    iterations: int
    seed: int
    watch: Watch | None


def modelled(a: Float[Tensor, "f t"], bases: Bases, cut: float, fit: Fit) -> tuple[Float[Tensor, "f t"], Run]:
    """M in all bins, from the bins that are kept; the cut in Hz is only for sentences."""
    heard = bases.B[: fit.kept].sum(0) > 0
    A = bases.B.double()[:, heard]
    if not A.shape[-1]:
        raise OtowakeError(f"The examples hold nothing below {cut:.0f} Hz; give some with the whole band.")
    if not a[: fit.kept].any():
        raise OtowakeError(f"The recording holds nothing below {cut:.0f} Hz, so there is nothing to go by.")
    M, run = _fitted(a, A, random, fit, "fitting")
    if bases.around is None or A.shape[-1] < FEWEST:
        return M, run
    taught = torch.linspace(0, A.shape[-1] - 1, min(TAUGHT, A.shape[-1])).round().long()
    others = (taught - torch.arange(A.shape[-1])[:, None]).abs() > NEIGHBOURS
    made, _ = _fitted(A[:, taught], A, _only(others), fit, "checking examples")
    near = bases.around.double()[:, heard]
    teacher = Teacher(A[:, taught], made, near[:, taught], fit.kept)
    return teacher.corrected(a, M, around(a, OVERLAP * bases.rate / bases.stft.n_fft)), run


def teaches(bases: Bases) -> bool:
    """Whether the spectra are frames of sounds, and enough of them: averages say nothing of frames' levels."""
    return bases.around is not None and bases.B.shape[1] >= FEWEST


def _fitted(
    a: Float[Tensor, "f t"], A: Float[Tensor, "f k"], start: Start, fit: Fit, phase: str
) -> tuple[Float[Tensor, "f t"], Run]:
    """M of spectra A."""
    B = A**DOMAIN
    B = B / B[: fit.kept].mean(0) / B.shape[-1]
    low = a[: fit.kept] ** DOMAIN
    scale = low.mean()
    known = Nmf(B.shape[-1], given=Given(B[: fit.kept]), start=start)
    method = Separator(known, Observed(Beta(1.0), 1, power_of_v=1.0))
    run = watched(method, (low / scale).to(torch.complex64)[None], fit.seed, fit.iterations, fit.watch, phase)
    R = B @ (run.state.z.H[0].double() * scale)
    near = slice(int(NEAR * fit.kept), fit.kept)
    level = divide(low[near].sum(0), R[near].sum(0)).clamp(*(bound**DOMAIN for bound in LEVEL))
    return (R * level) ** (1 / DOMAIN), run


def _only(used: Bool[Tensor, "k t"]) -> Start:
    """At random, but where zero stays zero."""

    def start(R: Float[Tensor, "*b n f t"], k: int, seed: int) -> Factors:
        B, H = random(R, k, seed)
        return B, H * used

    return start
