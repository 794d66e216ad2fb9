"""FastMNMF, MNMF and RCSCME index by index: an iteration as slow loops on tiny problems, against the library.

Letters of the papers: T, V are the library's B, H; arrays are NumPy's: x[f, t, m], Q[f, m, m], G[n, f, m].
"""

import numpy as np
import pytest
import scipy.linalg
import torch
from cases import generator, mixture, normal
from test_updates import FLOOR, ab, close, loops_demixed, loops_ip1, loops_model, weight

from otowake.core.separator import Separator
from otowake.divergence.density import Gauss, StudentT
from otowake.linalg.hermitian import inverse_and_logdet
from otowake.rank_constrained import RankConstrained
from otowake.source.nmf import Nmf
from otowake.spatial.demix import ip1
from otowake.spatial.determined import Determined
from otowake.spatial.fullrank import FullRank
from otowake.spatial.jointdiag import JointDiag
from otowake.spatial.shares import all_bins, each_bin

SIZES = [(2, 3), (3, 2), (2, 2)]
"""Microphones, sources."""


def started(method, X, seed=1):
    """A state with nothing regular in it; FullRank's covariances or JointDiag's Q and G."""
    s, g = method.init(X, seed), generator(seed)
    if hasattr(s.p, "S"):
        A = normal(g, *s.p.S.shape)
        return s._replace(p=s.p._replace(S=A @ A.mH))
    Q = s.p.Q + 0.3 * normal(g, *s.p.Q.shape)
    return s._replace(p=s.p._replace(Q=Q, G=0.1 + torch.rand(s.p.G.shape, dtype=torch.float64, generator=g)))


def moved(T, V, halves, factor):
    """T, or V, times the root of sums of the halves A, B[n, f, t]."""
    A, B = halves
    new = (T if factor == "T" else V).copy()
    N, F, L = A.shape
    for n in range(N):
        for k in range(T.shape[2]):
            for i in range(F if factor == "T" else L):
                cells = (
                    [(i, t, V[n, k, t]) for t in range(L)] if factor == "T" else [(f, i, T[n, f, k]) for f in range(F)]
                )
                over, under = (sum(Z[n, f, t] * other for f, t, other in cells) for Z in (A, B))
                new[(n, i, k) if factor == "T" else (n, k, i)] *= np.sqrt(over / under)
    return new


# ---- FastMNMF ---------------------------------------------------------------------------------------------------


def scales(r, G, e):
    """Y[m, f, t]."""
    N, F, L = r.shape
    Y = np.zeros((G.shape[2], F, L))
    for m, f, t in np.ndindex(Y.shape):
        Y[m, f, t] = e[m, 0, 0] + sum(r[n, f, t] * G[n, f, m] for n in range(N))
    return Y


def channel_halves(density, P, Y):
    """A and B of each channel: m f t."""
    A, B = np.zeros_like(Y), np.zeros_like(Y)
    for i in np.ndindex(Y.shape):
        A[i], B[i] = ab(density, P[i], Y[i], 2.0)
    return A, B


def source_halves(halves, G):
    """sum_m g_nfm A_mft, and B: n f t."""
    N, F, M = G.shape
    out = tuple(np.zeros((N, F, halves[0].shape[2])) for _ in halves)
    for total, half in zip(out, halves, strict=True):
        for n, f, t in np.ndindex(total.shape):
            total[n, f, t] = sum(G[n, f, m] * half[m, f, t] for m in range(M))
    return out


