"""Sample from a model, fit it, find it again up to permutation and scale."""

import itertools
import math

import pytest
import torch
from cases import DENSITIES, fitting, generator, mixing, normal, powers, ran

from otowake.core.separator import Separator
from otowake.divergence.beta import Beta
from otowake.divergence.density import GGD, Gauss, Laplace, Pooled, StudentT
from otowake.ops import abs2
from otowake.source import Flat, Frame, Nmf
from otowake.spatial.demix import DEMIXES, ip1
from otowake.spatial.determined import Determined
from otowake.spatial.fullrank import FullRank
from otowake.spatial.jointdiag import JointDiag
from otowake.spatial.observed import Observed
from otowake.spatial.overdetermined import Overdetermined
from otowake.spatial.shares import all_bins

BINS, FRAMES = 8, 2400  # interference falls as 1 / frames; at 600 it is -20 to -24 dB


def gamma(g, shape, like):
    """Gamma(shape, 1) of the form of `like`, from a generator of its own seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=g)))
        return torch.distributions.Gamma(shape, 1.0).sample(like.shape).to(like.dtype)


def sampled(density, r, g):
    """y with -log p(y) = log r + rho(|y|^2 / r), each bin on its own."""
    y = normal(g, *r.shape)
    phase = y / y.abs()
    if isinstance(density, StudentT):  # Gauss over the root of a chi square
        return y * torch.sqrt(r * (density.nu / 2) / gamma(g, density.nu / 2, r))
    if isinstance(density, GGD):  # rho(q) = q^(b/2) is Gamma(2/b) distributed
        return phase * torch.sqrt(r) * gamma(g, 2 / density.shape, r) ** (1 / density.shape)
    if isinstance(density, Laplace):  # 2 sqrt(q) is Gamma(2) distributed
        return phase * torch.sqrt(r) * gamma(g, 2.0, r) / 2
    return y * torch.sqrt(r)


def interference(W, A):
    """The share of power of each output that is not its source, in dB, the worst; sources in their best order.

    W A is a scaled permutation where the sources were found; one permutation for all bins, each bin its own scales.
    """
    P = (W @ A).abs() ** 2
    P = P / P.sum(-1, keepdim=True)
    orders = itertools.permutations(range(P.shape[-1]))
    own = max((P[:, range(P.shape[-2]), list(o)[: P.shape[-2]]] for o in orders), key=lambda x: float(x.sum()))
    return float(10 * torch.log10((1 - own).clamp_min(1e-12).mean(0)).max())


@pytest.mark.parametrize("name", DENSITIES)
def test_samples_are_of_the_density(name):
    """E[ d/ds rho(q s) at s = 1 ] = E[ q rho'(q) ] = 1: the score of the scale has mean zero."""
    density, g = DENSITIES[name], generator(81)
    r = powers(g, 2, 50, 400)
    q = abs2(sampled(density, r, g)) / r
    score = q * density.drho(q, 1)
    error = 5 * float(score.std()) / math.sqrt(score.numel())
    assert float(score.mean()) == pytest.approx(1, abs=error)


@pytest.mark.parametrize(("name", "demix"), [(n, d) for n in DENSITIES for d in fitting(DENSITIES[n])])
def test_low_rank_sources_are_found_near_the_truth(name, demix):
    """ILRMA from a start 30 % off; blind starts may end in other optima, and quality is measured elsewhere."""
    density = DENSITIES[name]
    g = generator(82)
    r = powers(g, 2, BINS, FRAMES)
    A = mixing(g, BINS, 2, 2)
    X = torch.einsum("fmn,nft->mft", A, sampled(density, r, g))
    X = X / X.abs().square().mean().sqrt()
    method = Separator(Nmf(2), Determined(fitting(density)[demix], density))
    W = torch.linalg.inv(A + 0.3 * normal(g, *A.shape) * A.abs().mean())
    s = method.init(X)
    p, _ = method.spatial.gauge(s.p._replace(W=W))
    before = interference(p.W, A)
    found = interference(ran(method, X, 40, s._replace(p=p)).p.W, A)
    assert before > -15
    assert found < -30, f"{before:.1f} dB -> {found:.1f} dB"


@pytest.mark.parametrize("demix", DEMIXES)
@pytest.mark.parametrize("mics", [2, 3])
def test_frames_that_rise_and_fall_together_are_found_blind(mics, demix):
    """AuxIVA with a time-varying Gaussian source, from W = I: one permutation for all bins."""
    g = generator(83 + mics)
    r = powers(g, mics, 1, FRAMES, components=1).expand(-1, BINS, -1)
    A = mixing(g, BINS, mics, mics)
    X = torch.einsum("fmn,nft->mft", A, normal(g, mics, BINS, FRAMES) * r.sqrt())
    method = Separator(Frame(), Determined(DEMIXES[demix], Gauss()))
    found = interference(ran(method, X / X.abs().square().mean().sqrt(), 60).p.W, A)
    assert found < -20, f"{found:.1f} dB"


@pytest.mark.parametrize("density", [Laplace(), StudentT(1.0)], ids=["laplace", "cauchy"])
def test_multivariate_heavy_tails_are_found_blind(density):
    g = generator(86)
    r = powers(g, 2, 1, FRAMES, components=1).expand(-1, BINS, -1)
    A = mixing(g, BINS, 2, 2)
    X = torch.einsum("fmn,nft->mft", A, normal(g, 2, BINS, FRAMES) * r.sqrt())
    method = Separator(Flat(), Determined(ip1, Pooled(density)))
    found = interference(ran(method, X / X.abs().square().mean().sqrt(), 60).p.W, A)
    assert found < -20, f"{found:.1f} dB"


def test_sources_in_steady_noise_are_found_with_more_microphones():
    """The columns of the mixing matrix are found again, bin by bin: OverIVA's rows null the other source."""
    g = generator(87)
    r = powers(g, 2, 1, FRAMES, components=1).expand(-1, BINS, -1)
    A = mixing(g, BINS, 4, 4)
    S = torch.cat([normal(g, 2, BINS, FRAMES) * r.sqrt(), 0.1 * normal(g, 2, BINS, FRAMES)])
    X = torch.einsum("fmn,nft->mft", A, S)
    method = Separator(Frame(), Overdetermined(2, Gauss()))
    W = ran(method, X / X.abs().square().mean().sqrt(), 60).p.W
    found = interference(W, A[..., :2])
    assert found < -20, f"{found:.1f} dB"


# ---- factorisation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("b", [0.0, 0.5, 1.0, 2.0])
def test_a_known_factorisation_is_found_again(b):
    """v = B H exactly; near the truth the divergence falls to nothing and each spectrum comes back."""
    g = generator(88)
    B = torch.rand(1, 20, 3, dtype=torch.float64, generator=g) ** 3 + 1e-3
    H = torch.rand(1, 3, 80, dtype=torch.float64, generator=g) ** 3 + 1e-3
    v = B @ H
    v = v / v.mean()
    X = torch.sqrt(v).to(torch.complex128)
    method = Separator(Nmf(3), Observed(Beta(b)))
    s = method.init(X)
    near = [x * torch.exp(0.5 * torch.randn(x.shape, dtype=x.dtype, generator=g)) for x in (B, H)]
    s = s._replace(z=s.z._replace(B=near[0], H=near[1]))
    first, end = float(method.cost(X, s)), ran(method, X, 2000, s)
    assert float(method.cost(X, end)) < 1e-4 * first
    found = end.z.B / end.z.B.norm(dim=-2, keepdim=True)
    likeness = (found.mT @ (B / B.norm(dim=-2, keepdim=True)))[0]
    assert likeness.amax(0).min() > 0.99
    assert set(likeness.argmax(0).tolist()) == {0, 1, 2}


@pytest.mark.parametrize("b", [0.0, 1.0, 2.0])
def test_a_random_start_explains_the_data(b):
    g = generator(89)
    v = powers(g, 1, 20, 80, components=2)
    X = torch.sqrt(v / v.mean()).to(torch.complex128)
    method = Separator(Nmf(2), Observed(Beta(b)))
    s = method.init(X)
    assert float(method.cost(X, ran(method, X, 1000, s))) < 1e-2 * float(method.cost(X, s))


# ---- sources that overlap in every channel --------------------------------------------------------------------------


def unlikeness(S, truth):
    """The mean distance of covariances whose traces are 1, in norm."""
    S, truth = (x / x.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None] for x in (S, truth))
    return float((S - truth).abs().square().sum((-2, -1)).sqrt().mean())


