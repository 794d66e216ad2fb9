"""Iterative projection as steps for any device, the algebra of `ops.sweep` without its inverses; and inverses."""

from functools import lru_cache
from itertools import product

from otowake.ops.steps import Number, Program, Steps
from otowake.ops.sweep import pairs

Vector = list[Number]
Matrix = list[Vector]
Ones = tuple[Number, ...]
"""1, -1 and, where it is needed, 1 + i least."""


@lru_cache
def inverse_steps(M: int) -> Steps:
    """V holds a matrix, W becomes its inverse."""
    do = Program()
    P, A = do.matrix(M), do.matrix(M)
    for i, j in product(range(M), repeat=2):
        do.read_v(P[i][j], i * M + j)
    do.inverse(A, P)
    for i, j in product(range(M), repeat=2):
        do.write(A[i][j], i * M + j)
    return do.done()


@lru_cache
def pivot_steps(M: int) -> Steps:
    """V holds a matrix, W becomes its pivots, whose product is the determinant but for a sign."""
    do = Program()
    P, d = do.matrix(M), do.number()
    for i, j in product(range(M), repeat=2):
        do.read_v(P[i][j], i * M + j)
    for c in range(M):
        for i in range(c + 1, M):
            do.larger(d, P[c][c], P[i][c])
            for j in range(c, M):
                do.exchanged(d, P[c][j], P[i][j])
        do.write(P[c][c], c)
        do.reciprocal(d, P[c][c])
        for i in range(c + 1, M):
            do.times(P[i][c], P[i][c], d)
            for j in range(c + 1, M):
                do.less(P[i][j], P[i][c], P[c][j])
    return do.done()


@lru_cache
def ip1_steps(M: int) -> Steps:
    """One sweep over M rows: V holds M matrices, W one."""
    do = Program()
    w, P, A, L = do.matrix(M), do.matrix(M), do.matrix(M), do.matrix(M)
    a, u, g, r = do.vector(M), do.vector(M), do.vector(M), do.vector(M)
    d, s, unit, one, h = do.vector(5)
    do.let(one, 1)
    for i, j in product(range(M), repeat=2):
        do.read_w(w[i][j], i * M + j)
        do.read_w(P[i][j], i * M + j)
    do.inverse(A, P)
    for k in range(M):
        do.let(s, 0)
        for i in range(M):
            do.read_v(L[i][i], (k * M + i) * M + i)
            do.share(s, L[i][i], M)
        do.unit(unit, s)
        for i in range(M):
            for j in range(i):
                do.read_v(L[i][j], (k * M + i) * M + j)
                do.scaled(L[i][j], L[i][j], unit)
            do.raised(L[i][i], L[i][i], unit)  # V / s + delta I, of an empty V the identity
        do.root(L, r, unit)
        do.let(h, 0)
        for i in range(M):
            do.times(a[i], A[i][k], one)
            do.times(u[i], A[i][k], one)
        do.solved(L, r, u)
        for i in range(M):
            do.dot(h, a[i], u[i])
        do.scaled(h, h, s)
        do.inverse_root(h, h, one)
        for i in range(M):
            do.conj_scaled(w[k][i], u[i], h)
            do.write(w[k][i], k * M + i)
        if k + 1 < M:  # A <- W^-1:  A -= a (g - e_k) / g_k, g = w_k^H A; the sign of g goes out in the quotient
            for j in range(M):
                do.let(g[j], 0)
                for i in range(M):
                    do.less(g[j], w[k][i], A[i][j])
            do.reciprocal(d, g[k])
            do.share(g[k], one, 1)
            for j in range(M):
                do.times(g[j], g[j], d)
                for i in range(M):
                    do.less(A[i][j], a[i], g[j])
    return do.done()


@lru_cache
def ip2_steps(M: int) -> Steps:
    """One sweep over pairs of M > 1 rows: V holds M matrices, which are loaded; `least` has to be next to nothing."""
    do = Program()
    w, A, g, spare = do.matrix(M), do.matrix(M), do.matrix(M)[:2], do.vector(8)
    factors = [(do.matrix(M), do.vector(M)) for _ in range(2)]
    P, B, h = [do.matrix(M)[:2] for _ in range(2)], [do.matrix(2) for _ in range(2)], do.matrix(2)
    one, minus, unit = do.vector(3)
    do.let(one, 1)
    do.let(minus, -1)
    do.unit(unit, one)
    for i, j in product(range(M), repeat=2):
        do.read_w(w[i][j], i * M + j)
        do.read_w(factors[0][0][i][j], i * M + j)
    do.inverse(A, factors[0][0])
    columns = [list(column) for column in zip(*A)]
    for m, n in pairs(M):
        held = factors[m % 2], factors[(m + 1) % 2]
        if m == 0:
            _root(do, m, *held[0], one)  # else it has been the last pair's n
        _root(do, n, *held[1], one)
        a = [columns[m], columns[n]]
        for c in range(2):
            _projected(do, held[c], a, P[c], B[c], (one, minus))
        _generalised(do, B[0], B[1], h, spare, (one, minus, unit))
        for c, q in enumerate((m, n)):
            for i, j in enumerate(w[q]):
                do.let(j, 0)
                do.less(j, P[c][0][i], h[0][c])
                do.less(j, P[c][1][i], h[1][c])
                do.conj_scaled(j, j, minus)
                do.write(j, q * M + i)
        if n > m and M > 2:
            _kept_inverse(do, columns, [w[m], w[n]], (m, n), g, [*B, h], minus)
    return do.done()


