"""Sources with covariances of full rank: what their updates divide, of R_ft = sum_n r_nft S_nf + e_f I.

Halves     neg_n = w u^H S_n u,  pos_n = tr(R^-1 S_n);   u = R^-1 x,  q = x^H u,  w = rho'(q) = c (q + a)^g
Turned     A_n = sum_t r_n R^-1,  K_n = sum_t r_n w u u^H
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from otowake.linalg.hermitian import inverse_and_logdet
from otowake.ops.ratio import POWERS, raised
from otowake.ops.registry import Op


class Solved(NamedTuple):
    """Some bins: S, r of them;  u = R^-1 x *b m f t;  V = R^-1 *b m m f t;  q = x^H u, logs = log det R *b f t."""

    S: Tensor
    r: Tensor
    u: Tensor
    V: Tensor
    q: Tensor
    logs: Tensor


def solved(X: Tensor, S: Tensor, r: Tensor, e: Tensor) -> Iterator[Solved]:
    """Some bins at a time: R is M times as large as X.  In the precision of S: R has to be inverted."""
    m, f, _ = X.shape[-3:]
    r = r.to(S.real.dtype).expand(*r.shape[:-2], *X.shape[-2:])
    eye = torch.eye(m, dtype=S.dtype, device=X.device)[..., None, None]
    size = max(1, f // (4 * m))
    for first in range(0, f, size):
        some = slice(first, first + size)
        Ss, rs, x = S[..., some, :, :], r[..., some, :], X[..., some, :].to(S.dtype)
        R = torch.einsum("...nfij,...nft->...ijft", Ss, rs.to(Ss.dtype)) + e[..., None, None, some, :] * eye
        V, logs = inverse_and_logdet(R)
        u = torch.einsum("...ijft,...jft->...ift", V, x)
        yield Solved(Ss, rs, u, V, (x.conj() * u).sum(-3).real.clamp_min(0), logs)


def halves_definition(X: Tensor, S: Tensor, r: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    return torch.cat([_halves(s, slope) for s in solved(X, S, r, e)], -2).to(r.dtype)


def _halves(s: Solved, slope: Tensor) -> Tensor:
    Su = torch.einsum("...nfij,...jft->...nift", s.S, s.u)
    neg = raised(s.q, slope).unsqueeze(-3) * (s.u.conj().unsqueeze(-4) * Su).real.sum(-3)
    pos = torch.einsum("...nfij,...jift->...nft", s.S, s.V).real
    return torch.stack([neg.clamp_min(0), pos.clamp_min(0)], -4)


def turned_definition(X: Tensor, S: Tensor, r: Tensor, e: Tensor, slope: Tensor) -> Tensor:
    return torch.cat([_turned(s, slope) for s in solved(X, S, r, e)], -3)


def _turned(s: Solved, slope: Tensor) -> Tensor:
    A = torch.einsum("...nft,...ijft->...nfij", s.r.to(s.V.dtype), s.V)
    w = s.r * raised(s.q, slope).unsqueeze(-3)
    return torch.stack([A, torch.einsum("...nft,...ift,...jft->...nfij", w.to(s.u.dtype), s.u, s.u.conj())], -5)


def _suits(X: Tensor, S: Tensor, r: Tensor, e: Tensor, slope: Tensor) -> bool:
    return slope[2].item() in POWERS


_SCHEMA = "(Tensor X, Tensor S, Tensor r, Tensor e, Tensor slope) -> Tensor"
full_halves = Op("full_halves", halves_definition, "full", _SCHEMA, _suits)
"""(X: *b m f t, S: *b n f m m, r: *b n 1|f 1|t, e: *b f 1, slope: 3) -> *b 2 n f t."""
full_turned = Op("full_turned", turned_definition, "full", _SCHEMA, _suits)
"""The same arguments -> *b 2 n f m m, A and K."""
