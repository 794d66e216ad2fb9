"""Penalties: terms are the derivative, bounds lie above the cost, and updates with them never raise the cost."""

import math

import pytest
import torch
from cases import DIVERGENCES, generator, powers

from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.divergence.beta import Beta
from otowake.divergence.penalty import Cosine, Hoyer, Orthogonal, Smooth, Sparse, examples, unit_templates
from otowake.source.nmf import Given, Nmf
from otowake.source.step import RULES, Me, mm
from otowake.spatial.observed import Observed

F, T, K = 9, 20, 3
PENALTIES = examples(F)
BY_RATIOS = [name for name in DIVERGENCES if name != "dual-kl"]
"""What can be joined with penalties."""


def factors(seed):
    g = generator(seed)
    B, H = torch.rand(2, F, K, generator=g, dtype=torch.float64), torch.rand(2, K, T, generator=g, dtype=torch.float64)
    return B + 0.05, H + 0.05


@pytest.mark.parametrize("name", PENALTIES)
def test_terms_are_the_derivative(name):
    B, H = (x.requires_grad_() for x in factors(1))
    penalty = PENALTIES[name]
    slopes = torch.autograd.grad(penalty.cost(B, H).sum(), (B, H), allow_unused=True)
    for slope, terms, factor in zip(slopes, (penalty.bases(B, H), penalty.activations(B, H)), (B, H)):
        if terms is None:
            assert slope is None or not slope.any()
            continue
        quad = 0.0 if terms.quad is None else terms.quad
        parts = [torch.as_tensor(x, dtype=torch.float64).expand_as(factor) for x in (terms.neg, terms.pos, quad)]
        assert all(bool((x >= 0).all()) for x in parts)
        torch.testing.assert_close(parts[1] + parts[2] - parts[0], slope, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", [n for n, p in PENALTIES.items() if p.proved])
def test_bounds_lie_above(name):
    """pos q^high / high - neg log q + quad q^2 / 2 touches the cost at q = 1 and is nowhere below it."""
    penalty, (B, H) = PENALTIES[name], factors(2)
    for terms, factor, cost in (
        (penalty.bases(B, H), B, lambda A: penalty.cost(A, H)),
        (penalty.activations(B, H), H, lambda A: penalty.cost(B, A)),
    ):
        if terms is None:
            continue

        def bound(q, terms=terms, factor=factor):
            quad = 0.0 if terms.quad is None else terms.quad
            value = terms.pos * q**terms.high / terms.high - terms.neg * torch.log(q) + quad * q**2 / 2
            return (value * factor).sum()

        one, here = torch.ones_like(factor), cost(factor).sum()
        for seed in range(50):
            q = torch.exp(
                torch.randn(factor.shape, generator=generator(seed), dtype=torch.float64) * (0.05 + seed / 20)
            )
            rise = cost(factor * q).sum() - here
            assert rise <= bound(q) - bound(one) + 1e-10 * (1 + abs(float(here)))


def method(penalty, divergence, rule=mm, norm=None, sources=1):
    return Separator(
        Nmf(K, rule=rule, penalties=(penalty,) if penalty else (), norm=norm), Observed(divergence, sources)
    )


def descends(m, X, steps, seed=0):
    s = m.init(X, seed)
    before = m.cost(X, s)
    for _ in range(steps):
        s = m.step(X, s)
        after = m.cost(X, s)
        assert after.isfinite().all()
        assert (after <= before + 1e-10 * (1 + before.abs())).all()
        before = after


def data(seed):
    v = powers(generator(seed), 1, F, T)
    return (v / v.mean()).sqrt().to(torch.complex128)


@pytest.mark.parametrize("divergence", BY_RATIOS)
@pytest.mark.parametrize("name", [n for n, p in PENALTIES.items() if p.proved])
def test_descent(name, divergence):
    for seed in range(2):
        m = method(PENALTIES[name], DIVERGENCES[divergence])
        assert m.proved
        descends(m, data(seed), 15, seed)


@pytest.mark.slow
@pytest.mark.parametrize("divergence", BY_RATIOS)
@pytest.mark.parametrize("kind", ["sparse", "hoyer", "smooth", "orthogonal", "cosine", "cosine-eps"])
def test_descent_of_two_hundred_problems(kind, divergence):
    """Weights over eight decades, with zeros in the templates and a norm where the scale is free."""
    for seed in range(200):
        g = generator(seed)
        weight = 10.0 ** float(torch.rand(1, generator=g) * 8 - 4)
        templates = unit_templates((torch.rand(F, 3, generator=g, dtype=torch.float64) - 0.4).clamp_min(0) + 1e-9)
        penalty = {
            "hoyer": Hoyer(weight),
            "sparse": Sparse(weight, 0.3 + float(torch.rand(1, generator=g)) * 1.7),
            "smooth": Smooth(weight),
            "orthogonal": Orthogonal(templates, weight),
            "cosine": Cosine(templates, weight),
            "cosine-eps": Cosine(templates, weight, 0.03),
        }[kind]
        descends(
            method(penalty, DIVERGENCES[divergence], norm=2 if penalty.scale_free and seed % 2 else None),
            data(seed),
            20,
        )


@pytest.mark.parametrize("name", [n for n, p in PENALTIES.items() if p.scale_free])
def test_scale_free(name):
    B, H = factors(3)
    d = torch.tensor([0.01, 3.0, 200.0], dtype=torch.float64)
    scaled = PENALTIES[name].cost(B * d, H / d[:, None])
    torch.testing.assert_close(scaled, PENALTIES[name].cost(B, H), rtol=1e-10, atol=0)


def test_the_ratio_of_norms_feels_no_gain_and_no_size():
    """Also a gain for each bin, as projection back hands over; from one gain only to gains that never change."""
    (B, H), penalty = factors(3), Hoyer(0.5)
    gains = 10 ** torch.linspace(-3, 3, F, dtype=torch.float64)[:, None]
    torch.testing.assert_close(penalty.cost(gains * B, 1e-5 * H), penalty.cost(B, H), rtol=1e-12, atol=0)
    single, even = torch.zeros_like(H), torch.full_like(H, 7.0)
    single[..., 4] = H[..., 4]
    assert penalty.cost(B, single).abs().max() <= 1e-12
    most = 0.5 * F * T * 2 * K * math.log(T) / 2  # of 2 K bases
    assert float(penalty.cost(B, even)) == pytest.approx(most, rel=1e-12)


@pytest.mark.parametrize("norm", [1, 2])
def test_norms_change_nothing_but_the_scale(norm):
    """The cosine penalty is blind to them: the model is the same with and without, step by step (nmf.md 3.2)."""
    X = data(4)
    plain, unit = (method(PENALTIES["cosine"], DIVERGENCES["kl"], norm=n) for n in (None, norm))
    a, b = plain.init(X, 0), unit.init(X, 0)
    for _ in range(20):
        a, b = plain.step(X, a), unit.step(X, b)
    torch.testing.assert_close(plain.source.psd(a.z), unit.source.psd(b.z), rtol=1e-9, atol=0)
    size = torch.linalg.vector_norm(b.z.B, norm, dim=-2)
    torch.testing.assert_close(size, torch.ones_like(size))


@pytest.mark.parametrize("divergence", BY_RATIOS)
@pytest.mark.parametrize("rule", [*RULES, "me-0.5"])
def test_rules(rule, divergence):
    chosen = Me(0.5) if rule == "me-0.5" else RULES[rule]
    d = DIVERGENCES[divergence]
    m = method(None, d, rule=chosen)
    if m.proved or (isinstance(d, Beta) and 0 <= d.b <= 2):
        for seed in range(3):
            descends(m, data(seed), 20, seed)
    assert m.proved == (rule != "heuristic")


def test_what_the_dual_of_kl_cannot_have_is_refused():
    d, X = DIVERGENCES["dual-kl"], data(5)
    descends(method(None, d), X, 20)
    for m in (
        method(PENALTIES["sparse"], d),
        method(None, d, rule=RULES["me"]),
        Separator(Nmf(K, domain=1.0), Observed(d, 1)),
    ):
        with pytest.raises(OtowakeError, match="dual Kullback-Leibler"):
            m.step(X, m.init(X))


def test_me_goes_further_than_mm():
    X = data(6)
    costs = {}
    for name in ("mm", "me"):
        m = method(None, DIVERGENCES["is"], rule=RULES[name])
        s = m.init(X, 0)
        for _ in range(40):
            s = m.step(X, s)
        costs[name] = float(m.cost(X, s))
    assert costs["me"] < costs["mm"]


def test_given_bases_stay_or_move_as_asked():
    X, known = data(7), factors(8)[0][0]
    frozen = torch.tensor([True, False, True])
    for given, still in (
        (Given(known), known > 0),
        (Given(known, frozen), frozen.expand(F, 3)),
        (Given(known, False), known < 0),
    ):
        m = Separator(Nmf(5, given=given), Observed(DIVERGENCES["kl"], 1))
        descends(m, X, 10)
        s = m.init(X, 0)
        torch.testing.assert_close(s.z.B[0, :, :3], known)
        for _ in range(5):
            s = m.step(X, s)
        moved = s.z.B[0, :, :3] != known
        assert torch.equal(moved, ~still)
        assert (s.z.B[0, :, 3:] != m.init(X, 0).z.B[0, :, 3:]).all()
