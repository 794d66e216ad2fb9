"""Plug-and-play demixing: literal loops, what each operator is the minimum of, and masks that do not behave."""

import math

import pytest
import torch
from cases import generator, mixture, normal

from otowake.core.errors import OtowakeError
from otowake.core.run import iterate, last, until
from otowake.proximal import Admm, Pds, Proximal, toward_log_det, whitening
from otowake.source.mask import Harmonic, Mask
from otowake.source.shrink import SHRINKS, Group, LowRank, Sparse

ONE = torch.ones(1, 1, 1, dtype=torch.float64)


def whitened(X):
    """Q X by eigenvectors, bin by bin: m f t, and Q: f m m."""
    out, Qs = torch.empty_like(X), []
    for f in range(X.shape[1]):
        values, E = torch.linalg.eigh(X[:, f] @ X[:, f].mH)
        Qs.append(E @ torch.diag(values**-0.5).to(E.dtype) @ E.mH)
        out[:, f] = Qs[-1] @ X[:, f]
    return out, torch.stack(Qs)


def log_det_prox(W, a):
    U, s, Vh = torch.linalg.svd(W)
    return U @ torch.diag((s + (s**2 + 4 * a).sqrt()) / 2).to(W.dtype) @ Vh


def group_prox(z, a):
    """z: n f t."""
    out = torch.zeros_like(z)
    for n in range(z.shape[0]):
        for t in range(z.shape[2]):
            size = math.sqrt(sum(abs(complex(z[n, f, t])) ** 2 for f in range(z.shape[1])))
            out[n, :, t] = z[n, :, t] * max(0.0, 1 - a / size)
    return out


def group_cost(z):
    return sum(float(z[n, :, t].norm()) for n in range(z.shape[0]) for t in range(z.shape[2]))


def demix(W, X):
    return torch.stack([W[f] @ X[:, f] for f in range(X.shape[1])], 1)


def literal_pds(X, steps, relax, weight=0.5):
    """One penalty, equation by equation."""
    X, _ = whitened(X)
    n, F, _ = X.shape
    price = weight * n * F / group_cost(X)
    W, y = torch.eye(n, dtype=X.dtype).repeat(F, 1, 1), torch.zeros_like(X)
    for _ in range(steps):
        near = torch.stack([log_det_prox(W[f] - y[:, f] @ X[:, f].mH, 1.0) for f in range(F)])
        z = y + demix(2 * near - W, X)
        new = z - group_prox(z, price)
        W, y = W + relax * (near - W), y + relax * (new - y)
    return W


def literal_admm(X, steps, rho, weight=0.5):
    X, _ = whitened(X)
    n, F, _ = X.shape
    price = weight * n * F / group_cost(X)
    eye = torch.eye(n, dtype=X.dtype)
    W = V = eye.repeat(F, 1, 1)
    U, Z, D = torch.zeros_like(W), demix(W, X), torch.zeros_like(X)
    for _ in range(steps):
        both = [
            (V[f] - U[f] + (Z - D)[:, f] @ X[:, f].mH) @ torch.linalg.inv(eye + X[:, f] @ X[:, f].mH) for f in range(F)
        ]
        W = torch.stack(both)
        V = torch.stack([log_det_prox(W[f] + U[f], 1 / rho) for f in range(F)])
        Z = group_prox(demix(W, X) + D, price / rho)
        U, D = U + W - V, D + demix(W, X) - Z
    return W


