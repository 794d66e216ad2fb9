"""A model for each source: semi-supervised NMF keeps the laws, and finds what the known bases leave."""

import pytest
import torch
from cases import DENSITIES, DIVERGENCES, generator, mixture, powers, ran

from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.core.state import load_state, save_state, tensors
from otowake.divergence.penalty import Cosine, Orthogonal, unit_templates
from otowake.source import Flat, Nmf, Stack
from otowake.source.nmf import Given
from otowake.spatial.demix import ip1
from otowake.spatial.determined import Determined
from otowake.spatial.observed import Observed

BINS, FRAMES = 12, 40
F = unit_templates(torch.rand(BINS, 3, generator=generator(1), dtype=torch.float64) ** 4)
KL = DIVERGENCES["kl"]


def semi(penalties=(), divergence=KL):
    known = Nmf(3, given=Given(F))
    return Separator(Stack((known, Nmf(4, penalties=penalties))), Observed(divergence, 2))


def heard(seed):
    """The known bases, and two others."""
    g = generator(seed)
    rest = torch.rand(BINS, 2, generator=g, dtype=torch.float64) ** 4
    H = torch.rand(5, FRAMES, generator=g, dtype=torch.float64) ** 3
    v = torch.cat([F, rest / rest.square().sum(0).sqrt()], 1) @ H
    return (v / v.mean()).sqrt().to(torch.complex128)[None], v / v.mean()


@pytest.mark.parametrize("divergence", DIVERGENCES)
@pytest.mark.parametrize("penalty", ["none", "cosine", "orthogonal"])
def test_descent_and_what_is_known_stays(penalty, divergence):
    penalties = {"none": (), "cosine": (Cosine(F, 2.0),), "orthogonal": (Orthogonal(F, 2.0),)}[penalty]
    X, _ = heard(2)
    m = semi(penalties, DIVERGENCES[divergence])
    assert m.proved
    s = m.init(X, 0)
    if penalties and divergence == "dual-kl":
        with pytest.raises(OtowakeError, match="no penalties"):
            m.step(X, s)
        return
    cost = m.cost(X, s)
    for _ in range(25):
        s = m.step(X, s)
        after = m.cost(X, s)
        assert after <= cost + 1e-10 * (1 + abs(float(cost)))
        cost = after
    torch.testing.assert_close(s.z[0].B[0], F)


@pytest.mark.parametrize("density", ["gauss", "t"])
def test_with_several_microphones(density):
    """A stack of one kind is that kind, but for the seed and the order of updates; the cost falls."""
    X = mixture(3, 2)
    m = Separator(Stack((Nmf(2), Flat())), Determined(ip1, DENSITIES[density]))
    s = m.init(X, 0)
    cost = m.cost(X, s)
    for _ in range(15):
        s = m.step(X, s)
        assert m.cost(X, s) <= cost + 1e-9 * (1 + abs(float(cost)))
        cost = m.cost(X, s)
    torch.testing.assert_close(m.images(X, s, (0,)).sum(-4)[..., 0, :, :], X[0])


def test_split_of_a_part_is_the_derivative():
    X, _ = heard(4)
    m = semi()
    s = m.init(X, 0)
    B = s.z[1].B.clone().requires_grad_()
    moved = s._replace(z=(s.z[0], s.z[1]._replace(B=B)))
    (slope,) = torch.autograd.grad(m.cost(X, moved).sum(), B)
    neg, pos = m.spatial.split(m.spatial.observe(X, s.p), s.p)(m.source.psd(s.z))
    torch.testing.assert_close((pos - neg) @ s.z[1].H.mT, slope, rtol=1e-9, atol=1e-11)


def test_resume_and_files(tmp_path):
    X, _ = heard(5)
    m = semi((Cosine(F, 1.0),))
    whole = ran(m, X, 10)
    half = ran(m, X, 4)
    save_state(tmp_path / "s.safetensors", half, k=4)
    k, half = load_state(tmp_path / "s.safetensors", m.init(X, 0))
    assert k == 4
    for name, x in tensors(ran(m, X, 6, half)).items():
        assert torch.equal(x, tensors(whole)[name])


def test_the_rest_is_found():
    """Known bases and the unlike: with the angle penalised, the known part takes what is its own."""
    X, _ = heard(7)
    own = {}
    for name, penalties in {"free": (), "unlike": (Cosine(F, 0.1),)}.items():
        m = semi(penalties)
        s = ran(m, X, 300)
        own[name] = m.source.parts[0].psd(s.z[0])[0]
    g = generator(7)
    torch.rand(BINS, 2, generator=g, dtype=torch.float64)
    H = torch.rand(5, FRAMES, generator=g, dtype=torch.float64) ** 3
    true = F @ H[:3]
    error = {name: float((x / x.mean() - true / true.mean()).abs().mean()) for name, x in own.items()}
    assert error["unlike"] < 0.5 * error["free"]


def test_sizes_that_do_not_fit():
    X, _ = heard(7)
    with pytest.raises(OtowakeError, match="models for 2 sources, there are 3"):
        Separator(Stack((Nmf(2), Nmf(2))), Observed(KL, 3)).init(X, 0)
    with pytest.raises(OtowakeError, match="12 bins, the spectrogram has 9"):
        Separator(Nmf(3, given=Given(F)), Observed(KL, 1)).init(X[:, :9], 0)
    with pytest.raises(OtowakeError, match="ask for as many or more"):
        Nmf(2, given=Given(F))


def test_powers_are_those_of_the_parts():
    v = powers(generator(8), 2, BINS, FRAMES)
    stack = Stack((Nmf(2), Nmf(5)))
    z = stack.init(v, 0)
    torch.testing.assert_close(stack.psd(z)[1:], stack.parts[1].psd(z[1]))
    g = torch.rand(2, 1, 1, dtype=torch.float64) + 0.5
    torch.testing.assert_close(stack.psd(stack.rescale(z, g)), stack.psd(z) * g)
