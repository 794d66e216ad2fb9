"""What exemplars teach each other: the bands, the regression as literal loops, and a known error found again."""

import math

import pytest
import torch

from otowake.source.start import random
from otowake.tasks.lost import _only
from otowake.tasks.teach import Bands, Teacher, around, level, regressed


@pytest.mark.parametrize(("first", "last", "most"), [(1, 40, 8), (41, 64, 16), (60, 64, 16), (64, 64, 16), (0, 64, 65)])
def test_bands_add_up_and_average(first, last, most):
    bands = Bands(first, last, 65, most)
    torch.testing.assert_close(bands.tents.sum(0), torch.ones(65, dtype=torch.float64))
    torch.testing.assert_close(bands.means.sum(1), torch.ones(len(bands.tents), dtype=torch.float64))
    assert not bands.means[:, :first].any()
    assert not bands.means[:, last + 1 :].any()
    assert len(bands.tents) <= most


def test_the_regression_is_the_textbooks():
    X, x, D = (torch.rand(shape, dtype=torch.float64) for shape in ((7, 3), (4, 3), (7, 2)))

    def apart(a, b):
        return sum(float(p - q) ** 2 for p, q in zip(a, b, strict=True))

    width = sorted(apart(X[i], X[j]) for i in range(7) for j in range(7) if i != j)[20]  # the lower of two medians
    K = torch.tensor([[math.exp(-apart(a, b) / width) + (i == j) for j, b in enumerate(X)] for i, a in enumerate(X)])
    weights = torch.linalg.inv(K.double()) @ (D - D.mean(0))
    for found, at in zip(regressed(X, D, x), x, strict=True):
        wanted = D.mean(0) + sum(math.exp(-apart(at, one) / width) * w for one, w in zip(X, weights, strict=True))
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def spectra(frames, seed):
    """f t: a slope below 40 bins that says how loud the rest is."""
    slope = torch.rand(frames, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 4 - 2
    f = torch.arange(65, dtype=torch.float64)[:, None] / 40
    return torch.exp(slope * f), slope


def test_an_error_that_can_be_told_is_corrected():
    (A, slope), (a, other) = spectra(300, 0), spectra(50, 1)
    wrong, wrong_too = torch.ones_like(A), torch.ones_like(a)
    wrong[40:], wrong_too[40:] = torch.exp(-0.5 - slope.abs()), torch.exp(-0.5 - other.abs())
    teacher = Teacher(A, A * wrong, A, 40)
    fixed = teacher.corrected(a, a * wrong_too, a)
    before, after = ((one[40:] / a[40:]).log().abs().mean() for one in (a * wrong_too, fixed))
    assert after < 0.15 * before
    torch.testing.assert_close(teacher.corrected(9 * a, 9 * a * wrong_too, 9 * a), 9 * fixed, atol=0, rtol=1e-9)


def test_what_is_around_tells_apart_what_is_alike():
    (M, _), (m, _) = spectra(300, 0), spectra(50, 1)
    loud, here = (torch.arange(len(x.mT)) % 2 == 1 for x in (M, m))
    A = M.clone()
    A[40:, loud] *= 10
    fixed = Teacher(A, M, M * (loud + 0.01), 40).corrected(m, m, m * (here + 0.01))
    raised = (fixed[40:] / m[40:]).log10().mean(0)
    assert raised[~here].mean() < 0.25 < 0.75 < raised[here].mean()


@pytest.mark.parametrize(("frames", "at"), [(12, 6), (12, 0), (3, 2), (1, 0)])
def test_what_is_around_is_a_mean_of_what_there_is(frames, at):
    A = spectra(frames, 0)[0]
    there = A[:, max(0, at - 2) : at + 3].square().mean(1).sqrt()
    torch.testing.assert_close(around(A, 5.0)[:, at], there)


def test_nothing_wrong_means_nothing_changed():
    (A, _), (a, _) = spectra(300, 0), spectra(50, 1)
    torch.testing.assert_close(Teacher(A, A, A, 40).corrected(a, a, a), a, atol=0, rtol=1e-12)


def test_exemplars_all_alike_teach_their_mean():
    A = torch.ones(65, 60, dtype=torch.float64)
    fixed = Teacher(A, A / 2, A, 40).corrected(*(spectra(5, 2)[0],) * 3)
    torch.testing.assert_close(fixed, 2 * spectra(5, 2)[0])


def test_silence_stays_silent():
    (A, _), (a, _) = spectra(300, 0), spectra(50, 1)
    a[:, :20] = 0
    fixed = Teacher(A, A / 2, A, 40).corrected(a, a, a)
    assert not fixed[:, :20].any()
    assert fixed.isfinite().all()


def test_the_level_does_not_count_quiet_frames():
    A = torch.ones(4, 6, dtype=torch.float64)
    A[:, 3:] = 1e-3
    assert float(level(A)) == pytest.approx(2)


def test_where_an_exemplar_must_not_be_used_it_starts_at_zero():
    used = torch.tensor([[True, False], [False, True], [True, True]])
    R = torch.ones(1, 4, 2)
    B, H = _only(used)(R, 3, 0)
    torch.testing.assert_close(B, random(R, 3, 0)[0])
    assert torch.equal(H[0] > 0, used)
