"""How much of each source each channel of Q x holds: where that begins, and Q and G for covariances that are known.

Known    R_nf: covariances of the sources, of unit mean eigenvalue
Cost     sum_nmf [ log g_nm + q_m^H R_n q_m / g_nm ] - 2 N sum_f log|det Q_f|:   least where Q makes all R_n diagonal
Updates  g_nm = q_m^H R_n q_m,  its mean over f where g is the same in all bins
         Q_f <- IP1 of the columns of the R_n's roots, taken for frames, with weights M / g_nm (M N frames)

Source   Pham 2001 (the cost).  Ours: its descent by iterative projection.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.types import Covariance, Covariances, Live
from otowake.linalg.safe import loaded
from otowake.ops import abs2
from otowake.spatial.demix.ip import ip1

ELSEWHERE = 0.05
"""How much of a source starts in channels that are another's."""

STEPS = 30
"""Of the updates for known covariances."""

Shares = Float[Tensor, "*b n #f m"]
"""G: how much of source n is in channel m of Q x; an axis of 1 holds for all bins."""


class Directions(NamedTuple):
    """R: covariances of the sources *b f n m m;  C: of the mixture *b f m m;  live: *b f, bins of full rank."""

    R: Covariances
    C: Covariance
    live: Live


def all_bins(C: Covariance, n: int) -> Shares:
    """A start of G with one axis for all bins: channel m belongs to source m mod n, a little to the others."""
    m = C.shape[-1]
    own = torch.arange(n)[:, None] == torch.arange(m) % n
    G = ELSEWHERE + own.to(device=C.device, dtype=C.real.dtype)
    return (G / G.sum(-1, keepdim=True)).unsqueeze(-2).expand(*C.shape[:-3], n, 1, m).clone()


def each_bin(C: Covariance, n: int) -> Shares:
    """The same with numbers of its own for each bin."""
    return all_bins(C, n).expand(*C.shape[:-3], n, C.shape[-3], -1).clone()


def diagonalised(
    known: Directions, shares: Callable[[Covariance, int], Shares] = all_bins
) -> tuple[Covariance, Shares]:
    """Q, and G: what Q makes of the covariances is nearly diagonal, and channel m is mostly of source m mod n.

    Bins that are not live keep Q = I.
    """
    *_, n, m, _ = known.R.shape
    L = torch.linalg.cholesky_ex(loaded(known.R)).L
    columns = L.movedim(-2, -4).flatten(-2)  # *b m f nm
    G = shares(known.C, n)
    eye = torch.eye(m, dtype=L.dtype, device=L.device)
    Q = eye.expand(*L.shape[:-3], m, m)
    for _ in range(STEPS):
        weights = torch.repeat_interleave(m / G.movedim(-1, -3).mT, m, -1).expand_as(columns.real)
        Q = torch.where(known.live[..., None, None], ip1(columns, Q, weights), eye)
        kept = abs2(Q.unsqueeze(-3) @ L).sum(-1).movedim(-2, -3)  # *b n f m
        G = kept if G.shape[-2] > 1 else kept.mean(-2, keepdim=True)
    return Q.contiguous(), G.contiguous()
