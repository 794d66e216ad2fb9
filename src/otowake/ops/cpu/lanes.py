"""Linear algebra of small complex matrices as a list of steps, each of which is done for 64 bins at once.

What is compiled are some loops over 64 numbers; which of them come when is a program, made once for each size.  So the
lanes of the processor are full whatever the size, and compiling takes no longer for more mathematics.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from otowake.ops.cpu.compile import kernel, part

LANES = 64
"""Bins at a time."""

(_READ_V, _READ_W, _WRITE, _NUMBER, _TIMES, _LESS, _LESS_CONJ, _SCALED, _CONJ_SCALED, _RAISED) = range(10)
(_RECIPROCAL, _ROOT, _LARGER, _EXCHANGED, _SHARE, _UNIT, _DOT) = range(10, 17)

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
        self._steps.append((_READ_V, x, at, x))

    def read_w(self, x: Number, at: int) -> None:
        self._steps.append((_READ_W, x, at, x))

    def write(self, x: Number, at: int) -> None:
        """W at `at` <- x."""
        self._steps.append((_WRITE, x, at, x))

    def let(self, x: Number, value: int) -> None:
        """x <- a whole number."""
        self._steps.append((_NUMBER, x, value, x))

    def times(self, x: Number, a: Number, b: Number) -> None:
        """x <- a b."""
        self._steps.append((_TIMES, x, a, b))

    def less(self, x: Number, a: Number, b: Number) -> None:
        """x <- x - a b."""
        self._steps.append((_LESS, x, a, b))

    def less_conj(self, x: Number, a: Number, b: Number) -> None:
        """x <- x - a* b."""
        self._steps.append((_LESS_CONJ, x, a, b))

    def scaled(self, x: Number, a: Number, b: Number) -> None:
        """x <- a Re b."""
        self._steps.append((_SCALED, x, a, b))

    def conj_scaled(self, x: Number, a: Number, b: Number) -> None:
        """x <- a* Re b."""
        self._steps.append((_CONJ_SCALED, x, a, b))

    def raised(self, x: Number, a: Number, b: Number) -> None:
        """x <- a Re b + Im b."""
        self._steps.append((_RAISED, x, a, b))

    def reciprocal(self, x: Number, a: Number) -> None:
        """x <- 1 / a."""
        self._steps.append((_RECIPROCAL, x, a, a))

    def inverse_root(self, x: Number, a: Number) -> None:
        """x <- 1 / sqrt(Re a), of `least` or more."""
        self._steps.append((_ROOT, x, a, a))

    def larger(self, x: Number, a: Number, b: Number) -> None:
        """x <- whether |b| > |a|."""
        self._steps.append((_LARGER, x, a, b))

    def exchanged(self, x: Number, a: Number, b: Number) -> None:
        """a <-> b where x."""
        self._steps.append((_EXCHANGED, x, a, b))

    def share(self, x: Number, a: Number, of: int) -> None:
        """x <- x + Re a / of."""
        self._steps.append((_SHARE, x, a, of))

    def unit(self, x: Number, a: Number) -> None:
        """x <- 1 / a + i least;  where a is nothing x <- 0 + i and a <- 1."""
        self._steps.append((_UNIT, x, a, a))

    def dot(self, x: Number, a: Number, b: Number) -> None:
        """x <- x + Re a* b."""
        self._steps.append((_DOT, x, a, b))

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

    def root(self, L: list[list[Number]], r: list[Number]) -> None:
        """L <- Cholesky's factor of the Hermitian L, below the diagonal; r <- 1 / that on it."""
        for i in range(len(L)):
            for j in range(i + 1):
                for c in range(j):
                    self.less_conj(L[i][j], L[j][c], L[i][c])
                if i == j:
                    self.inverse_root(r[i], L[i][i])
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


@part
def _step(op, x, a, b, least):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    (xr, xi), (ar, ai), (br, bi) = (x[0], x[1]), (a[0], a[1]), (b[0], b[1])
    if op == _TIMES:
        for t in range(LANES):
            re, im = ar[t] * br[t] - ai[t] * bi[t], ar[t] * bi[t] + ai[t] * br[t]
            xr[t], xi[t] = re, im
    elif op == _LESS:
        for t in range(LANES):
            re, im = ar[t] * br[t] - ai[t] * bi[t], ar[t] * bi[t] + ai[t] * br[t]
            xr[t], xi[t] = xr[t] - re, xi[t] - im
    elif op == _LESS_CONJ:
        for t in range(LANES):
            re, im = ar[t] * br[t] + ai[t] * bi[t], ar[t] * bi[t] - ai[t] * br[t]
            xr[t], xi[t] = xr[t] - re, xi[t] - im
    elif op == _SCALED:
        for t in range(LANES):
            xr[t], xi[t] = ar[t] * br[t], ai[t] * br[t]
    elif op == _CONJ_SCALED:
        for t in range(LANES):
            xr[t], xi[t] = ar[t] * br[t], -ai[t] * br[t]
    elif op == _RAISED:
        for t in range(LANES):
            xr[t], xi[t] = ar[t] * br[t] + bi[t], ai[t] * br[t]
    elif op == _RECIPROCAL:
        for t in range(LANES):
            d = 1.0 / (ar[t] * ar[t] + ai[t] * ai[t])
            xr[t], xi[t] = ar[t] * d, -ai[t] * d
    elif op == _ROOT:
        for t in range(LANES):
            xr[t] = 1.0 / np.sqrt(max(ar[t], least))
    elif op == _LARGER:
        for t in range(LANES):
            xr[t] = 1.0 if br[t] * br[t] + bi[t] * bi[t] > ar[t] * ar[t] + ai[t] * ai[t] else 0.0
    elif op == _EXCHANGED:
        for t in range(LANES):
            so, p, q = xr[t] > 0, ar[t], br[t]
            ar[t], br[t] = (q if so else p), (p if so else q)
            p, q = ai[t], bi[t]
            ai[t], bi[t] = (q if so else p), (p if so else q)
    elif op == _UNIT:
        for t in range(LANES):
            some = ar[t] > 2.3e-308
            xr[t], xi[t] = (1.0 / ar[t] if some else 0.0), (least if some else 1.0)
            ar[t] = ar[t] if some else 1.0
    else:
        for t in range(LANES):
            xr[t] += ar[t] * br[t] + ai[t] * bi[t]


@kernel
def run(steps, numbers, V, W, least, lo, hi):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """All steps, for bins lo .. hi;  V: f entries, W: f entries."""
    Z = np.ones((numbers, 2, LANES))
    for first in range(lo, hi, LANES):
        width = min(LANES, hi - first)
        for s in range(len(steps)):
            op, x, a, b = steps[s, 0], Z[steps[s, 1]], steps[s, 2], steps[s, 3]
            if op == _READ_V:
                for t in range(width):
                    x[0, t], x[1, t] = V[first + t, a].real, V[first + t, a].imag
            elif op == _READ_W:
                for t in range(width):
                    x[0, t], x[1, t] = W[first + t, a].real, W[first + t, a].imag
            elif op == _WRITE:
                for t in range(width):
                    W[first + t, a] = complex(x[0, t], x[1, t])
            elif op == _NUMBER:
                for t in range(LANES):
                    x[0, t], x[1, t] = a, 0.0
            elif op == _SHARE:
                for t in range(LANES):
                    x[0, t] += Z[a, 0, t] / b
            else:
                _step(op, x, Z[a], Z[b], least)
