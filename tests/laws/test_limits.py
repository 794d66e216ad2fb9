"""Where one part turns into another."""

import math

import pytest
import torch
from cases import generator, mixture, powers, ran

from otowake.core.errors import OtowakeError
from otowake.core.method import Split
from otowake.core.separator import Separator
from otowake.core.wrap import Warm
from otowake.divergence.beta import Beta
from otowake.divergence.density import GGD, Cauchy, Gauss, Laplace, Pooled, StudentT, tempered
from otowake.opening import cold
from otowake.recipes import ilrma
from otowake.source.nmf import Nmf
from otowake.source.partitioned import Partitioned, PartitionedState
from otowake.spatial.demix import DEMIXES, GIP, ip1
from otowake.spatial.determined import Determined
from otowake.spatial.fullrank import FullRank
from otowake.spatial.jointdiag import JointDiag
from otowake.spatial.observed import Observed
from otowake.spatial.shares import all_bins, each_bin


@pytest.fixture
def vr():
    g = generator(51)
    return powers(g, 3, 7, 20), powers(g, 3, 7, 20)


# ---- beta ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0.0, 1.0])
@pytest.mark.parametrize("side", [-1, 1])
def test_beta_is_continuous(limit, side, vr):
    """d(v | r) is smooth in b: the difference to the limit falls as the step, down to rounding."""
    v, r = vr
    exact = Beta(limit).cost(v, r)
    gaps = [float((Beta(limit + side * h).cost(v, r) - exact).abs() / exact) for h in (1e-3, 1e-4, 1e-5)]
    for near, far in zip(gaps[1:], gaps):
        assert far / near == pytest.approx(10, rel=0.05)
    assert float((Beta(limit + side * 2e-8).cost(v, r) - exact).abs() / exact) < 1e-6  # 1e-16 / 2e-8, and the step
    split, near = Beta(limit).split(v), Beta(limit + side * 1e-9).split(v)
    for a, b in zip(split(r), near(r)):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=0)
    assert near.exponent() == pytest.approx(split.exponent(), rel=1e-8)


@pytest.mark.parametrize(
    ("b", "x"), [(-1.0, 1 / 3), (0.0, 1 / 2), (0.5, 2 / 3), (1.0, 1.0), (1.5, 1.0), (2.0, 1.0), (3.0, 1 / 2)]
)
def test_exponents_are_those_of_the_literature(b, x):
    """Fevotte & Idier 2011, table 1: 1 / (2 - b), 1, 1 / (b - 1)."""
    assert Beta(b).split(torch.ones(1, 1, 1)).exponent() == pytest.approx(x)


@pytest.mark.parametrize("p", [2.0, 1.0, 0.5])
def test_exponents_in_a_domain(p):
    """Kitamura et al. 2016, Mogami et al. 2018: p / (p + 2) for Gauss and t, p / (p + shape) for GGD."""
    v = torch.ones(1, 1, 1)
    assert Gauss().split(v).exponent(2 / p) == pytest.approx(p / (p + 2))
    assert StudentT(3.0).split(v).exponent(2 / p) == pytest.approx(p / (p + 2))
    assert GGD(1.0).split(v).exponent(2 / p) == pytest.approx(p / (p + 1))
    assert GGD(4.0).split(v).exponent(2 / p) == pytest.approx(p / (p + 4))


def test_itakura_saito_is_the_gaussian_likelihood(vr):
    v, r = vr
    gap = Gauss().cost(v, r) - Beta(0.0).cost(v, r)
    torch.testing.assert_close(gap, (torch.log(v) + 1).sum(), rtol=1e-12, atol=0)
    X = mixture(52, 1, sources=2)
    a, b = (ran(Separator(Nmf(2), Observed(d, 2)), X, 5) for d in (Beta(0.0), Gauss()))
    torch.testing.assert_close(a.z.B, b.z.B, rtol=1e-10, atol=0)


# ---- densities -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooled", [lambda d: d, Pooled])
def test_students_t_goes_to_gauss_as_one_over_nu(pooled, vr):
    v, r = vr
    gauss = pooled(Gauss())
    for f in (lambda d: d.cost(v, r), lambda d: d.weight(v, r), lambda d: d.split(v)(r).neg):
        gaps = [float((f(pooled(StudentT(nu))) - f(gauss)).norm()) for nu in (1e6, 1e7, 1e8)]
        for near, far in zip(gaps[1:], gaps):
            assert far / near == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize("pooled", [lambda d: d, Pooled])
def test_ggd_of_shape_two_is_gauss(pooled, vr):
    v, r = vr
    a, b = pooled(GGD(2.0)), pooled(Gauss())
    assert torch.equal(a.cost(v, r), b.cost(v, r))
    assert torch.equal(a.weight(v, r), b.weight(v, r))
    assert a.split(v).exponent() == b.split(v).exponent()
    X = mixture(53)
    one, two = (ran(Separator(Nmf(2), Determined(ip1, d)), X, 5) for d in (a, b))
    assert torch.equal(one.p.W, two.p.W)