@pytest.mark.parametrize("model", ["jointdiag", "fullrank"])
@pytest.mark.parametrize("mics", [2, 3])
def test_covariances_are_found_near_the_truth(mics, model):
    """Two sources of full rank, from Q, G 30 % off; a source's own covariance comes back."""
    g = generator(90)
    r = powers(g, 2, BINS, FRAMES)
    A = mixing(g, BINS, mics, mics)
    G = 0.05 + torch.rand(2, 1, mics, dtype=torch.float64, generator=g) ** 3
    each = normal(g, 2, mics, BINS, FRAMES) * (r.unsqueeze(1) * G[:, 0, :, None, None]).sqrt()
    X = torch.einsum("fim,nmft->ift", A, each)
    scale = X.abs().square().mean().sqrt()
    X, truth = X / scale, (A * G.unsqueeze(-2)) @ A.mH
    joint = JointDiag(2, shares=all_bins)
    Q = torch.linalg.inv(A + 0.3 * normal(g, *A.shape) * A.abs().mean())
    start = joint.init(X, 0)._replace(Q=Q, G=G * (0.7 + 0.6 * torch.rand(G.shape, dtype=G.dtype, generator=g)))
    full = FullRank(2)
    method = Separator(Nmf(2), joint if model == "jointdiag" else full)
    p, _ = method.spatial.gauge(method.spatial.begun(start))
    before = unlikeness(full.begun(start).S, truth)
    end = ran(method, X, 80, method.begun(X, p, 0)).p
    found = end.S if model == "fullrank" else full.begun(end).S
    assert unlikeness(found, truth) < (0.5 if mics == 2 else 0.8) * before
