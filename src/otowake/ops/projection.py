"""Iterative projection as steps for any device: the algebra of `ops.sweep.ip1_definition`, without its inverses."""

from functools import lru_cache
from itertools import product

from otowake.ops.steps import Program, Steps


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
        do.root(L, r)
        do.let(h, 0)
        for i in range(M):
            do.times(a[i], A[i][k], one)
            do.times(u[i], A[i][k], one)
        do.solved(L, r, u)
        for i in range(M):
            do.dot(h, a[i], u[i])
        do.scaled(h, h, s)
        do.inverse_root(h, h)
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