def _root(do: Program, q: int, L: Matrix, r: Vector, least: Number) -> None:
    """Cholesky's factor of V_q."""
    for i in range(len(L)):
        for j in range(i + 1):
            do.read_v(L[i][j], (q * len(L) + i) * len(L) + j)
    do.root(L, r, least)


def _projected(do: Program, factor: tuple[Matrix, Vector], a: Matrix, P: Matrix, B: Matrix, ones: Ones) -> None:
    """P <- V^-1 a, two columns;  B <- a^H P, its lower part."""
    one, minus = ones
    for x, column in zip(P, a):
        for i in range(len(x)):
            do.scaled(x[i], column[i], one)
        do.solved(*factor, x)
    for c in range(2):
        do.let(B[c][c], 0)
        for i, j in zip(a[c], P[c]):
            do.dot(B[c][c], i, j)
    do.let(B[1][0], 0)
    for i, j in zip(a[1], P[0]):
        do.less_conj(B[1][0], i, j)
    do.scaled(B[1][0], B[1][0], minus)


def _generalised(do: Program, C: Matrix, L: Matrix, h: Matrix, spare: Vector, ones: Ones) -> None:
    """h <- `linalg.hermitian.generalised_pair` of C and L, of which there are the lower parts; both are spent."""
    one, minus, unit = ones
    r0, r1, so, d, other, root, norm, value = spare
    do.root(L, [r0, r1], one)
    do.conj_scaled(other, C[1][0], r0)
    do.scaled(C[0][0], C[0][0], r0)
    do.less(C[1][0], L[1][0], C[0][0])
    do.less(C[1][1], L[1][0], other)
    for i in range(2):
        do.scaled(C[1][i], C[1][i], r1)
        do.scaled(C[i][0], C[i][0], r0)
    do.less_conj(C[1][1], L[1][0], C[1][0])
    do.scaled(C[1][1], C[1][1], r1)  # C <- L^-1 C L^-H
    a, y, x = C[0][0], C[1][0], C[1][1]
    do.let(d, 0)
    do.share(d, x, 1)  # real, so that what follows is not below 0
    do.larger(so, a, d)
    do.exchanged(so, a, d)
    do.conj_scaled(other, y, one)
    do.exchanged(so, y, other)
    for z, sign in ((x, -1), (value, 1)):  # half of the difference, mean
        do.let(z, 0)
        do.share(z, a, 2)
        do.share(z, d, 2 * sign)
    do.let(norm, 0)
    do.dot(norm, x, x)
    do.dot(norm, y, y)
    do.raised(norm, norm, unit)
    do.inverse_root(root, norm, one)
    do.scaled(root, norm, root)
    for z in (x, value):
        do.share(z, root, 1)
    do.exchanged(so, x, y)
    do.let(norm, 0)
    do.dot(norm, x, x)
    do.dot(norm, y, y)
    do.inverse_root(norm, norm, one)
    do.scaled(h[0][0], x, norm)
    do.scaled(h[1][0], y, norm)
    do.conj_scaled(h[0][1], y, norm)
    do.scaled(h[0][1], h[0][1], minus)
    do.conj_scaled(h[1][1], x, norm)
    for top, bottom in zip(*h):
        do.scaled(bottom, bottom, r1)
        do.less_conj(top, L[1][0], bottom)
        do.scaled(top, top, r0)
    do.inverse_root(value, value, one)
    for row in h:
        do.scaled(row[0], row[0], value)


def _kept_inverse(
    do: Program, A: Matrix, w: Matrix, at: tuple[int, int], g: Matrix, spare: list[Matrix], minus: Number
) -> None:
    """A, in columns, <- W^-1 after the rows w of W at m, n are new: a_mn <- a_mn K, a_j <- a_j - a_mn g_j, g = w A."""
    M, K, G, t = len(A), *spare
    for row, x in zip(w, g):
        for j in range(M):
            do.let(x[j], 0)
            for i in range(M):
                do.less(x[j], row[i], A[j][i])
    for p, q in product(range(2), repeat=2):
        do.scaled(G[p][q], g[p][at[q]], minus)
    do.inverse(K, G)
    for i in range(M):
        for q in range(2):
            do.let(t[0][q], 0)
            for p in range(2):
                do.less(t[0][q], A[at[p]][i], K[p][q])  # - (a_mn K)
        for q in range(2):
            do.scaled(A[at[q]][i], t[0][q], minus)
        for j in range(M):
            if j not in at:
                for q in range(2):
                    do.less(A[j][i], t[0][q], g[q][j])  # the signs of both go out
