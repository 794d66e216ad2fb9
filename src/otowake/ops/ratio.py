"""The two products of a multiplicative update and their quotient: (neg Aᵀ) / (pos Aᵀ).

The definition is two matrix products of the linear-algebra library, which no kernel of ours beats.
"""

from torch import Tensor

from otowake.linalg.safe import divide
from otowake.ops.registry import Op


def definition(neg: Tensor, pos: Tensor, A: Tensor) -> Tensor:
    return divide(neg @ A.mT, pos @ A.mT)


factor_ratio = Op("factor_ratio", definition, None, "(Tensor neg, Tensor pos, Tensor A) -> Tensor")
"""(neg, pos: *b n f t, A: *b n k t) -> *b n f k; transposed views give the other factor."""
