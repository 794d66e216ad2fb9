"""Learning from block after block: one block is the whole, blocks are like the whole, and nothing odd does harm."""

import pytest
import torch
from cases import DENSITIES, DIVERGENCES, generator, powers

from otowake.core.best import Best
from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.core.state import load_state, save_state, tensors
from otowake.divergence.penalty import examples
from otowake.online import Online, begun
from otowake.source.nmf import Given, Nmf
from otowake.source.start import Values, nndsvd, random, singular
from otowake.source.step import RULES
from otowake.spatial.masked import Masked
from otowake.spatial.observed import Observed

F, T = 9, 40
COSTS = {**DIVERGENCES, **DENSITIES}
PENALTIES = examples(F)


def data(seed=1, frames=T):
    v = powers(generator(seed), 1, F, frames)
    return (v / v.mean()).sqrt()


def assert_one_block_is_the_batch(source, spatial, X, **settings):
    """With the same H, B moves as `Nmf.update` moves it, whether nothing came before or what came is forgotten."""
    online = Online(source, spatial, rounds=1, **settings)
    z = online.method.init(X, 0).z
    fresh = begun(z)
    forgetful = Online(source, spatial, rounds=1, memory=0, **settings)
    for model, s in ((online, fresh), (forgetful, forgetful.seen(X, z)._replace(B=fresh.B))):
        H = model.fitted(X, s).z.H
        p = spatial.init(X, 0)
        batch = source.update(z._replace(H=H), spatial.split(spatial.observe(X, p), p))
        torch.testing.assert_close(model.step(X, s).B, batch.B, rtol=1e-12, atol=1e-12 * float(z.B.max()))


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("domain", [2.0, 1.0])
def test_one_block_is_the_batch_for_every_cost(name, domain):
    if name == "dual-kl" and domain != 2:
        pytest.skip("it has domain 2 only")
    assert_one_block_is_the_batch(Nmf(3, domain), Observed(COSTS[name], 2), data())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_one_block_is_the_batch_for_every_penalty_and_rule(penalty, rule):
    source = Nmf(3, rule=RULES[rule], penalties=(PENALTIES[penalty],))
    assert_one_block_is_the_batch(source, Observed(DIVERGENCES["kl"], 1), data(2))


def test_one_block_is_the_batch_with_known_bases_norms_and_weights():
    known = torch.rand(F, 2, dtype=torch.float64, generator=generator(3))
    frozen = torch.rand(F, 2, generator=generator(4)) < 0.5
    kl, X = Observed(DIVERGENCES["kl"], 1), data(3)
    assert_one_block_is_the_batch(Nmf(4, given=Given(known, frozen)), kl, X)
    assert_one_block_is_the_batch(Nmf(4, norm=1), kl, X)
    weight = (torch.rand(F, T, generator=generator(5)) > 0.2).double()
    assert_one_block_is_the_batch(Nmf(4), Masked(kl, weight), X)


