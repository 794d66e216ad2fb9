"""Mixtures of directions index by index, from unit vectors and the densities of complex angular central Gaussians."""

import math

import numpy as np
import pytest
import torch
from cases import generator, normal

from otowake.mixture import WEIGHTS, AngularMixture
from otowake.mixture.angular import AngularState
from otowake.signal.filters import OUTPUTS, Shares

SIZES = [(2, 2, 3, 5), (3, 2, 2, 4), (2, 4, 3, 6), (1, 3, 2, 4)]
"""Sources, microphones, bins, frames."""
E = 1e-10  # what every cell says of everywhere, in double precision


def scatter(x, f, t):
    """z z^H + e / M I of the unit vector z = x / |x|."""
    M = len(x)
    z = x[:, f, t] / math.sqrt(sum(abs(x[m, f, t]) ** 2 for m in range(M)))
    return np.array([[z[i] * np.conj(z[j]) + (E / M if i == j else 0) for j in range(M)] for i in range(M)])


def radius(R, S):
    """tr(R^-1 S)."""
    inverse = np.linalg.inv(R)
    return sum(inverse[i, j] * S[j, i] for i in range(len(R)) for j in range(len(R))).real


def density(R, S):
    """Of the angular central Gaussian, but for its constant."""
    return 1 / np.linalg.det(R).real * radius(R, S) ** -len(R)


def weights(gamma, tied):
    N, F, T = gamma.shape
    pi = np.zeros((N, F, T))
    for n in range(N):
        for f in range(F):
            for t in range(T):
                frames = [gamma[n, f, u] for u in range(T)]
                bins = [gamma[n, g, t] for g in range(F)]
                pi[n, f, t] = sum(bins) / F if tied else sum(frames) / T
    return pi


def loops_cost(x, gamma, R, prior, tied):
    (N, F, T), M, pi = gamma.shape, len(x), weights(gamma, tied)
    total = 0.0
    for f in range(F):
        for t in range(T):
            S = scatter(x, f, t)
            total -= math.log(sum(pi[n, f, t] * density(R[f, n], S) for n in range(N)))
        for n in range(N):
            inverse = np.linalg.inv(R[f, n])
            mean = sum(inverse[i, i].real for i in range(M)) / M
            total += prior * (math.log(np.linalg.det(R[f, n]).real) + M * math.log(mean))
    return total


def loops_step(x, gamma, R, prior, tied):
    (N, F, T), M, pi = gamma.shape, len(x), weights(gamma, tied)
    fresh, new = np.zeros_like(gamma), np.zeros_like(R)
    for f in range(F):
        for t in range(T):
            joint = [pi[n, f, t] * density(R[f, n], scatter(x, f, t)) for n in range(N)]
            for n in range(N):
                fresh[n, f, t] = joint[n] / sum(joint)
        for n in range(N):
            over = sum(fresh[n, f, t] * M * scatter(x, f, t) / radius(R[f, n], scatter(x, f, t)) for t in range(T))
            over = over + prior * M * np.eye(M) / np.trace(np.linalg.inv(R[f, n])).real
            new[f, n] = over * M / np.trace(over).real
    return fresh, new


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("prior", [0.0, 1.5])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_steps_and_cost(size, prior, name):
    sources, mics, bins, frames = size
    X = 3 * normal(generator(401), mics, bins, frames)
    method, tied = AngularMixture(sources, prior, WEIGHTS[name]), name == "frame"
    s = method.init(X, seed=7)
    noise = 0.3 * normal(generator(402), bins, sources, mics, mics)
    s = AngularState(s.gamma, s.R + noise @ noise.mH)  # of any trace
    x, gamma, R = X.numpy(), s.gamma.numpy(), s.R.numpy()
    for _ in range(3):
        np.testing.assert_allclose(float(method.cost(X, s)), loops_cost(x, gamma, R, prior, tied), rtol=1e-9, atol=1e-9)
        s = method.step(X, s)
        gamma, R = loops_step(x, gamma, R, prior, tied)
        np.testing.assert_allclose(s.gamma.numpy(), gamma, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(s.R.numpy(), R, rtol=1e-8, atol=1e-10)


def test_outputs():
    """Every filter cell by cell."""
    g = generator(403)
    X, N, M, F, T = normal(g, 3, 2, 12), 2, 3, 2, 12
    gamma = torch.softmax(2 * torch.randn(N, F, T, dtype=torch.float64, generator=g), 0)
    r = gamma * torch.rand(N, F, T, dtype=torch.float64, generator=g)
    A = normal(g, F, N, M, M)
    shares = Shares(gamma, r, A @ A.mH)
    found = {name: output(X, shares, (0, 2)).numpy() for name, output in OUTPUTS.items()}
    x = X.numpy()
    for f in range(F):
        Phi = [sum(gamma[n, f, t].item() * np.outer(x[:, f, t], x[:, f, t].conj()) for t in range(T)) for n in range(N)]
        C = sum(Phi)
        for t in range(T):
            S = sum(r[j, f, t].item() * shares.R[f, j].numpy() for j in range(N))
            for n in range(N):
                ratio = np.linalg.inv(C - Phi[n]) @ Phi[n]
                wanted = {
                    "mask": gamma[n, f, t].item() * x[:, f, t],
                    "mwf": Phi[n] @ np.linalg.inv(C) @ x[:, f, t],
                    "mvdr": (ratio / np.trace(ratio)).conj().T @ x[:, f, t],
                    "wiener": r[n, f, t].item() * shares.R[f, n].numpy() @ np.linalg.inv(S) @ x[:, f, t],
                }
                for name in OUTPUTS:
                    np.testing.assert_allclose(found[name][n, :, f, t], wanted[name][[0, 2]], rtol=1e-8, atol=1e-8)
