"""Sample from a mixture of directions, fit it, find it again."""

import itertools

import pytest
import torch
from cases import generator, normal, ran

from otowake.linalg.safe import balanced
from otowake.mixture import AngularMixture
from otowake.recipes import cacgmm, cgmm

BINS, FRAMES = 12, 1500


def directions(g, sources: int, mics: int) -> torch.Tensor:
    """f n m m: covariances of unit mean eigenvalue, with one strong direction and the rest at -13 dB and less."""
    U = torch.linalg.qr(normal(g, BINS, sources, mics, mics)).Q
    values = torch.tensor([1.0, 0.05, 0.03, 0.02][:mics], dtype=torch.float64)
    return balanced((U * values) @ U.mH)


def sampled(g, R: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """x = level * L_n white, levels over six decades: label: f t."""
    L = torch.linalg.cholesky(R)
    white = normal(g, BINS, label.shape[-1], R.shape[-1], 1)
    own = torch.gather(L, 1, label[..., None, None].expand(-1, -1, *L.shape[-2:]))
    level = 10 ** (6 * torch.rand(label.shape, dtype=torch.float64, generator=g) - 3)
    return (level[..., None] * (own @ white)[..., 0]).movedim(-1, 0)


def best_order(agree: torch.Tensor) -> tuple[int, ...]:
    """The assignment of sources (rows: true, columns: found) of the most agreement."""
    n = len(agree)
    return max(itertools.permutations(range(n)), key=lambda p: float(sum(agree[i, p[i]] for i in range(n))))


@pytest.mark.parametrize(("sources", "mics"), [(2, 2), (2, 4), (3, 3), (3, 2)])
@pytest.mark.parametrize("build", [cacgmm, cgmm])
def test_directions_and_masks_are_found_blind(build, sources, mics):
    """Frames in which one source is louder than the others in most bins: one order for all of them."""
    g = generator(601 + 10 * sources + mics)
    R = directions(g, sources, mics)
    pi = torch.softmax(3 * torch.randn(sources, 1, FRAMES, dtype=torch.float64, generator=g), 0).expand(-1, BINS, -1)
    label = torch.multinomial(pi.permute(1, 2, 0).reshape(-1, sources), 1, generator=g).reshape(BINS, FRAMES)
    X = sampled(g, R, label)
    X = X / X.abs().square().mean().sqrt()
    s = ran(build(sources), X, 80).s
    truth = torch.nn.functional.one_hot(label, sources).permute(2, 0, 1).double()
    order = best_order(torch.einsum("nft,kft->nk", truth, s.gamma))
    gamma, found = s.gamma[list(order)], s.R[:, list(order)]
    method = AngularMixture(sources, weights=build(sources).then.weights)
    oracle = pi
    for _ in range(80):  # knows the directions, and finds how loud sources are in each frame, as there are few bins
        oracle = method.e_step(X, s._replace(gamma=oracle, R=R))[0]
    wrong, least = (float((p.argmax(0) != label).double().mean()) for p in (gamma, oracle))
    assert wrong < 1.15 * least + 0.01, f"{wrong:.3f} of all cells are another's, at least {least:.3f} must be"
    error = torch.linalg.matrix_norm(found - R).square().mean() / torch.linalg.matrix_norm(R).square().mean()
    assert error < 0.01, f"{float(error):.4f}"


def test_how_often_sources_are_heard():
    g = generator(640)
    R, share = directions(g, 2, 3), torch.linspace(0.2, 0.8, BINS, dtype=torch.float64)
    label = (torch.rand(BINS, 4000, dtype=torch.float64, generator=g) < share[:, None]).long()
    X = sampled(g, R, label)
    s = ran(AngularMixture(2), X / X.abs().square().mean().sqrt(), 100)
    likeness = torch.einsum("fij,fnji->fn", R[:, 1], s.R).real
    found = s.gamma.mean(-1).T.gather(1, likeness.argmax(1, keepdim=True))[:, 0]
    assert (found - share).abs().max() < 0.04