@pytest.mark.parametrize("name", COSTS)
def test_sums_are_those_of_all_blocks(name):
    """Two blocks that are never forgotten, B held by an infinite past: the sum of both bounds, so one block of both."""
    X = data(6)
    model = Online(Nmf(3), Observed(COSTS[name], 1), rounds=1)
    z = model.method.init(X, 1).z
    halves = [model.seen(x, z._replace(H=h)) for x, h in zip(X.split(15, -1), z.H.split(15, -1), strict=True)]
    whole = model.seen(X, z)
    for n in (2, 3, 4):
        torch.testing.assert_close(sum(s[n] for s in halves), whole[n], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", COSTS)
def test_blocks_teach_what_the_whole_teaches(name):
    X = data(7, 240)
    spatial = Observed(COSTS[name], 1)
    s = Online(Nmf(3), spatial).init(X[..., :40], 0)
    start = float(Online(Nmf(3), spatial).cost(X, s))
    for n in range(8):
        for block in X.split(40, -1):
            s = Online(Nmf(3), spatial, memory=40 * 2 ** (n / 2)).step(block, s)
    patient = Online(Nmf(3), spatial, gains=200, rounds=1)
    z = patient.method.init(X, 0)
    for _ in range(160):
        z = patient.method.step(X, z)
    reached, batch = (float(patient.cost(X, s)), float(patient.cost(X, begun(z.z))))
    assert reached - batch < 0.1 * (start - batch)


@pytest.mark.parametrize("penalty", ["none", "elastic", "cosine-eps", "smooth"])
@pytest.mark.parametrize("norm", [None, 2])
def test_resume_and_files(tmp_path, penalty, norm):
    penalties = () if penalty == "none" else (PENALTIES[penalty],)
    blocks = data(8, 100).split(10, -1)
    model = Online(Nmf(3, penalties=penalties, norm=norm), Observed(DIVERGENCES["kl"], 1), memory=50)

    def ran(s, blocks):
        for block in blocks:
            s = model.step(block, s)
        return s

    start = model.init(blocks[0], 0)
    save_state(tmp_path / "s", ran(start, blocks[:4]), k=4)
    k, half = load_state(tmp_path / "s", start)
    assert k == int(half.k) == 4
    whole, resumed = tensors(ran(start, blocks)), tensors(ran(half, blocks[4:]))
    assert int(whole["k"]) == 10
    assert all(torch.equal(x, resumed[name]) for name, x in whole.items())


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_odd_blocks(name, dtype):
    X = data(9).to(dtype)
    model = Online(Nmf(3), Observed(COSTS[name], 1))
    s = model.step(X, model.init(X, 0))
    silent = model.step(torch.zeros_like(X), s)
    assert torch.equal(silent.B, s.B)
    assert torch.equal(silent.neg, s.neg)
    assert int(silent.k) == 2
    holes = X.clone()
    holes[:, :, 3] = 0
    holes[:, 2] = 0
    far = 1e8 if dtype == torch.float64 else 1e4  # the third power of its square is to be a number, too
    for odd in (holes, X[..., :1], X / far, far * X, X):
        s = model.step(odd, s)
        assert all(bool(x.isfinite().all()) for x in tensors(s).values())
        assert bool((s.B > 0).all())


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_is_refused_with_its_place(value):
    X = data(10)
    model = Online(Nmf(3), Observed(DIVERGENCES["kl"], 1))
    s = model.step(X, model.init(X, 0))
    X[0, 4, 7] = value
    with pytest.raises(OtowakeError, match="Block 2 is not finite at bin 4, frame 7"):
        model.step(X, s)


@pytest.mark.parametrize("settings", [{"memory": -1}, {"memory": torch.nan}, {"gains": 0}, {"rounds": 0}])
def test_settings_that_are_none(settings):
    with pytest.raises(OtowakeError, match="Online: memory"):
        Online(Nmf(3), Observed(), **settings)


def test_images_add_up_and_a_batch_is_two_runs():
    X = torch.stack([data(11), data(12)]).to(torch.complex128)
    model = Online(Nmf(2), Observed(DIVERGENCES["is"], 3))
    s = model.step(X, model.init(X, 0))
    torch.testing.assert_close(model.images(X, s, (0,)).sum(-4)[..., 0, :, :], X[:, 0])
    for n in range(2):
        one = model.step(X[n], model.init(X[n], 0))
        torch.testing.assert_close(s.B[n], one.B, rtol=1e-10, atol=1e-12)


# ---- starts ----------------------------------------------------------------------------------------------------------


def test_singular_vectors_are_dealt_out():
    v = torch.rand(1, F, T, dtype=torch.float64, generator=generator(13))
    B, H = singular(v.expand(3, -1, -1), 2, 0)
    assert (B.shape, H.shape) == ((3, F, 2), (3, 2, T))
    torch.testing.assert_close((B @ H).sum(0), torch.mm(*nndsvd(v[0], 6)))
    both, _ = singular(torch.stack([v, 2 * v]), 2, 0)
    torch.testing.assert_close(both[0], singular(v, 2, 0)[0])


@pytest.mark.parametrize("sources", [1, 3])
def test_a_start_is_better_than_chance(sources):
    X = data(14)
    begins = {
        start: Separator(Nmf(2, start=start), Observed(DIVERGENCES["kl"], sources, power_of_v=1.0))
        for start in (random, singular)
    }
    chance, found = (float(m.cost(X, m.init(X, 0))) for m in begins.values())
    assert found < 0.5 * chance


def test_values_to_start_from():
    X = data(15)
    B = torch.rand(F, 3, generator=generator(16), dtype=torch.float64)
    m = Separator(Nmf(3, start=Values(B)), Observed(DIVERGENCES["kl"], 2))
    z = m.init(X, 5).z
    assert torch.equal(z.B[1], B)
    assert torch.equal(z.H, Separator(Nmf(3), Observed(sources=2)).init(X, 5).z.H)
    z = Separator(Nmf(3, start=Values(B, torch.ones(3, T))), Observed(sources=2)).init(X, 5).z
    assert bool((z.H == 1).all())
    with pytest.raises(OtowakeError, match=r"B to start from has the shape \(9, 2\)"):
        Separator(Nmf(3, start=Values(B[:, :2])), Observed()).init(X, 0)
    with pytest.raises(OtowakeError, match=">= 0 and finite"):
        Values(-B)


# ---- several seeds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nmf", "ilrma-density=t", "complex_nmf", "consistent_ilrma"])
def test_the_best_of_several_seeds(name):
    from cases import RECIPE_CASES, problem, ran

    case = RECIPE_CASES[name]
    X = problem(case, 17)
    alone = [ran(case.method, X, 8, seed=seed) for seed in (3, 4, 9)]
    costs = [float(case.method.cost(X, s)) for s in alone]
    best = Best(case.method, (3, 4, 9))
    s = ran(best, X, 8)
    assert best.costs(X, s).tolist() == costs
    assert float(best.cost(X, s)) == min(costs)
    at, state = best.winner(X, s)
    assert at == costs.index(min(costs))
    assert all(torch.equal(x, tensors(alone[at])[key]) for key, x in tensors(state).items())
    assert torch.equal(best.estimate(X, s), case.method.estimate(X, alone[at]))


def test_side_by_side_is_one_after_another():
    from otowake.core.best import BestState, stacked

    X = torch.stack([data(18), data(19)])
    method = Separator(Nmf(3), Observed(DIVERGENCES["kl"], 2))
    best = Best(method, (0, 1, 2))
    apart = best.init(X)
    assert best.batches(X, apart.states[0])
    beside = BestState((stacked(apart.states),))
    for _ in range(6):
        apart, beside = best.step(X, apart), best.step(X, beside)
    torch.testing.assert_close(best.costs(X, beside), best.costs(X, apart), rtol=1e-10, atol=0)
    (a, one), (b, other) = best.winner(X, apart), best.winner(X, beside)
    assert a == b
    torch.testing.assert_close(one.z.B, other.z.B)


@pytest.mark.parametrize("seeds", [(), (1, 1)])
def test_seeds_that_are_none(seeds):
    with pytest.raises(OtowakeError, match="one or more, and each another"):
        Best(Separator(Nmf(2), Observed()), seeds)
