"""Bregman divergences of any convex generator phi, by psi = phi''; and the dual of Kullback-Leibler's.

Cost     d(v | r) = phi(v) - phi(r) - phi'(r) (v - r) = int from r to v of (v - s) psi(s) ds
Split    neg = psi(r) v,  pos = psi(r) r
Powers   1 + low and 2 + high, where low <= s psi'(s) / psi(s) <= high: a theorem of ours, docs/papers/divergences.md

`DualKl`  d = r log(r / v) - r + v, the model first: no powers, its factors move by exp( <log(v / r)> )

Source   Dhillon & Sra 2005 (the cost and its split); docs/papers/divergences.md, equations 5 to 8.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Split, SplitGradient
from otowake.core.types import Cost, Power
from otowake.linalg.safe import LIMIT

Curve = Callable[[Tensor], Tensor]
"""A function of positive numbers, one by one."""


@dataclass(frozen=True, eq=False)
class Bregman:
    """The Bregman divergence of a generator; v must be positive (`Observed` sees to it).

    Args:
        psi: phi'', positive; for tensors of any shape, in double precision when it is checked.
        low, high: bounds of the slope of log psi over log s; the tighter, the longer the steps.
        phi: (phi, phi') where they are known: the cost is exact then.
        nodes: of the integral over log s otherwise.  With v / r from 1e-10 to 1e10, 64 are good to 1e-14 for sums of
            powers, 1e-11 for bends as soft as 1 / (1 + s), 1e-6 for 1 / (1 + s^2), which 128 bring to 1e-11.
    """

    psi: Curve = field(repr=False)
    low: float
    high: float
    phi: tuple[Curve, Curve] | None = field(default=None, repr=False)
    nodes: int = 64

    def __post_init__(self) -> None:
        if not (-11 <= self.low <= self.high <= 9 and 1 <= self.nodes <= 1000):
            raise OtowakeError(
                "Bregman: slopes must be -11 <= low <= high <= 9 and nodes from 1 to 1000, got "
                f"{self.low:g}, {self.high:g} and {self.nodes}; s^(b - 2) has low = high = b - 2."
            )
        self._check_slopes()

    def cost(self, v: Power, r: Power) -> Cost:
        """Sum of d(v | r) over sources, bins and frames."""
        return self.each(v, r).sum((-3, -2, -1))

    def each(self, v: Power, r: Power) -> Power:
        """d(v | r) of each bin."""
        if self.phi is not None:
            phi, slope = self.phi
            return phi(v) - phi(r) - slope(r) * (v - r)
        u, whole = torch.log(v / r), torch.zeros_like(v + r)
        for node, weight in zip(*(x.tolist() for x in legendre(self.nodes))):
            s = r * torch.exp(node * u)
            whole = whole + weight * (v - s) * s * self.psi(s)
        return u * whole

    def split(self, v: Power) -> Split:
        """The split gradient of `cost` in r."""

        def at(r: Power) -> SplitGradient:
            psi = self.psi(r)
            return SplitGradient(psi * v, psi * r)

        return Split(at, (1 + self.low, 2 + self.high))

    def _check_slopes(self) -> None:
        """Chords of log psi over log s lie between the bounds of its slopes; looked at from 1e-8 to 1e8."""
        s = torch.logspace(-8, 8, 161, dtype=torch.float64)
        with torch.no_grad():
            psi = self.psi(s)
        if not bool((psi > 0).all() & psi.isfinite().all()):
            raise OtowakeError("Bregman: psi must be positive and finite; a convex generator has such a phi''.")
        chords = torch.log(psi).diff() / torch.log(s).diff()
        least, most = float(chords.min()), float(chords.max())
        if least < self.low - LIMIT or most > self.high + LIMIT:
            raise OtowakeError(
                f"Bregman: the slopes of log psi run from {least:.4g} to {most:.4g}, outside of low = {self.low:g} and "
                f"high = {self.high:g}; give bounds that hold."
            )


@dataclass(frozen=True)
class DualKl:
    """Kullback-Leibler with the model first: r log(r / v) - r + v.  For `Nmf` of domain 2, without penalties."""

    def cost(self, v: Power, r: Power) -> Cost:
        """Sum of d over sources, bins and frames."""
        return self.each(v, r).sum((-3, -2, -1))

    def each(self, v: Power, r: Power) -> Power:
        """d of each bin."""
        return r * torch.log(r / v) - r + v

    def split(self, v: Power) -> Split:
        """The positive and the negative part of log(r / v), and what ratios turn into where both powers are 1."""

        def at(r: Power) -> SplitGradient:
            slope = torch.log(r / v)
            return SplitGradient((-slope).clamp_min(0), slope.clamp_min(0))

        return Split(at, (1.0, 1.0), entropic=torch.ones_like)


@lru_cache(maxsize=8)
def legendre(nodes: int) -> tuple[Float[Tensor, "_"], Float[Tensor, "_"]]:
    """Nodes and weights of Gauss and Legendre's rule on [0, 1], from the eigenvalues of its recurrence."""
    k = torch.arange(1, nodes, dtype=torch.float64)
    side = k / torch.sqrt(4 * k**2 - 1)
    x, vectors = torch.linalg.eigh(torch.diag(side, 1) + torch.diag(side, -1))
    return (x + 1) / 2, vectors[0] ** 2
