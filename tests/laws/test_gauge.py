"""The gauge moves scale from the spatial to the source model: neither the cost nor the estimate feels it."""

import pytest
import torch
from cases import STFT, generator, mixture, normal, powers, ran

from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.divergence.density import DENSITIES, Gauss, Laplace, Pooled, StudentT
from otowake.source import SOURCES
from otowake.spatial.consistent import Consistent, projected_back
from otowake.spatial.demix import GIP, ip1
from otowake.spatial.determined import Determined
from otowake.spatial.fullrank import FullRank
from otowake.spatial.jointdiag import JointDiag
from otowake.spatial.observed import Observed
from otowake.spatial.overdetermined import Overdetermined
from otowake.spatial.shares import all_bins

SPATIALS = {
    "determined": Determined(),
    "determined-t": Determined(ip1, StudentT(3.0)),
    "determined-pooled": Determined(ip1, Pooled(Laplace())),
    "determined-sub": Determined(GIP(4.0), DENSITIES["sub"]),
    "overdetermined": Overdetermined(2),
    "overdetermined-pooled": Overdetermined(2, Pooled(Laplace())),
    "consistent": Consistent(Determined(), STFT),
    "observed": Observed(Gauss(), 2),
    "jointdiag": JointDiag(2),
    "jointdiag-t": JointDiag(4, density=StudentT(3.0)),
    "fullrank": FullRank(2),
    "fullrank-t": FullRank(4, StudentT(3.0)),
    "jointdiag-relevance": JointDiag(4, relevance=0.1),
    "fullrank-relevance": FullRank(4, relevance=0.1),
    "jointdiag-all": JointDiag(4, shares=all_bins),
}
DEMIXING = [name for name in SPATIALS if "determined" in name or name == "consistent"]


def unbalanced(method, X):
    """A state with scales all over the place, so that the gauge has something to do."""
    s, g = method.init(X), generator(11)
    if hasattr(s.p, "Q"):
        Q = (s.p.Q + 0.3 * normal(g, *s.p.Q.shape)) * torch.tensor([0.01, 3.0, 100.0], dtype=torch.float64)[:, None]
        return s._replace(p=s.p._replace(Q=Q, G=7 * torch.rand(s.p.G.shape, dtype=torch.float64, generator=g)))
    if hasattr(s.p, "S"):
        A = normal(g, *s.p.S.shape)
        return s._replace(p=s.p._replace(S=A @ A.mH))
    if not hasattr(s.p, "W"):
        return s
    n = s.p.W.shape[-2]
    W = s.p.W + 0.3 * normal(g, *s.p.W.shape)
    W = (
        W
        * torch.tensor([0.01, 3.0, 100.0][:n], dtype=torch.float64)[:, None]
        * (1 + torch.arange(len(W)))[:, None, None]
    )
    return s._replace(p=s.p._replace(W=W))


PAIRS = [(p, s) for p in SPATIALS for s in SOURCES if (p, s) != ("consistent", "partitioned")]


def test_shared_spectra_cannot_take_a_gain_for_each_bin():
    with pytest.raises(OtowakeError, match="use Nmf with Consistent"):
        ran(Separator(SOURCES["partitioned"], SPATIALS["consistent"]), mixture(12), 1)


@pytest.mark.parametrize(("spatial", "source"), PAIRS)
def test_gauge_is_neutral(spatial, source):
    model, part = SPATIALS[spatial], SOURCES[source]
    X = mixture(12, 1 if spatial == "observed" else 3, sources=3)
    method = Separator(part, model)
    s = unbalanced(method, X)
    p, gain = model.gauge(s.p)
    z = part.rescale(s.z, gain)
    if spatial != "observed":
        assert (gain.log().abs() > 0.1).any(), "the gauge had nothing to do"
    torch.testing.assert_close(part.psd(z), (part.psd(s.z) * gain).expand_as(part.psd(z)), rtol=1e-12, atol=0)
    before, after = method.cost(X, s), method.cost(X, s._replace(z=z, p=p))
    assert float((after - before).abs()) <= 1e-12 * float(before.abs() + X.numel())
    was, now = (method.images(X, t, (0, X.shape[0] - 1)) for t in (s, s._replace(z=z, p=p)))
    assert (now - was).abs().max() <= 1e-10 * was.abs().max()


@pytest.mark.parametrize("spatial", DEMIXING)
def test_gauge_does_what_it_says(spatial):
    """Unit mean power of every source; for `Consistent` the scale at the first microphone."""
    model, X = SPATIALS[spatial], mixture(13, 3)
    s = unbalanced(Separator(SOURCES["nmf"], model), X)
    p, _ = model.gauge(s.p)
    if spatial == "consistent":
        torch.testing.assert_close(torch.linalg.inv(p.W)[:, 0], torch.ones_like(p.W[:, 0]))
    else:
        torch.testing.assert_close(model.observe(X, p).mean((-2, -1)), torch.ones(p.W.shape[-2], dtype=torch.float64))
    again, gain = model.gauge(p)
    torch.testing.assert_close(gain, torch.ones_like(gain), rtol=1e-10, atol=0)


@pytest.mark.parametrize("spatial", [name for name in SPATIALS if name.startswith("jointdiag")])
def test_channels_have_unit_power_and_shares_add_up_to_one(spatial):
    model, X = SPATIALS[spatial], mixture(13, 3)
    s = unbalanced(Separator(SOURCES["nmf"], model), X)
    p, _ = model.gauge(s.p)
    torch.testing.assert_close(model.observe(X, p).mean((-2, -1)), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(p.G.sum(-1).mean(-1), torch.ones(model.sources, dtype=torch.float64))
    again, gain = model.gauge(p)
    torch.testing.assert_close(gain, torch.ones_like(gain), rtol=1e-10, atol=0)


def test_covariances_have_trace_one():
    model, X = SPATIALS["fullrank"], mixture(13, 3)
    p, _ = model.gauge(unbalanced(Separator(SOURCES["nmf"], model), X).p)
    trace = p.S.diagonal(dim1=-2, dim2=-1).real.sum(-1).mean(-1)
    torch.testing.assert_close(trace, torch.ones(2, dtype=torch.float64))


def test_projection_back_leaves_other_bins_alone():
    """W = I where nothing is demixed; taking it to the scale of the first microphone would empty its other rows."""
    X = mixture(14, 3)
    X[:, 4] = 0
    p = Determined().init(X, 0)
    assert not p.live[4]
    q, gain = projected_back(p)
    assert torch.equal(q.W[4], p.W[4])
    assert (gain == 1).all()  # at W = I no row but the first is heard at the first microphone


@pytest.mark.parametrize("source", SOURCES)
def test_rescaling_twice_is_rescaling_once(source):
    part, v = SOURCES[source], powers(generator(15), 3, 9, 20)
    z = part.init(v, 0)
    a, b = (torch.rand(3, 1, 1, dtype=torch.float64, generator=generator(i)) + 0.5 for i in (1, 2))
    twice = part.psd(part.rescale(part.rescale(z, a), b))
    torch.testing.assert_close(twice, part.psd(part.rescale(z, a * b)), rtol=1e-12, atol=0)
