"""What complex NMF promises beyond the laws of every recipe: `ComplexNmf` is a method of its own, not a pairing."""

import math

import pytest
import torch
from cases import generator, mixture, ran

import otowake.complex_nmf
from otowake.complex_nmf import ComplexNmf, ComplexNmfState
from otowake.core.errors import OtowakeError
from otowake.linalg.safe import divide
from otowake.signal.stft import Stft

SHAPES = [0.3, 0.5, 1.0, 1.2, 1.9, 2.0]
SPARSITIES = [0.0, 1e-3, 0.1, 1.0, 30.0, 1e3]
RISE = 1e-12  # of the cost and the number of cells: see test_descent


def odd_mixtures(count: int, seed: int) -> torch.Tensor:
    """count 1 f t: with scattered zeros, with a silent bin and silent frames, with a real bin, and over six decades."""
    X = torch.stack([mixture(seed + i, 1, bins=6, frames=15, sources=3) for i in range(count)])
    X[1::3] *= torch.rand(X[1::3].shape, dtype=torch.float64, generator=generator(seed)) > 0.3
    X[2::3, :, 2] = 0
    X[2::3, :, :, 4:7] = 0
    X[..., 0, :].imag.zero_()
    return X * 10.0 ** torch.linspace(-3, 3, count, dtype=torch.float64)[:, None, None, None]


def assert_descent(method: ComplexNmf, X: torch.Tensor, steps: int) -> None:
    s = method.init(X, seed=3)
    energy = X.abs().square().sum((-3, -2, -1))
    before = method.cost(X, s)
    for k in range(steps):
        s = method.step(X, s)
        after = method.cost(X, s)
        assert ((after - before) <= RISE * (before + energy)).all(), f"step {k}"
        assert (s.E.abs() - 1).abs().max() < 1e-14
        assert (s.B >= 0).all()
        assert (s.H >= 0).all()
        before = after
    assert method.images(X, s, (0,)).isfinite().all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sparsity", SPARSITIES)
def test_the_cost_never_rises(sparsity, shape):
    assert_descent(ComplexNmf(2, 2, sparsity, shape), odd_mixtures(6, seed=200), steps=40)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sparsity", SPARSITIES)
def test_the_cost_never_rises_on_two_hundred_problems(sparsity, shape, spread):
    assert_descent(ComplexNmf(3, 1, sparsity, shape, spread), odd_mixtures(200, seed=1000), steps=150)


# ---- what does not matter --------------------------------------------------------------------------------------------


def rotated(s: ComplexNmfState, turn: torch.Tensor) -> ComplexNmfState:
    return s._replace(E=s.E * turn)


