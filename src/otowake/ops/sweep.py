"""One sweep over the rows of W that descends Q_f(W) = sum_k w_k^H V_k w_k - 2 log|det W|, bin by bin."""

import torch
from torch import Tensor

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
iss1_sweep = Op("iss1_sweep", iss1_definition, "sweep", "(Tensor X, Tensor W, Tensor phi) -> Tensor")
"""(X: *b m f t, W: *b f n m, phi: *b n f t or *b n 1 t) -> W."""
