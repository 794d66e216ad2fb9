"""Names of sources and microphones, the input's gain and its neighbours in a batch do not matter."""

import numpy as np
import pytest
import torch
from cases import PLAIN, RECIPE_CASES, Case, asked, mixture, problem, ran

import otowake
from otowake.core.state import rebuilt, tensors
from otowake.core.wrap import Started, Warm
from otowake.proximal import ProximalState
from otowake.recipes import RECIPES
from otowake.spatial.demix import DEMIXES, GIP

STEPS = 8
SQUARE = {
    name: case
    for name, case in RECIPE_CASES.items()
    if RECIPES[name.split("-")[0]].takes in ("square", "any") and not name.startswith(("rcscme", "cacgmm", "cgmm"))
}
"""Mixtures of directions have tests of their own (test_mixture)."""
LISTENS = {name for name in SQUARE if name.startswith(("consistent", "hva", "pds-source=harmonic"))}
ORDER = [2, 0, 1]
ORDERS = {2: [1, 0], 3: ORDER}


def relabelled(s, microphones, sources):
    """The state of a demixing method after its microphones and sources got other numbers."""
    if hasattr(s, "s"):
        return s._replace(s=relabelled(s.s, microphones, sources))
    if isinstance(s, ProximalState):
        matrices = {name: x[:, sources][..., microphones] for name, x in s.p._asdict().items() if name in "WVU"}
        signals = {name: x[:, sources] for name, x in s.p._asdict().items() if name in "ZD"}
        return s._replace(p=s.p._replace(**matrices, **signals), Q=s.Q[:, microphones][..., microphones])
    C = s.p.C[:, microphones][..., microphones]
    if hasattr(s.p, "S"):
        z, S = type(s.z)(*(x[sources] for x in s.z)), s.p.S[sources]
        return s._replace(z=z, p=s.p._replace(S=S[..., microphones, :][..., microphones], C=C))
    if hasattr(s.p, "Q"):  # its rows are neither
        z = type(s.z)(*(x[sources] for x in s.z))
        return s._replace(z=z, p=s.p._replace(Q=s.p.Q[..., microphones], G=s.p.G[sources], C=C))
    W = s.p.W[:, sources][..., microphones]
    shared = {"B", "H"} if hasattr(s.z, "Z") else set()
    z = {name: x if name in shared else x[sources] for name, x in s.z._asdict().items()}
    return s._replace(z=type(s.z)(**z), p=s.p._replace(W=W, C=C))


@pytest.mark.parametrize("name", SQUARE)
def test_microphones_and_sources_may_be_renumbered_together(name):
    """Of one state under two numberings: the same cost, and the same images under their new numbers.  (A step is not
    the same: updates take sources in turn, and the next two tests are about steps.)"""
    method, X = SQUARE[name].method, problem(SQUARE[name], 31)
    s, mics = ran(method, X, STEPS), ORDERS[len(X)]
    images = method.images(X, s, range(len(X)))
    sources = ORDERS[len(images)]
    t = relabelled(s, mics, sources)
    torch.testing.assert_close(method.cost(X[mics], t), method.cost(X, s), rtol=1e-12, atol=1e-9)
    permuted = method.images(X[mics], t, range(len(X)))
    torch.testing.assert_close(permuted, images[sources][:, mics], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in SQUARE if name not in LISTENS])
def test_renumbered_microphones_change_nothing_but_the_images(name):
    """Only sources have an order in updates: the same W with its columns renumbered takes the same steps.
    (Consistent methods and masks look at the scale of the first microphone: another one first is another method.)"""
    method, X = SQUARE[name].method, problem(SQUARE[name], 32)
    s, mics = ran(method, X, 2), ORDERS[len(X)]
    a = ran(method, X, STEPS, s)
    images = method.images(X, a, range(len(X)))
    b = ran(method, X[mics], STEPS, relabelled(s, mics, list(range(len(images)))))
    torch.testing.assert_close(method.cost(X[mics], b), method.cost(X, a), rtol=1e-9, atol=1e-6)
    permuted = method.images(X[mics], b, range(len(X)))
    torch.testing.assert_close(permuted, images[:, mics], rtol=1e-6, atol=1e-6 * float(X.abs().max()))


