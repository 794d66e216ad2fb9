"""Divergences: exponents, limits, integrals, and descent for random members of each family.

Descent on 200 random problems of every divergence of the registry is in `test_descent.py` (`nmf-divergence=...`).
"""

import itertools
import math

import pytest
import torch
from cases import generator, powers, ran

from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.divergence import DIVERGENCES, AlphaBeta, Beta, Bregman, DualIs, DualKl, HeavyT, Hellinger
from otowake.divergence.bregman import legendre
from otowake.divergence.density import StudentT
from otowake.divergence.heavy import students_t
from otowake.source import Frame, Nmf, Partitioned
from otowake.spatial.observed import Observed

ONE = torch.ones(1, 1, 1, dtype=torch.float64)
NUMBERS = [-2.0, -1.0, -0.5, 0.3, 1.0, 2.0]
PAIRS = [(a, b) for a, b in itertools.product(NUMBERS, [*NUMBERS, 0.0]) if abs(a + b) <= 3]
"""Both signs of a; b = 0 and a + b = 0 are among them."""


@pytest.fixture
def vr():
    g = generator(91)
    return powers(g, 2, 7, 20), powers(g, 2, 7, 20)


def descends(d, seed, steps=20, domain=2.0, components=4):
    """Relative rise at most 1e-12 of the cost and one a cell."""
    v = powers(generator(seed), 1, 6, 15) * torch.exp(2 * torch.randn(6, 15, generator=generator(seed + 1)))
    X = torch.sqrt(v / v.mean()).to(torch.complex128)
    m = Separator(Nmf(components, domain), Observed(d))
    s = m.init(X, seed)
    first = before = m.cost(X, s)
    for _ in range(steps):
        s = m.step(X, s)
        after = m.cost(X, s)
        assert after.isfinite().all()
        assert (after - before <= 1e-12 * (before.abs() + X.numel())).all(), f"{d}, seed {seed}"
        before = after
    assert (after < first).all()


# ---- alpha and beta --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_exponents_of_alpha_and_beta(a, b):
    """Cichocki, Cruces, Amari 2011, in the form 1 / (max(a+b, 1) - min(b, 1)), and with both exchanged for a < 0."""
    x = 1 / (max(a + b, 1) - min(b, 1)) if a > 0 else 1 / (max(b, 1) - min(a + b, 1))
    assert AlphaBeta(a, b).split(ONE).exponent() == pytest.approx(x)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_alpha_and_beta_as_published(a, b, vr):
    v, r = vr
    c = a + b
    if b == 0:
        expected = (v**a * torch.log((v / r) ** a) - v**a + r**a) / a**2
    elif c == 0:
        expected = (torch.log((r / v) ** a) + (v / r) ** a - 1) / a**2
    else:
        expected = -(v**a * r**b - a / c * v**c - b / c * r**c) / (a * b)
    size = 1 + v**c + r**c + expected.abs()
    assert ((AlphaBeta(a, b).each(v, r) - expected).abs() / size).max() < 1e-12


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_alpha_and_beta_are_a_beta_divergence_of_powers(a, b, vr):
    """d_ab(v | r) = d_beta(v^a | r^a) / a^2 with beta = 1 + b / a: its likelihood is that of v^a."""
    v, r = (torch.exp(torch.log(x).clamp(-2, 2)) for x in vr)
    torch.testing.assert_close(
        AlphaBeta(a, b).each(v, r), Beta(1 + b / a).each(v**a, r**a) / a**2, rtol=1e-8, atol=1e-12
    )


@pytest.mark.parametrize("b", [-1.0, 0.0, 0.5, 1.0, 2.0, 3.0])
def test_beta_is_alpha_of_one(b, vr):
    v, r = vr
    one, other = AlphaBeta(1.0, b - 1), Beta(b)
    torch.testing.assert_close(one.each(v, r), other.each(v, r), rtol=1e-8, atol=1e-11)
    for x, y in zip(one.split(v)(r), other.split(v)(r)):
        torch.testing.assert_close(x, y, rtol=1e-12, atol=0)
    assert one.split(v).powers == pytest.approx(other.split(v).powers)


