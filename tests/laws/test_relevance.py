"""Surplus sources: slopes are derivatives, bounds lie above, gains are not felt, and what is not needed goes out."""

from pathlib import Path

import pytest
import torch
from cases import generator, mixture

import otowake
from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.source.nmf import Nmf
from otowake.spatial.fullrank import FullRank
from otowake.spatial.jointdiag import JointDiag
from otowake.spatial.relevance import Held, relevance_cost, slopes
from otowake.spatial.shares import all_bins

EXAMPLES = Path(__file__).parents[2] / "examples"
N, M, WEIGHT = 4, 3, 7.0


def drawn(seed, *shape):
    """Over twelve decades."""
    return 10 ** (12 * torch.rand(*shape, generator=generator(seed), dtype=torch.float64) - 6)


def held(power, floor):
    return Held(power, power.sum(-2, keepdim=True) + floor, WEIGHT)


def test_slopes_are_the_derivative():
    power, floor = drawn(1, 2, N, M).requires_grad_(), drawn(2, 2, 1, M)
    (slope,) = torch.autograd.grad(relevance_cost(held(power, floor)).sum(), power)
    neg, pos = slopes(held(power.detach(), floor))
    assert bool((neg >= 0).all() & (pos >= 0).all())
    torch.testing.assert_close((pos - neg) * power.detach(), slope * power.detach(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(50))
def test_bound_lies_above(seed):
    """pos q^2 / 2 + neg q^-2 / 2 touches the cost at q = 1 and is nowhere below it."""
    power, floor = drawn(seed, N, M), drawn(seed + 100, 1, M)
    neg, pos = slopes(held(power, floor))
    q = torch.exp(torch.randn(N, M, generator=generator(seed), dtype=torch.float64) * (0.05 + seed / 20))
    rise = relevance_cost(held(power * q, floor)) - relevance_cost(held(power, floor))
    bound = ((pos * (q**2 - 1) + neg * (q**-2.0 - 1)) * power / 2).sum()
    assert rise <= bound + 1e-10


def test_gains_of_channels_and_of_everything_are_not_felt():
    power, floor, gain = drawn(3, N, M), drawn(4, 1, M), drawn(5, 1, M)
    torch.testing.assert_close(
        relevance_cost(held(power * gain, floor * gain)), relevance_cost(held(power, floor)), rtol=1e-12, atol=0
    )


def test_no_weight_is_no_cost():
    """To the last bit what it was."""
    X = mixture(1)
    for plain, free in ((JointDiag(4), JointDiag(4, relevance=0.0)), (FullRank(2), FullRank(2, relevance=0.0))):
        a, b = (Separator(Nmf(2), spatial).step(X, Separator(Nmf(2), spatial).init(X)) for spatial in (plain, free))
        assert torch.equal(a.z.B, b.z.B)


@pytest.mark.parametrize("spatial", [JointDiag(4, relevance=10.0, shares=all_bins), FullRank(4, relevance=10.0)])
def test_at_a_high_price_one_source_is_left(spatial):
    X, method = mixture(2, 2, sources=2), Separator(Nmf(3), spatial)
    s = method.init(X)
    for _ in range(60):
        s = method.step(X, s)
    power = method.images(X, s, (0, 1)).abs().square().mean((-3, -2, -1))
    assert power.max() > 0.99 * power.sum()
    assert method.images(X, s, (0, 1)).isfinite().all()


def test_two_talkers_are_two():
    """Four sources are asked for; the sum stays the recording."""
    recording = otowake.read(EXAMPLES / "two-talkers.flac")
    x = recording.samples[:, : 5 * recording.rate]
    free, priced = (
        otowake.separate(
            x, recording.rate, "fastmnmf2", sources=4, iterations=90, stft="2048/512", settings={"relevance": relevance}
        )
        for relevance in (0.0, 0.3)
    )
    assert "found" not in free.diagnostics
    power = (free.sources**2).mean(-1) / (x[0] ** 2).mean()
    assert (power > 0.01).sum() == 4
    assert priced.diagnostics["found"] == 2
    assert sum(level > -20 for level in priced.diagnostics["levels_db"]) == 2
    assert "Of 4 sources 2 were found; the others are below -20 dB of the recording." in priced.notes
    assert abs(priced.sources.sum(0) - x[0]).max() <= 1e-9 * abs(x).max()


@pytest.mark.parametrize("relevance", [-1.0, float("nan"), float("inf")])
def test_impossible_prices_are_refused(relevance):
    for spatial in (JointDiag, FullRank):
        with pytest.raises(OtowakeError, match="relevance must be 0 or more"):
            spatial(2, relevance=relevance)
