"""Where a factorisation begins: at random, at the singular vectors of the data, or at given values.

random   B, H ~ U(0.1, 1), the same for each item of a batch
nndsvd   v ~ sum_k s_k u_k w_kᵀ;  of each u_k, w_k the positive parts or the negative ones, whichever product is larger:
         b_k = sqrt(s_k |u'| |w'|) u' / |u'|,  h_k = sqrt(s_k |u'| |w'|) w' / |w'|;  the first pair is all of one sign

Source   Boutsidis & Gallopoulos 2008, algorithm NNDSVD; zeros raised to the data's mean: their NNDSVDa.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.random import uniform
from otowake.linalg.safe import divide

Factors = tuple[Float[Tensor, "*b n f k"], Float[Tensor, "*b n k t"]]
Start = Callable[[Float[Tensor, "*b n f t"], int, int], Factors]
"""(R: what B H is to explain, k: bases a source, seed) -> (B, H)."""


def random(R: Float[Tensor, "*b n f t"], k: int, seed: int) -> Factors:
    """B, H ~ U(0.1, 1)."""
    *batch, n, f, t = R.shape
    B = uniform(seed, (n, f, k), R, stream=0).expand(*batch, -1, -1, -1)
    H = uniform(seed, (n, k, t), R, stream=1).expand(*batch, -1, -1, -1)
    return B.clone(), H.clone()


def singular(R: Float[Tensor, "*b n f t"], k: int, seed: int) -> Factors:
    """`nndsvd` of the sources' mean with n k components: component i goes to source i mod n.  The seed is not used."""
    *batch, n, f, t = R.shape
    pairs = [nndsvd(one, n * k) for one in R.mean(-3).reshape(-1, f, t)]
    B, H = (torch.stack(factors).reshape(*batch, *factors[0].shape) for factors in zip(*pairs, strict=True))
    return B.unflatten(-1, (k, n)).movedim(-1, -3).contiguous(), H.unflatten(-2, (k, n)).movedim(-2, -3).contiguous()


@dataclass(frozen=True, eq=False)
class Values:
    """Values to begin with; `Given` is for bases of which some stay as they are.

    Args:
        B: bases, one set for all sources or one for each.
        H: activations; None: at random.
    """

    B: Float[Tensor, "*n f k"]
    H: Float[Tensor, "*n k t"] | None = None

    def __post_init__(self) -> None:
        for x in (self.B, self.H):
            if x is not None and (x.ndim < 2 or not bool((x >= 0).all() & x.isfinite().all())):
                raise OtowakeError(f"Values to start from are matrices, >= 0 and finite; got {tuple(x.shape)}.")

    def __call__(self, R: Float[Tensor, "*b n f t"], k: int, seed: int) -> Factors:
        drawn = random(R, k, seed)
        return self._as(drawn[0], self.B, "B"), self._as(drawn[1], drawn[1] if self.H is None else self.H, "H")

    def _as(self, wanted: Tensor, x: Tensor, name: str) -> Tensor:
        try:
            return x.to(wanted).expand(wanted.shape).clone()
        except RuntimeError as error:
            raise OtowakeError(
                f"The {name} to start from has the shape {tuple(x.shape)}, the model's is {tuple(wanted.shape)}."
            ) from error


STARTS: dict[str, Start] = {"random": random, "nndsvd": singular}
"""Every start by name."""


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