@pytest.mark.parametrize("name", [*DEMIXES, "gip"])
def test_renumbered_sources_of_one_row_updates(name):
    """The order of rows is the order of the update; where the update stands still, no order moves it."""
    demix = GIP(4.0) if name == "gip" else DEMIXES[name]
    X = mixture(33, bins=3)
    phi = 1 / (0.1 + X.abs().square())
    W = torch.eye(3, dtype=X.dtype).expand(3, -1, -1)
    for _ in range(100):
        W = demix(X, W, phi)
    again = demix(X, W[:, ORDER], phi[ORDER])
    turn = (again * W[:, ORDER].conj()).sum(-1, keepdim=True)
    torch.testing.assert_close(again * (turn.abs() / turn), W[:, ORDER], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", RECIPE_CASES)
def test_a_batch_of_two_is_two_runs(name):
    case = RECIPE_CASES[name]
    X = torch.stack([problem(case, 34), problem(case, 35)])
    both = ran(case.method, X, STEPS)
    images = case.method.images(X, both, (0,))
    cost = case.method.cost(X, both)
    assert cost.shape == (2,)
    for i in range(2):
        alone = ran(case.method, X[i], STEPS)
        scale = float(X.abs().max())
        torch.testing.assert_close(images[i], case.method.images(X[i], alone, (0,)), rtol=1e-10, atol=1e-10 * scale)
        torch.testing.assert_close(cost[i], case.method.cost(X[i], alone), rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("name", PLAIN)
def test_two_batch_axes(name):
    case = RECIPE_CASES[name]
    X = torch.stack([problem(case, 36 + i) for i in range(4)])
    flat, square = ran(case.method, X, 3), ran(case.method, X.reshape(2, 2, *X.shape[1:]), 3)
    a = case.method.images(X, flat, (0,))
    b = case.method.images(X.reshape(2, 2, *X.shape[1:]), square, (0,))
    torch.testing.assert_close(b.reshape(a.shape), a, rtol=1e-10, atol=1e-10)


# ---- through the front door ------------------------------------------------------------------------------------------


def recording(name, seed=0, samples=4000):
    rng = np.random.default_rng(seed)
    mics = {"one": 1, "square": 2, "more": 3, "any": 2}[RECIPES[name].takes]
    seconds = np.arange(samples) / 8000
    sounds = rng.laplace(size=(2, samples)) * [0.05 + np.sin(np.pi * (3 + 2 * i) * seconds) ** 4 for i in range(2)]
    filters = rng.standard_normal((mics, 2, 8)) * 0.6 ** np.arange(8)
    x = np.array([sum(np.convolve(s, h)[:samples] for s, h in zip(sounds, hs)) for hs in filters])
    return 0.1 * x / np.abs(x).max() + 1e-5 * rng.standard_normal((mics, samples))


def sounds(name, x, **more):
    return otowake.separate(x, 8000, name, sources=asked(name), iterations=6, stft="256/64", **more).sources


@pytest.mark.parametrize("gain", [1e-8, 1e-3, 3.7, 1e3, 1e8])
@pytest.mark.parametrize("name", RECIPES)
def test_gain(name, gain):
    x = recording(name)
    torch.testing.assert_close(
        torch.from_numpy(sounds(name, gain * x) / gain), torch.from_numpy(sounds(name, x)), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("name", RECIPES)
def test_a_batch_at_the_door(name):
    x = np.stack([recording(name, 1), 20 * recording(name, 2)])
    both = sounds(name, x)
    for i in range(2):
        np.testing.assert_allclose(both[i], sounds(name, x[i]), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in RECIPES if RECIPES[name].takes == "square"])
def test_the_reference_is_where_the_sounds_are_heard(name):
    """Another reference is the same recording with its channels renumbered."""
    x = recording(name)
    np.testing.assert_allclose(sounds(name, x, reference=1), sounds(name, x[::-1].copy()), rtol=1e-12, atol=0)


def test_rebuilding_a_state_is_the_identity():
    case = Case(RECIPE_CASES["ilrma-density=t"].method, 3)
    s = ran(case.method, problem(case, 30), 2)
    assert isinstance(case.method, Warm)
    assert isinstance(case.method.first, Started)
    again = rebuilt(s, tensors(s))
    assert tensors(again).keys() == tensors(s).keys()
    assert again == s or all(torch.equal(a, b) for a, b in zip(tensors(again).values(), tensors(s).values()))
