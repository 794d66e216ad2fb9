"""Bins whose outputs were shuffled are put in order again."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import generator, powers

import otowake
from otowake.signal import permutation
from otowake.signal.permutation import align, assigned, ordered
from otowake.signal.stft import Stft

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def shuffled(v: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(v with the sources of each bin in random order, that order: f n)."""
    n, f, _ = v.shape
    order = torch.stack([torch.randperm(n, generator=generator(seed + i)) for i in range(f)])
    return ordered(v.transpose(0, 1), order).transpose(0, 1), order


def right(found: torch.Tensor, order: torch.Tensor) -> float:
    """The share of bins in one order, the best of all orders of sources."""
    there = order.gather(-1, found)  # f n: which source came where
    return max(
        float((there == torch.tensor(p)).all(-1).double().mean())
        for p in itertools.permutations(range(there.shape[-1]))
    )


def talkers() -> torch.Tensor:
    """Power spectrograms of the true images of both talkers of the example, 16 kHz, 64 ms."""
    images = [otowake.read(EXAMPLES / f"two-talkers-ref{n}.flac").samples[0] for n in (1, 2)]
    return Stft(1024, 256).forward(torch.from_numpy(np.stack(images)).double()).abs().square()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("activity", ["share", "mask"])
def test_two_talkers(seed, activity):
    v = talkers()
    share = v / v.sum(0)
    v, order = shuffled(share if activity == "share" else (share > 0.5).double(), seed)
    assert right(align(v), order) >= 0.95


def test_three_and_five_sources():
    for n in (3, 5):
        g = generator(501 + n)
        course = powers(g, n, 1, 300, components=1)
        v = course * torch.exp(torch.randn(n, 129, 300, dtype=torch.float64, generator=g))
        v, order = shuffled(v / v.sum(0), n)
        assert right(align(v), order) >= 0.95


def test_many_sources_need_no_list_of_all_orders():
    n, g = 9, generator(510)
    v = torch.rand(n, 1, 400, dtype=torch.float64, generator=g) ** 4 + 0.1 * torch.rand(
        n, 33, 400, dtype=torch.float64, generator=g
    )
    v, order = shuffled(v, n)
    there = order.gather(-1, align(v))
    assert (there == there[0]).all()


def test_the_score_never_falls_and_the_end_is_a_peak():
    """No single bin can be put in a better order, of all that there are."""
    v, _ = shuffled(torch.rand(3, 24, 40, dtype=torch.float64, generator=generator(511)), 511)
    a = v - v.mean(-1, keepdim=True)
    z = (a / a.norm(dim=-1, keepdim=True)).transpose(0, 1)
    z = ordered(z, align(v))
    K = torch.full((24, 24), 1 / 24, dtype=torch.float64)
    for f, near in enumerate(permutation._neighbours(24)):
        K[f, near] += permutation._NEIGHBOUR
    assert torch.equal(K, K.T)
    for f in range(24):
        target = torch.einsum("g,gnt->nt", K[f] * (torch.arange(24) != f), z)
        reached = float((target * z[f]).sum())
        assert all(float((target * z[f, list(p)]).sum()) <= reached + 1e-12 for p in itertools.permutations(range(3)))


def test_a_batch_and_silent_bins():
    v = torch.rand(2, 3, 20, 50, dtype=torch.float64, generator=generator(512))
    v[1, :, 4] = 0
    v[1, :, 7] = 0.3
    orders = align(v)
    assert orders.shape == (2, 20, 3)
    for i in range(2):
        assert torch.equal(orders[i], align(v[i]))
    assert torch.equal(orders.sort(-1).values, torch.arange(3).expand(2, 20, 3))
    assert torch.equal(align(torch.zeros(2, 5, 7)), torch.arange(2).expand(5, 2))
    assert torch.equal(align(torch.rand(2, 5, 1)), torch.arange(2).expand(5, 2))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_an_assignment_has_the_largest_sum(n):
    rng = np.random.default_rng(n)
    for scores in (*rng.standard_normal((20, n, n)), np.ones((n, n)), np.zeros((n, n))):
        columns = assigned(scores)
        best = max(sum(scores[i, p[i]] for i in range(n)) for p in itertools.permutations(range(n)))
        assert sorted(columns) == list(range(n))
        assert scores[range(n), columns].sum() == pytest.approx(best)
