"""Densities: -log p(y | r) = log r + rho(v / r), v = |y|^2, up to constants; one way of being surprised each.

Model    y ~ spherical density of scale r, in one bin, or in all bins of a frame at once (`Pooled`)
Cost     sum log r + sum rho(q),  q = v / r             (`Pooled`: q = sum_f v / r, d = F dimensions)
Split    neg = rho'(q) v / r^2,  pos = 1 / r;   rho'(q) = c (q + a)^g for every density here
Weight   phi of |y|^degree in the surrogate that a demixing update minimises:
         degree 2: phi = rho'(q) / r, valid while rho is concave in q;  degree b > 2 (GGD): r^(-b/2)

Sources  Kitamura et al. 2016 (Gauss, ILRMA); Mogami et al. 2017 (t); Mogami et al. 2018, Ikeshita & Kawaguchi 2018
         (GGD); Ono 2011 (pooled Laplace: AuxIVA); equations as in docs/papers/ilrma.md and docs/papers/auxiva.md.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Fused, Split, SplitGradient
from otowake.core.types import Cost, Power, Weight
from otowake.linalg.safe import radius_floor
from otowake.ops import constants, raised, rho, slope_cost, slope_weight


class Density(ABC):
    """A spherical density: the three numbers of rho' are all that a new one has to bring."""

    axes: ClassVar[tuple[int, ...]] = ()
    """Axes whose bins share one radius."""

    @property
    @abstractmethod
    def low(self) -> float:
        """The lowest power of r in rho(v / r)."""

    @abstractmethod
    def numbers(self, like: Tensor, d: int) -> tuple[float, float, float]:
        """(c, a, g) of rho'(q) = c (q + a)^g."""

    @property
    def degree(self) -> float:
        """The surrogate of the cost in y is a weighted |y|^degree."""
        return max(2.0, -2 * self.low)

    def slope(self, like: Tensor, d: int = 1) -> Tensor:
        """`numbers` as the ops take them."""
        return constants(*self.numbers(like, d))

    def rho(self, q: Power, d: int) -> Power:
        """-log density at squared radius q in d complex dimensions, without the scale."""
        return rho(q, self.slope(q, d))

    def drho(self, q: Power, d: int) -> Power:
        """rho'(q)."""
        return raised(q, self.slope(q, d))

    def radius(self, q: Power) -> tuple[Power, int]:
        """(q, d): the squared radius that q = v / r of single bins make up, and how many bins it spans."""
        d = math.prod(q.shape[axis] for axis in self.axes)
        return (q.sum(self.axes, keepdim=True) if self.axes else q), d

    def cost(self, v: Power, r: Power) -> Cost:
        """Sum of log r + rho(q) over sources, bins and frames."""
        if not self.axes:
            return slope_cost(v, r.expand_as(v), self.slope(v))
        return torch.log(r.expand_as(v)).sum((-3, -2, -1)) + self.rho(*self.radius(v / r)).sum((-3, -2, -1))

    def each(self, v: Power, r: Power) -> Power:
        """log r + rho(v / r) of each bin."""
        if self.axes:
            raise OtowakeError(f"{self} has one cost for all bins of a frame; bins cannot be weighted one by one.")
        return torch.log(r) + self.rho(v / r, 1)

    def split(self, v: Power) -> Split:
        """The split gradient of `cost` in r."""

        def at(r: Power) -> SplitGradient:
            pos = 1 / r
            q = v * pos
            return SplitGradient(self.drho(*self.radius(q)) * q * pos, pos)

        return Split(at, (self.low, 0.0), None if self.axes else Fused(v, self.slope(v)))

    def weight(self, v: Power, r: Power) -> Weight:
        """phi: the weight of |y|^degree in the surrogate; one a frame where r and q are."""
        if self.degree > 2:
            return (r ** (-self.degree / 2)).expand_as(v)
        if not self.axes:
            return slope_weight(v, r, self.slope(v))
        if r.shape[-2] == 1:  # sum first: q = sum_f v / r
            return raised(v.sum(-2, keepdim=True) / r, self.slope(v, v.shape[-2])) / r
        pos = 1 / r
        return self.drho(*self.radius(v * pos)) * pos


