"""Iterative source steering: columns of W^-1 in turn (ISS1), or two at a time (ISS2); no inverse of W is formed.

ISS1     v_l = <phi_l y_l y_k^*> / <phi_l |y_k|^2>,  v_k = 1 - <phi_k |y_k|^2>^-1/2;    W <- W - v w_k^H
ISS2     rows m, n, z = [y_m; y_n], G_l = <phi_l z z^H>:
         others:  y_l <- y_l - f_l^H G_l^-1 z,  f_l = <phi_l z y_l^*>
         pair:    G_m h = l G_n h, h_m: smallest l, h_n: largest, h_q^H G_q h_q = 1;  z <- [h_m h_n]^H z

Source   Scheibler & Ono 2020, equations 11-12 (ISS1); Ikeshita & Nakatani 2022 (ISS2).
"""

import torch
from torch import Tensor

from otowake.core.types import Covariances, Demixer, Mixture, Weight
from otowake.linalg.hermitian import generalised_pair
from otowake.ops import ip1_sweep, iss1_sweep
from otowake.spatial.demix.update import by_covariance, with_rows


def iss1(X: Mixture, W: Demixer, phi: Weight) -> Demixer:
    """One steering column after the other (Scheibler & Ono 2020)."""
    return iss1_sweep(X, W, phi)


def iss2(X: Mixture, W: Demixer, phi: Weight) -> Demixer:
    """Two steering columns at a time (Ikeshita & Nakatani 2022)."""
    return by_covariance(X, W, phi, _iss2)


def _iss2(V: Covariances, W: Demixer) -> Demixer:
    N = W.shape[-2]
    if N == 1:
        return ip1_sweep(V, W)
    for m in range(0, N, 2):
        W = _steer_pair(V, W, m, (m + 1) % N)
    return W


def _steer_pair(V: Covariances, W: Demixer, m: int, n: int) -> Demixer:
    Z = torch.stack((W[..., m, :], W[..., n, :]), -2)  # rows of z = Z x
    rows = {}
    for k in range(W.shape[-2]):
        if k not in (m, n):
            ZV = Z @ V[..., k, :, :]
            f = ZV @ W[..., k, :, None].conj()  # <phi z y_k^*> = Z V w_k
            q = torch.linalg.solve_ex(ZV @ Z.mH, f).result
            rows[k] = W[..., k, :] - (q.mH @ Z)[..., 0, :]
    G = [Z @ V[..., k, :, :] @ Z.mH for k in (m, n)]
    hm, hn = generalised_pair(G[1], G[0])  # the largest l of the swapped problem is the smallest of this one
    rows[m], rows[n] = (((h / _norm(h, g)).conj()[..., None, :] @ Z)[..., 0, :] for h, g in ((hm, G[0]), (hn, G[1])))
    return with_rows(W, rows)


def _norm(h: Tensor, G: Tensor) -> Tensor:
    """sqrt(h^H G h), ... 1."""
    return (h[..., None, :].conj() @ G @ h[..., None])[..., 0].real.sqrt()
