"""Each divergence is a likelihood: what is minus its log, and data that are drawn from it are explained best by it."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from cases import ran

from otowake.core.separator import Separator
from otowake.divergence import Beta, DualIs, DualKl, HeavyT, Hellinger
from otowake.divergence.density import GGD, Gauss, Laplace, StudentT
from otowake.source import Nmf
from otowake.spatial.observed import Observed

# ---- differences of log densities are differences of divergences ----------------------------------------------------


def poisson(v, r):
    return scipy.stats.poisson(r).logpmf(v)


def exponential(v, r):
    return scipy.stats.expon(scale=r).logpdf(v)


def inverse_gamma(v, r):
    return scipy.stats.invgamma(1, scale=r).logpdf(v)


def gaussian(v, r):
    return scipy.stats.norm(r, 1).logpdf(v)


def inverse_gaussian(v, r):
    """Mean r, shape 1: Tweedie with variance r^3."""
    return scipy.stats.invgauss(r, scale=1).logpdf(v)


def gaussian_of_roots(v, r):
    """The root of v with variance 1/4: that of Poisson counts, nearly."""
    return scipy.stats.norm(np.sqrt(r), 1 / 2).logpdf(np.sqrt(v))


def t_of(nu):
    """Complex: two real dimensions of scale r / 2 each."""

    def log_density(v, r):
        found = np.empty((len(v), len(r)))
        for i, j in np.ndindex(found.shape):
            density = scipy.stats.multivariate_t(shape=r[j] / 2 * np.eye(2), df=nu)
            found[i, j] = density.logpdf([math.sqrt(v[i, 0]), 0])
        return found

    return log_density


def ggd_of(shape, scale=1.0):
    """(v / r)^(shape / 2) is Gamma(2 / shape): v is generalised gamma."""
    return lambda v, r: scipy.stats.gengamma(2 / shape, shape / 2, scale=scale * r).logpdf(v)


def circular(v, r):
    """log of exp(-|y|^2 / r) / (pi r)."""
    return -v / r - np.log(math.pi * r)


EXACT = {
    "poisson": (Beta(1.0), poisson),
    "exponential": (Beta(0.0), exponential),
    "circular gaussian": (Beta(0.0), circular),
    "inverse gamma": (DualIs(), inverse_gamma),
    "gaussian": (Beta(2.0), gaussian),
    "inverse gaussian": (Beta(-1.0), inverse_gaussian),
    "roots": (Hellinger(), gaussian_of_roots),
    "gauss": (Gauss(), circular),
    "t": (StudentT(5.0), t_of(5.0)),
    "cauchy": (HeavyT(1.0), t_of(1.0)),
    "ggd1": (GGD(1.0), ggd_of(1.0)),
    "ggd4": (GGD(4.0), ggd_of(4.0)),
    "laplace": (Laplace(), ggd_of(1.0, 1 / 4)),
}
"""Divergence, log density of v (or of y with v = |y|^2) given r, up to terms in v."""


def each(d, v, r):
    """d of single bins: a batch of spectrograms of one bin."""
    return d.cost(*(torch.from_numpy(x.copy())[..., None, None, None] for x in np.broadcast_arrays(v, r))).numpy()


@pytest.mark.parametrize("name", EXACT)
def test_a_divergence_is_minus_a_log_density(name):
    d, log_density = EXACT[name]
    v = np.arange(1.0, 9.0)[:, None]
    r = np.array([0.3, 1.0, 2.5, 7.0])
    found, wanted = each(d, v, r), -log_density(v, r)
    tolerance = 1e-4 if d in (GGD(1.0), Laplace()) else 1e-9  # the cusp of docs/decisions/0003: q + 1e-10
    np.testing.assert_allclose(found - found[:, :1], wanted - wanted[:, :1], rtol=tolerance, atol=1e-9)


def test_dual_kullback_leibler_is_nearly_a_gamma():
    """v ~ Gamma(shape r): the difference is half a logarithm and Stirling's 1 / (12 r)."""
    v, r = np.arange(1.0, 9.0)[:, None], np.array([3.0, 5.0, 10.0, 30.0])
    gap = each(DualKl(), v, r) + scipy.stats.gamma(r).logpdf(v) + np.log(v) - np.log(r / (2 * math.pi)) / 2
    assert (gap < 0).all()
    assert (gap > -1 / (12 * r)).all()