@pytest.mark.parametrize("density", [Gauss(), StudentT(3.0)], ids=["gauss", "t"])
@pytest.mark.parametrize("shares", [each_bin, all_bins])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_an_iteration_of_fastmnmf(size, shares, density):
    M, N = size
    X, F, L = mixture(4, M, 3, 7, sources=N), 3, 7
    method = Separator(Nmf(2), JointDiag(N, ip1, density, shares))
    s = started(method, X)
    after, x = method.step(X, s), X.permute(1, 2, 0).numpy()
    T, V, e = (u.numpy().copy() for u in s.z)
    Q, floor = s.p.Q.numpy().copy(), s.p.e.numpy().copy()
    assert (floor == FLOOR).all()
    G = np.broadcast_to(s.p.G.numpy(), (N, F, M)).copy()
    P = np.abs(loops_demixed(x, Q).transpose(2, 0, 1)) ** 2
    for factor in ("T", "V"):
        halves = channel_halves(density, P, scales(loops_model(T, V, e), G, floor))
        new = moved(T, V, source_halves(halves, G), factor)
        T, V = (new, V) if factor == "T" else (T, new)
    r = loops_model(T, V, e)
    A, B = channel_halves(density, P, scales(r, G, floor))
    new = G.copy()
    for n, f, m in np.ndindex(G.shape):
        bins = range(F) if shares is all_bins else [f]
        over, under = (sum(r[n, i, t] * Z[m, i, t] for i in bins for t in range(L)) for Z in (A, B))
        new[n, f, m] *= np.sqrt(over / under)
    G, Y = new, scales(r, new, floor)
    c = np.zeros((F, L, M))
    for m, f, t in np.ndindex(Y.shape):
        c[f, t, m] = weight(density, P[m, f, t], Y[m, f, t])
    Q = loops_ip1(x, Q, c)
    y = loops_demixed(x, Q)
    for m in range(M):
        d = sum(abs(y[f, t, m]) ** 2 for f in range(F) for t in range(L)) / (F * L)
        Q[:, m] /= np.sqrt(d)
        G[:, :, m] /= d
        floor[m] /= d
    for n in range(N):
        total = sum(G[n, f, m] for f in range(F) for m in range(M)) / F
        G[n] /= total
        T[n] *= total
        e[n] *= total
    found = (*after.z, after.p.Q, after.p.G.expand(N, F, M), after.p.e)
    for library, wanted in zip(found, (T, V, e, Q, G, floor), strict=True):
        close(library, wanted, 1e-9)
    # images: the multichannel Wiener filter of covariances S = Q^-1 diag(g) Q^-H
    images, r = method.images(X, after, range(M)).numpy(), loops_model(T, V, e)
    Y = scales(r, G, floor)
    for f, t in np.ndindex(F, L):
        A = np.linalg.inv(Q[f])
        R = A @ np.diag(Y[:, f, t]) @ A.conj().T
        for n in range(N):
            S = A @ np.diag(r[n, f, t] * G[n, f] + floor[:, 0, 0] / N) @ A.conj().T
            close(images[n, :, f, t], S @ np.linalg.solve(R, x[f, t]), 1e-8)


# ---- MNMF -------------------------------------------------------------------------------------------------------


def floor_of(x, f):
    """1e-10 of the bin's mean power, of 1 in quieter ones."""
    return FLOOR * max(1.0, float((np.abs(x[f]) ** 2).mean()))


def matrices(x, r, S, density):
    """(u, R^-1, rho') of each bin: f t."""
    N, F, L = r.shape
    M = x.shape[2]
    u, V, w = np.zeros((F, L, M), complex), np.zeros((F, L, M, M), complex), np.zeros((F, L))
    for f, t in np.ndindex(F, L):
        V[f, t] = np.linalg.inv(sum(r[n, f, t] * S[n, f] for n in range(N)) + floor_of(x, f) * np.eye(M))
        u[f, t] = V[f, t] @ x[f, t]
        q = (x[f, t].conj() @ u[f, t]).real
        w[f, t] = 1.0 if isinstance(density, Gauss) else (density.nu + 2 * M) / (density.nu + 2 * q)
    return u, V, w


def traces(u, V, w, S):
    """A[n, f, t] = rho' u^H S_n u, B = tr R^-1 S_n."""
    N, F = S.shape[:2]
    A, B = np.zeros((N, F, u.shape[1])), np.zeros((N, F, u.shape[1]))
    for n, f, t in np.ndindex(A.shape):
        A[n, f, t] = w[f, t] * (u[f, t].conj() @ S[n, f] @ u[f, t]).real
        B[n, f, t] = np.trace(V[f, t] @ S[n, f]).real
    return A, B


