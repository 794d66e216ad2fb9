"""Openings: the matrix that makes known covariances nearly diagonal, and separators that begin with masks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cases import generator, mixing, mixture, normal, ran

import otowake
from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.core.wrap import After, Lowest, Started
from otowake.linalg.safe import balanced
from otowake.opening import Beginning, Masked, masks, shorter, two_step
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft
from otowake.simulate import Room, around, linear, middle, simulate
from otowake.source.flat import Flat
from otowake.source.nmf import Nmf
from otowake.spatial.demix import ip1
from otowake.spatial.determined import Determined
from otowake.spatial.fullrank import FullRank
from otowake.spatial.jointdiag import JointDiag
from otowake.spatial.observed import Observed
from otowake.spatial.shares import Directions, all_bins, diagonalised, each_bin

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BINS = 7


def known(sources: int, mics: int, seed: int = 1) -> Directions:
    """R_n = A D_n A^H of one A a bin: one matrix makes all of them diagonal.  Source n is loudest along column n."""
    g = generator(seed)
    A = mixing(g, BINS, mics, mics)
    own = torch.arange(sources)[:, None] == torch.arange(mics) % sources
    D = 0.02 + 0.1 * torch.rand(BINS, sources, mics, dtype=torch.float64, generator=g) + own
    R = balanced((A.unsqueeze(1) * D.unsqueeze(-2)) @ A.unsqueeze(1).mH)
    return Directions(R, R.mean(1), torch.ones(BINS, dtype=torch.bool))


def pham(R: torch.Tensor, Q: torch.Tensor, G: torch.Tensor) -> float:
    """The cost, number by number."""
    total, (bins, sources, mics, _) = 0.0, R.shape
    for f in range(bins):
        for n in range(sources):
            for m in range(mics):
                g = float(G[n, min(f, G.shape[1] - 1), m])
                q = Q[f, m]
                total += np.log(g) + float((q.conj() @ R[f, n].mT @ q).real) / g
        total -= 2 * sources * float(torch.linalg.slogdet(Q[f]).logabsdet)
    return total


@pytest.mark.parametrize(("sources", "mics"), [(2, 2), (3, 3), (4, 3), (2, 3)])
def test_covariances_of_one_mixing_become_diagonal(sources, mics):
    p = known(sources, mics)
    Q, G = diagonalised(p, each_bin)
    D = Q.unsqueeze(1) @ p.R @ Q.unsqueeze(1).mH
    across = D - torch.diag_embed(D.diagonal(dim1=-2, dim2=-1))
    assert float(across.abs().square().sum() / D.abs().square().sum()) < 1e-3
    own = min(sources, mics)
    loudest = (G / G.sum(0))[..., :own].argmax(0)  # which source a channel is mostly of
    right = (loudest == torch.arange(own)).all(-1)
    assert right.all() if sources == mics else right.sum() >= BINS - 2
    assert 0.01 < float(G.mean()) < 100


@pytest.mark.parametrize("shares", [each_bin, all_bins])
def test_more_updates_never_cost_more(shares, monkeypatch):
    """Of covariances that no matrix makes diagonal."""
    g = generator(5)
    A = normal(g, BINS, 3, 3, 4)
    R = balanced(A @ A.mH)
    p = Directions(R, R.mean(1), torch.ones(BINS, dtype=torch.bool))
    costs = []
    for steps in (1, 2, 3, 5, 10, 30):
        monkeypatch.setattr("otowake.spatial.shares.STEPS", steps)
        costs.append(pham(R, *diagonalised(p, shares)))
    assert all(later <= earlier + 1e-9 * abs(earlier) for earlier, later in zip(costs, costs[1:]))
    assert costs[-1] < costs[0]


def test_bins_that_cannot_be_demixed_keep_their_channels():
    p = known(2, 2)
    live = torch.arange(BINS) % 3 > 0
    Q, _ = diagonalised(p._replace(live=live))
    assert torch.equal(Q[~live], torch.eye(2, dtype=Q.dtype).expand(int((~live).sum()), 2, 2))


def test_known_covariances_are_those_of_full_rank_models():
    p = known(3, 2)
    S = FullRank(3).begun(p).S
    torch.testing.assert_close(S, p.R.movedim(-3, -4), rtol=1e-9, atol=1e-9)


def test_the_source_model_settles_before_the_first_step():
    """Each of its updates descends, on a spatial model that stays what the opening found."""
    X = mixture(3, 2, sources=2)
    method = Separator(Nmf(2), Determined())
    first = After(Separator(Flat(), Determined()), 3)
    runs = [Started(method, first, settle).init(X, 1) for settle in (0, 1, 5, 20)]
    costs = [float(method.cost(X, s)) for s in runs]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]
    assert all(torch.equal(s.p.W, runs[0].p.W) for s in runs)


def test_of_several_starts_the_one_with_the_lowest_cost_goes_on():
    """In a batch each item's own, whichever comes first; and then it steps as if it had begun there."""
    batch = torch.stack([mixture(seed, 2, sources=2) for seed in range(5)])
    method = Separator(Nmf(2), JointDiag(2, shares=all_bins))
    ilrma = After(Separator(Nmf(2), Determined()), 10)
    firsts = ilrma, lambda X, seed: ilrma(X, seed + 1)
    ends = [After(Started(method, first, 2), 3).last(batch, 1) for first in firsts]
    costs = torch.stack([end.cost for end in ends])
    best = costs.argmin(0)
    assert 0 < int(best.sum()) < len(best), costs  # the mixtures do not agree
    for order in (firsts, firsts[::-1]):
        lowest = Lowest(method, order, 2, 3)
        state = lowest.init(batch, 1)
        torch.testing.assert_close(lowest.cost(batch, state), costs.min(0).values, rtol=1e-12, atol=0)
        for i, which in enumerate(best):
            assert torch.equal(state.p.Q[i], ends[which].state.p.Q[i])
            assert torch.equal(state.z.H[i], ends[which].state.z.H[i])
    assert torch.equal(lowest.step(batch, state).p.Q, method.step(batch, state).p.Q)


