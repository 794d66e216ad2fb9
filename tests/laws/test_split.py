"""The split gradient is the derivative of the cost: d cost / d r = pos - neg, and both are >= 0."""

import pytest
import torch
from cases import ALL_DENSITIES, DENSITIES, STFT, fitting, generator, mixture, normal, powers

from otowake.core.method import Split
from otowake.divergence import DIVERGENCES, HeavyT
from otowake.source import SOURCES, Nmf
from otowake.spatial.consistent import Consistent
from otowake.spatial.determined import Determined
from otowake.spatial.fullrank import FullRank
from otowake.spatial.jointdiag import JointDiag
from otowake.spatial.observed import Observed
from otowake.spatial.overdetermined import Overdetermined
from otowake.spatial.shares import all_bins, each_bin

CLOSE = {"rtol": 1e-9, "atol": 1e-12}  # of terms of size one; autograd takes another way through the same formula


def check(cost, split, r, sizes):
    """pos - neg against autograd at r, which may broadcast."""
    r = r.clone().requires_grad_()
    (slope,) = torch.autograd.grad(cost(r).sum(), r)
    with torch.no_grad():
        neg, pos = split(r)
    assert (neg >= 0).all()
    assert (pos >= 0).all()
    difference = (pos - neg).expand(sizes)
    for axis in range(len(sizes)):
        if r.shape[axis] == 1 and sizes[axis] > 1:
            difference = difference.sum(axis, keepdim=True)
    torch.testing.assert_close(difference, slope, **CLOSE)


@pytest.fixture
def vr():
    g = generator(3)
    return powers(g, 3, 7, 20), powers(g, 3, 7, 20)


@pytest.mark.parametrize("name", ALL_DENSITIES)
def test_densities(name, vr):
    v, r = vr
    d = ALL_DENSITIES[name]
    check(lambda r: d.cost(v, r), d.split(v), r, v.shape)


@pytest.mark.parametrize("axes", [(-2,), (-1,), (-2, -1)])
@pytest.mark.parametrize("name", ALL_DENSITIES)
def test_densities_with_one_scale_for_several_bins(name, axes, vr):
    """`Frame` and `Flat` give r with an axis of one; the update sums the split over that axis, and so does the law."""
    v, r = vr
    d = ALL_DENSITIES[name]
    check(lambda r: d.cost(v, r), d.split(v), r.mean(axes, keepdim=True), v.shape)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_divergences(name, vr):
    v, r = vr
    d = DIVERGENCES[name]
    check(lambda r: d.cost(v, r), d.split(v), r, v.shape)
    if not isinstance(d, HeavyT):  # whose cost is StudentT's, a likelihood
        assert float(d.cost(v, v)) == pytest.approx(0, abs=1e-10)  # a sum of 420 terms of size one
        assert (d.each(v, r) >= -1e-14).all()


@pytest.mark.parametrize("name", [*DIVERGENCES, *(n for n, d in ALL_DENSITIES.items())])
def test_observed_with_several_sources(name):
    X = mixture(4, 1, sources=2)
    spatial = Observed({**DIVERGENCES, **ALL_DENSITIES}[name], sources=3)
    p = spatial.init(X, 0)
    r = powers(generator(5), 3, *X.shape[-2:])
    check(lambda r: spatial.cost(X, p, r), spatial.split(spatial.observe(X, p), p), r, r.shape)


def demixing_models():
    for name, density in ALL_DENSITIES.items():
        determined = Determined(next(iter(fitting(density).values())), density)
        yield pytest.param(determined, id=f"determined-{name}")
        if density.degree == 2:
            yield pytest.param(Overdetermined(2, density), id=f"overdetermined-{name}")


