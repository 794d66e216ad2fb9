"""Student's t with heavy tails, split so that factorisations take long steps: Cauchy-NMF at one degree of freedom.

Model    y ~ t of nu degrees of freedom and scale r:  the cost of `StudentT(nu)`
Cost     sum (nu/2 + 1) log(r + 2 v / nu) - (nu/2) log r        + terms in v alone
Split    neg = nu / (2 r),  pos = (nu/2 + 1) / (r + 2 v / nu):  log(r + c) lies below its tangent
Powers   0 and 1

`StudentT` splits the same derivative as IS does, into rho'(q) v / r^2 and 1 / r.  Near the optimum an update here goes
4 / nu times as far as there (3 / nu times in domain 1): it is the better one below nu = 3, and stalls for large nu.

Source   Liutkus, FitzGerald, Badeau 2015: Cauchy-NMF is nu = 1 in domain 1, where r = 2 R^2; for any nu
         docs/papers/divergences.md, equations 9 to 11.
"""

from dataclasses import dataclass

from otowake.core.method import Split, SplitGradient
from otowake.core.types import Cost, Power
from otowake.divergence.density import StudentT


@dataclass(frozen=True)
class HeavyT:
    """Student's t for `Observed`, with long steps while nu is below 3.

    Args:
        nu: degrees of freedom; 1 is Cauchy.
    """

    nu: float = 1.0

    def __post_init__(self) -> None:
        StudentT(self.nu)  # refuses what it refuses

    def cost(self, v: Power, r: Power) -> Cost:
        """That of `StudentT`."""
        return StudentT(self.nu).cost(v, r)

    def each(self, v: Power, r: Power) -> Power:
        """That of `StudentT`."""
        return StudentT(self.nu).each(v, r)

    def split(self, v: Power) -> Split:
        """The split gradient of `cost` in r."""
        half = self.nu / 2
        tail = v / half

        def at(r: Power) -> SplitGradient:
            return SplitGradient(half / r, (half + 1) / (r + tail))

        return Split(at, (0.0, 1.0))


def students_t(nu: float) -> StudentT | HeavyT:
    """Student's t by the split that goes further in a factorisation."""
    return HeavyT(nu) if nu < 3 else StudentT(nu)
