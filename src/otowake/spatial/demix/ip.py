"""Iterative projection: rows of W in turn (IP1), or two at a time (IP2), each the exact minimiser given the others.

IP1      u = V_k^-1 a_k,  w_k = u / sqrt(u^H V_k u)                    a_k: column k of W^-1
IP2      rows m, n:  for q in {m, n}: P_q = (W V_q)^-1 [e_m e_n],  B_q = P_q^H V_q P_q  (2 x 2)
         B_m h = l B_n h;  h_m: largest l, h_n: smallest l;  w_q = P_q h_q / sqrt(h_q^H B_q h_q)

Source   Ono 2011, equations 36-38 (IP1); Ono 2012, Scheibler & Ono 2021 (IP2).
"""

import torch

from otowake.core.types import Covariances, Demixer, Mixture, Weight
from otowake.linalg.hermitian import generalised_pair
from otowake.ops import ip1_sweep, weighted_covariance
from otowake.spatial.demix.update import by_covariance, pairs, with_rows


def ip1(X: Mixture, W: Demixer, phi: Weight) -> Demixer:
    """One row after the other (Ono 2011)."""
    return ip1_sweep(weighted_covariance(X, phi), W)


def ip2(X: Mixture, W: Demixer, phi: Weight) -> Demixer:
    """Two rows at a time; with two sources this is the joint minimum in one step (Ono 2012)."""
    return by_covariance(X, W, phi, _ip2)


def _ip2(V: Covariances, W: Demixer) -> Demixer:
    if W.shape[-2] == 1:
        return ip1_sweep(V, W)
    for m, n in pairs(W.shape[-2]):
        inverse = torch.linalg.inv_ex(W).inverse
        A = torch.stack((inverse[..., m], inverse[..., n]), -1)  # indices as numbers: no device waits for a list
        P = {q: torch.linalg.solve_ex(V[..., q, :, :], A).result for q in (m, n)}
        h = generalised_pair(A.mH @ P[m], A.mH @ P[n])  # B_q = P_q^H V_q P_q = A^H P_q
        rows = {q: (P[q] @ h[i][..., None])[..., 0].conj() for i, q in enumerate((m, n))}
        W = with_rows(W, rows)
    return W