def test_ggd_of_shape_one_is_half_of_laplace(vr):
    """rho is sqrt(q) in one and 2 sqrt(q) in the other."""
    v, r = vr
    logs = torch.log(r).sum()
    torch.testing.assert_close(2 * (GGD(1.0).cost(v, r) - logs), Laplace().cost(v, r) - logs, rtol=1e-12, atol=0)


def test_cauchy_is_students_t_with_one_degree_of_freedom(vr):
    v, r = vr
    assert Cauchy() == StudentT(1.0)
    expected = (torch.log(r) + 1.5 * torch.log(1 + 2 * v / r)).sum()
    torch.testing.assert_close(Cauchy().cost(v, r), expected, rtol=1e-12, atol=0)


def test_pooling_one_bin_is_no_pooling(vr):
    v, r = (x[:, :1] for x in vr)
    for d in (Gauss(), StudentT(3.0), Laplace(), GGD(1.0)):
        torch.testing.assert_close(Pooled(d).cost(v, r), d.cost(v, r), rtol=1e-12, atol=0)
        torch.testing.assert_close(Pooled(d).weight(v, r), d.weight(v, r), rtol=1e-12, atol=0)


# ---- models ----------------------------------------------------------------------------------------------------------


def dealt(B, H):
    """The shared form of separate spectra: components side by side, and Z one-hot."""
    n, f, k = B.shape
    Z = torch.eye(n, dtype=B.dtype).repeat_interleave(k, dim=1)
    return Z, B.movedim(0, 1).reshape(f, n * k), H.reshape(n * k, -1)


@pytest.mark.parametrize("density", [Gauss(), StudentT(3.0), GGD(1.0)])
@pytest.mark.parametrize("p", [2.0, 1.0])
def test_a_partition_of_ones_and_zeros_is_nmf(p, density, vr):
    """Its update of Z moves whole components by one factor each, which B takes over; then B and H are NMF's."""
    v, _ = vr
    split = density.split(v)
    plain = Split(split.at, split.powers)
    own, shared = Nmf(2, p), Partitioned(6, p)
    z = own.init(v, 0)
    y = PartitionedState(*dealt(z.B, z.H), e=z.e[:, :1])
    for _ in range(4):
        torch.testing.assert_close(shared.psd(y), own.psd(z), rtol=1e-11, atol=0)
        R = z.B @ z.H + z.e
        neg, pos = (G * R ** (2 / p - 1) for G in plain(own.psd(z)))
        whole = [torch.einsum("nft,nfk,nkt->nk", G, z.B, z.H) for G in (neg, pos)]
        moved = (whole[0] / whole[1]) ** plain.exponent(2 / p)
        z = own.update(z._replace(B=z.B * moved[:, None]), plain)
        y = shared.update(y, plain)
        assert torch.equal(y.Z, dealt(z.B, z.H)[0])


@pytest.mark.parametrize("mics", [1, 2, 4])
def test_gip_near_two_is_ip1(mics):
    X = mixture(54, mics)
    W = torch.eye(mics, dtype=X.dtype) + 0.1 * mixture(55, mics, frames=mics).permute(1, 0, 2)
    phi = 1 / powers(generator(56), mics, 9, 60)
    exact = ip1(X, W, phi)
    gaps = [float((GIP(2 + h)(X, W, phi) - exact).abs().max()) for h in (1e-4, 1e-5, 1e-6)]
    for near, far in zip(gaps[1:], gaps):
        assert far / near == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize("name", DEMIXES)
def test_one_microphone_has_one_answer(name):
    """W = 1 / sqrt(V), whatever the update, up to a phase."""
    X = mixture(57, 1)
    phi = 1 / powers(generator(58), 1, 9, 60)
    W = DEMIXES[name](X, torch.ones(9, 1, 1, dtype=X.dtype) * (1 + 2j), phi)
    power = (phi * X.abs().square()).mean(-1)[0]
    torch.testing.assert_close(W.abs()[:, 0, 0], power.rsqrt(), rtol=1e-10, atol=0)


def test_a_floor_that_is_far_below_does_not_matter():
    X = mixture(59)
    method = Separator(Nmf(2), Determined(ip1, Gauss()))
    s = method.init(X)
    with_floor = ran(method, X, 5, s)
    without = ran(method, X, 5, s._replace(z=s.z._replace(e=torch.zeros_like(s.z.e))))
    torch.testing.assert_close(with_floor.p.W, without.p.W, rtol=1e-5, atol=1e-5)
    assert math.isfinite(float(method.cost(X, without)))