@pytest.mark.parametrize("spatial", list(demixing_models()))
def test_demixing_models(spatial):
    X, g = mixture(6, 3), generator(6)
    p = spatial.init(X, 0)
    p = p._replace(W=p.W + 0.3 * normal(g, *p.W.shape))
    r = powers(g, p.W.shape[-2], *X.shape[-2:])
    check(lambda r: spatial.cost(X, p, r), spatial.split(spatial.observe(X, p), p), r, r.shape)
    if isinstance(spatial, Determined):  # seen through a consistent spectrogram the split is of the same form
        o = powers(g, *r.shape)
        for a, b in zip(Consistent(spatial, STFT).split(o, p)(r), spatial.split(o, p)(r)):
            assert torch.equal(a, b)


@pytest.mark.parametrize("relevance", [0.0, 0.1])
@pytest.mark.parametrize("shares", [each_bin, all_bins])
@pytest.mark.parametrize("name", [name for name, d in DENSITIES.items() if d.degree == 2])
def test_sources_that_share_channels(name, shares, relevance):
    X, g = mixture(7, 2, sources=3), generator(7)
    spatial = JointDiag(3, density=DENSITIES[name], shares=shares, relevance=relevance)
    p = spatial.init(X, 0)
    p = p._replace(Q=p.Q + 0.3 * normal(g, *p.Q.shape))
    split = spatial.split(spatial.observe(X, p), p)
    r = powers(g, 3, *X.shape[-2:])
    check(lambda r: spatial.cost(X, p, r), split, r, r.shape)
    check(lambda r: spatial.cost(X, p, r), split, r.mean(-2, keepdim=True), r.shape)


@pytest.mark.parametrize("relevance", [0.0, 0.1])
@pytest.mark.parametrize("name", [name for name, d in DENSITIES.items() if d.degree == 2])
def test_covariances_of_full_rank(name, relevance):
    X, g, spatial = mixture(8, 2, sources=3), generator(8), FullRank(3, DENSITIES[name], relevance)
    p = spatial.init(X, 0)
    A = normal(g, *p.S.shape)
    p = p._replace(S=A @ A.mH)
    r = powers(g, 3, *X.shape[-2:])
    check(lambda r: spatial.cost(X, p, r), spatial.split(spatial.observe(X, p), p), r, r.shape)


# ---- what updates make of it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bases", [1, 2, 5, 20])  # above 16 the definition is taken
@pytest.mark.parametrize("name", [name for name, d in ALL_DENSITIES.items() if not d.axes])
def test_fused_updates_are_the_plain_ones(name, bases, vr):
    v, _ = vr
    source, split = Nmf(bases), ALL_DENSITIES[name].split(v)
    z = source.init(v, 0)
    z = z._replace(e=z.e + powers(generator(1), 3, 7, 1) * 0.1)  # a floor in each bin, as Consistent makes it
    assert split.fused is not None
    fused, plain = source.update(z, split), source.update(z, Split(split.at, split.powers))
    for a, b in zip(fused, plain):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=0)


@pytest.mark.parametrize("density", ALL_DENSITIES)
def test_weights_make_a_bound_of_the_cost(density):
    """The surrogate touches the cost at v and lies above it elsewhere: a change of v costs no more than it says."""
    d, g = ALL_DENSITIES[density], generator(9)
    v, u, r = (powers(g, 3, 7, 30) for _ in range(3))
    phi, b = d.weight(v, r), d.degree
    if b == 2:
        change = (phi * (u - v)).sum()
    else:
        change = (phi * (u ** (b / 2) - v ** (b / 2))).sum()  # exact there: rho is |y|^b
    assert float(d.cost(u, r) - d.cost(v, r) - change) <= 1e-12 * float(change.abs() + v.numel())


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("density", ALL_DENSITIES)
def test_a_source_stays_where_the_gradient_vanishes(name, density):
    """neg = pos is a fixed point of every source model."""
    source, v = SOURCES[name], powers(generator(2), 2, 7, 20)
    z = source.init(v, 0)
    r = source.psd(z)
    d = ALL_DENSITIES[density]
    even = Split(lambda r: type(d.split(v)(r))(1 / r, 1 / r), d.split(v).powers)
    torch.testing.assert_close(source.psd(source.update(z, even)), r, rtol=1e-12, atol=0)
