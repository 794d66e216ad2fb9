"""Iterative projection with adjustment: row k becomes optimal while every other row moves along it.

New rows  w_k <- u,  w_m <- w_m + q_m w_k  (m != k):  the joint minimiser of Q over u and q
          a_m = w_k^H V_m w_k,  b_m = w_k^H V_m w_m,  Vt = conj((W V_k W^H)^-1),  o = {m != k}
          C = Vt[o, o],  g = Vt[o, k],  z = Vt[k, k] - g^H C^-1 g
          q = argmin (q + b/a)^H diag(a) (q + b/a) - log((q - C^-1 g)^H C (q - C^-1 g) + z)         LQPQM
          q~ = e_k - E_o conj(q),  u = (W V_k W^H)^-1 q~ / sqrt(.),  row k <- u^H W

LQPQM     phi, S: eigenpairs of diag(a)^-1/2 C diag(a)^-1/2;  v = S^H diag(a)^1/2 (-b/a - C^-1 g)
          l: the root above max(phi_max, z) of  l^2 sum phi |v|^2 / (l - phi)^2 - l + z = 0
          q = diag(a)^-1/2 S [phi v / (l - phi)] - b/a

Source    Scheibler 2021, equations 12-24 (LQPQM: algorithm 2); conjugations as in docs/papers/auxiva.md.
"""

import torch
from torch import Tensor

from otowake.core.types import Covariances, Demixer, Mixture, Weight
from otowake.linalg.safe import divide, tiny
from otowake.ops import ip1_sweep
from otowake.spatial.demix.update import by_covariance


def ipa(X: Mixture, W: Demixer, phi: Weight) -> Demixer:
    """Row k and its multiples in all other rows at once (Scheibler 2021): the fewest iterations of all."""
    return by_covariance(X, W, phi, _ipa)


def _ipa(V: Covariances, W: Demixer) -> Demixer:
    if W.shape[-2] == 1:
        return ip1_sweep(V, W)
    for k in range(W.shape[-2]):
        W = _adjust(V, W, k)
    return W


def _adjust(V: Covariances, W: Demixer, k: int) -> Demixer:
    o = [m for m in range(W.shape[-2]) if m != k]
    w = W[..., k, :, None].conj()
    Vw = (V[..., o, :, :] @ w.unsqueeze(-3))[..., 0]  # V_m w_k: *b f o m
    a = (w.mT.conj() * Vw).sum(-1).real
    b = (Vw.conj() * W[..., o, :].conj()).sum(-1)  # w_k^H V_m w_m
    Vt = torch.linalg.inv_ex(W @ V[..., k, :, :] @ W.mH).inverse
    Vt = (Vt + Vt.mH) / 2
    C, g = Vt[..., o, :][..., o].conj(), Vt[..., o, k].conj()
    d = torch.linalg.solve_ex(C, g).result
    z = Vt[..., k, k].real - (g.conj() * d).sum(-1).real
    q = lqpqm(a, -b / a, C, d, z.clamp_min(0))
    qt = torch.stack(
        [torch.ones_like(q[..., 0]) if m == k else -q[..., o.index(m)].conj() for m in range(len(o) + 1)], -1
    )
    u = (Vt @ qt[..., None])[..., 0]
    u = u * torch.rsqrt((qt.conj() * u).sum(-1, keepdim=True).real)
    rows = [
        W[..., m, :] + q[..., o.index(m), None].conj() * W[..., k, :] if m != k else None for m in range(len(o) + 1)
    ]
    rows[k] = (u.conj()[..., None, :] @ W)[..., 0, :]
    return torch.stack([row for row in rows if row is not None], -2)


def lqpqm(a: Tensor, b: Tensor, C: Tensor, d: Tensor, z: Tensor) -> Tensor:
    """argmin over x of (x - b)^H diag(a) (x - b) - log((x - d)^H C (x - d) + z).

    Args:
        a: ... k, positive.  b, d: ... k complex.  C: ... k k Hermitian positive definite.  z: ..., >= 0.
    """
    s = a.sqrt()
    U = C / (s[..., :, None] * s[..., None, :])
    sound = U.abs().amax((-2, -1), keepdim=True) < tiny(s) ** -0.5  # one empty bin would stop LAPACK for all
    U = torch.where(sound, U, torch.eye(U.shape[-1], dtype=U.dtype, device=U.device))
    phi, S = torch.linalg.eigh((U + U.mH) / 2)
    v = (S.mH @ (s * (b - d))[..., None])[..., 0]
    least = torch.finfo(phi.dtype).eps  # v at right angles to the top eigenvector: the minimum is not unique, take one
    v = torch.cat([v[..., :-1], torch.where(v[..., -1:].abs() < least, least, v[..., -1:])], -1)
    gap = phi[..., -1:] - phi
    y = phi * v / (_root(phi, gap, v.real**2 + v.imag**2, z)[..., None] + gap)
    return (S @ y[..., None])[..., 0] / s + b


def _root(phi: Tensor, gap: Tensor, vv: Tensor, z: Tensor) -> Tensor:
    """l - phi_max for the root l of the convex falling f(l): bracket by doubling, then Newton kept inside by bisection.

    The distance and not l, because with equal covariances (v near 0) the root is phi_max to the last digit.
    """
    top = phi[..., -1]

    def f(x: Tensor) -> tuple[Tensor, Tensor]:
        l, e = top + x, divide(torch.ones_like(phi), x[..., None] + gap)  # noqa: E741
        c = phi * vv * e * e
        return l * l * c.sum(-1) - l + z, (-2 * l * (c * phi * e).sum(-1)) - 1

    with torch.no_grad():
        left = (z - top).clamp_min(0)
        high = 2 * left + top + 1
        for _ in range(200):
            above = f(high)[0] > 0
            if not above.any():
                break
            high = torch.where(above, 2 * high, high)
        x = (left + high) / 2
        for _ in range(200):
            y, dy = f(x)
            left, high = torch.where(y > 0, x, left), torch.where(y > 0, high, x)
            newton = x - y / dy
            done = ~(y.abs() > 4 * torch.finfo(x.dtype).eps * (top + x))  # what f is known to
            inside = (newton > left) & (newton < high)
            x = torch.where(done, x, torch.where(inside, newton, (left + high) / 2))
            if done.all():
                break
    y, dy = f(x)
    return x - (y - y.detach()) / dy.detach() if x.requires_grad or y.requires_grad else x
