"""Beta divergences: one family from Itakura-Saito (0) over Kullback-Leibler (1) to Frobenius (2).

Cost     d(v | r) = v (v^(b-1) - r^(b-1)) / (b-1) - (v^b - r^b) / b        b = 0: v/r - log(v/r) - 1
                                                                           b = 1: v log(v/r) - v + r
Split    neg = v r^(b-2),  pos = r^(b-1)
Powers   b - 1 and b: the exponent that keeps multiplicative updates monotone follows (`Split.exponent`)

Source   Fevotte & Idier 2011, equations 8 and 29; Nakano et al. 2010.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Fused, Split, SplitGradient
from otowake.core.types import Cost, Power
from otowake.linalg.safe import LIMIT
from otowake.ops import constants


@dataclass(frozen=True)
class Beta:
    """The beta divergence; v must be positive where b <= 0 (`Observed` sees to it).

    Args:
        b: a number from -10 to 10: 0 Itakura-Saito, 1 Kullback-Leibler, 2 Frobenius (halved).
    """

    b: float = 0.0

    def __post_init__(self) -> None:
        if not -10 <= self.b <= 10:
            raise OtowakeError(
                f"Beta: b must be from -10 to 10, got {self.b}; 0 is Itakura-Saito, 1 Kullback-Leibler, 2 Frobenius."
            )

    def cost(self, v: Power, r: Power) -> Cost:
        """Sum of d(v | r) over sources, bins and frames."""
        return self.each(v, r).sum((-3, -2, -1))

    def each(self, v: Power, r: Power) -> Power:
        """d(v | r) of each bin.  Near b = 0 and 1 the limit's formula: the general one cancels there."""
        b = self.b
        if abs(b) < LIMIT:
            return v / r - torch.log(v / r) - 1
        if abs(b - 1) < LIMIT:
            return torch.xlogy(v, v / r) - v + r
        return v * (v ** (b - 1) - r ** (b - 1)) / (b - 1) - (v**b - r**b) / b

    def split(self, v: Power) -> Split:
        """The split gradient of `cost` in r."""

        def at(r: Power) -> SplitGradient:
            if self.b == 1:
                return SplitGradient(v / r, r.new_ones(()).expand_as(r))
            pos = r ** (self.b - 1)
            return SplitGradient(v * pos / r, pos)

        return Split(at, (self.b - 1, self.b), Fused(v, self._slope()))

    def _slope(self) -> Tensor:
        """As kernels know it: Itakura-Saito is the Gaussian density's cost."""
        return constants(1.0, 0.0, 0.0) if self.b == 0 else constants(self.b)
