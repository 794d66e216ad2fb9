"""Where separators begin: of their many minima, a good one is near a simpler model's.

cold       nothing is known of where the sources are
auxiva     30 iterations of it; its W is the start
ilrma      30 iterations of it with two bases a source; its W is the start
two_step   30 iterations of the jointly diagonalisable model with two bases a source; then bases begin anew
masks      a mixture of directions in frames a quarter as long, where sources overlap less; the covariances of its
           images in the frames of X are the start, and 30 updates of the source model alone come before the first step;
           of jointly diagonalisable models, 30 iterations from there and 30 from `ilrma`, and the lower cost goes on;
           where sources do not outnumber microphones, models with shares or covariances of each bin's own begin after
           60 iterations of the one whose shares are those of all bins (FastMNMF2), which begins so
onward     where the same method ended on the stretch of the recording just before: no opening, since it has to be known

All openings are Gaussian or Laplace: densities with heavy tails come after them.

Source     Sekiguchi et al. 2020 (a start from ILRMA; two steps).  Ours: masks by way of shorter frames
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Method
from otowake.core.run import iterate, last, until
from otowake.core.separator import Separator
from otowake.core.types import Mixture
from otowake.core.wrap import After, Lowest, Startable, Started, Warm
from otowake.divergence.density import Gauss, Laplace, Pooled
from otowake.linalg.safe import balanced, blurred
from otowake.mixture import AngularMixture, aligned
from otowake.proximal import Proximal
from otowake.signal.stft import Stft, bins_first
from otowake.source.flat import Flat
from otowake.source.nmf import Nmf
from otowake.spatial.demix import Demix
from otowake.spatial.determined import Determined
from otowake.spatial.jointdiag import JointDiag, JointDiagState
from otowake.spatial.rank import covariance, full_rank_bins
from otowake.spatial.shares import Directions, all_bins

STEPS = 30
"""Iterations of the first model."""
FEW = 2
"""Its bases a source."""
SHORTER, CROWDED = 4, 2
"""How often the frames of masks go into those of the mixture; where sources outnumber microphones these are shorter."""
SHORTEST = 256
"""Samples of the shortest frame that is made shorter still."""


class Beginning(NamedTuple):
    """What openings are made of.

    method: the method that begins;  demix: the update of W or Q;  stft: the transform that made X;
    joint: the jointly diagonalisable model that is a step on the way, None where sources do not overlap.
    """

    method: Separator | Proximal
    demix: Demix
    stft: Stft
    joint: JointDiag | None = None


Opening = Callable[[Beginning], Method]
"""The method that begins there."""


def cold(b: Beginning) -> Method:
    """No opening at all."""
    return b.method


def auxiva(b: Beginning) -> Method:
    """Independence first."""
    return _begun(b, After(Separator(Flat(), Determined(b.demix, Pooled(Laplace()))), STEPS))


def ilrma(b: Beginning) -> Method:
    """ILRMA first: as many sources as microphones, whatever comes then."""
    return _begun(b, After(_ilrma(b), STEPS))


def _ilrma(b: Beginning) -> Separator:
    return Separator(Nmf(FEW), Determined(b.demix))


def two_step(b: Beginning) -> Method:
    """The jointly diagonalisable model with few bases first."""
    if b.joint is None:
        raise OtowakeError("start=two-step is for models of full rank (fastmnmf, mnmf); take masks, auxiva or cold.")
    return _begun(b, After(Separator(Nmf(FEW), replace(b.joint, density=Gauss())), STEPS))


def masks(b: Beginning) -> Method:
    """A mixture of directions first."""
    found = Masked(b.joint.sources if b.joint else 0, b.stft, STEPS)
    method, joint = b.method, b.joint
    if joint is None or isinstance(method, Proximal):
        return _begun(b, found, settle=STEPS)
    firsts = (found, After(_ilrma(b), STEPS))
    if getattr(method.spatial, "shares", None) is all_bins:
        return Lowest(method, firsts, STEPS, STEPS)
    tied = Separator(method.source, replace(joint, density=Gauss(), shares=all_bins))
    return _begun(b, Tied(found, After(Lowest(tied, firsts, STEPS, STEPS), STEPS)), settle=STEPS)


def _begun(b: Beginning, first: Callable[[Mixture, int], Any], settle: int = 0) -> Method:
    """The method that begins with what `first` finds; source models, where there are any, settle on it."""
    if isinstance(b.method, Proximal):
        return replace(b.method, first=first)
    return Started(b.method, first, settle)


@dataclass(frozen=True)
class Masked:
    """(X, seed) -> the sources' covariances, by masks in shorter frames.

    Args:
        sources: how many; 0: as many as microphones.
        stft: the transform that made X.
        steps: iterations, after those in which bins are alone.
    """

    sources: int
    stft: Stft
    steps: int = STEPS

    def __call__(self, X: Mixture, seed: int) -> Directions:
        self.stft.check(X)
        C = covariance(X)
        if X.shape[-3] == 1:  # one channel has no directions
            one = torch.ones_like(C)
            return Directions(torch.stack([one] * max(self.sources, 1), -3), C, full_rank_bins(C))
        R = [blurred(balanced(covariance(image))) for image in self._images(X, seed)]
        return Directions(torch.stack(R, -3), C, full_rank_bins(C))

    def _images(self, X: Mixture, seed: int) -> Iterator[Mixture]:
        """Of one source after the other, in the frames of X."""
        x, m = self.stft.inverse(X.to(torch.complex128)), X.shape[-3]
        short = shorter(self.stft, CROWDED if self.sources > m else SHORTER)
        Z = bins_first(short.forward(x)).to(X.dtype)
        method = aligned(AngularMixture(self.sources or m))
        state = last(until(iterate(method, Z, seed=seed), steps=method.length + self.steps)).state
        for image in method.images(Z, state, range(m)).unbind(-4):
            yield self.stft.forward(short.inverse(image, x.shape[-1]))


@dataclass(frozen=True)
class Tied:
    """(X, seed) -> what `masked` finds, or, where sources do not outnumber microphones, what `then` makes of it."""

    masked: Masked
    then: After

    def __call__(self, X: Mixture, seed: int) -> Directions | JointDiagState:
        crowded = self.masked.sources > X.shape[-3]
        found: Directions | JointDiagState = (self.masked if crowded else self.then)(X, seed)
        return found


def shorter(stft: Stft, times: int = SHORTER) -> Stft:
    """The transform of the masks: speech and music overlap least in frames of 0.05 to 0.1 s."""
    n_fft = max(min(stft.n_fft, SHORTEST), stft.n_fft // times)
    n_fft -= n_fft % 2
    return Stft(n_fft, max(1, n_fft // 4))


OPENINGS: dict[str, Opening] = {"cold": cold, "auxiva": auxiva, "ilrma": ilrma, "two-step": two_step, "masks": masks}
"""Every opening by name."""


# ---- from one stretch of a recording to the next ----------------------------------------------------------------

ONWARD, ONWARD_SETTLE = 4, 5
"""Iterations, and updates of the source model before them, where a method goes on (benchmarks/long.md)."""

Filters = Mapping[str, Tensor]
"""What a spatial model has learned of the room: its state but for the statistics of the stretch."""

_OF_STRETCH = ("C", "live")


def filters(method: Method, state: Any) -> Filters:
    """Where a method ended; nothing of those that cannot begin there."""
    if _separator(method) is None:
        return {}
    p = (state.s if isinstance(method, Warm) else state).p
    return {name: x for name, x in p._asdict().items() if name not in _OF_STRETCH}


def onward(method: Method, before: Filters, X: Mixture) -> Started | None:
    """The method with the filters of the stretch before X and sources that begin anew; None where they do not fit."""
    separator = _separator(method)
    if separator is None or not before:
        return None
    p = separator.spatial.init(X, 0)
    if any(name not in p._fields or x.shape != getattr(p, name).shape for name, x in before.items()):
        return None
    kept = {name: x.to(X.device) for name, x in before.items()}
    for name in {"W", "Q"} & set(kept):
        kept[name] = torch.where(p.live[..., None, None], kept[name], getattr(p, name))
    return Started(separator, lambda X, seed: p._replace(**kept), ONWARD_SETTLE)


def _separator(method: Method) -> Separator | None:
    """What runs at last, if its spatial model can begin elsewhere."""
    if isinstance(method, Warm):
        return _separator(method.then)
    if isinstance(method, Started | Lowest):
        return method.method
    return method if isinstance(method, Separator) and isinstance(method.spatial, Startable) else None