@dataclass(frozen=True)
class Gauss(Density):
    """Complex Gaussian: rho(q) = q."""

    low = -1.0

    def numbers(self, like: Tensor, d: int) -> tuple[float, float, float]:
        return 1.0, 0.0, 0.0


@dataclass(frozen=True)
class StudentT(Density):
    """Complex Student's t with `nu` degrees of freedom: heavy tails; nu -> inf is Gauss, nu = 1 is Cauchy."""

    nu: float
    low = -1.0

    def __post_init__(self) -> None:
        if not 0 < self.nu < math.inf:
            raise OtowakeError(f"Student's t: nu must be finite and above 0, got {self.nu}; try 30, or 1 for Cauchy.")

    def numbers(self, like: Tensor, d: int) -> tuple[float, float, float]:
        return self.nu / 2 + d, self.nu / 2, -1.0


def Cauchy() -> StudentT:
    """Student's t with one degree of freedom: the heaviest tails that are still in use."""
    return StudentT(1.0)


@dataclass(frozen=True)
class Laplace(Density):
    """rho(q) = 2 sqrt(q): the usual contrast of AuxIVA when pooled."""

    low = -0.5

    def numbers(self, like: Tensor, d: int) -> tuple[float, float, float]:
        return 1.0, radius_floor(like), -0.5


@dataclass(frozen=True)
class GGD(Density):
    """Generalised Gaussian: rho(q) = q^(shape / 2); 2 is Gauss, below 2 heavy, above 2 light (sub-Gaussian) tails.

    Above 2 the cost has no quadratic surrogate in y: pair it with the demixing update `GIP(shape)`.
    """

    shape: float

    def __post_init__(self) -> None:
        if not 0 < self.shape <= 20:
            raise OtowakeError(
                f"GGD: the shape must be above 0, 20 at most, got {self.shape}; 2 is Gauss, 1 has heavy tails."
            )

    @property
    def low(self) -> float:
        return -self.shape / 2

    def numbers(self, like: Tensor, d: int) -> tuple[float, float, float]:
        return self.shape / 2, self._cusp(like), self.shape / 2 - 1

    def _cusp(self, q: Tensor) -> float:
        return radius_floor(q) if self.shape < 2 else 0.0


@dataclass(frozen=True)
class Pooled(Density):
    """One radius for all bins of a frame: the multivariate density of independent vector analysis.

    Args:
        density: any density of degree 2.
    """

    density: Density
    axes = (-2,)

    def __post_init__(self) -> None:
        if self.density.degree > 2:
            raise OtowakeError(f"{self.density} cannot be pooled over frequency: only densities of degree 2 can.")

    @property
    def low(self) -> float:
        return self.density.low

    def numbers(self, like: Tensor, d: int) -> tuple[float, float, float]:
        return self.density.numbers(like, d)


NEARLY_GAUSS = 1000.0  # degrees of freedom of Student's t


def tempered(density: Density, steps: int) -> list[Density]:
    """So many densities on the way from Gauss to this one, evenly in the logarithm of the parameter; tails grow."""
    if not 0 <= steps <= 1000:
        raise OtowakeError(f"Tails can grow in 0 to 1000 iterations, not in {steps}; 20 are many.")
    shares = [i / (steps + 1) for i in range(1, steps + 1)]
    if isinstance(density, StudentT):
        return [StudentT(NEARLY_GAUSS ** (1 - x) * density.nu**x) for x in shares]
    shape = density.shape if isinstance(density, GGD) else 1.0  # Laplace
    return [GGD(2 ** (1 - x) * shape**x) for x in shares]


DENSITIES: dict[str, Density] = {
    "gauss": Gauss(),
    "t": StudentT(30.0),
    "cauchy": Cauchy(),
    "ggd": GGD(1.0),
    "sub": GGD(4.0),
    "laplace": Laplace(),
}
"""Every density, with the parameters that the laws are tried with."""
