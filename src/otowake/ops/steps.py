"""Linear algebra of small complex matrices as a list of steps, each of which is done for many bins at once.

Which steps come when is a program, made once for each size; who does them, for 64 bins in a processor's lanes
(`ops/cpu/lanes.py`) or for all bins on an accelerator (`ops/gpu/`), knows nothing of the mathematics.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from otowake.linalg.safe import tiny

READ_V, READ_W, WRITE, NUMBER, TIMES, LESS, LESS_CONJ, SCALED, CONJ_SCALED, RAISED = range(10)
RECIPROCAL, ROOT, LARGER, EXCHANGED, SHARE, UNIT, DOT = range(10, 17)
# Compiled kernels that are kept on disk know these numbers: a new operation gets a new one.

EMPTY = tiny(torch.empty(0, dtype=torch.float64))
"""A scale below it is none."""

Number = int
"""A complex number of each bin: its place in the scratch."""


class Steps(NamedTuple):
    """steps: (operation, result, a, b) each;  numbers: how many the scratch has to hold."""

    steps: np.ndarray
    numbers: int


class Program:
    """Writes the steps down: x, a, b are places of numbers, V and W what comes in, and W what goes out."""

    def __init__(self) -> None:
        self._steps: list[tuple[int, int, int, int]] = []
        self._numbers = 0

    def number(self) -> Number:
        """A new place."""
        self._numbers += 1
        return self._numbers - 1

    def vector(self, size: int) -> list[Number]:
        return [self.number() for _ in range(size)]

    def matrix(self, size: int) -> list[list[Number]]:
        return [self.vector(size) for _ in range(size)]

    def read_v(self, x: Number, at: int) -> None:
        """x <- V at `at`, counted through a bin's entries."""
        self._steps.append((READ_V, x, at, x))

    def read_w(self, x: Number, at: int) -> None:
        self._steps.append((READ_W, x, at, x))

    def write(self, x: Number, at: int) -> None:
        """W at `at` <- x."""
        self._steps.append((WRITE, x, at, x))

    def let(self, x: Number, value: int) -> None:
        """x <- a whole number."""
        self._steps.append((NUMBER, x, value, x))

    def times(self, x: Number, a: Number, b: Number) -> None:
        """x <- a b."""
        self._steps.append((TIMES, x, a, b))

    def less(self, x: Number, a: Number, b: Number) -> None:
        """x <- x - a b."""
        self._steps.append((LESS, x, a, b))

    def less_conj(self, x: Number, a: Number, b: Number) -> None:
        """x <- x - a* b."""
        self._steps.append((LESS_CONJ, x, a, b))

    def scaled(self, x: Number, a: Number, b: Number) -> None:
        """x <- a Re b."""
        self._steps.append((SCALED, x, a, b))

    def conj_scaled(self, x: Number, a: Number, b: Number) -> None:
        """x <- a* Re b."""
        self._steps.append((CONJ_SCALED, x, a, b))

    def raised(self, x: Number, a: Number, b: Number) -> None:
        """x <- a Re b + Im b."""
        self._steps.append((RAISED, x, a, b))

    def reciprocal(self, x: Number, a: Number) -> None:
        """x <- 1 / a."""
        self._steps.append((RECIPROCAL, x, a, a))

    def inverse_root(self, x: Number, a: Number, least: Number) -> None:
        """x <- 1 / sqrt(Re a), of Im least or more, and never of nothing."""
        self._steps.append((ROOT, x, a, least))

    def larger(self, x: Number, a: Number, b: Number) -> None:
        """x <- whether |b| > |a|."""
        self._steps.append((LARGER, x, a, b))

    def exchanged(self, x: Number, a: Number, b: Number) -> None:
        """a <-> b where x."""
        self._steps.append((EXCHANGED, x, a, b))

    def share(self, x: Number, a: Number, of: int) -> None:
        """x <- x + Re a / of."""
        self._steps.append((SHARE, x, a, of))

    def unit(self, x: Number, a: Number) -> None:
        """x <- 1 / a + i least;  where a is nothing x <- 0 + i and a <- 1."""
        self._steps.append((UNIT, x, a, a))

    def dot(self, x: Number, a: Number, b: Number) -> None:
        """x <- x + Re a* b."""
        self._steps.append((DOT, x, a, b))

    def inverse(self, A: list[list[Number]], P: list[list[Number]]) -> None:
        """A <- P^-1 by Gauss-Jordan; the largest pivot comes up by exchanges.  P is spent."""
        M, d = len(P), self.number()
        for i, j in _pairs(M):
            self.let(A[i][j], int(i == j))
        for c in range(M):
            for i in range(c + 1, M):
                self.larger(d, P[c][c], P[i][c])
                for j in range(M):
                    self.exchanged(d, P[c][j], P[i][j])
                    self.exchanged(d, A[c][j], A[i][j])
            self.reciprocal(d, P[c][c])
            for j in range(M):
                self.times(P[c][j], P[c][j], d)
                self.times(A[c][j], A[c][j], d)
            for i, j in _pairs(M):
                if i != c:
                    if j > c:
                        self.less(P[i][j], P[i][c], P[c][j])
                    self.less(A[i][j], P[i][c], A[c][j])

    def root(self, L: list[list[Number]], r: list[Number], least: Number) -> None:
        """L <- Cholesky's factor of the Hermitian L, below the diagonal; r <- 1 / that on it, the square of which is
        Im least or more."""
        for i in range(len(L)):
            for j in range(i + 1):
                for c in range(j):
                    self.less_conj(L[i][j], L[j][c], L[i][c])
                if i == j:
                    self.inverse_root(r[i], L[i][i], least)
                else:
                    self.scaled(L[i][j], L[i][j], r[j])

    def solved(self, L: list[list[Number]], r: list[Number], u: list[Number]) -> None:
        """u <- (L L^H)^-1 u."""
        M = len(u)
        for i in range(M):
            for c in range(i):
                self.less(u[i], L[i][c], u[c])
            self.scaled(u[i], u[i], r[i])
        for i in reversed(range(M)):
            for c in range(i + 1, M):
                self.less_conj(u[i], L[c][i], u[c])
            self.scaled(u[i], u[i], r[i])

    def done(self) -> Steps:
        return Steps(np.array(self._steps, np.int64), self._numbers)


def _pairs(size: int) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in range(size) for j in range(size))
