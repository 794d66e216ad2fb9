"""Complex NMF index by index, in the form with shares (beta) that sum to one and a part of x for every component."""

import cmath
import math

import numpy as np
import pytest
import torch
from cases import generator, normal

from otowake.complex_nmf import ComplexNmf, ComplexNmfState

SIZES = [(2, 1, 4, 3), (2, 2, 3, 5), (1, 3, 5, 4), (1, 1, 3, 3)]
"""Sources, bases a source, bins, frames."""


def loops_weight(x, K, sparsity, p):
    """2 w sum (l h)^p is sparsity * energy where every l h is bins * rms / sqrt(components)."""
    F, T = x.shape
    energy = sum(abs(x[f, t]) ** 2 for f in range(F) for t in range(T))
    even = F * math.sqrt(energy / (F * T)) / math.sqrt(K)
    return sparsity * energy / (2 * K * T * even**p)


def loops_parts(x, b, h, e):
    """x = sum_k y_k with y = b h e + beta (x - sum), beta = b h / sum: (y, beta)."""
    (F, T), K = x.shape, b.shape[1]
    y, beta = np.zeros((K, F, T), dtype=complex), np.zeros((K, F, T))
    for f in range(F):
        for t in range(T):
            s = sum(b[f, k] * h[k, t] for k in range(K))
            left = x[f, t] - sum(b[f, k] * h[k, t] * e[k, f, t] for k in range(K))
            for k in range(K):
                beta[k, f, t] = b[f, k] * h[k, t] / s
                y[k, f, t] = b[f, k] * h[k, t] * e[k, f, t] + beta[k, f, t] * left
            assert sum(y[k, f, t] for k in range(K)) == pytest.approx(x[f, t])
    return y, beta


def loops_step(x, b, h, e, w, p):
    """First the phases and b, then with new parts the phases and h, then the columns of b get the sum 1."""
    (F, T), K = x.shape, b.shape[1]
    y, beta = loops_parts(x, b, h, e)
    new = b.copy()
    for k in range(K):
        total = sum(b[f, k] for f in range(F))
        for f in range(F):
            over = sum(h[k, t] * abs(y[k, f, t]) / beta[k, f, t] for t in range(T))
            under = sum(h[k, t] ** 2 / beta[k, f, t] for t in range(T))
            under += w * p * total ** (p - 1) / b[f, k] * sum(h[k, t] ** p for t in range(T))
            new[f, k] = over / under
    b, e = new, np.array([[[cmath.exp(1j * cmath.phase(z)) for z in row] for row in part] for part in y])
    y, beta = loops_parts(x, b, h, e)
    new = h.copy()
    for k in range(K):
        total = sum(b[f, k] for f in range(F))
        for t in range(T):
            over = sum(b[f, k] * abs(y[k, f, t]) / beta[k, f, t] for f in range(F))
            under = sum(b[f, k] ** 2 / beta[k, f, t] for f in range(F)) + w * p * total**p * h[k, t] ** (p - 2)
            new[k, t] = over / under
    h, e = new, np.array([[[cmath.exp(1j * cmath.phase(z)) for z in row] for row in part] for part in y])
    for k in range(K):
        total = sum(b[f, k] for f in range(F))
        b[:, k], h[k] = b[:, k] / total, h[k] * total
    return b, h, e


def loops_cost(x, b, h, e, w, p):
    (F, T), K = x.shape, b.shape[1]
    total = 0.0
    for f in range(F):
        for t in range(T):
            total += abs(x[f, t] - sum(b[f, k] * h[k, t] * e[k, f, t] for k in range(K))) ** 2
    for k in range(K):
        for t in range(T):
            total += 2 * w * (sum(b[f, k] for f in range(F)) * h[k, t]) ** p
    return total


def flat(s: ComplexNmfState):
    """b[f, k], h[k, t], e[k, f, t] of all sources side by side."""
    n, f, k = s.B.shape
    return s.B.movedim(0, 1).reshape(f, n * k).numpy(), s.H.flatten(0, 1).numpy(), s.E.flatten(0, 1).numpy()


@pytest.mark.parametrize("p", [0.5, 1.0, 1.2, 2.0])
@pytest.mark.parametrize("sparsity", [0.0, 0.7])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_steps_cost_and_images(size, sparsity, p):
    sources, bases, bins, frames = size
    g = generator(91)
    X, method = 3 * normal(g, 1, bins, frames), ComplexNmf(sources, bases, sparsity, p)
    s = method.init(X, seed=7)
    s = s._replace(B=s.B * (1 + torch.rand(s.B.shape, dtype=s.B.dtype, generator=g)))  # columns of any sum
    x, (b, h, e) = X[0].numpy(), flat(s)
    w = loops_weight(x, sources * bases, sparsity, p)
    for _ in range(4):
        np.testing.assert_allclose(float(method.cost(X, s)), loops_cost(x, b, h, e, w, p), rtol=1e-12)
        s = method.step(X, s)
        b, h, e = loops_step(x, b, h, e, w, p)
        for found, wanted in zip(flat(s), (b, h, e)):
            np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10 * np.abs(wanted).max())
    y, _ = loops_parts(x, b, h, e)
    images = [sum(y[n * bases + k] for k in range(bases)) for n in range(sources)]
    np.testing.assert_allclose(method.estimate(X, s).numpy(), images, rtol=1e-10, atol=1e-10)
