"""The face of scikit-learn keeps scikit-learn's own contract, and gives what its NMF gives."""

import pickle

import numpy as np
import pytest
from sklearn import decomposition
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from otowake.divergence.density import StudentT
from otowake.divergence.penalty import Sparse
from otowake.sklearn import NMF

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@parametrize_with_checks([NMF(), NMF(2, beta_loss="kullback-leibler", init="random", random_state=0)])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def data(seed=0, samples=30, features=12, rank=3, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return (rng.gamma(0.5, size=(samples, rank)) @ rng.gamma(0.5, size=(rank, features)) + 1e-3).astype(dtype)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
@pytest.mark.parametrize("alpha", [0.0, 0.01])
def test_same_updates_as_theirs(loss, alpha):
    """From the same start: both are multiplicative updates, with W first there and H first here, so run long."""
    X = data(1)
    rng = np.random.default_rng(2)
    W, H = rng.uniform(0.1, 1, (30, 3)), rng.uniform(0.1, 1, (3, 12))
    given = {"n_components": 3, "init": "custom", "beta_loss": loss, "tol": 0, "alpha_W": alpha, "l1_ratio": 0.5}
    theirs = decomposition.NMF(**given, solver="mu", max_iter=3000)
    theirs.fit_transform(X, W=W.copy(), H=H.copy())
    ours = NMF(**given, max_iter=3000)
    W_ = ours.fit_transform(X, W=W, H=H)
    error = np.abs(X - W_ @ ours.components_).mean() / np.abs(X - theirs.inverse_transform(theirs.transform(X))).mean()
    assert error < 1.2 or np.abs(X - W_ @ ours.components_).mean() < 1e-3


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", "itakura-saito", 0.5, 3, StudentT(5.0)])
@pytest.mark.parametrize("init", ["random", "nndsvd", "nndsvda", None])
def test_losses_and_starts(loss, init):
    X = data(3)
    if init == "nndsvd" and loss not in ("frobenius", "kullback-leibler"):
        init = "nndsvda"  # zeros of a factor stay: no value at zero
    model = NMF(3, beta_loss=loss, init=init, random_state=0, max_iter=300, tol=0)
    W = model.fit_transform(X)
    assert (W >= 0).all()
    assert np.isfinite(W).all()
    assert np.abs(W @ model.components_ - X).mean() < 0.35 * np.abs(X - X.mean(0)).mean()
    assert model.n_iter_ == 300


def test_missing_values_are_found():
    X = data(4, samples=60, features=20)
    hole = np.random.default_rng(5).uniform(size=X.shape) < 0.2
    broken = np.where(hole, np.nan, X)
    model = NMF(3, init="random", random_state=1, max_iter=3000, tol=0)
    filled = model.inverse_transform(model.fit_transform(broken))
    assert np.abs(filled - X)[hole].mean() < 0.1 * np.abs(X.mean() - X)[hole].mean()
    again = model.inverse_transform(model.transform(broken))
    assert np.abs(again - X)[hole].mean() < 0.2 * np.abs(X.mean() - X)[hole].mean()


def test_weights_of_zero_are_missing_values():
    X = data(6)
    weights = np.ones_like(X)
    weights[3, 4] = 0
    holed, other = X.copy(), X.copy()
    holed[3, 4], other[3, 4] = np.nan, 50.0
    one, two = (NMF(2, init="random", random_state=0, max_iter=50) for _ in range(2))
    np.testing.assert_allclose(one.fit_transform(holed), two.fit_transform(other, weights=weights), rtol=1e-9)


def test_dtype_pipelines_clones_and_names():
    X = data(7, dtype=np.float32)
    model = clone(NMF(3, random_state=0, penalties=(Sparse(0.01),)))
    assert model.fit_transform(X).dtype == np.float32
    assert model.components_.dtype == np.float32
    frame = make_pipeline(MinMaxScaler(), NMF(2)).set_output(transform="default").fit_transform(X)
    assert frame.shape == (30, 2)
    assert list(model.get_feature_names_out()) == ["nmf0", "nmf1", "nmf2"]


def test_sparsity_grows_with_its_weight():
    X = data(8)
    zeros = []
    for weight in (0.0, 1.0):
        W = NMF(4, init="random", random_state=0, max_iter=500, tol=0, penalties=(Sparse(weight),)).fit_transform(X)
        zeros.append((1e-3 * W.max() > W).mean())
    assert zeros[1] > zeros[0]


def test_stops_when_it_is_done_and_says_when_it_is_not():
    X = data(9)
    assert NMF(2, tol=1e-2).fit(X).n_iter_ < 100
    with pytest.warns(ConvergenceWarning, match="max_iter=5"):
        NMF(2, max_iter=5).fit(X)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"init": "best"}, "init is 'best'"),
        ({"beta_loss": "mean"}, "beta_loss is 'mean'"),
        ({"update": "fast"}, "update is 'fast'"),
        ({"n_components": 0}, "n_components is 0"),
        ({"init": "custom"}, "needs both W and H"),
    ],
)
def test_bad_arguments(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        NMF(**arguments).fit(data())


def test_negative_values_are_refused():
    with pytest.raises(ValueError, match="Negative values in data passed to NMF"):
        NMF(2).fit(data() - 1)


# ---- batch after batch -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", "itakura-saito", 0.5, 3, StudentT(5.0)])
def test_batches_teach_what_all_samples_teach(loss):
    X = data(10, samples=300)
    whole = NMF(3, init="random", beta_loss=loss, random_state=0, max_iter=300, tol=0).fit(X)
    model = NMF(3, init="random", beta_loss=loss, random_state=0, max_iter=300)
    for _ in range(8):
        for batch in np.split(X, 6):
            assert model.partial_fit(batch) is model
    assert model.n_steps_ == 48
    assert model.components_.shape == (3, 12)
    errors = [np.abs(X - one.inverse_transform(one.transform(X))).mean() for one in (model, whole)]
    assert errors[0] < errors[1] + 0.1 * np.abs(X - X.mean(0)).mean()


def test_batches_with_missing_values_weights_and_shrinkage():
    X = data(11, samples=120)
    hole = np.random.default_rng(12).uniform(size=X.shape) < 0.1
    models = [NMF(3, init="random", random_state=0, alpha_W=0.001, max_iter=50) for _ in range(2)]
    for batch, missing in zip(np.split(X, 4), np.split(hole, 4)):
        models[0].partial_fit(np.where(missing, np.nan, batch))
        models[1].partial_fit(np.where(missing, 9.0, batch), weights=1.0 - missing)
    np.testing.assert_allclose(models[0].components_, models[1].components_, rtol=1e-9)
    assert np.isfinite(models[0].transform(X)).all()


def test_a_fit_goes_on_and_a_new_fit_forgets():
    X = data(13, samples=200)
    model = NMF(3, init="random", random_state=0, max_iter=100, tol=0).fit(X)
    found = model.components_
    model.partial_fit(X[:50])
    near = np.abs(model.components_ - found).mean() / found.mean()
    assert 0 < near < 0.2
    assert model.n_steps_ == 1
    np.testing.assert_array_equal(model.fit(X).components_, found)
    assert not hasattr(model, "n_steps_")


def test_batches_go_on_after_pickling_and_in_single_precision():
    X = data(14, samples=90, dtype=np.float32)
    one, two = (NMF(2, init="random", random_state=0) for _ in range(2))
    for n, batch in enumerate(np.split(X, 9)):
        one.partial_fit(batch)
        two.partial_fit(batch)
        if n == 3:
            two = pickle.loads(pickle.dumps(two))
    assert one.components_.dtype == np.float32
    np.testing.assert_array_equal(one.components_, two.components_)


def test_the_best_of_several_starts():
    X = data(15, rank=6)
    settings = {"init": "random", "beta_loss": "kullback-leibler", "max_iter": 30, "tol": 0}
    random = np.random.RandomState(0)
    single = [NMF(4, random_state=random, **settings).fit(X).reconstruction_err_ for _ in range(5)]
    best = NMF(4, random_state=0, n_init=5, **settings).fit(X).reconstruction_err_
    assert len(set(single)) == 5
    assert best == pytest.approx(min(single), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [({"n_init": 0}, "n_init is 0"), ({"n_init": 2.5}, "n_init is 2.5"), ({"forget_factor": 1.5}, "forget_factor")],
)
def test_bad_arguments_of_batches_and_starts(arguments, sentence):
    model = NMF(2, **arguments)
    with pytest.raises(ValueError, match=sentence):
        model.partial_fit(data()) if "forget_factor" in arguments else model.fit(data())


def test_a_batch_of_other_features_is_refused():
    model = NMF(2).partial_fit(data())
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(data(features=5))