# ---- tails that grow -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("density", [StudentT(1.0), StudentT(30.0), GGD(0.5), GGD(4.0), Laplace()])
def test_tails_grow_from_gauss_to_the_density(density, vr):
    """Each on the way is nearer to it than the one before, in what it weighs an outlier and all else."""
    v, r = vr
    way = tempered(density, 9)
    assert len(way) == 9
    end = GGD(1.0) if isinstance(density, Laplace) else density
    far = [float((one.weight(v, r) / end.weight(v, r)).log().abs().max()) for one in (Gauss(), *way, end)]
    if end.degree == 2:
        assert all(b < a for a, b in zip(far, far[1:]))
    parameter = "nu" if isinstance(density, StudentT) else "shape"
    values = [getattr(one, parameter) for one in way]
    assert values == sorted(values, reverse=getattr(end, parameter) < values[0])
    assert not tempered(density, 0)


@pytest.mark.parametrize("density", [StudentT(1.0), GGD(1.0), GGD(4.0)])
def test_a_tempered_run_ends_in_the_density_and_is_the_same_in_two_parts(density):
    X = mixture(52, 2, frames=40)
    method = ilrma(density=density, warm=3, temper=4, start=cold)
    assert isinstance(method, Warm)
    assert method.length == 7
    s = ran(method, X, 5)
    assert method.epoch(s) == 3
    assert [method.epoch(ran(method, X, k)) for k in (0, 2, 3, 6, 7, 9)] == [0, 0, 1, 4, 5, 5]
    again = ran(method, X, 4, s)
    torch.testing.assert_close(again.s.p.W, ran(method, X, 9).s.p.W, rtol=0, atol=0)
    assert method.active(again) is method.then
    assert method.cost(X, again) < method.cost(X, ran(method, X, 7))


def test_tails_cannot_grow_for_ever():
    with pytest.raises(OtowakeError, match="0 to 1000 iterations"):
        ilrma(density=StudentT(1.0), temper=-1)


# ---- sources of full rank -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("density", [Gauss(), StudentT(3.0), GGD(1.0)])
@pytest.mark.parametrize("shares", [each_bin, all_bins])
def test_sources_with_a_channel_each_are_determined(shares, density):
    """One-hot G keeps its zeros, and its ones add the scale that the gauge takes out: the same sources and rows."""
    X, one = mixture(60), Separator(Nmf(2), Determined(ip1, density))
    many = Separator(Nmf(2), JointDiag(3, ip1, density, shares))
    s, t = one.init(X), many.init(X)
    own = torch.eye(3, dtype=torch.float64)[:, None].expand_as(t.p.G)
    t = t._replace(z=s.z, p=t.p._replace(G=own, e=torch.zeros_like(t.p.e)))
    torch.testing.assert_close(many.cost(X, t), one.cost(X, s), rtol=1e-12, atol=0)
    for n in range(4):
        z = many.source.update(t.z, many.spatial.split(many.spatial.observe(X, t.p), t.p))
        wanted = one.source.update(s.z, one.spatial.split(one.spatial.observe(X, s.p), s.p))
        torch.testing.assert_close(many.source.psd(z), one.source.psd(wanted), rtol=1e-8, atol=0)
        s = one.step(X, s)
        o = many.spatial.observe(X, t.p)
        Q = many.spatial.demix(X, t.p.Q, density.weight(o, many.source.psd(z)))
        p, _ = one.spatial.gauge(one.spatial.init(X, 0)._replace(W=Q))
        torch.testing.assert_close(p.W, s.p.W, rtol=1e-8, atol=1e-8)
        t = t._replace(z=s.z, p=t.p._replace(Q=s.p.W))
        assert (many.step(X, t).p.G[..., ~torch.eye(3, dtype=torch.bool)[n % 3]][n % 3] == 0).all()
    images = many.images(X, t, (0, 2))
    torch.testing.assert_close(images, one.images(X, s, (0, 2)), rtol=1e-8, atol=1e-8)


def test_jointly_diagonal_covariances_are_covariances():
    """The likelihood of FullRank at S = Q^-1 diag(g) Q^-H is that of JointDiag, but for where the floor is added."""
    X, joint = mixture(61, 2, sources=3), JointDiag(3)
    s = ran(Separator(Nmf(2), joint), X, 5)
    r, p = Nmf(2).psd(s.z), s.p._replace(e=torch.zeros_like(s.p.e))
    full = FullRank(3).begun(p)
    torch.testing.assert_close(FullRank(3).cost(X, full, r), joint.cost(X, p, r), rtol=1e-6, atol=1e-4)
    wanted = joint.images(X, p, r, (0, 1))
    torch.testing.assert_close(FullRank(3).images(X, full, r, (0, 1)), wanted, rtol=1e-5, atol=1e-5)
    split, other = (m.split(m.observe(X, q), q)(r) for m, q in ((joint, p), (FullRank(3), full)))
    for a, b in zip(split, other):
        torch.testing.assert_close(b, a, rtol=1e-5, atol=1e-8)
