"""Consistency: the source model looks at spectrograms that some signal really has.

Observe  Y <- STFT(iSTFT(A_ref Y)): the demixed signals, at the scale of the first microphone, made consistent
Gauge    projection back: w_nf *= [W_f^-1]_1n for each bin, so r_nf *= |.|^2: neutral to the cost
Update   that of the wrapped model with its covariances of X; weights are those of what was observed

The source model fits a spectrogram that the demixing does not produce exactly, so the cost may rise: `proved` is False.

Source   Kitamura & Yatabe 2020, algorithm 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from otowake.core.method import Split
from otowake.core.types import Cost, Gain, Images, Mixture, Power
from otowake.ops import abs2_by_bin, demixed_by_frame, inverse
from otowake.signal.stft import Stft
from otowake.spatial.determined import Determined, DeterminedState
from otowake.spatial.shares import Directions

_AT_ONCE = 2**24
"""Bytes of spectra: blocks of memory that the C library keeps are twice as fast as those it has to ask for."""


@dataclass(frozen=True)
class Consistent:
    """A determined model whose sources are seen through STFT(iSTFT(.)).

    Args:
        spatial: the determined model.
        stft: the transform that made the mixture.
    """

    spatial: Determined
    stft: Stft
    proved = False

    def init(self, X: Mixture, seed: int) -> DeterminedState:
        return self.spatial.init(X, seed)

    def begun(self, p: DeterminedState | Directions) -> DeterminedState:
        return self.spatial.begun(p)

    def observe(self, X: Mixture, p: DeterminedState) -> Power:
        self.stft.check(X)
        some = max(1, _AT_ONCE // X[..., 0, :, :].nbytes)
        v = [abs2_by_bin(self.stft.consistent(demixed_by_frame(X, w))) for w in p.W.split(some, -2)]
        return torch.cat(v, -3) if len(v) > 1 else v[0]

    def power(self, o: Power, p: DeterminedState) -> Power:
        return self.spatial.power(o, p)

    def split(self, o: Power, p: DeterminedState) -> Split:
        return self.spatial.split(o, p)

    def update(self, X: Mixture, p: DeterminedState, o: Power, r: Power) -> DeterminedState:
        return self.spatial.update(X, p, o, r)

    def cost(self, X: Mixture, p: DeterminedState, r: Power) -> Cost:
        return self.spatial.cost(X, p, r)

    def images(self, X: Mixture, p: DeterminedState, r: Power, microphones: Sequence[int]) -> Images:
        return self.spatial.images(X, p, r, microphones)

    def gauge(self, p: DeterminedState) -> tuple[DeterminedState, Gain]:
        return projected_back(p)


def projected_back(p: DeterminedState) -> tuple[DeterminedState, Gain]:
    """Sources at the scale they have at the first microphone; the gain of r that makes up for it is *b n f 1.

    Bins that are not demixed keep W = I: projection back would empty all their rows but the first.
    """
    a = inverse(p.W)[..., 0, :]  # *b f n
    gain = a.real**2 + a.imag**2
    usable = p.live[..., None] & (gain > 0)
    a = torch.where(usable, a, torch.ones_like(a))
    gain = torch.where(usable, gain, torch.ones_like(gain))
    return p._replace(W=p.W * a[..., None]), gain.mT[..., None]
