"""A factorisation read as probabilities: probabilistic latent semantic analysis (pLSA).

Model     p(f, t) = sum_k p(k) p(f|k) p(t|k)          of r = B H:  b_fk h_kt = sum(r) p(k) p(f|k) p(t|k)
Cost      - sum_ft v_ft log p(f, t): d_KL(v | r) up to what v alone decides, where sum(r) = sum(v)
Updates   those of `Nmf` with the Kullback-Leibler divergence.  EM is one of B and one of H, both from the same r;
          `Nmf` makes r anew between them, which is another way to the same fixed points

Source    Hofmann 1999, equations 3 to 6; Gaussier & Goutte 2005 (NMF and pLSA); docs/papers/plsa.md.
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from otowake.linalg.safe import divide
from otowake.source.nmf import NmfState


class Shares(NamedTuple):
    """k: p(k), how much of the whole a component is;  f: p(f|k), its spectrum;  t: p(t|k), when it sounds.

    Each adds up to 1, over k, f and t; a component that is zero stays zero.
    """

    k: Float[Tensor, "*b n k"]
    f: Float[Tensor, "*b n f k"]
    t: Float[Tensor, "*b n k t"]


def shares(z: NmfState) -> Shares:
    """The factors without their scales, which go into p(k)."""
    heard, sounding = z.B.sum(-2, keepdim=True), z.H.sum(-1, keepdim=True)
    weight = (heard.mT * sounding)[..., 0]
    return Shares(divide(weight, weight.sum(-1, keepdim=True)), divide(z.B, heard), divide(z.H, sounding))
