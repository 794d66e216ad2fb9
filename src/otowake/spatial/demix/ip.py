"""Iterative projection: rows of W in turn (IP1), or two at a time (IP2), each the exact minimiser given the others.

IP1      u = V_k^-1 a_k,  w_k = u / sqrt(u^H V_k u)                    a_k: column k of W^-1
IP2      rows m, n:  for q in {m, n}: P_q = (W V_q)^-1 [e_m e_n],  B_q = P_q^H V_q P_q  (2 x 2)
         B_m h = l B_n h;  h_m: largest l, h_n: smallest l;  w_q = P_q h_q / sqrt(h_q^H B_q h_q)

Source   Ono 2011, equations 36-38 (IP1); Ono 2012, Scheibler & Ono 2021 (IP2).
"""

from otowake.core.types import Demixer, Mixture, Weight
from otowake.ops import ip1_sweep, ip2_sweep, weighted_covariance
from otowake.spatial.demix.update import by_covariance


def ip1(X: Mixture, W: Demixer, phi: Weight) -> Demixer:
    """One row after the other (Ono 2011)."""
    return ip1_sweep(weighted_covariance(X, phi), W)


def ip2(X: Mixture, W: Demixer, phi: Weight) -> Demixer:
    """Two rows at a time; with two sources this is the joint minimum in one step (Ono 2012)."""
    return by_covariance(X, W, phi, ip2_sweep)
