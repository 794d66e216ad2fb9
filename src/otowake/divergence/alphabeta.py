"""Alpha-beta divergences: two exponents, with Hellinger, Pearson, Neyman, every beta and dual Itakura-Saito among them.

Cost     d(v | r) = -[ v^a r^b - a v^(a+b) / (a+b) - b r^(a+b) / (a+b) ] / (a b)
         with u = log(v / r) and E(p) = (e^(p u) - 1) / p, E(0) = u:   d = r^(a+b) [ E(a+b) - E(a) ] / b
Split    a > 0:  neg = v^a r^(b-1) / a,  pos = r^(a+b-1) / a;   a < 0: the two change places and signs
Powers   b and a + b, in order of size

Source   Cichocki, Cruces, Amari 2011; equation numbers: docs/papers/divergences.md, 1 to 4.
"""

from dataclasses import dataclass

import torch

from otowake.core.errors import OtowakeError
from otowake.core.method import Split, SplitGradient
from otowake.core.types import Cost, Power
from otowake.linalg.safe import LIMIT


@dataclass(frozen=True)
class AlphaBeta:
    """The alpha-beta divergence; v must be positive (`Observed` sees to it).

    Args:
        a: the power of v, from -10 to 10, not 0: 1 gives Beta(1 + b), -1 turns v and r round.
        b: the power of r, from -10 to 10: a = b = 0.5 is Hellinger's distance (times 2).
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        if not (0.001 <= abs(self.a) <= 10 and -10 <= self.b <= 10):
            raise OtowakeError(
                f"AlphaBeta: a and b must be from -10 to 10, and a at least 0.001 away from 0, got {self.a:g} and "
                f"{self.b:g}; the limit a = 0 with b = 1 is DualKl."
            )

    def cost(self, v: Power, r: Power) -> Cost:
        """Sum of d(v | r) over sources, bins and frames."""
        return self.each(v, r).sum((-3, -2, -1))

    def each(self, v: Power, r: Power) -> Power:
        """d(v | r) of each bin.  Near b = 0 the limit's formula; a + b = 0 is a limit of E alone, which has it."""
        a, b = self.a, self.b
        u = torch.log(v / r)
        if abs(b) < LIMIT:
            return r**a * (u * torch.exp(a * u) - _integral(u, a)) / a
        return r ** (a + b) * (_integral(u, a + b) - _integral(u, a)) / b

    def split(self, v: Power) -> Split:
        """The split gradient of `cost` in r."""
        a, b = self.a, self.b
        va = v**a / abs(a)

        def at(r: Power) -> SplitGradient:
            mixed, own = va * r ** (b - 1), r ** (a + b - 1) / abs(a)
            return SplitGradient(mixed, own) if a > 0 else SplitGradient(own, mixed)

        return Split(at, (min(b, a + b), max(b, a + b)))


def DualIs() -> AlphaBeta:
    """Itakura-Saito with the model first: r / v - log(r / v) - 1."""
    return AlphaBeta(-1.0, 1.0)


def Hellinger() -> AlphaBeta:
    """2 (sqrt v - sqrt r)^2."""
    return AlphaBeta(0.5, 0.5)


def _integral(u: Power, p: float) -> Power:
    """E(p) = (e^(p u) - 1) / p: the integral of e^(p u) from 0 to u."""
    return u if p == 0 else torch.expm1(p * u) / p
