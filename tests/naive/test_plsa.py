"""pLSA: its EM as literal loops, against the updates of NMF with the Kullback-Leibler divergence."""

import functools

import numpy as np
import pytest
import torch
from cases import generator

from otowake.core.run import iterate, last, until
from otowake.core.separator import Separator
from otowake.divergence.beta import Beta
from otowake.source.nmf import Given, Nmf, NmfState, normalised
from otowake.source.plsa import shares
from otowake.spatial.observed import Observed

SPATIAL = Observed(Beta(1.0), power_of_v=1.0)
SIZES = [(6, 9), (5, 4), (4, 12)]
"""Bins, frames."""


def em(v, p_k, p_f, p_t):
    """One iteration; p_f[f, k], p_t[k, t]; v adds up to 1."""
    bins, frames = v.shape
    n = np.zeros((bins, frames, len(p_k)))
    for f in range(bins):
        for t in range(frames):
            joint = [p_k[k] * p_f[f, k] * p_t[k, t] for k in range(len(p_k))]
            for k in range(len(p_k)):
                n[f, t, k] = v[f, t] * joint[k] / sum(joint)  # the expected share of component k: q(k | f, t)
    p_k = [sum(n[f, t, k] for f in range(bins) for t in range(frames)) for k in range(len(p_k))]
    p_f = np.array([[sum(n[f, t, k] for t in range(frames)) / p_k[k] for k in range(len(p_k))] for f in range(bins)])
    p_t = np.array([[sum(n[f, t, k] for f in range(bins)) / p_k[k] for t in range(frames)] for k in range(len(p_k))])
    return np.array(p_k), p_f, p_t


def both(z, split):
    """One update of B and one of H, both from the same r: EM."""
    k = z.B.shape[-1]
    B = Nmf(k).update(z, split).B  # B goes first, so it has seen the r of before
    H = Nmf(k, given=Given(z.B)).update(z, split).H
    return normalised(NmfState(B, z.H, z.e), 1)._replace(H=H)


def problem(bins, frames, k=3, noise=1.0):
    """(v that adds up to 1, the start as probabilities, the same start as an NMF state without a floor, its split)"""
    g = generator(0)
    rand = functools.partial(torch.rand, dtype=torch.float64, generator=g)
    v = rand(bins, k) @ rand(k, frames) + noise * (rand(bins, frames) + 0.05)
    v = v / v.sum()
    z, p = Separator(Nmf(k), SPATIAL).init(v[None])
    z = normalised(z._replace(e=0 * z.e), 1)
    z = z._replace(H=z.H / z.H.sum())
    return v, [part[0].numpy() for part in shares(z)], z, SPATIAL.split(SPATIAL.observe(v[None], p), p)


def close(found, wanted, tolerance=1e-12):
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("size", SIZES)
def test_em_is_both_updates_from_one_r(size):
    v, p, z, split = problem(*size)
    for _ in range(20):
        p, z = em(v.numpy(), *p), both(z, split)
        for found, wanted in zip(shares(z), p, strict=True):
            close(found[0], wanted)
        close((z.B @ z.H).sum(), 1.0)


@pytest.mark.parametrize("size", SIZES)
def test_the_cost_is_the_likelihood(size):
    v, (p_k, p_f, p_t), z, _ = problem(*size)
    joint = (p_f * p_k) @ p_t
    entropy = float((v * v.log()).sum())
    close(Beta(1.0).cost(v[None], z.B @ z.H), entropy - (v.numpy() * np.log(joint)).sum())


@pytest.mark.parametrize("size", SIZES)
def test_masses_are_those_of_the_data(size):
    """After an update of H every frame has the data's mass, after one of B every bin."""
    v, _, z, split = problem(*size)
    H = Nmf(3, given=Given(z.B)).update(z, split).H
    close((z.B @ H)[0].sum(0), v.sum(0))
    B = Nmf(3).update(z, split).B
    close((B @ z.H)[0].sum(1), v.sum(1))


def test_one_after_the_other_is_another_way():
    _, _, z, split = problem(6, 9)
    together, in_turn = both(z, split), Nmf(3).update(z, split)
    close((in_turn.B @ in_turn.H).sum(), 1.0)
    assert float((together.B @ together.H - in_turn.B @ in_turn.H).abs().max()) > 1e-5


def test_where_one_stands_still_the_other_does():
    v, _, start, split = problem(4, 5, k=2, noise=0.03)
    together = in_turn = start
    for _ in range(1000):
        together, in_turn = both(together, split), Nmf(2).update(in_turn, split)
    ends = together.B @ together.H
    assert float((ends - start.B @ start.H).abs().max()) > 1e-3
    moved = Nmf(2).update(together, split)
    close(moved.B @ moved.H, ends, 1e-10)
    p_k, p_f, p_t = em(v.numpy(), *[part[0].numpy() for part in shares(in_turn)])
    close((p_f * p_k) @ p_t, (in_turn.B @ in_turn.H)[0], 1e-10)


def test_shares_add_up_and_give_the_model_back():
    v, *_ = problem(6, 9)
    z = last(until(iterate(Separator(Nmf(3), SPATIAL), 3 * v[None]), steps=50)).state.z
    p_k, p_f, p_t = shares(z)
    for sums in (p_k.sum(-1), p_f.sum(-2), p_t.sum(-1)):
        close(sums, torch.ones_like(sums))
    close(3 * (p_f * p_k.unsqueeze(-2)) @ p_t, z.B @ z.H, 1e-8)  # up to the floor of the model


def test_a_silent_component_has_no_share():
    _, _, z, _ = problem(6, 9)
    z = z._replace(H=torch.where(torch.arange(3)[:, None] == 1, 0.0, z.H))
    p_k, p_f, p_t = shares(z)
    assert p_k[0, 1] == 0
    assert not p_t[0, 1].any()
    close(p_f.sum(-2), torch.ones(1, 3))