@pytest.mark.parametrize("density", [Gauss(), StudentT(3.0)], ids=["gauss", "t"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_an_iteration_of_mnmf(size, density):
    """Sawada et al. 2013; the Riccati equation by S = A^-1/2 (A^1/2 S K S A^1/2)^1/2 A^-1/2."""
    M, N = size
    X = mixture(5, M, 3, 7, sources=N)
    method = Separator(Nmf(2), FullRank(N, density))
    s = started(method, X)
    after, x = method.step(X, s), X.permute(1, 2, 0).numpy()
    T, V, e = (u.numpy().copy() for u in s.z)
    S = s.p.S.numpy().copy()
    for factor in ("T", "V"):
        new = moved(T, V, traces(*matrices(x, loops_model(T, V, e), S, density), S), factor)
        T, V = (new, V) if factor == "T" else (T, new)
    r = loops_model(T, V, e)
    u, inverse, w = matrices(x, r, S, density)
    new = S.copy()
    for n, f in np.ndindex(N, 3):
        A = sum(r[n, f, t] * inverse[f, t] for t in range(7))
        K = sum(r[n, f, t] * w[f, t] * np.outer(u[f, t], u[f, t].conj()) for t in range(7))
        half = scipy.linalg.sqrtm(A)
        middle = scipy.linalg.sqrtm(half @ S[n, f] @ K @ S[n, f] @ half)
        new[n, f] = np.linalg.inv(half) @ middle @ np.linalg.inv(half)
    for n in range(N):
        total = sum(np.trace(new[n, f]).real for f in range(3)) / 3
        new[n] /= total
        T[n] *= total
        e[n] *= total
    for library, wanted in zip((*after.z, after.p.S), (T, V, e, new), strict=True):
        close(library, wanted, 1e-7)  # sqrtm of a matrix with next to nothing in one direction
    images, r = method.images(X, after, range(M)).numpy(), loops_model(T, V, e)
    u, *_ = matrices(x, r, new, density)
    for n, f, t in np.ndindex(r.shape):
        wanted = (r[n, f, t] * new[n, f] + floor_of(x, f) / N * np.eye(M)) @ u[f, t]
        close(images[n, :, f, t], wanted, 1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("gain", [1e-200, 1e-16, 1.0, 1e4, 1e16, 1e200])
def test_inverses_know_no_units(size, gain):
    """Also of matrices of nearly one dimension."""
    A = normal(generator(size), 7, 4, size, size) * (1e-3 ** torch.arange(size).double().sqrt())
    R = A @ A.mH
    V, logs = inverse_and_logdet(gain * R.permute(2, 3, 0, 1))
    one = V.permute(2, 3, 0, 1) @ (gain * R)
    far = float(torch.linalg.cond(R).max())
    torch.testing.assert_close(one, torch.eye(size).to(one).expand_as(one), rtol=0, atol=1e-14 * far)
    expected = torch.linalg.slogdet(R).logabsdet + size * np.log(gain)
    torch.testing.assert_close(logs, expected, rtol=1e-12, atol=1e-15 * far)


@pytest.mark.parametrize("gain", [1e-12, 1e-4, 1e4, 1e8, 1e12])
@pytest.mark.parametrize("relevance", [0.0, 0.1])
def test_mnmf_knows_no_units(gain, relevance):
    """A power of 1e24 is as good as 1: each step descends, and what comes out is louder by the gain."""
    method, X = Separator(Nmf(2), FullRank(3, relevance=relevance)), mixture(3, 2, sources=3)
    a, b = method.init(X), method.init(gain * X)
    for _ in range(20):
        before = method.cost(gain * X, b)
        a, b = method.step(X, a), method.step(gain * X, b)
        assert method.cost(gain * X, b) <= before + 1e-12 * (before.abs() + X.numel())
    one, other = method.images(X, a, (0, 1)), method.images(gain * X, b, (0, 1))
    torch.testing.assert_close(other / gain, one, rtol=0, atol=1e-6 * float(one.abs().max()))


# ---- RCSCME -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mics", [2, 3])
def test_the_cost_of_rcscme_is_the_likelihood(mics):
    """Of N_C(0, r0 a a^H + r1 (N + l a a^H)) with N = <u u^H>, u = x - a w^H x; a constant of each bin apart."""
    X, alpha, g = mixture(6, mics, 3, 9), 0.3, generator(6)
    method = RankConstrained(Separator(Nmf(2), Determined()), steps=3, target=1, alpha=alpha)
    s = method.init(X)
    x, w, a = X.permute(1, 2, 0).numpy(), s.w.numpy(), s.a.numpy()
    N = np.zeros((3, mics, mics), complex)
    for f, t in np.ndindex(3, 9):
        u = x[f, t] - a[f] * (w[f] @ x[f, t])
        N[f] += np.outer(u, u.conj()) / 9

    def likelihood(r, lam):
        total = 0.0
        for f, t in np.ndindex(3, 9):
            one = np.outer(a[f], a[f].conj())
            R = r[0, f, t] * one + r[1, f, t] * (N[f] + lam[f] * one)
            total += np.linalg.slogdet(R)[1] + (x[f, t].conj() @ np.linalg.solve(R, x[f, t])).real
            total += (alpha + 1) * np.log(r[0, f, t]) + FLOOR / r[0, f, t]
        return total

    gaps = []
    for _ in range(3):
        r, lam = (
            0.1 + torch.rand(2, 3, 9, dtype=torch.float64, generator=g),
            torch.rand(3, dtype=torch.float64, generator=g) + 0.1,
        )
        gaps.append(float(method.cost(X, s._replace(r=r, l=lam))) - likelihood(r.numpy(), lam.numpy()))
    assert max(gaps) - min(gaps) < 1e-6
    # the Wiener filter of the target
    images, r, lam = method.images(X, s, range(mics)).numpy(), s.r.numpy(), s.l.numpy()
    for f, t in np.ndindex(3, 9):
        one = np.outer(a[f], a[f].conj())
        R = r[0, f, t] * one + r[1, f, t] * (N[f] + lam[f] * one)
        close(images[0, :, f, t], r[0, f, t] * one @ np.linalg.solve(R, x[f, t]), 1e-8)
