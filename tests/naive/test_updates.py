"""The papers, index by index: every update as slow loops on tiny problems, against the library.

The loops use the letters of the papers: T, V are the factors that the library calls B, H; P = |y|^2; p the domain.
`Problem` arrays are NumPy's: x[f, t, m], phi[f, t, k], W[f, n, m] with rows w^H, P[n, f, t].
"""

import math
from typing import NamedTuple

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import torch
from cases import generator, mixture, normal

from otowake.core.separator import Separator
from otowake.divergence import DIVERGENCES, Beta
from otowake.divergence.density import DENSITIES, GGD, Density, Gauss, Laplace, Pooled, StudentT
from otowake.linalg.safe import radius_floor
from otowake.ops import demixed, weighted_covariance
from otowake.signal.stft import Stft
from otowake.source.flat import Flat
from otowake.source.frame import Frame, FrameState
from otowake.source.nmf import Nmf
from otowake.source.partitioned import Partitioned
from otowake.spatial.consistent import projected_back
from otowake.spatial.demix import GIP, ip1, ip2, ipa, iss1, iss2
from otowake.spatial.demix.ipa import lqpqm
from otowake.spatial.determined import Determined
from otowake.spatial.observed import Observed
from otowake.spatial.overdetermined import Overdetermined, completed

SIZES = [(2, 3, 5), (3, 4, 12), (4, 2, 9)]
"""Microphones, bins, frames."""

BETAS = sorted(d.b for d in DIVERGENCES.values() if isinstance(d, Beta))

FLOOR = 1e-10
"""The frozen floor in units of power, and what is added to q where a density has a cusp: docs/decisions/0003."""


class Problem(NamedTuple):
    """The same numbers for the library (X, W, phi) and for the loops (x, w, c)."""

    X: torch.Tensor
    W: torch.Tensor
    phi: torch.Tensor
    x: np.ndarray
    w: np.ndarray
    c: np.ndarray


def problem(mics: int, bins: int, frames: int, seed: int = 3, sources: int | None = None) -> Problem:
    g, n = generator(seed), sources or mics
    X = mixture(seed, mics, bins, frames)
    W = torch.eye(n, mics) + 0.4 * normal(g, bins, n, mics)
    phi = torch.rand(n, bins, frames, dtype=torch.float64, generator=g) + 0.1
    return Problem(X, W, phi, X.permute(1, 2, 0).numpy().copy(), W.numpy().copy(), phi.permute(1, 2, 0).numpy().copy())


def close(found: torch.Tensor | np.ndarray, wanted: np.ndarray, tolerance: float = 1e-10) -> None:
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max())


def close_up_to_phase(found: torch.Tensor, wanted: np.ndarray, tolerance: float = 1e-10) -> None:
    """Rows of `found` turned onto those of `wanted`."""
    rows = np.asarray(found)
    turn = (rows.conj() * wanted).sum(-1, keepdims=True)
    close(rows * turn / np.abs(turn), wanted, tolerance)


def unit(n: int, k: int) -> np.ndarray:
    e = np.zeros(n, dtype=complex)
    e[k] = 1
    return e


def inner(a: np.ndarray, V: np.ndarray, b: np.ndarray) -> complex:
    """a^H V b."""
    total = 0j
    for i in range(len(a)):
        for j in range(len(b)):
            total += np.conj(a[i]) * V[i, j] * b[j]
    return total


def loops_covariances(x: np.ndarray, c: np.ndarray) -> np.ndarray:
    """V[f, k, m, m]."""
    F, T, M = x.shape
    V = np.zeros((F, c.shape[2], M, M), dtype=complex)
    for f in range(F):
        for k in range(c.shape[2]):
            for t in range(T):
                for i in range(M):
                    for j in range(M):
                        V[f, k, i, j] += c[f, t, k] * x[f, t, i] * np.conj(x[f, t, j]) / T
    return V


