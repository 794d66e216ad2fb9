"""One sweep over the rows of W that descends Q_f(W) = sum_k w_k^H V_k w_k - 2 log|det W|, bin by bin."""

from collections.abc import Iterator

import torch
from torch import Tensor

from otowake.linalg.hermitian import generalised_pair
from otowake.linalg.safe import loaded, mean_eigenvalue, tiny
from otowake.ops.demix import definition as demixed
from otowake.ops.registry import Op


def ip1_definition(V: Tensor, W: Tensor) -> Tensor:
    """Iterative projection (Ono 2011): each row in turn is the exact minimiser given the others.

    u = V_k^-1 a_k with a_k the k-th column of W^-1;  w_k = u / sqrt(u^H V_k u), and u^H V_k u = a_k^H u.
    """
    s = mean_eigenvalue(V)
    s = torch.where(s > tiny(s), s, torch.ones_like(s))
    Vl = loaded(V)
    rows = list(W.unbind(-2))
    for k in range(len(rows)):
        a = torch.linalg.inv_ex(torch.stack(rows, -2)).inverse[..., :, k]
        u = torch.linalg.solve_ex(Vl[..., k, :, :], a).result
        h = (a.conj() * u).sum(-1, keepdim=True).real * s[..., k, None]
        rows[k] = u.conj() * torch.rsqrt(h)
    return torch.stack(rows, -2)


def ip2_definition(V: Tensor, W: Tensor) -> Tensor:
    """Pairwise iterative projection (Ono 2012): two rows at a time, the exact minimisers given the others.

    P_q = V_q^-1 [a_m a_n], B_q = P_q^H V_q P_q for q in {m, n};  w_q = P_q h_q with h of `generalised_pair`.
    """
    if W.shape[-2] == 1:
        return ip1_definition(V, W)
    rows = list(W.unbind(-2))
    for m, n in pairs(len(rows)):
        inverse = torch.linalg.inv_ex(torch.stack(rows, -2)).inverse
        A = torch.stack((inverse[..., m], inverse[..., n]), -1)  # indices as numbers: no device waits for a list
        P = {q: torch.linalg.solve_ex(V[..., q, :, :], A).result for q in (m, n)}
        h = generalised_pair(A.mH @ P[m], A.mH @ P[n])  # B_q = P_q^H V_q P_q = A^H P_q
        for i, q in enumerate((m, n)):
            rows[q] = (P[q] @ h[i][..., None])[..., 0].conj()
    return torch.stack(rows, -2)


def pairs(n: int) -> Iterator[tuple[int, int]]:
    """(0, 1) for two sources; else (0, 1), (1, 2) ... (n - 1, 0)."""
    return ((i, (i + 1) % n) for i in range(n if n > 2 else n - 1))


def iss1_definition(X: Tensor, W: Tensor, phi: Tensor) -> Tensor:
    """Iterative source steering (Scheibler & Ono 2020): each steering column in turn, no inverse.

    v_l = <phi_l y_l y_k^*> / <phi_l |y_k|^2>,  v_k = 1 - <phi_k |y_k|^2>^-1/2;  y <- y - v y_k,  W <- W - v w_k^H.
    """
    Y = demixed(X, W)
    for k in range(W.shape[-2]):
        y = Y[..., k : k + 1, :, :]
        d = (phi * (y.real**2 + y.imag**2)).mean(-1)  # *b n f
        v = (phi * (Y * y.conj())).mean(-1) / d.clamp_min(tiny(d))
        one = (torch.arange(W.shape[-2], device=W.device) == k)[:, None]
        v = torch.where(one, (1 - torch.rsqrt(d.clamp_min(tiny(d)))).to(v.dtype), v)
        v = torch.where(d > 0, v, torch.zeros_like(v))
        Y = Y - v[..., None] * y
        W = W - v.mT[..., None] * W[..., k : k + 1, :]
    return W


ip1_sweep = Op("ip1_sweep", ip1_definition, "sweep", "(Tensor V, Tensor W) -> Tensor", gpu="sweep")
"""(V: *b f n m m, W: *b f n m with n = m) -> W."""
ip2_sweep = Op("ip2_sweep", ip2_definition, "sweep", "(Tensor V, Tensor W) -> Tensor", gpu="sweep")
"""(V: *b f n m m, loaded; W: *b f n m with n = m) -> W."""
iss1_sweep = Op("iss1_sweep", iss1_definition, "sweep", "(Tensor X, Tensor W, Tensor phi) -> Tensor")
"""(X: *b m f t, W: *b f n m, phi: *b n f t or *b n 1 t) -> W."""
