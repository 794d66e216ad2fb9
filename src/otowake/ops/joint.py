"""Halves of the updates where channels hold shares of all sources: a channel's scale is Y_m = sum_n r_n g_nm + d_m.

Channels   q = v / Y,  neg_m = c (q + a)^g q / Y,  pos_m = 1 / Y;   phi_m = c (q + a)^g / Y
Sources    neg_n = sum_m g_nm neg_m,  pos_n = sum_m g_nm pos_m
Products   joint_bases: neg_n H_nᵀ and pos_n H_nᵀ of r_n = B_n H_n + e_n;  joint_activations: B_nᵀ neg_n and B_nᵀ pos_n
           joint_shares: sum_t r_n neg_m and sum_t r_n pos_m, and over f, too, where G is the same in all bins
"""

import torch
from torch import Tensor

from otowake.core.method import Factored
from otowake.ops.factored import Pair, by
from otowake.ops.ratio import POWERS, halves_of, weight_definition
from otowake.ops.registry import Op


def channels(r: Tensor, G: Tensor, d: Tensor) -> Tensor:
    """Y: *b m f t, of r: *b n f t, G: *b n #f m, d: *b m 1 1."""
    Y = d.to(r.dtype)
    for n in range(G.shape[-3]):
        Y = Y + _share(G, n, r) * r[..., n : n + 1, :, :]
    return Y


def heard(G: Tensor, half: Tensor) -> Tensor:
    """sum_m g_nm x_m: *b n f t from *b m f t."""
    return torch.stack([(_share(G, n, half) * half).sum(-3) for n in range(G.shape[-3])], -3)


def summed(half: Tensor, r: Tensor, bins: int) -> Tensor:
    """sum_t r_n x_m: *b n f m, or *b n 1 m where G has one number for all bins."""
    sums = torch.stack([(r[..., n : n + 1, :, :] * half).sum(-1).mT for n in range(r.shape[-3])], -3)
    return sums if bins > 1 else sums.sum(-2, keepdim=True)


def _share(G: Tensor, n: int, of: Tensor) -> Tensor:
    """Of source n in each channel: *b m #f 1, in the precision of what it multiplies."""
    return G[..., n, :, :].mT.unsqueeze(-1).to(of.dtype)


def bases_definition(v: Tensor, B: Tensor, H: Tensor, e: Tensor, G: Tensor, d: Tensor, slope: Tensor) -> Tensor:
    halves = halves_of(v, channels(B @ H + e, G, d), slope)
    return torch.stack([heard(G, half) @ H.mT for half in halves], -3)


def activations_definition(v: Tensor, B: Tensor, H: Tensor, e: Tensor, G: Tensor, d: Tensor, slope: Tensor) -> Tensor:
    halves = halves_of(v, channels(B @ H + e, G, d), slope)
    return torch.stack([B.mT @ heard(G, half) for half in halves], -3)


def shares_definition(v: Tensor, r: Tensor, G: Tensor, d: Tensor, slope: Tensor) -> Tensor:
    halves = halves_of(v, channels(r, G, d), slope)
    return torch.stack([summed(half, r, G.shape[-2]) for half in halves], -4)


def joint_weight_definition(v: Tensor, r: Tensor, G: Tensor, d: Tensor, slope: Tensor) -> Tensor:
    return weight_definition(v, channels(r, G, d), slope)


def _suits(v: Tensor, *rest: Tensor) -> bool:
    return rest[-1][2].item() in POWERS


_FACTORS = "(Tensor v, Tensor B, Tensor H, Tensor e, Tensor G, Tensor d, Tensor slope) -> Tensor"
_LEVELS = "(Tensor v, Tensor r, Tensor G, Tensor d, Tensor slope) -> Tensor"
joint_bases = Op("joint_bases", bases_definition, "joint", _FACTORS, _suits)
"""(v: *b m f t, B: *b n f k, H: *b n k t, e: *b n 1|f 1, G: *b n 1|f m, d: *b m 1 1, slope: 3) -> *b n 2 f k."""
joint_activations = Op("joint_activations", activations_definition, "joint", _FACTORS, _suits)
"""The same arguments -> *b n 2 k t."""
joint_shares = Op("joint_shares", shares_definition, "joint", _LEVELS, _suits)
"""(v: *b m f t, r: *b n f t, G, d, slope) -> *b 2 n 1|f m."""
joint_weight = Op("joint_weight", joint_weight_definition, "joint", _LEVELS, _suits)
"""The same arguments -> phi: *b m f t."""


def jointly(v: Tensor, G: Tensor, d: Tensor, slope: Tensor) -> Factored:
    """What updates of B and H divide, for sources that share channels."""

    def halves(B: Tensor, H: Tensor, e: Tensor, bases: bool) -> Pair:
        neg, pos = (joint_bases if bases else joint_activations)(v, B, H, e, G, d, slope).unbind(-3)
        return neg, pos

    return by(halves)