@pytest.mark.parametrize("relax", [1.0, 0.6, 1.5])
def test_pds_is_its_equations(relax):
    X = mixture(1, 2, bins=3, frames=12)
    s = last(until(iterate(Proximal((Group(),), Pds(relax), 0.0), X), steps=6)).state
    torch.testing.assert_close(s.p.W, literal_pds(X, 6, relax), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rho", [1.0, 3.0])
def test_admm_is_its_equations(rho):
    X = mixture(2, 3, bins=3, frames=15)
    s = last(until(iterate(Proximal((Group(),), Admm(rho), 0.0), X), steps=6)).state
    torch.testing.assert_close(s.p.W, literal_admm(X, 6, rho), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("splitting", [Pds(), Admm()])
def test_at_rest_the_duals_hold_the_log_det(splitting):
    """The stationary point: sum of duals times X^H is W^-H, whichever way led there."""
    X = mixture(3, 2, bins=4, frames=40)
    method = Proximal((Group(),), splitting, 1e-10)
    s = last(until(iterate(method, X), steps=20_000)).state
    assert method.settled(s)
    white, _ = whitened(X)
    scale = splitting.rho if isinstance(splitting, Admm) else 1.0
    D = scale * s.p.D[0]
    pull = torch.stack([D[:, f] @ white[:, f].mH for f in range(4)])
    torch.testing.assert_close(pull, torch.linalg.inv(s.p.W).mH, rtol=1e-6, atol=1e-6)


def test_the_prox_of_log_det_is_stationary():
    W = normal(generator(4), 50, 3, 3)
    for a in (0.3, 1.0, 4.0):
        new = toward_log_det(W, a)
        torch.testing.assert_close(new - W, a * torch.linalg.inv(new).mH, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_prox_of_log_det_of_matrices_that_are_nearly_singular_or_are(n):
    """(W' - W) W'^H = a I wherever W' is, and its singular values are those that they should be."""
    W = normal(generator(13), 140, n, n)
    W[1, :, -1] = W[1, :, 0] * (1 + 1e-13)
    W[2] *= 1e-9
    W[3, 0] *= 1e-12
    W[4] = torch.eye(n)
    single, zero, great, small = W.clone(), W.clone(), W.clone(), W.clone()
    single[5, :, -1], zero[6] = single[5, :, 0], 0
    great[7], small[8] = great[7] * 1e120, small[8] * 1e-120
    for V in (W, single, zero, small):
        new = toward_log_det(V, 0.7)
        eye = torch.eye(n, dtype=V.dtype).expand_as(V)
        torch.testing.assert_close((new - V) @ new.mH, 0.7 * eye, rtol=0, atol=1e-12)
    for V in (W, single, zero, great, small):
        s = torch.linalg.svdvals(V)
        torch.testing.assert_close(
            torch.linalg.svdvals(toward_log_det(V, 0.7)), (s + (s**2 + 2.8).sqrt()) / 2, rtol=1e-12, atol=1e-12
        )


def test_the_prox_of_log_det_has_the_right_derivative_where_singular_values_are_equal():
    W = (torch.eye(2, dtype=torch.complex128) + 0 * normal(generator(5), 3, 2, 2)).requires_grad_()
    assert torch.autograd.gradcheck(lambda W: toward_log_det(W, 0.7), W)
    assert torch.autograd.gradcheck(lambda W: toward_log_det(W, 0.7), normal(generator(6), 3, 3, 3).requires_grad_())


def test_whitening_whitens():
    X = mixture(7, 3)
    Q = whitening(torch.einsum("mft,nft->fmn", X, X.conj()), torch.ones(9, dtype=torch.bool))
    Y = torch.einsum("fmn,nft->mft", Q, X)
    torch.testing.assert_close(torch.einsum("mft,nft->fmn", Y, Y.conj()), torch.eye(3, dtype=X.dtype).expand(9, 3, 3))


@pytest.mark.parametrize("name", SHRINKS)
def test_every_penalty_is_shrunk_to_its_minimum(name):
    """No neighbour of shrink(Z) has a lower |Z' - Z|^2 / 2 + a P(Z')."""
    part, g = SHRINKS[name], generator(8)
    Z, a = normal(g, 2, 6, 9), 0.8
    near = part.shrink(Z, a * ONE, ONE)

    def price(z):
        return float((z - Z).abs().square().sum() / 2 + a * part.cost(z))

    least = price(near)
    for size in (1e-1, 1e-3, 1e-5):
        for _ in range(20):
            assert price(near + size * normal(g, *Z.shape)) >= least - 1e-12
    assert price(near * 0.99) >= least
    assert price(near * 1.01) >= least


@pytest.mark.parametrize("part", [*SHRINKS.values(), Harmonic()])
def test_zeros_stay_zeros(part):
    Z = torch.zeros(2, 5, 4, dtype=torch.complex128)
    assert bool((part.shrink(Z, ONE, ONE) == 0).all())


def test_low_rank_is_the_singular_values_less_the_step():
    for shape in ((2, 5, 9), (2, 9, 5)):
        Z = normal(generator(9), *shape)
        U, s, Vh = torch.linalg.svd(Z, full_matrices=False)
        expected = (U * (s - 1.5).clamp_min(0).unsqueeze(-2)) @ Vh
        torch.testing.assert_close(LowRank().shrink(Z, 1.5 * ONE, ONE), expected, rtol=1e-9, atol=1e-9)


def test_sparse_by_hand():
    Z = torch.tensor([[[3 + 4j, 0.3j]]], dtype=torch.complex128)
    torch.testing.assert_close(Sparse().shrink(Z, ONE, ONE), torch.tensor([[[0.8 * (3 + 4j), 0j]]]).to(Z))


def test_the_cepstrum_and_back_is_the_log_spectrum():
    """With kappa = 0 and every |cepstrum| at 1 or more nothing is taken away: what comes out is what went in."""
    rho = torch.zeros(9, 1, dtype=torch.float64)
    rho[0::2] = 40.0
    Z = torch.exp(rho).to(torch.complex128)
    n = 16
    nu = torch.fft.irfft((rho - rho.mean()).to(torch.complex128), n, dim=-2)[:9]
    again = torch.fft.irfft(nu.to(torch.complex128), n, dim=-2)[:9] * n
    torch.testing.assert_close(again, rho - rho.mean(), atol=1e-10, rtol=0)
    kept = Harmonic(kappa=0, eps=1e-3).enhanced(Z)
    s = nu.abs().clamp_max(1)
    expected = torch.fft.irfft((s * nu).to(torch.complex128), n, dim=-2)[:9] * n + rho.mean()
    torch.testing.assert_close(kept, expected, atol=1e-3, rtol=1e-3)


def test_shares_of_harmonic_sources_multiply_to_their_geometric_share():
    Z = normal(generator(10), 2, 9, 7)
    M = Harmonic(gamma=1.0).shares(Z)
    torch.testing.assert_close(M.sum(0), torch.ones(9, 7, dtype=torch.float64))
    torch.testing.assert_close(Harmonic().shares(Z), M.sqrt())


# ---- masks of the user's ------------------------------------------------------------------------------------------


def wiener(Z):
    """A good one: the share of each source in the power of the frame."""
    power = Z.abs().square().sum(-2, keepdim=True)
    return (power / power.sum(-3, keepdim=True)).sqrt().expand(Z.shape)


def test_a_mask_of_the_users_separates():
    X = mixture(11, 2, bins=9, frames=80)
    s = last(until(iterate(Proximal((Mask(wiener),)), X), steps=50)).state
    assert bool(s.gap.isfinite().all())
    assert float(s.gap.max()) < 0.3


def nan(Z):
    return torch.full(Z.shape, torch.nan)


def transposed(Z):
    return Z.real.mT


def complex_numbers(Z):
    return Z


def raises(Z):
    raise RuntimeError("out of chips")


def a_list(Z):
    return [0.5]


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (nan, r"nan is not finite at \(0, 0, 0\)"),
        (transposed, r"gave \(2, 20, 4\) for sources of \(2, 4, 20\)"),
        (complex_numbers, "gave complex numbers of"),
        (raises, r"failed \(RuntimeError: out of chips\)"),
        (a_list, "gave list"),
    ],
)
def test_a_mask_that_fails_is_named(mask, words):
    X = mixture(12, 2, bins=4, frames=20)
    with pytest.raises(OtowakeError, match=words):
        last(until(iterate(Proximal((Mask(mask),)), X), steps=2))


def test_refusals():
    for make in (
        lambda: Pds(2.0),
        lambda: Pds(0.0),
        lambda: Admm(0.0),
        lambda: Sparse(-1.0),
        lambda: Harmonic(kappa=-1),
    ):
        with pytest.raises(OtowakeError, match="must be"):
            make()
    with pytest.raises(OtowakeError, match="one penalty or mask"):
        Proximal(())
    with pytest.raises(OtowakeError, match="tolerance"):
        Proximal(tolerance=1.0)
