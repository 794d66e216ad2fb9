"""Five steps can be differentiated: the gradient in the initial state agrees with finite differences.

Networks that are trained through `step` rest on this.  Compared along random directions of B, H and W (or phases)
together; central differences in float64 with a step of 1e-5, once halved and extrapolated, are good to about 1e-9 of
the slope.
"""

import pytest
import torch
from cases import ALL_DENSITIES, STFT, fitting, generator, mixture, normal, ran

from otowake.complex_nmf import ComplexNmf
from otowake.core.separator import Separator
from otowake.core.state import rebuilt, tensors
from otowake.divergence import DIVERGENCES
from otowake.divergence.density import Gauss, Laplace, Pooled, StudentT
from otowake.mixture import WEIGHTS, AngularMixture
from otowake.mixture.angular import AngularState
from otowake.source import SOURCES, Nmf
from otowake.spatial.consistent import Consistent
from otowake.spatial.demix import DEMIXES, ip1
from otowake.spatial.determined import Determined
from otowake.spatial.fullrank import FullRank
from otowake.spatial.jointdiag import JointDiag
from otowake.spatial.observed import Observed
from otowake.spatial.overdetermined import Overdetermined
from otowake.spatial.shares import all_bins

STEPS = 5
FIT = [(density, demix) for density in ALL_DENSITIES for demix in fitting(ALL_DENSITIES[density])]
MOVED = ("z.B", "z.H", "z.Z", "z.r", "p.W", "p.Q", "p.G", "p.S", "B", "H", "E")


def check(method, X, free=MOVED):
    """The end's cost and images, as one number, against finite differences."""
    g = generator(71)
    start = ran(method, X, 2)
    named = tensors(start)
    probe = normal(g, *method.images(X, start, (0,)).shape)
    directions = {
        name: (normal(g, *x.shape) if x.is_complex() else torch.randn(x.shape, dtype=x.dtype, generator=g)) * x.abs()
        for name, x in named.items()
        if name in free
    }
    if "p.S" in directions:  # hermitian matrices have hermitian neighbours
        directions["p.S"] = (directions["p.S"] + directions["p.S"].mH) / 2
    assert directions

    def end(moved):
        s = ran(method, X, STEPS, rebuilt(start, {**named, **moved}))
        return method.cost(X, s) / X.numel() + (probe.conj() * method.images(X, s, (0,))).real.mean()

    leaves = {name: named[name].clone().requires_grad_() for name in directions}
    slopes = torch.autograd.grad(end(leaves), list(leaves.values()))
    slope = sum(float((d.conj() * s).real.sum()) for d, s in zip(directions.values(), slopes))

    def difference(h):
        ends = (end({name: named[name] + sign * h * d for name, d in directions.items()}) for sign in (1, -1))
        return float(next(ends) - next(ends)) / (2 * h)

    expected = (4 * difference(5e-6) - difference(1e-5)) / 3
    assert abs(slope) > 1e-6, "the end does not depend on the start: nothing was compared"
    assert slope == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize(("density", "demix"), FIT)
def test_every_density_with_every_update_of_W(density, demix):
    d = ALL_DENSITIES[density]
    check(Separator(Nmf(2), Determined(fitting(d)[demix], d)), mixture(72, 2, bins=4, frames=30))


@pytest.mark.parametrize("demix", DEMIXES)
def test_three_sources(demix):
    check(Separator(Nmf(2), Determined(DEMIXES[demix], Gauss())), mixture(73, 3, bins=4, frames=30))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("density", [StudentT(3.0), Pooled(Laplace())], ids=["t", "pooled-laplace"])
def test_every_source_model(source, density):
    """Not Gauss, which has nothing to learn from `Flat`: its end does not depend on the start."""
    check(Separator(SOURCES[source], Determined(ip1, density)), mixture(74, 3, bins=4, frames=30))


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_factorisation(divergence):
    check(Separator(Nmf(2), Observed(DIVERGENCES[divergence], 2)), mixture(75, 1, bins=4, frames=30, sources=2))


@pytest.mark.parametrize("shape", [0.5, 1.2, 2.0])
@pytest.mark.parametrize("sparsity", [0.0, 1.0])
def test_complex_factorisation(sparsity, shape):
    check(ComplexNmf(2, 2, sparsity, shape), mixture(78, 1, bins=4, frames=30, sources=2))


@pytest.mark.parametrize("spread", [0.0, 1.0])
@pytest.mark.parametrize("sources", [1, 3])
def test_silent_bins_and_frames_leave_gradients_of_phases_finite(sources, spread):
    X = mixture(79, 1, bins=4, frames=30, sources=2)
    X[:, 1] = 0
    X[..., 5:9] = 0
    method = ComplexNmf(sources, 1, spread=spread)
    start = tensors(method.init(X))
    leaves = {name: x.clone().requires_grad_() for name, x in start.items()}
    s = ran(method, X, STEPS, rebuilt(method.init(X), leaves))
    end = method.cost(X, s) + method.images(X, s, (0,)).abs().sum()
    assert all(slope.isfinite().all() for slope in torch.autograd.grad(end, list(leaves.values())))


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_mixtures_of_directions(prior, weights):
    """In masks, and in roots of the covariances, which stay Hermitian; with cells, frames and a bin of silence."""
    X = mixture(80, 2, bins=3, frames=12)
    X[:, 1, 3:5], X[:, 2], X[..., 7] = 0, 0, 0
    method = AngularMixture(2, prior, WEIGHTS[weights])
    s = ran(method, X, 2)
    A = torch.linalg.cholesky(s.R)

    def end(gamma, A):
        moved = AngularState(gamma / gamma.sum(-3, keepdim=True), A @ A.mH)
        after = ran(method, X, STEPS, moved)
        return method.cost(X, after), method.images(X, after, (0,)).abs().square().sum()

    start = (s.gamma.clone().requires_grad_(), A.requires_grad_())
    assert torch.autograd.gradcheck(end, start, rtol=1e-4, atol=1e-6, fast_mode=True)


@pytest.mark.parametrize(
    "spatial",
    [
        Overdetermined(2),
        Consistent(Determined(), STFT),
        FullRank(2),
        JointDiag(4),
        JointDiag(2, density=StudentT(3.0), shares=all_bins),
    ],
    ids=["overdetermined", "consistent", "fullrank", "jointdiag", "jointdiag-all"],
)
def test_other_spatial_models(spatial):
    check(Separator(Nmf(2), spatial), mixture(76, 3, frames=30))


@pytest.mark.parametrize("demix", DEMIXES)
def test_a_dead_bin_leaves_gradients_finite(demix):
    """Nothing is to be learned from it, and it must not spoil the rest."""
    X = mixture(77, 2, bins=4, frames=30)
    X[:, 1] = 0
    method = Separator(Nmf(2), Determined(DEMIXES[demix], Gauss()))
    s = method.init(X)
    B = s.z.B.clone().requires_grad_()
    end = ran(method, X, STEPS, s._replace(z=s.z._replace(B=B)))
    (slope,) = torch.autograd.grad(method.cost(X, end), B)
    assert slope.isfinite().all()