def loops_demixed(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """y[f, t, n]."""
    F, T, M = x.shape
    y = np.zeros((F, T, w.shape[1]), dtype=complex)
    for f in range(F):
        for t in range(T):
            for n in range(w.shape[1]):
                for m in range(M):
                    y[f, t, n] += w[f, n, m] * x[f, t, m]
    return y


def Q(V: np.ndarray, W: np.ndarray) -> float:
    """The surrogate of one bin."""
    total = -2 * np.linalg.slogdet(W)[1]
    for k in range(len(W)):
        total += inner(W[k].conj(), V[k], W[k].conj()).real
    return float(total)


# ---- demixing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_weighted_covariance(size):
    p = problem(*size)
    close(weighted_covariance(p.X, p.phi), loops_covariances(p.x, p.c))
    one = weighted_covariance(p.X, p.phi[:, :1])  # the same weights in all bins
    close(one, loops_covariances(p.x, np.repeat(p.c[:1], size[1], 0)))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_demixing(size):
    p = problem(*size)
    close(demixed(p.X, p.W).permute(1, 2, 0), loops_demixed(p.x, p.w))


def loops_ip1(x: np.ndarray, w: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Ono 2011: w_k = (W V_k)^-1 e_k, then w_k /= sqrt(w_k^H V_k w_k)."""
    V, w = loops_covariances(x, c), w.copy()
    for f in range(len(w)):
        N = w.shape[1]
        for k in range(N):
            u = np.linalg.inv(w[f] @ V[f, k]) @ unit(N, k)
            w[f, k] = np.conj(u / np.sqrt(inner(u, V[f, k], u).real))
    return w


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_ip1(size):
    p = problem(*size)
    close(ip1(p.X, p.W, p.phi), loops_ip1(p.x, p.w, p.c))


def loops_ip2(x: np.ndarray, w: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Scheibler & Ono 2021: pairs (0, 1), (1, 2) .. (N - 1, 0), each a 2 x 2 generalised eigenproblem."""
    V, w = loops_covariances(x, c), w.copy()
    F, N = w.shape[:2]
    for f in range(F):
        for m in range(N if N > 2 else 1):
            n = (m + 1) % N
            P, B = {}, {}
            for q in (m, n):
                P[q] = np.linalg.inv(w[f] @ V[f, q])[:, [m, n]]
                B[q] = P[q].conj().T @ V[f, q] @ P[q]
            _, H = scipy.linalg.eigh(B[m], B[n])  # eigenvalues ascend
            for q, h in ((m, H[:, 1]), (n, H[:, 0])):
                w[f, q] = np.conj(P[q] @ h / np.sqrt(inner(h, B[q], h).real))
    return w


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_ip2(size):
    p = problem(*size)
    close_up_to_phase(ip2(p.X, p.W, p.phi), loops_ip2(p.x, p.w, p.c))


def test_ip2_of_two_sources_is_one_eigenproblem():
    """Ono 2012: V_m h = l V_n h with the smallest l for m."""
    p = problem(2, 3, 7)
    V, wanted = loops_covariances(p.x, p.c), p.w.copy()
    for f in range(3):
        _, H = scipy.linalg.eigh(V[f, 0], V[f, 1])
        for k in (0, 1):
            wanted[f, k] = np.conj(H[:, k] / np.sqrt(inner(H[:, k], V[f, k], H[:, k]).real))
    for update in (ip2, iss2):
        close_up_to_phase(update(p.X, p.W, p.phi), wanted)


def loops_iss1(x: np.ndarray, w: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Scheibler & Ono 2020, on y and W at once."""
    y, w = loops_demixed(x, w), w.copy()
    F, T, N = y.shape
    for f in range(F):
        for k in range(N):
            v = np.zeros(N, dtype=complex)
            for n in range(N):
                over, under = 0j, 0.0
                for t in range(T):
                    over += c[f, t, n] * y[f, t, n] * np.conj(y[f, t, k])
                    under += c[f, t, n] * abs(y[f, t, k]) ** 2
                v[n] = over / under if n != k else 1 - (under / T) ** -0.5
            for t in range(T):
                y[f, t] = y[f, t] - v * y[f, t, k]
            w[f] = w[f] - np.outer(v, w[f, k])
    close(y, loops_demixed(x, w))
    return w


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_iss1(size):
    p = problem(*size)
    close(iss1(p.X, p.W, p.phi), loops_iss1(p.x, p.w, p.c))


def loops_iss2(x: np.ndarray, w: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Ikeshita & Nakatani 2022, on y; W comes from following the same combinations of rows."""
    y, w = loops_demixed(x, w), w.copy()
    F, T, N = y.shape
    for f in range(F):
        for m in range(0, N, 2):
            n = (m + 1) % N
            z, rows = y[f][:, [m, n]].copy(), w[f][[m, n]].copy()
            G = np.zeros((N, 2, 2), dtype=complex)
            for k in range(N):
                for t in range(T):
                    G[k] += c[f, t, k] * np.outer(z[t], z[t].conj()) / T
            for k in range(N):
                if k in (m, n):
                    continue
                g = np.zeros(2, dtype=complex)
                for t in range(T):
                    g += c[f, t, k] * z[t] * np.conj(y[f, t, k]) / T
                q = -np.linalg.inv(G[k]) @ g
                y[f, :, k] += z @ q.conj()
                w[f, k] += q.conj() @ rows
            _, H = scipy.linalg.eigh(G[m], G[n])
            for q, h in ((m, H[:, 0]), (n, H[:, 1])):
                h = h / np.sqrt(inner(h, G[q], h).real)
                y[f, :, q], w[f, q] = z @ h.conj(), h.conj() @ rows
    close(y, loops_demixed(x, w))
    return w


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_iss2(size):
    p = problem(*size)
    close_up_to_phase(iss2(p.X, p.W, p.phi), loops_iss2(p.x, p.w, p.c))


# ---- IPA --------------------------------------------------------------------------------------------------------


def lqpqm_value(x: np.ndarray, a: np.ndarray, b: np.ndarray, C: np.ndarray, d: np.ndarray, z: float) -> float:
    quadratic = sum(a[i] * abs(x[i] - b[i]) ** 2 for i in range(len(a)))
    return float(quadratic - math.log(inner(x - d, C, x - d).real + z))


@pytest.mark.parametrize("case", ["plain", "no-floor", "centred", "centred-high-floor"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_lqpqm_is_the_minimum(n, case):
    rng = np.random.default_rng(n)
    a = rng.uniform(0.3, 3, n)
    b, d = (rng.standard_normal(n) + 1j * rng.standard_normal(n) for _ in range(2))
    R = rng.standard_normal((n, n + 2)) + 1j * rng.standard_normal((n, n + 2))
    C, z = R @ R.conj().T, 0.0 if case == "no-floor" else 0.7
    if case.startswith("centred"):
        d, z = b.copy(), 1e3 if case.endswith("floor") else z
    args = (a, b, C, d, z)
    found = lqpqm(*(torch.as_tensor(v)[None] for v in args[:4]), torch.tensor([z], dtype=torch.float64))[0].numpy()

    def of_reals(u: np.ndarray) -> float:
        return lqpqm_value(u[:n] + 1j * u[n:], *args)

    starts = [rng.standard_normal(2 * n) * s for s in (0.3, 1, 3, 10)]
    best = min(scipy.optimize.minimize(of_reals, start, tol=1e-12).fun for start in starts)
    assert lqpqm_value(found, *args) <= best + 1e-9
    slope = a * (found - b) - C @ (found - d) / (inner(found - d, C, found - d).real + z)
    assert np.abs(slope).max() < 1e-10 * (1 + np.abs(a * found).max())


def loops_ipa(V: np.ndarray, W: np.ndarray, rows: int) -> np.ndarray:
    """Scheibler 2021 for one bin and the first `rows` rows; the secular equation by Brent's method."""
    N, W = len(W), W.copy()
    for k in range(rows):
        o, wk = [m for m in range(N) if m != k], W[k].conj()
        A = np.array([inner(wk, V[m], wk).real for m in o])
        b = np.array([inner(wk, V[m], W[m].conj()) for m in o])
        U = np.linalg.inv(W @ V[k] @ W.conj().T)
        C, g, zz = U.conj()[np.ix_(o, o)], U.conj()[o, k], U[k, k].real
        centre = np.linalg.inv(C) @ g
        z = zz - (g.conj() @ centre).real
        root = np.sqrt(A)
        phi, S = np.linalg.eigh(C / np.outer(root, root))
        v = S.conj().T @ (root * (-b / A - centre))

        def secular(x: float, phi: np.ndarray = phi, v: np.ndarray = v, z: float = z) -> float:
            return x * x * sum(phi[i] * abs(v[i]) ** 2 / (x - phi[i]) ** 2 for i in range(len(phi))) - x + z

        low = max(phi[-1], z)
        at = scipy.optimize.brentq(secular, low * (1 + 1e-13), 2 * low + 1e6, xtol=1e-300, rtol=1e-15, maxiter=500)
        q = (S @ (phi * v / (at - phi))) / root - b / A
        turned = unit(N, k)
        for i, m in enumerate(o):
            turned[m] = -np.conj(q[i])
        u = U @ turned
        u = u / np.sqrt((turned.conj() @ u).real)
        new = W.copy()
        for i, m in enumerate(o):
            new[m] = W[m] + np.conj(q[i]) * W[k]
        new[k] = u.conj() @ W
        W = new
    return W


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_ipa(size):
    p = problem(*size)
    V = loops_covariances(p.x, p.c)
    wanted = np.stack([loops_ipa(V[f], p.w[f], size[0]) for f in range(size[1])])
    close(ipa(p.X, p.W, p.phi), wanted, 1e-9)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_no_other_choice_of_row_and_shifts_is_better_than_ipa(size):
    """The last step of a sweep against random members of its own family: row k anything, the others moved along it."""
    p, rng, N = problem(*size), np.random.default_rng(5), size[0]
    V, swept, k = loops_covariances(p.x, p.c), ipa(p.X, p.W, p.phi).numpy(), size[0] - 1
    for f in range(size[1]):
        before = loops_ipa(V[f], p.w[f], N - 1)
        assert Q(V[f], swept[f]) < Q(V[f], before) < Q(V[f], p.w[f])
        best, away = Q(V[f], swept[f]), 0
        for origin in (before, swept[f]):
            for size_of_step in (1e-4, 1e-2, 1e-1, 1.0):
                for _ in range(20):
                    u, q = (size_of_step * (rng.standard_normal(N) + 1j * rng.standard_normal(N)) for _ in range(2))
                    other = origin + np.outer(q, before[k])
                    other[k] = origin[k] + u
                    assert Q(V[f], other) >= best - 1e-12 * abs(best)
                    away += Q(V[f], other) > best
        assert away > 150


# ---- GIP --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("b", [2.5, 3.0, 4.0, 6.0])
def test_gip_is_the_minimum_along_its_line(b):
    p = problem(3, 3, 12)
    found = GIP(b)(p.X, p.W, p.phi).numpy()
    for f in range(3):
        W = p.w[f].copy()
        for k in range(3):
            x, c = p.x[f], p.c[f, :, k]

            def surrogate(row: np.ndarray, x: np.ndarray = x, c: np.ndarray = c) -> float:
                return sum(c[t] * abs(row @ x[t]) ** b for t in range(len(x))) / len(x)

            U = np.zeros((3, 3), dtype=complex)
            for t in range(12):
                U += c[t] * abs(W[k] @ x[t]) ** (b - 2) * np.outer(x[t], x[t].conj()) / 12
            a = np.linalg.inv(W)[:, k]
            u = np.linalg.inv(U) @ a
            d = (u / (a.conj() @ u)).conj() - W[k]
            along = scipy.optimize.minimize_scalar(
                lambda alpha, W=W, k=k, d=d, of=surrogate: of(W[k] + alpha * d),
                bounds=(0, 2),
                method="bounded",
                options={"xatol": 1e-12},
            )
            row = W[k] + along.x * d
            scale = scipy.optimize.minimize_scalar(
                lambda s, row=row, of=surrogate: of(math.exp(s) * row) - 2 * s, bracket=(-1, 1), tol=1e-12
            )
            wanted, got = math.exp(scale.x) * row, found[f, k]
            close(got, wanted, 1e-6)  # a minimum is known to half the digits of its value
            W[k] = wanted
            best = surrogate(wanted) - 2 * np.linalg.slogdet(W)[1]
            W[k] = got
            assert surrogate(got) - 2 * np.linalg.slogdet(W)[1] <= best + 1e-12 * abs(best)
            assert abs(surrogate(got) - 2 / b) < 1e-12


# ---- factorisations ---------------------------------------------------------------------------------------------


def cusp(density: Density) -> float:
    """What the library adds to q = P / r in densities with a cusp at 0."""
    sharp = isinstance(density, Laplace) or (isinstance(density, GGD) and density.shape < 2)
    return FLOOR if sharp else 0.0


def test_the_floors_are_those_of_the_page():
    x = torch.ones(1, 2, 3, dtype=torch.float64)
    assert radius_floor(x) == FLOOR
    assert Nmf(1).init(x, 0).e.unique().tolist() == [FLOOR]


def ab(density: Density, P: float, R: float, p: float) -> tuple[float, float]:
    """The numbers A and B of one bin: MU pieces of bss.md, section 2."""
    r = R ** (2 / p)
    q = P / r + cusp(density)
    match density:
        case Gauss():
            return P * R ** (-2 / p - 1), 1 / R
        case StudentT():
            nu = density.nu
            return P / ((nu / (nu + 2) * r + 2 / (nu + 2) * P) * R), 1 / R
        case GGD():
            return density.shape / 2 * (P / r) * q ** (density.shape / 2 - 1) / R, 1 / R
        case Laplace():
            return (P / r) * q**-0.5 / R, 1 / R
    raise AssertionError(f"write down the update for {density}")


def power_of(density: Density, p: float) -> float:
    """The exponent x of the multiplicative update."""
    match density:
        case Gauss() | StudentT():
            return p / (p + 2)
        case GGD():
            return p / (p + density.shape)
        case Laplace():
            return p / (p + 1)
    raise AssertionError(f"write down the exponent for {density}")


def weight(density: Density, P: float, r: float) -> float:
    """phi of one bin."""
    match density:
        case Gauss():
            return 1 / r
        case StudentT():
            return (density.nu + 2) / (density.nu * r + 2 * P)
        case GGD() if density.shape > 2:
            return r ** (-density.shape / 2)
        case GGD():
            return density.shape / 2 * (P / r + cusp(density)) ** (density.shape / 2 - 1) / r
        case Laplace():
            return (P / r + cusp(density)) ** -0.5 / r
    raise AssertionError(f"write down the weight for {density}")


def loops_model(T: np.ndarray, V: np.ndarray, e: np.ndarray) -> np.ndarray:
    """R[n, f, t]."""
    N, F, K = T.shape
    R = np.zeros((N, F, V.shape[2]))
    for n in range(N):
        for f in range(F):
            for t in range(V.shape[2]):
                R[n, f, t] = e[n, f, 0] + sum(T[n, f, k] * V[n, k, t] for k in range(K))
    return R


def loops_nmf(
    P: np.ndarray, T: np.ndarray, V: np.ndarray, e: np.ndarray, pieces: "Pieces", x: float
) -> tuple[np.ndarray, np.ndarray]:
    """All T, then all V; `pieces` makes A and B of (P, R)."""
    N, F, K = T.shape
    A, B = pieces(P, loops_model(T, V, e))
    new = T.copy()
    for n in range(N):
        for f in range(F):
            for k in range(K):
                over = sum(A[n, f, t] * V[n, k, t] for t in range(V.shape[2]))
                under = sum(B[n, f, t] * V[n, k, t] for t in range(V.shape[2]))
                new[n, f, k] *= (over / under) ** x
    T, out = new, V.copy()
    A, B = pieces(P, loops_model(T, V, e))
    for n in range(N):
        for k in range(K):
            for t in range(V.shape[2]):
                over = sum(A[n, f, t] * T[n, f, k] for f in range(F))
                under = sum(B[n, f, t] * T[n, f, k] for f in range(F))
                out[n, k, t] *= (over / under) ** x
    return T, out


class Pieces:
    """A and B of every bin of every source for a density in domain p."""

    def __init__(self, density: Density, p: float) -> None:
        self.density, self.p = density, p

    def __call__(self, P: np.ndarray, R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        A, B = np.zeros_like(R), np.zeros_like(R)
        for i in np.ndindex(R.shape):
            A[i], B[i] = ab(self.density, P[i], R[i], self.p)
        return A, B


class BetaPieces(Pieces):
    """The same for a beta divergence of a sum of sources, in domain 2."""

    def __init__(self, b: float) -> None:
        self.b = b

    def __call__(self, P: np.ndarray, R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        A, B = np.zeros_like(R), np.zeros_like(R)
        for n, f, t in np.ndindex(R.shape):
            whole = sum(R[i, f, t] for i in range(len(R)))
            A[n, f, t], B[n, f, t] = P[0, f, t] * whole ** (self.b - 2), whole ** (self.b - 1)
        return A, B


@pytest.mark.parametrize("power", [2.0, 1.0])
@pytest.mark.parametrize("b", BETAS)
def test_nmf_of_beta_divergences(b, power):
    """Nakano 2010, Fevotte & Idier 2011: exponents 1/(2-b), 1, 1/(b-1); two sources explain one spectrogram."""
    x = 1 / (2 - b) if b < 1 else (1.0 if b <= 2 else 1 / (b - 1))
    X = mixture(4, 1, 4, 6, sources=2)
    method = Separator(Nmf(2), Observed(Beta(b), 2, power))
    s = method.init(X)
    T, V, e = (u.numpy().copy() for u in s.z)
    P = np.abs(X.numpy()) ** power
    for _ in range(2):
        s = method.step(X, s)
        T, V = loops_nmf(P, T, V, e, BetaPieces(b), x)
        close(s.z.B, T)
        close(s.z.H, V)


def test_every_exponent_of_the_papers_is_tried():
    assert set(BETAS) >= {-1, 0, 0.5, 1, 1.5, 2, 3}


TRIED: dict[str, Density] = {**DENSITIES, "ggd1.5": GGD(1.5), "sub3": GGD(3.0)}


def fitted(density: Density) -> Determined:
    return Determined(GIP(density.degree) if density.degree > 2 else ip1, density)


@pytest.mark.parametrize("p", [2.0, 1.0, 0.5])
@pytest.mark.parametrize("name", TRIED)
def test_nmf_of_densities(name, p):
    density, X = TRIED[name], mixture(5, 2, 3, 6)
    spatial, source = fitted(density), Nmf(2, p)
    state = spatial.init(X, 0)._replace(W=problem(2, 3, 6).W)
    observed = spatial.observe(X, state)
    P = np.abs(loops_demixed(X.permute(1, 2, 0).numpy(), state.W.numpy()).transpose(2, 0, 1)) ** 2
    close(observed, P)
    z = source.init(observed, 1)
    T, V, e = (u.numpy().copy() for u in z)
    close(e, np.full((2, 3, 1), FLOOR ** (p / 2)))
    for _ in range(2):
        z = source.update(z, spatial.split(observed, state))
        T, V = loops_nmf(P, T, V, e, Pieces(density, p), power_of(density, p))
        close(z.B, T)
        close(z.H, V)
    r = loops_model(T, V, e) ** (2 / p)
    close(source.psd(z), r)
    phi = np.zeros_like(r)
    for i in np.ndindex(r.shape):
        phi[i] = weight(density, P[i], r[i])
    close(density.weight(observed, source.psd(z)), phi)


@pytest.mark.parametrize("p", [2.0, 1.0])
@pytest.mark.parametrize("name", [name for name in TRIED if TRIED[name].degree == 2])
def test_an_iteration_of_ilrma(name, p):
    """T, V, W, then unit power: w /= lambda, T /= lambda^p, e /= lambda^p."""
    density, X = TRIED[name], mixture(6, 2, 3, 8)
    method, x = Separator(Nmf(2, p), fitted(density)), X.permute(1, 2, 0).numpy()
    s = method.init(X, 2)
    T, V, e, w = (u.numpy().copy() for u in (*s.z, s.p.W))
    for _ in range(2):
        s = method.step(X, s)
        P = np.abs(loops_demixed(x, w).transpose(2, 0, 1)) ** 2
        T, V = loops_nmf(P, T, V, e, Pieces(density, p), power_of(density, p))
        r, c = loops_model(T, V, e) ** (2 / p), np.zeros((3, 8, 2))
        for n, f, t in np.ndindex(r.shape):
            c[f, t, n] = weight(density, P[n, f, t], r[n, f, t])
        w = loops_ip1(x, w, c)
        y = loops_demixed(x, w)
        for n in range(2):
            scale = math.sqrt(sum(abs(y[f, t, n]) ** 2 for f in range(3) for t in range(8)) / 24)
            w[:, n] /= scale
            T[n] /= scale**p
            e[n] /= scale**p
        for found, wanted in zip((*s.z, s.p.W), (T, V, e, w)):
            close(found, wanted)


# ---- independent vector analysis --------------------------------------------------------------------------------


def pooled_weight(density: Density, rho: float, F: int) -> float:
    """The table of bss.md, section 1; rho^2 = sum_f |y|^2."""
    match density:
        case Gauss():
            return 1.0
        case StudentT():
            return (density.nu + 2 * F) / (density.nu + 2 * rho**2)
        case GGD():
            return density.shape / 2 * (rho**2 + cusp(density)) ** (density.shape / 2 - 1)
        case Laplace():
            return 1 / math.sqrt(rho**2 + cusp(density))
    raise AssertionError(f"write down the pooled weight for {density}")


@pytest.mark.parametrize("name", [name for name in TRIED if TRIED[name].degree == 2])
def test_an_iteration_of_auxiva(name):
    density, (M, F, T) = TRIED[name], (3, 4, 9)
    X = mixture(7, M, F, T)
    method, x = Separator(Flat(), Determined(ip1, Pooled(density))), X.permute(1, 2, 0).numpy()
    s = method.init(X)
    w, r = s.p.W.numpy().copy(), np.ones(M)
    for _ in range(2):
        s = method.step(X, s)
        y, c = loops_demixed(x, w), np.zeros((F, T, M))
        for t in range(T):
            for n in range(M):
                rho = math.sqrt(sum(abs(y[f, t, n]) ** 2 for f in range(F)) / r[n])
                c[:, t, n] = pooled_weight(density, rho, F) / r[n]
        w = loops_ip1(x, w, c)
        y = loops_demixed(x, w)
        for n in range(M):
            power = sum(abs(y[f, t, n]) ** 2 for f in range(F) for t in range(T)) / (F * T)
            w[:, n] /= math.sqrt(power)
            r[n] /= power
        close(s.p.W, w)
        close(s.z.r[:, 0, 0], r)


def test_time_varying_gauss_weighs_a_frame_by_its_power():
    """phi = F / rho^2 in every bin."""
    p = problem(2, 4, 7)
    v = demixed(p.X, p.W).abs().square()
    z = Frame().update(Frame().init(v, 0), Gauss().split(v))
    wanted = np.zeros((2, 4, 7))
    for n, f, t in np.ndindex(wanted.shape):
        wanted[n, f, t] = 4 / sum(float(v[n, i, t]) for i in range(4))
    close(Gauss().weight(v, Frame().psd(z)), wanted)


@pytest.mark.parametrize("gains", ["one", "each-bin"])
@pytest.mark.parametrize("name", TRIED)
def test_frame(name, gains):
    """r <- max(r [sum_f A r / sum_f B r]^x, e), A and B those of domain 2, x: 1 for the powers -1 and 0 of r."""
    density, g = TRIED[name], generator(8)
    P = torch.rand(2, 3, 5, dtype=torch.float64, generator=g) + 0.05
    P[:, :, 2] = 1e-14  # a silent frame: the floor holds
    gain = torch.rand(2, 3 if gains == "each-bin" else 1, 1, dtype=torch.float64, generator=g) + 0.5
    z = Frame().rescale(Frame().init(P, 0), gain)
    x = 2 / density.shape if isinstance(density, GGD) else 2.0 if isinstance(density, Laplace) else 1.0
    wanted = np.zeros((2, z.r.shape[-2], 5))
    for n, i, t in np.ndindex(wanted.shape):
        over = under = 0.0
        for f in range(3):
            r = float(z.r[n, f if gains == "each-bin" else 0, t])
            A, B = ab(density, float(P[n, f, t]), r, 2.0)
            over, under = over + A * r, under + B * r
        wanted[n, i, t] = max(float(z.r[n, i, t]) * (over / under) ** x, float(z.e[n, i, 0]))
    z = Frame().update(z, density.split(P))
    np.testing.assert_allclose(z.r, wanted, rtol=1e-10, atol=0)
    assert (z.r[:, :, 2] == z.e[:, :, 0]).all()


def test_frame_of_gauss_is_the_mean_power():
    P = torch.rand(2, 3, 5, dtype=torch.float64, generator=generator(9))
    z = FrameState(torch.ones(2, 1, 5, dtype=torch.float64), torch.full((2, 1, 1), FLOOR, dtype=torch.float64))
    wanted = np.zeros((2, 1, 5))
    for n, f, t in np.ndindex(P.shape):
        wanted[n, 0, t] += float(P[n, f, t]) / 3
    close(Frame().update(z, Gauss().split(P)).r, wanted)


# ---- partitioned ------------------------------------------------------------------------------------------------


def loops_partitioned(
    P: np.ndarray, Z: np.ndarray, T: np.ndarray, V: np.ndarray, e: np.ndarray, density: Density, p: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kitamura 2016, type 2, with the compensation of bss.md: Z /= s, T *= s."""
    (N, K), F, L, x = Z.shape, len(T), V.shape[1], power_of(density, p)

    def pieces() -> tuple[np.ndarray, np.ndarray]:
        R = loops_model(np.stack([Z[n] * T for n in range(N)]), np.stack([V] * N), np.broadcast_to(e, (N, F, 1)))
        return Pieces(density, p)(P, R)

    A, B = pieces()
    new = Z.copy()
    for n in range(N):
        for k in range(K):
            over = sum(A[n, f, t] * T[f, k] * V[k, t] for f in range(F) for t in range(L))
            under = sum(B[n, f, t] * T[f, k] * V[k, t] for f in range(F) for t in range(L))
            new[n, k] *= (over / under) ** x
    s = new.sum(0)
    Z, T = new / s, T * s
    A, B = pieces()
    new = T.copy()
    for f in range(F):
        for k in range(K):
            over = sum(A[n, f, t] * Z[n, k] * V[k, t] for n in range(N) for t in range(L))
            under = sum(B[n, f, t] * Z[n, k] * V[k, t] for n in range(N) for t in range(L))
            new[f, k] *= (over / under) ** x
    T = new
    A, B = pieces()
    new = V.copy()
    for k in range(K):
        for t in range(L):
            over = sum(A[n, f, t] * Z[n, k] * T[f, k] for n in range(N) for f in range(F))
            under = sum(B[n, f, t] * Z[n, k] * T[f, k] for n in range(N) for f in range(F))
            new[k, t] *= (over / under) ** x
    return Z, T, new


@pytest.mark.parametrize("p", [2.0, 1.0])
@pytest.mark.parametrize("name", ["gauss", "t", "ggd"])
def test_partitioned(name, p):
    density, source = TRIED[name], Partitioned(4, p)
    P = torch.rand(3, 4, 5, dtype=torch.float64, generator=generator(10)) + 0.01
    z = source.init(P, 0)
    Z, T, V, e = (u.numpy().copy() for u in z)
    close(Z.sum(0), np.ones(4))
    for _ in range(2):
        z = source.update(z, density.split(P))
        Z, T, V = loops_partitioned(P.numpy(), Z, T, V, e, density, p)
        for found, wanted in zip(z, (Z, T, V, e)):
            close(found, wanted)
    gain = torch.tensor([0.5, 2.0, 7.0], dtype=torch.float64)[:, None, None]
    scaled, Zl = source.rescale(z, gain), Z.copy()
    for n in range(3):
        Zl[n] *= float(gain[n]) ** (p / 2)
    close(scaled.Z, Zl / Zl.sum(0))
    close(scaled.B, T * Zl.sum(0))
    close(source.psd(scaled), (source.psd(z) * gain).numpy())


# ---- scale ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_projection_back(size):
    p, (M, F, T) = problem(*size), size
    model = Determined()
    state = model.init(p.X, 0)._replace(W=p.W)
    r = torch.ones(M, F, T, dtype=torch.float64)
    images, y = model.images(p.X, state, r, range(M)).numpy(), loops_demixed(p.x, p.w)
    wanted = np.zeros((M, M, F, T), dtype=complex)
    for f in range(F):
        A = np.linalg.inv(p.w[f])
        for n in range(M):
            for m in range(M):
                for t in range(T):
                    wanted[n, m, f, t] = A[m, n] * y[f, t, n]
    close(images, wanted)
    close(sum(images[n] for n in range(M)), p.X.numpy())
    close(model.images(p.X, state, r, [1]).numpy(), wanted[:, 1:2])


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_power_gauge(size):
    """lambda_n^2 = mean |y_n|^2."""
    p, (M, F, T) = problem(*size), size
    model = Determined()
    state, gain = model.gauge(model.init(p.X, 0)._replace(W=p.W))
    y, wanted = loops_demixed(p.x, p.w), p.w.copy()
    for n in range(M):
        power = sum(abs(y[f, t, n]) ** 2 for f in range(F) for t in range(T)) / (F * T)
        wanted[:, n] /= math.sqrt(power)
        close(gain[n, 0, 0], np.array(1 / power))
    close(state.W, wanted)


def test_projection_back_of_the_rows_themselves():
    """w_nf *= [W_f^-1]_1n, r_nf *= |.|^2."""
    p = problem(3, 4, 12)
    state, gain = projected_back(Determined().init(p.X, 0)._replace(W=p.W))
    wanted, wanted_gain = p.w.copy(), np.zeros((3, 4, 1))
    for f in range(4):
        A = np.linalg.inv(p.w[f])
        for n in range(3):
            wanted[f, n] *= A[0, n]
            wanted_gain[n, f, 0] = abs(A[0, n]) ** 2
    close(state.W, wanted)
    close(gain, wanted_gain)


# ---- more microphones than sources ------------------------------------------------------------------------------


def loops_completed(C: np.ndarray, W: np.ndarray) -> np.ndarray:
    """[W; J, -I], J = (E2 C W^H) (E1 C W^H)^-1."""
    N, M = W.shape
    E1, E2 = np.eye(M)[:N], np.eye(M)[N:]
    J = (E2 @ C @ W.conj().T) @ np.linalg.inv(E1 @ C @ W.conj().T)
    return np.block([[W], [J, -np.eye(M - N)]])


@pytest.mark.parametrize("sources", [1, 2, 3])
def test_overiva(sources):
    p = problem(4, 3, 12, sources=sources)
    model = Overdetermined(sources)
    state = model.init(p.X, 0)._replace(W=p.W)
    C = loops_covariances(p.x, np.ones((3, 12, 1)))[:, 0]
    close(state.C, C)
    full = completed(state).numpy()
    for f in range(3):
        close(full[f], loops_completed(C[f], p.w[f]))
        U, rows = full[f, sources:], full[f, :sources]
        assert np.abs(U @ C[f] @ rows.conj().T).max() < 1e-12
    r = torch.rand(sources, 3, 12, dtype=torch.float64, generator=generator(12)) + 0.2
    found = model.update(p.X, state, model.observe(p.X, state), r).W
    V, w = loops_covariances(p.x, 1 / r.permute(1, 2, 0).numpy()), p.w.copy()
    for f in range(3):
        for k in range(sources):
            u = np.linalg.inv(loops_completed(C[f], w[f]) @ V[f, k]) @ unit(4, k)
            w[f, k] = np.conj(u / np.sqrt(inner(u, V[f, k], u).real))
    close(found, w)
    images, y = model.images(p.X, state, r, range(4)).numpy(), loops_demixed(p.x, p.w)
    for f in range(3):
        A = np.linalg.inv(full[f])
        for n in range(sources):
            close(images[n, :, f], np.outer(A[:, n], y[f, :, n]))


def test_overiva_of_one_source_ends_at_the_principal_eigenvector():
    """FIVE: with the weights held, w is the generalised eigenvector of (C, V) with the largest eigenvalue."""
    p = problem(3, 2, 12, sources=1)
    model = Overdetermined(1)
    state = model.init(p.X, 0)
    r = torch.rand(1, 2, 12, dtype=torch.float64, generator=generator(13)) + 0.05
    for _ in range(300):
        state = model.update(p.X, state, model.observe(p.X, state), r)
    V = loops_covariances(p.x, 1 / r.permute(1, 2, 0).numpy())[:, 0]
    wanted = np.stack([scipy.linalg.eigh(state.C[f].numpy(), V[f])[1][None, :, -1].conj() for f in range(2)])
    close_up_to_phase(state.W, wanted, 1e-8)


# ---- STFT -------------------------------------------------------------------------------------------------------


def loops_stft(x: np.ndarray, n_fft: int, hop: int) -> np.ndarray:
    """X[f, t] = sum_s hann_s x_(s + t hop - front) e^(-2 pi i f s / n_fft), as long as frames touch the signal."""
    front, frames = n_fft - hop, 0
    while frames * hop - front < len(x):
        frames += 1
    X = np.zeros((n_fft // 2 + 1, frames), dtype=complex)
    for f in range(n_fft // 2 + 1):
        for t in range(frames):
            for s in range(n_fft):
                at = s + t * hop - front
                if 0 <= at < len(x):
                    window = 0.5 - 0.5 * math.cos(2 * math.pi * s / n_fft)
                    X[f, t] += window * x[at] * np.exp(-2j * math.pi * f * s / n_fft)
    return X


def loops_istft(X: np.ndarray, n_fft: int, hop: int, samples: int) -> np.ndarray:
    """Griffin & Lim 1984, equation 6: windowed frames over the sum of squared windows."""
    front, over, under = n_fft - hop, np.zeros(samples), np.zeros(samples)
    for t in range(X.shape[1]):
        for s in range(n_fft):
            at = s + t * hop - front
            if not 0 <= at < samples:
                continue
            value = (X[0, t].real + (-1) ** s * X[-1, t].real) / n_fft
            for f in range(1, n_fft // 2):
                value += 2 * (X[f, t] * np.exp(2j * math.pi * f * s / n_fft)).real / n_fft
            window = 0.5 - 0.5 * math.cos(2 * math.pi * s / n_fft)
            over[at] += window * value
            under[at] += window**2
    return over / under


@pytest.mark.parametrize("samples", [1, 5, 16, 23])
@pytest.mark.parametrize(("n_fft", "hop"), [(8, 2), (8, 3), (8, 4), (6, 1), (10, 4)])
def test_stft(n_fft, hop, samples):
    stft, g = Stft(n_fft, hop), generator(14)
    x = torch.randn(2, samples, dtype=torch.float64, generator=g)
    X = stft.forward(x)
    assert X.shape == (2, stft.bins, stft.frames(samples))
    for channel in range(2):
        close(X[channel], loops_stft(x[channel].numpy(), n_fft, hop))
    close(stft.inverse(X, samples), x.numpy())
    other = normal(g, *X.shape[1:])  # the spectrogram of no signal
    close(stft.inverse(other, samples), loops_istft(other.numpy(), n_fft, hop, samples))
    longest = loops_istft(other.numpy(), n_fft, hop, other.shape[-1] * hop - (n_fft - hop))
    close(stft.consistent(other), loops_stft(longest, n_fft, hop))