@pytest.mark.parametrize("sparsity", [0.0, 1.0])
def test_phases_of_the_mixture_turn_those_of_the_components(sparsity):
    """Another angle for every bin and frame; at the start, too."""
    X, method = mixture(93, 1, sources=2), ComplexNmf(2, 2, sparsity)
    angle = 6 * torch.rand(9, 60, dtype=torch.float64, generator=generator(93))
    turn = torch.polar(torch.ones_like(angle), angle)
    s, start = ran(method, X, 10), method.init(X * turn)
    torch.testing.assert_close(start, rotated(method.init(X), turn), rtol=1e-12, atol=1e-12)
    t = ran(method, X * turn, 10, start)
    torch.testing.assert_close(t, rotated(s, turn), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(method.estimate(X * turn, t), method.estimate(X, s) * turn, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [0.5, 1.2, 2.0])
def test_scale_between_bases_and_gains(shape):
    """The sparse term sees their product only: neither the cost nor a step feels an exchange."""
    X, method = mixture(94, 1, sources=2), ComplexNmf(2, 2, 1.0, shape)
    s = ran(method, X, 3)
    c = torch.tensor([[0.01, 3.0], [100.0, 0.5]], dtype=torch.float64)
    t = s._replace(B=s.B * c[:, None], H=s.H / c[..., None])
    torch.testing.assert_close(method.cost(X, t), method.cost(X, s), rtol=1e-12, atol=0)
    torch.testing.assert_close(method.step(X, t), method.step(X, s), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(method.step(X, t).B.sum(-2), torch.ones(2, 2, dtype=torch.float64))


@pytest.mark.parametrize("shape", [0.5, 1.2, 2.0])
@pytest.mark.parametrize("change", ["louder", "longer", "higher"])
def test_sparsity_means_the_same_at_any_gain_and_size(change, shape):
    """A gain; every frame twice; every bin twice: all terms of the cost grow alike, and steps stay the same."""
    X, method = mixture(95, 1, sources=2), ComplexNmf(2, 2, 1.0, shape)
    s = ran(method, X, 3)
    Z, t, growth, gain = {
        "louder": (1e3 * X, s._replace(H=1e3 * s.H), 1e6, 1e3),
        "longer": (torch.cat([X] * 2, -1), s._replace(H=torch.cat([s.H] * 2, -1), E=torch.cat([s.E] * 2, -1)), 2, 1),
        "higher": (torch.cat([X] * 2, -2), s._replace(B=torch.cat([s.B] * 2, -2), E=torch.cat([s.E] * 2, -2)), 2, 2),
    }[change]
    torch.testing.assert_close(method.cost(Z, t), growth * method.cost(X, s), rtol=1e-12, atol=0)
    found = method.step(Z, t).H[..., : X.shape[-1]]
    torch.testing.assert_close(found, gain * method.step(X, s).H, rtol=1e-10, atol=0)


def test_even_gains_pay_the_share_they_are_said_to():
    X, method = mixture(96, 1, sources=2), ComplexNmf(2, 2, sparsity=0.25)
    s = method.init(X)
    even = torch.full_like(s.H, 9 * float(X.abs().square().mean().sqrt()) / math.sqrt(4))
    paid = method.cost(X, s._replace(H=even)) - ComplexNmf(2, 2, 0.0).cost(X, s._replace(H=even))
    assert float(paid / X.abs().square().sum()) == pytest.approx(0.25)


def test_how_many_bins_are_updated_at_a_time(monkeypatch):
    X, method = mixture(97, 1, sources=2), ComplexNmf(2, 2)
    s = ran(method, X, 5)
    monkeypatch.setattr(otowake.complex_nmf, "_AT_ONCE", 1)
    torch.testing.assert_close(ran(method, X, 5), s, rtol=1e-12, atol=1e-12)


# ---- phases ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", [0.0, 0.7, 1.0])
def test_real_bins_stay_real(spread):
    """0 Hz and Nyquist of a real signal, start to end; the others get phases."""
    stft = Stft(16, 4)
    X = stft.forward(torch.randn(1, 300, dtype=torch.float64, generator=generator(98)))
    s = ran(ComplexNmf(3, 1, spread=spread), X, 20)
    images = ComplexNmf(3).images(X, s, (0,))
    assert (s.E[..., [0, -1], :].imag == 0).all()
    assert (images[..., [0, -1], :].imag == 0).all()
    assert (s.E[..., 1:-1, :].imag.abs() > 1e-3).any()


def test_phases_of_the_mixture_are_plain_nmf():
    """Started at the mixture's phases they stay there, and B, H take the steps of Lee and Seung's least squares."""
    X = mixture(99, 1, bins=12, frames=30, sources=3)
    method = ComplexNmf(1, 3, sparsity=0.0, spread=0.0)
    s = start = method.init(X)
    v, B, H = X[0].abs(), s.B[0], s.H[0]
    for _ in range(50):
        s = method.step(X, s)
        B = B * (v @ H.mT) / (B @ H @ H.mT)
        H = H * (B.mT @ v) / (B.mT @ B @ H)
        torch.testing.assert_close((s.B @ s.H)[0], B @ H, rtol=1e-12, atol=1e-12)
    assert (s.E - start.E).abs().max() < 1e-13
    torch.testing.assert_close(method.cost(X, s), (v - B @ H).square().sum(), rtol=1e-12, atol=0)


def complex_mixture(g: torch.Generator, components: int, bins: int, frames: int, rest: float):
    """(X, c, B, H) of the model itself: gains that are 0 for a share `rest` of the time."""
    B = torch.rand(bins, components, dtype=torch.float64, generator=g) ** 4 + 1e-3
    H = torch.rand(components, frames, dtype=torch.float64, generator=g) + 0.1
    H = H * (torch.rand(components, frames, dtype=torch.float64, generator=g) > rest)
    angle = 2 * math.pi * torch.rand(components, bins, frames, dtype=torch.float64, generator=g)
    E = torch.polar(torch.ones_like(angle), angle)
    c = B.mT[..., None] * H[:, None] * E
    return c.sum(0, keepdim=True), c, B / B.sum(0), H * B.sum(0)[:, None]


def test_free_phases_explain_what_magnitudes_cannot():
    X = complex_mixture(generator(100), 3, 12, 40, 0.0)[0]
    left = [ran(m := ComplexNmf(1, 3, 0.0, spread=spread), X, 400) for spread in (0.0, 1.0)]
    observed, free = (float(m.cost(X, s)) for s in left)
    assert free < 1e-3 * observed


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_components_are_found_again(seed):
    """Sounds that are silent half of the time, and overlap: each spectrum, and each sound, blind, nearly as good as
    Wiener filters made of the true spectra and gains."""
    X, c, B, H = complex_mixture(generator(seed), 3, 40, 120, 0.5)
    method = ComplexNmf(3, 1, sparsity=0.3)
    s = min((ran(method, X, 300, seed=start) for start in range(3)), key=lambda s: float(method.cost(X, s)))
    found = s.B[..., 0] / s.B[..., 0].norm(dim=-1, keepdim=True)
    likeness = found @ (B / B.norm(dim=0))
    order = likeness.argmax(0)
    assert set(order.tolist()) == {0, 1, 2}
    assert likeness.amax(0).min() > 0.98
    wiener = X * divide((B.mT[..., None] * H[:, None]).square(), B.square() @ H.square())
    error, best = ((Y - c).abs().square().sum((-2, -1)) for Y in (method.estimate(X, s)[order], wiener))
    assert (error < 1.5 * best).all()


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sources": 0}, "1 or more"),
        ({"bases": 0}, "1 or more"),
        ({"sources": -2, "bases": -2}, "1 or more"),
        ({"bases": 10_001}, "at most 10000"),
        ({"sparsity": -1.0}, "0 or more"),
        ({"sparsity": math.inf}, "0 or more"),
        ({"sparsity": math.nan}, "0 or more"),
        ({"shape": 0.0}, "at most 2"),
        ({"shape": 2.1}, "at most 2"),
        ({"spread": 1.5}, "0 to 1"),
    ],
)
def test_settings_out_of_range(settings, sentence):
    with pytest.raises(OtowakeError, match=sentence):
        ComplexNmf(**settings)


def test_two_channels():
    with pytest.raises(OtowakeError, match="one channel, the mixture has 2"):
        ComplexNmf().init(mixture(102, 2))
