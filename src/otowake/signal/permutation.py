"""Which output of a bin belongs to which source, where every bin was separated for itself.

Data     z_nft: activity of output n in bin f, less its mean over frames, and of norm 1
Score    J = sum_{f < g} K_fg sum_n <z_nf, z_ng>,   the outputs of each bin in the order that is looked for
         K_fg = 1/F + [ g is one of f - 3 ... f + 3, f/2, 2f ] / 10:   every bin a little, neighbours and octaves more
Start    bins one after the other, the most decided first, each in the order most like the sum of those before it
Sweeps   each bin in its best order, given all others, by the Hungarian method: J never falls; done when none moves
Cuts     all bins from some f on in another order, where that lifts J most: mends what halves cannot mend bin by bin

Source   Sawada, Araki, Makino 2011.  Ours: one score for the whole second stage, so that it must end; cuts.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from otowake.core.types import Power
from otowake.linalg.safe import SAME, divide

MOST_SWEEPS = 50
_NEAR = 3
_NEIGHBOUR = 0.1

Activity = Float[np.ndarray, "f n t"]
Order = Int[Tensor, "*b f n"]


def align(activity: Power) -> Order:
    """The order of the outputs of each bin that makes activities alike over frequency.

    Args:
        activity: *b n f t, such as posteriors of masks, or shares of power; of any scale.

    Returns:
        *b f n: output order[f, n] of bin f belongs to source n (`ordered` brings it there).
    """
    *batch, n, f, t = activity.shape
    items = activity.detach().cpu().double().reshape(-1, n, f, t).transpose(1, 2)
    orders = [torch.from_numpy(_order(item.numpy())) for item in items - items.mean(-1, keepdim=True)]
    return torch.stack(orders).reshape(*batch, f, n).to(activity.device)


def ordered(x: Tensor, order: Order) -> Tensor:
    """x: *b f n ..., with the outputs of each bin in their order."""
    index = order[(..., *[None] * (x.ndim - order.ndim))]
    return x.gather(order.ndim - 1, index.expand_as(x))


def _order(a: Activity) -> Int[np.ndarray, "f n"]:
    """Of one item; its means are zero."""
    power = np.square(a).sum(-1)
    z = divide(torch.from_numpy(a), torch.from_numpy(power).sqrt().unsqueeze(-1)).numpy().copy()
    order = np.tile(np.arange(a.shape[1]), (len(a), 1))
    whole = np.zeros_like(z[0])
    for f in np.argsort(-power.sum(-1), kind="stable"):
        _turn(f, whole, z, order)
        whole += z[f]
    neighbours = _neighbours(len(a))
    for _ in range(MOST_SWEEPS):
        while _swept(z, order, neighbours):
            pass
        if not _cut(z, order, neighbours):
            break
    return order


def _swept(z: Activity, order: Int[np.ndarray, "f n"], neighbours: list[list[int]]) -> bool:
    """Each bin in its best order, in place; whether any moved."""
    whole, moved = z.sum(0), False
    for f, near in enumerate(neighbours):
        whole -= z[f]
        moved |= _turn(f, whole / len(z) + _NEIGHBOUR * z[near].sum(0), z, order)
        whole += z[f]
    return moved


def _cut(z: Activity, order: Int[np.ndarray, "f n"], neighbours: list[list[int]]) -> bool:
    """The one turn of all bins from some f on that lifts the score most, in place; whether there is any."""
    below = z.cumsum(0)
    likeness = np.stack([low @ (below[-1] - low).T for low in below]) / len(z)  # of bins 0 ... f with those above
    across = np.zeros_like(likeness)
    for f, near in enumerate(neighbours):
        for g in (g for g in near if g > f):
            both = _NEIGHBOUR * z[f] @ z[g].T
            across[f] += both
            across[g] -= both
    likeness += across.cumsum(0)
    best = [assigned(one) for one in likeness]
    gain = [one[range(len(p)), p].sum() - np.trace(one) for one, p in zip(likeness, best)]
    f = int(np.argmax(gain))
    if gain[f] <= SAME * len(z):
        return False
    z[f + 1 :], order[f + 1 :] = z[f + 1 :, best[f]], order[f + 1 :, best[f]]
    return True


def _turn(f: int, target: Float[np.ndarray, "n t"], z: Activity, order: Int[np.ndarray, "f n"]) -> bool:
    """Bring bin f into the order most like the target, in place; whether it moved."""
    likeness = target @ z[f].T
    best = assigned(likeness)
    better = likeness[range(len(best)), best].sum() > np.trace(likeness) + SAME
    if better:
        z[f], order[f] = z[f][best], order[f][best]
    return bool(better)


def assigned(likeness: Float[np.ndarray, "n n"]) -> Int[np.ndarray, " n"]:
    """For each row a column of its own, with the largest sum."""
    if len(likeness) == 2:  # SciPy's module takes a third of a second to come in
        straight, crossed = likeness[0, 0] + likeness[1, 1], likeness[0, 1] + likeness[1, 0]
        return np.array([1, 0] if crossed > straight else [0, 1])
    from scipy.optimize import linear_sum_assignment

    columns: np.ndarray = linear_sum_assignment(likeness, maximize=True)[1]
    return columns


def _neighbours(bins: int) -> list[list[int]]:
    """Of each bin; mutual, as the score wants them."""
    found: list[set[int]] = [set() for _ in range(bins)]
    for f in range(bins):
        for g in (*range(f + 1, f + _NEAR + 1), 2 * f - 1, 2 * f, 2 * f + 1):
            if f < g < bins:
                found[f].add(g)
                found[g].add(f)
    return [sorted(near) for near in found]
