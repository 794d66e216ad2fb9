"""Alpha-beta, Bregman, dual Kullback-Leibler and Cauchy-NMF as literal loops on a tiny problem, against the library.

The loops use the papers' letters: P is the data, X = T V the model (two sources side by side are one large T).
"""

import math

import numpy as np
import pytest
import torch
from cases import mixture

from otowake.core.separator import Separator
from otowake.divergence import AlphaBeta, Bregman, DualKl, HeavyT
from otowake.source.nmf import Nmf
from otowake.spatial.observed import Observed


def product(T, V, e):
    """The sum of all sources' models, e included."""
    F, J = T.shape[1], V.shape[2]
    X = np.zeros((F, J))
    for f in range(F):
        for j in range(J):
            X[f, j] = sum(e[n, f, 0] + sum(T[n, f, k] * V[n, k, j] for k in range(T.shape[2])) for n in range(len(T)))
    return X


def sweep(P, T, V, e, change):
    """All T, then all V; `change` makes a factor of (data, model, weights) over the bins that an entry touches."""
    T, V = T.copy(), V.copy()
    N, F, K = T.shape
    J = V.shape[2]
    X = product(T, V, e)
    new = T.copy()
    for n in range(N):
        for f in range(F):
            for k in range(K):
                new[n, f, k] = T[n, f, k] * change([(P[f, j], X[f, j], V[n, k, j]) for j in range(J)])
    T, X = new, product(new, V, e)
    out = V.copy()
    for n in range(N):
        for k in range(K):
            for j in range(J):
                out[n, k, j] = V[n, k, j] * change([(P[f, j], X[f, j], T[n, f, k]) for f in range(F)])
    return T, out


def same(d, change, sources=2):
    X = mixture(9, 1, 4, 6, sources=2)
    method = Separator(Nmf(2), Observed(d, sources))
    s = method.init(X)
    T, V, e = (u.numpy().copy() for u in s.z)
    P = np.abs(X[0].numpy()) ** 2
    for _ in range(3):
        s = method.step(X, s)
        T, V = sweep(P, T, V, e, change)
        np.testing.assert_allclose(s.z.B, T, rtol=1e-9, atol=0)
        np.testing.assert_allclose(s.z.H, V, rtol=1e-9, atol=0)
    return X, s


@pytest.mark.parametrize(
    ("a", "b"), [(0.5, 0.5), (2, -1), (-1, 2), (-1, 1), (-0.5, -0.5), (1.5, 1), (0.7, -0.7), (1, 0)]
)
def test_alpha_and_beta(a, b):
    """Cichocki, Cruces, Amari 2011: [ P^a X^(b-1) / X^(a+b-1) ]^omega, upside down for a < 0 with 1/|omega|."""

    def change(bins):
        over = sum(w * p**a * x ** (b - 1) for p, x, w in bins)
        under = sum(w * x ** (a + b - 1) for _, x, w in bins)
        if a > 0:
            return (over / under) ** (1 / (max(a + b, 1) - min(b, 1)))
        return (under / over) ** (1 / (max(b, 1) - min(a + b, 1)))

    X, s = same(AlphaBeta(float(a), float(b)), change)
    P, R = np.abs(X[0].numpy()) ** 2, product(*(u.numpy() for u in s.z))
    cost = 0.0
    for f in range(4):
        for t in range(6):
            p, x = P[f, t], R[f, t]
            if b == 0:
                cost += (p**a * math.log(p**a / x**a) - p**a + x**a) / a**2
            elif a + b == 0:
                cost += (math.log(x**a / p**a) + p**a / x**a - 1) / a**2
            else:
                cost += -(p**a * x**b - a / (a + b) * p ** (a + b) - b / (a + b) * x ** (a + b)) / (a * b)
    method = Separator(Nmf(2), Observed(AlphaBeta(float(a), float(b)), 2))
    assert float(method.cost(X, s)) == pytest.approx(cost, rel=1e-9)


@pytest.mark.parametrize("known", [True, False])
def test_bregman(known):
    """phi = s^3 / 6 - log s - 2 sqrt(s): psi = s + s^-2 + s^-3/2 / 2, slopes from -2 to 1, exponent 1 / (3 + 1)."""

    def psi(s):
        return s + s**-2 + 0.5 * s**-1.5

    def phi(s):
        return s**3 / 6 - np.log(s) - 2 * np.sqrt(s)

    def slope(s):
        return s**2 / 2 - 1 / s - s**-0.5

    def change(bins):
        over = sum(w * psi(x) * p for p, x, w in bins)
        under = sum(w * psi(x) * x for _, x, w in bins)
        return (over / under) ** 0.25

    given = (lambda s: s**3 / 6 - torch.log(s) - 2 * s.sqrt(), slope)
    d = Bregman(psi, -2.0, 1.0, phi=given if known else None)
    X, s = same(d, change)
    P, R = np.abs(X[0].numpy()) ** 2, product(*(u.numpy() for u in s.z))
    cost = sum(phi(p) - phi(x) - slope(x) * (p - x) for p, x in zip(P.flat, R.flat))
    assert float(Separator(Nmf(2), Observed(d, 2)).cost(X, s)) == pytest.approx(cost, rel=1e-9)


def test_dual_kullback_leibler():
    """exp( sum w log(P / X) / sum w )."""

    def change(bins):
        return math.exp(sum(w * math.log(p / x) for p, x, w in bins) / sum(w for _, _, w in bins))

    X, s = same(DualKl(), change)
    P, R = np.abs(X[0].numpy()) ** 2, product(*(u.numpy() for u in s.z))
    cost = sum(x * math.log(x / p) - x + p for p, x in zip(P.flat, R.flat))
    assert float(Separator(Nmf(2), Observed(DualKl(), 2)).cost(X, s)) == pytest.approx(cost, rel=1e-12)


def test_cauchy_nmf():
    """Liutkus, FitzGerald, Badeau 2015: V_ft = (B H)_ft in amplitude, B <- B [ Hᵀ 1/V / Hᵀ 3 V / (V^2 + P) ]^(1/2).

    The library's R is sqrt(2) V: r = R^2 = 2 V^2.
    """
    X = mixture(9, 1, 4, 6, sources=2)
    method = Separator(Nmf(3, domain=1.0), Observed(HeavyT(1.0)))
    s = method.init(X)
    T, V, e = (u.numpy().copy() for u in s.z)
    T, e = T / math.sqrt(2), e / math.sqrt(2)
    P = np.abs(X[0].numpy()) ** 2

    def change(bins):
        return math.sqrt(sum(w / x for _, x, w in bins) / sum(w * 3 * x / (x**2 + p) for p, x, w in bins))

    for _ in range(3):
        s = method.step(X, s)
        T, V = sweep(P, T, V, e, change)
        np.testing.assert_allclose(s.z.B, T * math.sqrt(2), rtol=1e-9, atol=0)
        np.testing.assert_allclose(s.z.H, V, rtol=1e-9, atol=0)
