"""Where a factorisation begins: from the singular vectors of the data instead of at random.

nndsvd   v ~ sum_k s_k u_k w_kᵀ;  of each u_k, w_k the positive parts or the negative ones, whichever product is larger:
         b_k = sqrt(s_k |u'| |w'|) u' / |u'|,  h_k = sqrt(s_k |u'| |w'|) w' / |w'|;  the first pair is all of one sign

Source   Boutsidis & Gallopoulos 2008, algorithm NNDSVD; zeros raised to the data's mean: their NNDSVDa.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.linalg.safe import divide


def nndsvd(v: Float[Tensor, "f t"], k: int, raised: bool = True) -> tuple[Float[Tensor, "f k"], Float[Tensor, "k t"]]:
    """(B, H) with B H near v.

    Args:
        v: nonnegative.
        k: how many components; at most as many as v has rows and columns.
        raised: zeros become the mean of v, and can be updated by multiplication.
    """
    if k > min(v.shape):
        raise OtowakeError(f"A start from singular vectors has at most {min(v.shape)} components, not {k}; use random.")
    U, s, Wt = torch.linalg.svd(v, full_matrices=False)
    U, W = U[:, :k], Wt[:k].mT
    signs = torch.where(U.sum(0) + W.sum(0) >= 0, 1.0, -1.0).to(v)  # an SVD's signs are arbitrary
    U, W = U * signs, W * signs
    pairs = [(U.clamp_min(0), W.clamp_min(0)), ((-U).clamp_min(0), (-W).clamp_min(0))]
    sizes = [u.norm(dim=0) * w.norm(dim=0) for u, w in pairs]
    first = sizes[0] >= sizes[1]
    u, w = (torch.where(first, a, b) for a, b in zip(*pairs, strict=True))
    scale = (s[:k] * torch.where(first, *sizes)).sqrt()
    B, H = divide(u, u.norm(dim=0)) * scale, (divide(w, w.norm(dim=0)) * scale).mT
    if not raised:
        return B, H
    mean = v.mean()
    return torch.where(B > 0, B, mean), torch.where(H > 0, H, mean)