# ---- what is drawn from a model is found again ----------------------------------------------------------------------

BINS, FRAMES = 80, 200


def low_rank(rng, mean):
    """Two spectra that come and go."""
    r = (rng.random((BINS, 2)) ** 2 + 0.05) @ (rng.random((2, FRAMES)) ** 2 + 0.05)
    return mean * r / r.mean()


def t_distributed(nu):
    return lambda rng, r: r * rng.exponential(size=r.shape) * (nu / 2) / rng.gamma(nu / 2, size=r.shape)


def ggd_distributed(shape):
    return lambda rng, r: r * rng.gamma(2 / shape, size=r.shape) ** (2 / shape)


def logarithmic(found, r):
    """Of ratios, blind to a common scale."""
    return float(np.var(np.log(found / r)))


def relative(found, r):
    """Counts: their variance is r."""
    return float(((found - r) ** 2 / r).mean())


def plain(found, r):
    return float(((found - r) ** 2).mean())


# name: mean of r, samples of r, the right divergence, wrong ones, distance from the truth
DRAWN = {
    "poisson": (5.0, lambda rng, r: rng.poisson(r), Beta(1.0), [Beta(0.0), Beta(2.0)], relative),
    "exponential": (1.0, lambda rng, r: rng.exponential(r), Beta(0.0), [Beta(1.0), Beta(2.0), DualIs()], logarithmic),
    "inverse gamma": (
        1.0,
        lambda rng, r: r / rng.exponential(size=r.shape),
        DualIs(),
        [Beta(0.0), Beta(1.0)],
        logarithmic,
    ),
    "inverse gaussian": (3.0, lambda rng, r: rng.wald(r, 1.0), Beta(-1.0), [Beta(1.0), Beta(2.0)], logarithmic),
    "gaussian": (10.0, lambda rng, r: np.abs(rng.normal(r, 1.0)), Beta(2.0), [Beta(0.0), DualIs()], plain),
    "roots": (8.0, lambda rng, r: rng.normal(np.sqrt(r), 0.5) ** 2, Hellinger(), [Beta(0.0), Beta(2.0)], relative),
    "gamma": (
        20.0,
        lambda rng, r: rng.gamma(r),
        DualKl(),
        [],
        relative,
    ),  # only nearly its likelihood: others do as well
    "t": (1.0, t_distributed(4.0), StudentT(4.0), [Gauss(), Beta(1.0)], logarithmic),
    "cauchy": (1.0, t_distributed(1.0), HeavyT(1.0), [Gauss(), Beta(1.0)], logarithmic),
    "ggd0.5": (1.0, ggd_distributed(0.5), GGD(0.5), [Gauss(), Beta(1.0)], logarithmic),
    "ggd1": (1.0, ggd_distributed(1.0), GGD(1.0), [Gauss(), Beta(1.0)], logarithmic),
    "laplace": (1.0, ggd_distributed(1.0), Laplace(), [Gauss(), Beta(1.0)], logarithmic),
    "ggd4": (1.0, ggd_distributed(4.0), GGD(4.0), [Gauss(), DualIs()], logarithmic),
}


def fitted(d, v):
    """The model of rank 2, the better of two starts."""
    X = torch.sqrt(torch.from_numpy(v / v.mean()))[None].to(torch.complex128)
    method = Separator(Nmf(2), Observed(d))
    ends = [ran(method, X, 200, seed=seed) for seed in (0, 1)]
    best = min(ends, key=lambda s: float(method.cost(X, s)))
    return method.source.psd(best.z)[0].numpy() * v.mean()


@pytest.mark.parametrize("name", DRAWN)
def test_the_right_divergence_is_nearest_to_the_truth(name):
    mean, sample, right, wrong, distance = DRAWN[name]
    rng = np.random.default_rng(95)
    r = low_rank(rng, mean)
    v = np.maximum(np.asarray(sample(rng, r), dtype=np.float64), 1e-6)
    error = distance(fitted(right, v), r)
    assert error < 0.2 * distance(v, r)
    for d in wrong:
        assert error < distance(fitted(d, v), r), d
