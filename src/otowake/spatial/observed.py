"""One channel, several sources in it: nonnegative matrix factorisation of a spectrogram.

Model    v_ft = |x_ft|^power is explained by sum_n r_nft
Cost     sum_ft d(v | sum_n r_n)             d: a divergence (`divergence/`) or a density
Split    that of d at sum_n r_n, the same for every source
Images   c_nft = x_ft r_nft / sum_n r_nft    (Wiener): they add up to x exactly

Source   Fevotte, Bertin, Durrieu 2009 (IS-NMF and its Wiener images, equation 29).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Divergence, Split
from otowake.core.types import Cost, Gain, Images, Mixture, Power
from otowake.divergence.beta import Beta
from otowake.linalg.safe import data_floor
from otowake.ops import abs2
from otowake.ops.factored import general, known


class ObservedState(NamedTuple):
    """one: *b n 1 1 of ones; it says how many sources there are, and there is nothing else to know."""

    one: Float[Tensor, "*b n 1 1"]


@dataclass(frozen=True)
class Observed:
    """A single channel as the sum of `sources` models.

    Args:
        divergence: what is small when the models explain the spectrogram.
        sources: how many models add up.
        power_of_v: v = |x|^power: 2 with Itakura-Saito and densities, 1 is usual with Kullback-Leibler.
    """

    divergence: Divergence = Beta(0.0)
    sources: int = 1
    power_of_v: float = 2.0
    proved = True

    def init(self, X: Mixture, seed: int) -> ObservedState:
        if X.shape[-3] != 1:
            raise OtowakeError(
                f"NMF takes one channel, the mixture has {X.shape[-3]}; give one channel (a leading batch axis takes "
                "several), or use a method for several microphones, such as ilrma."
            )
        return ObservedState(X.real.new_ones((*X.shape[:-3], self.sources, 1, 1)))

    def observe(self, X: Mixture, p: ObservedState) -> Power:
        v = abs2(X) if X.is_complex() else X.square()
        v = v if self.power_of_v == 2 else v ** (self.power_of_v / 2)
        return torch.maximum(v, data_floor(v))

    def power(self, o: Float[Tensor, "*b 1 f t"], p: ObservedState) -> Power:
        return o * p.one

    def split(self, o: Float[Tensor, "*b 1 f t"], p: ObservedState) -> Split:
        whole = self.divergence.split(o)
        factored = general(whole) if whole.fused is None else known(o, whole.fused.slope)
        entropic = None if whole.entropic is None else lambda r: whole.entropic(r.sum(-3, keepdim=True))
        return Split(lambda r: whole(r.sum(-3, keepdim=True)), whole.powers, None, entropic, factored, whole.at)

    def update(self, X: Mixture, p: ObservedState, o: Float[Tensor, "*b 1 f t"], r: Power) -> ObservedState:
        return p

    def cost(self, X: Mixture, p: ObservedState, r: Power) -> Cost:
        return self.divergence.cost(self.observe(X, p), r.sum(-3, keepdim=True))

    def images(self, X: Mixture, p: ObservedState, r: Power, microphones: Sequence[int]) -> Images:
        share = r / r.sum(-3, keepdim=True)
        return (X * share).unsqueeze(-3)[..., [0 for _ in microphones], :, :]

    def gauge(self, p: ObservedState) -> tuple[ObservedState, Gain]:
        return p, p.one