def test_what_cannot_begin_elsewhere_says_so():
    with pytest.raises(OtowakeError, match="Observed cannot start"):
        Started(Separator(Nmf(2), Observed()), After(Separator(Flat(), Determined())))
    with pytest.raises(OtowakeError, match="two-step is for models of full rank"):
        two_step(Beginning(Separator(Nmf(2), Determined()), ip1, Stft(16, 4)))
    with pytest.raises(OtowakeError, match="give the transform that made the mixture"):
        ran(masks(Beginning(Separator(Nmf(2), Determined()), ip1, Stft(64, 16))), mixture(1, 2), 1)


@pytest.mark.parametrize(
    ("n_fft", "short"), [(4096, 1024), (6144, 1536), (1024, 256), (512, 256), (128, 128), (16, 16)]
)
def test_masks_look_at_shorter_frames(n_fft, short):
    assert shorter(Stft(n_fft, n_fft // 4)) == Stft(short, short // 4)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Two talkers and a flute at two microphones, five seconds at 8 kHz, and each as the first one hears it."""
    sounds = []
    for name in ("two-talkers-ref1", "two-talkers-ref2", "music/flute"):
        file = otowake.read(EXAMPLES / f"{name}.flac")
        sounds.append(resampled(file.samples[:1], file.rate, 8000)[0, : 5 * 8000])
    size = (6.0, 5.0, 3.0)
    centre = middle(size)
    room = Room(linear(2, 0.05, centre), around(centre, (40.0, 140.0, 90.0), 1.2, 0.1), size, rt60=0.15)
    made = simulate(sounds, 8000, room)
    return made.mixture, made.images[:, 0]


@pytest.mark.parametrize(("method", "more"), [("fastmnmf", 1.0), ("mnmf", 3.0)])
def test_three_sounds_come_out_of_two_microphones(method, more):
    x, images = scene()
    gains = {}
    for start in ("masks", "cold"):
        result = otowake.separate(x, 8000, method, sources=3, iterations=15, stft="1024/256", settings={"start": start})
        gains[start] = float(np.mean(otowake.evaluate(images, result.sources, x[0]).sdr_improvement))
    assert gains["masks"] > 3
    assert gains["masks"] > gains["cold"] + more, gains


@pytest.mark.parametrize("sources", [2, 3])
def test_masks_of_a_batch_are_those_of_its_items(sources):
    X = torch.stack([mixture(seed, 2, sources=sources) for seed in (1, 2)])
    find = Masked(sources, Stft(16, 4))
    batch = find(X, 0)
    for one, x in enumerate(X):
        torch.testing.assert_close(batch.R[one], find(x, 0).R, rtol=1e-9, atol=1e-9)
    assert masks(Beginning(Separator(Nmf(2), JointDiag(sources)), ip1, Stft(16, 4), JointDiag(sources))).settle > 0
