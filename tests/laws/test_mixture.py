"""What mixtures of directions promise beyond the laws of every recipe."""

import math

import numpy as np
import pytest
import torch
from cases import generator, mixing, mixture, normal, ran

import otowake
from otowake.core.errors import OtowakeError
from otowake.core.wrap import Warm
from otowake.linalg.safe import isotropy
from otowake.mixture import WEIGHTS, AngularMixture, arranged, per_bin, per_frame
from otowake.mixture.angular import AngularState
from otowake.recipes import cacgmm, cgmm
from otowake.signal.filters import OUTPUTS, Shares, mask

RISE = 1e-12


def odd_mixtures(count: int, seed: int, mics: int = 3) -> torch.Tensor:
    """count m f t: as they are, with scattered and whole silences, with as good as no noise, and over six decades."""
    X = torch.stack([mixture(seed + i, mics, bins=5, frames=40) for i in range(count)])
    X[1::4] *= torch.rand(X[1::4, :1].shape, dtype=torch.float64, generator=generator(seed)) > 0.3
    X[2::4, ..., 2, :] = 0
    X[2::4, ..., 4:7] = 0
    X[3::4] = X[3::4, :1] * mixing(generator(seed), 5, mics, 1)[..., 0].mT[..., None] + 1e-6 * X[3::4]
    return X * 10.0 ** torch.linspace(-3, 3, count, dtype=torch.float64)[:, None, None, None]


