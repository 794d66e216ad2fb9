"""Weights of bins: the laws hold, zero is missing whatever stands there, and two is the bin twice."""

import pytest
import torch
from cases import DENSITIES, DIVERGENCES, generator, powers, ran

from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.divergence.density import Gauss, Pooled
from otowake.source.nmf import Nmf
from otowake.source.start import nndsvd
from otowake.spatial.masked import Masked
from otowake.spatial.observed import Observed

F, T = 9, 24
COSTS = {**DIVERGENCES, **DENSITIES}


def data(seed=1):
    v = powers(generator(seed), 1, F, T)
    return (v / v.mean()).sqrt().to(torch.complex128)


def weights(seed=2):
    w = torch.rand(F, T, dtype=torch.float64, generator=generator(seed)) * 2
    return torch.where(w < 0.5, 0, w)


@pytest.mark.parametrize("name", COSTS)
def test_descent_and_derivative(name):
    X, m = data(), Separator(Nmf(3), Masked(Observed(COSTS[name], 2), weights()))
    s = m.init(X, 0)
    r = m.source.psd(s.z).requires_grad_()
    (slope,) = torch.autograd.grad(m.spatial.cost(X, s.p, r).sum(), r)
    neg, pos = m.spatial.split(m.spatial.observe(X, s.p), s.p)(r.detach())
    torch.testing.assert_close((pos - neg).expand_as(slope), slope, rtol=1e-9, atol=1e-11)
    cost = m.cost(X, s)
    for _ in range(20):
        s = m.step(X, s)
        after = m.cost(X, s)
        assert after <= cost + 1e-10 * (1 + cost.abs())
        cost = after


@pytest.mark.parametrize("name", COSTS)
def test_what_is_missing_does_not_matter(name):
    X, w = data(), weights()
    m = Separator(Nmf(3), Masked(Observed(COSTS[name], 1), w))
    other = torch.where(w > 0, X, torch.full_like(X, torch.nan))
    for a, b in zip(ran(m, X, 10).z, ran(m, other, 10).z):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=0)
        assert b.isfinite().all()


def test_ones_are_no_weights_and_two_is_twice():
    X = data()
    plain = Observed(DIVERGENCES["kl"], 1)
    ones = Masked(plain, torch.ones(1, 1, dtype=torch.float64))
    assert torch.allclose(ran(Separator(Nmf(3), plain), X, 5).z.B, ran(Separator(Nmf(3), ones), X, 5).z.B, rtol=1e-10)
    twice = torch.ones(F, T, dtype=torch.float64)
    twice[:, -1] = 2
    p, r = plain.init(X, 0), powers(generator(5), 1, F, T)
    longer = torch.cat([X, X[..., -1:]], -1), torch.cat([r, r[..., -1:]], -1)
    floor_moves = 1e-8  # the mean of the data, and its floor with it, is another one
    torch.testing.assert_close(
        Masked(plain, twice).cost(X, p, r), plain.cost(longer[0], p, longer[1]), rtol=floor_moves, atol=0
    )


def test_holes_are_filled_from_the_rest():
    g = generator(6)
    v = torch.rand(20, 2, dtype=torch.float64, generator=g) @ torch.rand(2, 50, dtype=torch.float64, generator=g)
    holes = torch.rand(20, 50, generator=g) < 0.3
    m = Separator(Nmf(2), Masked(Observed(DIVERGENCES["kl"], 1), (~holes).double()))
    s = ran(m, v.sqrt().masked_fill(holes, torch.nan)[None], 800)
    assert ((m.source.psd(s.z)[0] - v).abs() / v)[holes].mean() < 0.02


def test_refusals():
    with pytest.raises(OtowakeError, match="0 or more and finite"):
        Masked(Observed(), torch.tensor([[-1.0]]))
    with pytest.raises(OtowakeError, match=r"shape \(3, 4\), the spectrogram \(9, 24\)"):
        Separator(Nmf(2), Masked(Observed(), torch.ones(3, 4))).init(data(), 0)
    pooled = Masked(Observed(Pooled(Gauss()), 1), weights())
    with pytest.raises(OtowakeError, match="cannot be weighted one by one"):
        pooled.cost(data(), pooled.init(data(), 0), powers(generator(1), 1, F, T))


@pytest.mark.parametrize("raised", [True, False])
def test_a_start_from_singular_vectors(raised):
    g = generator(7)
    v = torch.rand(12, 3, dtype=torch.float64, generator=g) @ torch.rand(3, 20, dtype=torch.float64, generator=g)
    B, H = nndsvd(v, 3, raised)
    assert (B >= 0).all()
    assert (H >= 0).all()
    assert (B > 0).all() == raised
    assert (v - B[:, :1] @ H[:1]).norm() == pytest.approx(float(torch.linalg.svdvals(v)[1:].norm()), rel=0.2) or raised
    with pytest.raises(OtowakeError, match="at most 12 components, not 13"):
        nndsvd(v, 13)