def test_named_members(vr):
    v, r = vr
    torch.testing.assert_close(DualIs().each(v, r), Beta(0.0).each(r, v), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(Hellinger().each(v, r), 2 * (v.sqrt() - r.sqrt()) ** 2, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(DIVERGENCES["pearson"].each(v, r), (v - r) ** 2 / (2 * r), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(DIVERGENCES["neyman"].each(v, r), (v - r) ** 2 / (2 * v), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(DualKl().each(v, r), Beta(1.0).each(r, v), rtol=1e-12, atol=0)


@pytest.mark.parametrize("limit", [(0.7, 0.0), (-0.7, 0.0), (0.7, -0.7), (-0.7, 0.7)])
@pytest.mark.parametrize("side", [-1, 1])
def test_limits_of_alpha_and_beta(limit, side, vr):
    """The difference to the limit falls as the step, down to rounding."""
    (a, b), (v, r) = limit, vr
    exact = AlphaBeta(a, b).cost(v, r)
    gaps = [float((AlphaBeta(a, b + side * h).cost(v, r) - exact).abs() / exact) for h in (1e-3, 1e-4, 1e-5)]
    for near, far in zip(gaps[1:], gaps):
        assert far / near == pytest.approx(10, rel=0.05)
    assert float((AlphaBeta(a, b + side * 2e-8).cost(v, r) - exact).abs() / exact) < 1e-6
    assert AlphaBeta(a, b + side * 1e-9).split(v).exponent() == pytest.approx(AlphaBeta(a, b).split(v).exponent())


def test_alpha_near_zero_is_dual_kullback_leibler(vr):
    """The cost, and one step of a factorisation: ratios to the power 1 / a go to the exponential."""
    v, r = vr
    X = torch.sqrt(v[:1] / v[:1].mean()).to(torch.complex128)
    ends = [
        ran(Separator(Nmf(3), Observed(d)), X, 3).z.H for d in (DualKl(), AlphaBeta(0.01, 1.0), AlphaBeta(0.001, 1.0))
    ]
    gaps = [float((end - ends[0]).norm()) for end in ends[1:]]
    assert gaps[0] / gaps[1] == pytest.approx(10, rel=0.1)
    gaps = [float(AlphaBeta(a, 1.0).cost(v, r) - DualKl().cost(v, r)) for a in (0.01, 0.001)]
    assert gaps[0] / gaps[1] == pytest.approx(10, rel=0.1)


# ---- Bregman ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("b", [-1.0, 0.0, 0.5, 1.0, 2.0, 3.0])
def test_beta_is_bregman_of_a_power(b, vr):
    v, r = vr
    one, other = Bregman(lambda s: s ** (b - 2), b - 2, b - 2), Beta(b)
    torch.testing.assert_close(one.each(v, r), other.each(v, r), rtol=1e-8, atol=1e-11)
    for x, y in zip(one.split(v)(r), other.split(v)(r)):
        torch.testing.assert_close(x, y, rtol=1e-12, atol=0)
    assert one.split(v).exponent() == pytest.approx(other.split(v).exponent())


@pytest.mark.parametrize(
    ("psi", "low", "high", "phi", "nodes", "tolerance"),
    [
        (lambda s: s**-2 + 1, -2.0, 0.0, (lambda s: s**2 / 2 - torch.log(s), lambda s: s - 1 / s), 64, 1e-11),
        (
            lambda s: 1 / (1 + s),
            -1.0,
            0.0,
            (lambda s: (1 + s) * torch.log1p(s), lambda s: torch.log1p(s) + 1),
            64,
            1e-11,
        ),
        (lambda s: 1 / (1 + s**2), -2.0, 0.0, (lambda s: s * s.atan() - (s**2).log1p() / 2, torch.atan), 64, 1e-6),
        (lambda s: 1 / (1 + s**2), -2.0, 0.0, (lambda s: s * s.atan() - (s**2).log1p() / 2, torch.atan), 128, 1e-10),
    ],
    ids=["powers", "soft", "sharp", "sharp, more nodes"],
)
def test_the_integral_is_as_good_as_it_says(psi, low, high, phi, nodes, tolerance):
    """v / r from 1e-10 to 1e10, where the closed form does not cancel."""
    x = torch.logspace(-5, 5, 21, dtype=torch.float64)
    v, r = (y[None] for y in torch.meshgrid(x, x, indexing="ij"))
    exact = Bregman(psi, low, high, phi).each(v, r)
    rough = Bregman(psi, low, high, nodes=nodes).each(v, r)
    far = (torch.log(v / r).abs() > 1).expand_as(exact)
    assert ((rough - exact).abs() / exact)[far].max() < tolerance
    assert (rough[v == r] == 0).all()
    assert (rough >= 0).all()


def test_nodes_and_weights():
    """n nodes integrate polynomials below degree 2 n exactly."""
    for n in (1, 2, 5, 64):
        x, w = legendre(n)
        for power in (0, 1, 2 * n - 1):
            assert float((w * x**power).sum()) == pytest.approx(1 / (power + 1), rel=1e-12)


def test_a_sum_of_generators_is_a_sum_of_divergences(vr):
    v, r = vr
    expected = Beta(0.0).each(v, r) + Beta(1.0).each(v, r)
    torch.testing.assert_close(DIVERGENCES["is+kl"].each(v, r), expected, rtol=1e-9, atol=1e-12)
    assert DIVERGENCES["is+kl"].split(v).exponent() == 1 / 2
    assert DIVERGENCES["is+frobenius"].split(v).exponent() == 1 / 3


def sigmoids(seed, low, high, units=6):
    """psi whose slopes over log s lie in [low, high]: random soft bends, up and down."""
    g = generator(seed)
    share = torch.softmax(2 * torch.randn(units, generator=g, dtype=torch.float64), 0)
    k, c = torch.exp(0.5 * torch.randn(units, generator=g).double() - 0.5), 3 * torch.randn(units, generator=g).double()
    up = torch.rand(units, generator=g) < 0.5

    def psi(s):
        x = k * (torch.log(s).unsqueeze(-1) - c)
        rising = torch.nn.functional.softplus(x) / k
        falling = torch.log(s).unsqueeze(-1) - rising
        return torch.exp(low * torch.log(s) + (high - low) * (share * torch.where(up, rising, falling)).sum(-1))

    return psi


SLOPES = [(-2.0, -1.0), (-2.0, 0.0), (-3.0, -2.0), (-1.0, 0.0), (-4.0, 1.0), (0.0, 1.0), (-1.5, -0.5)]


@pytest.mark.parametrize(("low", "high"), SLOPES)
def test_random_generators_descend(low, high):
    for seed in range(3):
        descends(Bregman(sigmoids(seed, low, high), low, high), seed)


def test_generators_that_do_not_fit_are_refused():
    with pytest.raises(OtowakeError, match="slopes of log psi run from -2 to -1"):
        Bregman(lambda s: (1 + s) / s**2, -1.5, -1.0)
    with pytest.raises(OtowakeError, match="positive"):
        Bregman(lambda s: 1 - s, -1.0, 0.0)
    with pytest.raises(OtowakeError, match="low <= high"):
        Bregman(lambda s: s, 1.0, 0.0)
    for a, b in ((0.0, 1.0), (math.nan, 0.0), (1.0, 11.0)):
        with pytest.raises(OtowakeError, match="DualKl"):
            AlphaBeta(a, b)


@pytest.mark.parametrize("source", [Frame(), Partitioned(3)], ids=["frame", "partitioned"])
def test_models_that_move_by_ratios_refuse_the_dual_of_kl(source, vr):
    X = torch.sqrt(vr[0][:1]).to(torch.complex128)
    m = Separator(source, Observed(DualKl()))
    with pytest.raises(OtowakeError, match="moves by ratios"):
        m.step(X, m.init(X))


# ---- heavy tails -----------------------------------------------------------------------------------------------------


def test_cauchy_nmf_is_students_t_in_domain_one(vr):
    """Its cost, 3/2 log(V^2 + P) - log V of an amplitude V = B H, is that of r = 2 V^2 up to a constant."""
    P, V = vr
    expected = (1.5 * torch.log(V**2 + P) - torch.log(V)).sum()
    constant = P.numel() * math.log(2)
    for d in (StudentT(1.0), HeavyT(1.0)):
        torch.testing.assert_close(d.cost(P, 2 * V**2), expected + constant, rtol=1e-12, atol=0)
    assert HeavyT(1.0).split(P).exponent(2.0) == 1 / 2


@pytest.mark.parametrize(("domain", "gain"), [(2.0, 4), (1.0, 3)])
@pytest.mark.parametrize("nu", [0.5, 1.0, 8.0])
def test_how_far_updates_go(nu, domain, gain):
    """One bin, 1 % off the optimum: log q of both splits differs by gain / nu."""
    v = ONE * 2.0
    r, s = v * 1.01 ** (2 / domain), 2 / domain
    steps = []
    for d in (HeavyT(nu), StudentT(nu)):
        split = d.split(v)
        neg, pos = split(r)
        steps.append(float(torch.log(neg / pos)) * split.exponent(s))
    assert steps[0] / steps[1] == pytest.approx(gain / nu, rel=0.02)


def test_the_split_that_goes_further_is_taken():
    assert students_t(1.0) == HeavyT(1.0)
    assert students_t(10.0) == StudentT(10.0)
    with pytest.raises(OtowakeError, match="above 0"):
        students_t(-1.0)


@pytest.mark.parametrize("domain", [2.0, 1.0, 0.5])
def test_heavy_tails_descend(domain):
    for nu in (0.3, 1.0, 2.5, 30.0):
        descends(HeavyT(nu), 5, domain=domain)


# ---- many problems ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_hundred_alpha_and_beta():
    for seed in range(200):
        a, b = (4 * torch.rand(2, generator=generator(seed)) - 2).tolist()
        descends(AlphaBeta(a if abs(a) > 0.05 else 0.05, b), seed, domain=(2.0, 1.0, 0.5)[seed % 3])


@pytest.mark.slow
@pytest.mark.parametrize(("low", "high"), SLOPES)
def test_two_hundred_generators(low, high):
    for seed in range(200):
        descends(Bregman(sigmoids(seed, low, high), low, high), seed, domain=(2.0, 1.0)[seed % 2])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DIVERGENCES if name != "dual-kl"])
def test_two_hundred_problems_in_other_domains(name):
    for seed in range(200):
        descends(DIVERGENCES[name], seed, domain=(1.0, 0.5)[seed % 2])


@pytest.mark.slow
def test_two_hundred_heavy_tails():
    for seed in range(200):
        descends(HeavyT(10.0 ** (seed / 100 - 1)), seed, domain=(2.0, 1.0, 0.5)[seed % 3])