def assert_descent(method: AngularMixture, X: torch.Tensor, steps: int, seed: int = 0) -> None:
    s = method.init(X, seed)
    cells = X[0].numel()
    before = method.cost(X, s)
    for k in range(steps):
        s = method.step(X, s)
        after = method.cost(X, s)
        assert ((after - before) <= RISE * (before.abs() + cells)).all(), f"step {k}"
        before = after
    torch.testing.assert_close(s.gamma.sum(-3), torch.ones_like(s.gamma[:, 0]))
    torch.testing.assert_close(s.R.diagonal(dim1=-2, dim2=-1).sum(-1).real, 3 * torch.ones(s.R.shape[:-2]).double())
    assert method.images(X, s, (0,)).isfinite().all()


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("prior", [0.0, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("sources", [1, 2, 5])
def test_the_cost_never_rises(sources, prior, weights):
    assert_descent(AngularMixture(sources, prior, WEIGHTS[weights], mask), odd_mixtures(8, seed=300), steps=40)


@pytest.mark.slow
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("prior", [0.0, 3.0])
@pytest.mark.parametrize("sources", [2, 4])
def test_the_cost_never_rises_on_two_hundred_problems(sources, prior, weights):
    assert_descent(AngularMixture(sources, prior, WEIGHTS[weights], mask), odd_mixtures(200, seed=2000), 150)


def test_the_cost_has_a_lower_bound():
    """Frames of one direction each: without its share of noise from everywhere R would have no limit."""
    a = normal(generator(301), 3, 4)
    X = a[:, :, None] * normal(generator(302), 4, 50)
    method = AngularMixture(2)
    s = ran(method, X, 200)
    e = isotropy(X)
    least = math.log((e / 3) ** 2 * (1 + e / 3)) + 3 * math.log(3)  # log|S| + M log M, S = z z^H + e / M I
    assert float(method.cost(X, s)) >= 200 * least - 1e-6
    assert (torch.linalg.eigvalsh(s.R)[..., 0] > 0.1 * e).all()


# ---- what does not matter --------------------------------------------------------------------------------------------

CASES = [(prior, weights) for prior in (0.0, 2.0) for weights in WEIGHTS]


@pytest.mark.parametrize(("prior", "weights"), CASES)
def test_levels_do_not_matter(prior, weights):
    """Another gain and phase for every cell: masks stay."""
    X, method = mixture(303), AngularMixture(2, prior, WEIGHTS[weights])
    g = generator(303)
    gain = torch.polar(
        torch.exp(3 * torch.randn(9, 60, dtype=torch.float64, generator=g)), torch.rand(9, 60, generator=g).double()
    )
    s, t = ran(method, X, 10), ran(method, gain * X, 10)
    torch.testing.assert_close(t, s, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(method.cost(gain * X, t), method.cost(X, s), rtol=1e-10, atol=1e-8)


@pytest.mark.parametrize(("prior", "weights"), CASES)
def test_turned_microphones_turn_covariances(prior, weights):
    """A unitary matrix for each bin, renumbered microphones among them; masks stay."""
    X, method = mixture(304), AngularMixture(2, prior, WEIGHTS[weights])
    U = torch.linalg.qr(normal(generator(304), 9, 3, 3)).Q
    s = ran(method, X, 10)
    t = ran(method, torch.einsum("fij,jft->ift", U, X), 10)
    torch.testing.assert_close(t.gamma, s.gamma, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(t.R, U[:, None] @ s.R @ U[:, None].mH, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("prior", "weights"), CASES)
def test_renumbered_sources_take_the_same_steps(prior, weights):
    X, method = mixture(305), AngularMixture(3, prior, WEIGHTS[weights], mask)
    s, order = ran(method, X, 3), [2, 0, 1]
    a, b = ran(method, X, 5, s), ran(method, X, 5, AngularState(s.gamma[order], s.R[:, order]))
    torch.testing.assert_close(b, AngularState(a.gamma[order], a.R[:, order]), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("prior", [0.0, 2.0])
def test_bins_of_per_bin_weights_know_nothing_of_each_other(prior):
    """So their sources may be put in another order, and the cost does not see it."""
    X, method = mixture(306), AngularMixture(3, prior)
    s = ran(method, X, 5)
    torch.testing.assert_close(method.cost(X, arranged(s)), method.cost(X, s), rtol=1e-12, atol=1e-9)
    torch.testing.assert_close(
        method.estimate(X, ran(method, X, 2, arranged(s))), method.estimate(X, ran(method, X, 2, s)), rtol=0, atol=1e-7
    )


@pytest.mark.parametrize("microphones", [(0, 1, 2), (2,), (1, 0)])
@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_leave_a_single_source_alone(name, microphones):
    X = mixture(307)
    one = torch.ones(1, 9, 60, dtype=torch.float64)
    R = torch.eye(3, dtype=X.dtype).expand(9, 1, -1, -1)
    images = OUTPUTS[name](X, Shares(one, one, R), microphones)
    if name == "mvdr":  # with nobody else to be kept away it is the matched filter of its covariance
        Phi = torch.einsum("ift,jft->fij", X, X.conj()) / 60
        W = Phi / Phi.diagonal(dim1=-2, dim2=-1).sum(-1)[:, None, None]
        X = torch.einsum("fij,jft->ift", W, X)
    torch.testing.assert_close(images[0], X[list(microphones)], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("sources", [2, 3])
def test_beamformers_keep_their_source_and_reject_the_others(sources):
    """Sources that take turns, each of one direction: kept as it is at every microphone, and others next to nothing."""
    g = generator(314)
    a, S = mixing(g, 9, 3, sources), normal(g, sources, 9, 60)
    gamma = torch.nn.functional.one_hot(torch.arange(60) % sources, sources).T[:, None].expand(-1, 9, -1).double()
    c = torch.einsum("fmn,nft->nmft", a, gamma * S)
    X = c.sum(0) + 1e-3 * normal(g, 3, 9, 60)
    shares = Shares(gamma.contiguous(), gamma, torch.eye(3, dtype=X.dtype).expand(9, sources, -1, -1))
    images = OUTPUTS["mvdr"](X, shares, (0, 1, 2))
    assert (images - c).abs().square().mean() < 1e-5
    images = OUTPUTS["mwf"](X, shares, (0, 1, 2))
    assert (images - c).abs().square().mean() < 1e-5


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_without_a_prior_gaussians_are_angular():
    X = mixture(308)
    a, b = ran(cacgmm(2), X, 25), ran(cgmm(2, prior=0.0), X, 25)
    assert torch.equal(a.s.R, b.s.R)


def test_the_prior_fades():
    X, exact = mixture(309), AngularMixture(2)
    s = ran(exact, X, 10)
    gaps = [float((AngularMixture(2, a).step(X, s).R - exact.step(X, s).R).abs().max()) for a in (1e-2, 1e-3, 1e-4)]
    for near, far in zip(gaps[1:], gaps):
        assert far / near == pytest.approx(10, rel=0.05)


def test_a_prior_of_many_frames_hears_from_everywhere():
    X = mixture(310)
    R = ran(AngularMixture(2, 1e6), X, 5).R
    torch.testing.assert_close(R, torch.eye(3, dtype=X.dtype).expand_as(R), rtol=0, atol=1e-3)


def test_one_source_is_tylers_estimate():
    """R = M mean of x x^H / (x^H R^-1 x), which knows no levels."""
    X = mixture(311)
    R = ran(AngularMixture(1), X, 300).R[:, 0]
    q = torch.einsum("ift,fij,jft->ft", X.conj(), torch.linalg.inv(R), X).real
    again = 3 * torch.einsum("ift,jft,ft->fij", X, X.conj(), (1 / q).to(X.dtype)) / 60
    torch.testing.assert_close(again, R, rtol=1e-6, atol=1e-6)


def test_the_order_of_bins_is_found_at_the_change_of_weights():
    X = mixture(312)
    method = cacgmm(2, align=4)
    assert isinstance(method, Warm)
    s = ran(method, X, 4)
    plain = ran(AngularMixture(2), X, 4)
    torch.testing.assert_close(s.s, arranged(plain), rtol=0, atol=0)
    assert method.epoch(s) == 1
    assert isinstance(cacgmm(2, per_bin), AngularMixture)
    assert torch.equal(
        ran(cacgmm(2, align=0), X, 3).s.gamma,
        ran(AngularMixture(2, weights=per_frame), X, 3, arranged(AngularMixture(2).init(X))).gamma,
    )


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sources": 0}, "1 to 1000 sources"),
        ({"sources": 1001}, "1 to 1000 sources"),
        ({"prior": -1.0}, "0 to a million"),
        ({"prior": math.inf}, "0 to a million"),
        ({"prior": math.nan}, "0 to a million"),
        ({"align": -1}, "0 steps or more"),
    ],
)
def test_settings_out_of_range(settings, sentence):
    with pytest.raises(OtowakeError, match=sentence):
        cacgmm(**settings)


def test_one_channel():
    with pytest.raises(OtowakeError, match="two channels or more"):
        AngularMixture().init(mixture(313, 1))


# ---- at the door -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("channels", "sources"), [(2, 3), (4, 2)])
@pytest.mark.parametrize("name", ["cacgmm", "cgmm"])
def test_any_number_of_sources_from_all_channels(name, channels, sources):
    rng = np.random.default_rng(315)
    x = 0.1 * rng.laplace(size=(channels, 5000)) * np.abs(np.sin(np.arange(5000) * 0.002))
    result = otowake.separate(x, 8000, name, sources=sources, iterations=4)
    assert result.sources.shape == (sources, 5000)
    assert "reduced_to" not in result.diagnostics
    assert result.rest is None
    np.testing.assert_allclose(result.sources.sum(0), x[0], atol=1e-9)
    assert len(otowake.separate(x, 8000, name, iterations=1, stft="256/64").sources) == len(x)
