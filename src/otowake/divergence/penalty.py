"""Penalties on the factors of R = B H, each with a bound that goes into the multiplicative update of what it touches.

Cost       added to the likelihood; s_k = sum_f b_fk makes it blind to the scale that B and H share
Terms      of the bound of one factor in its change q:   pos q^high / high  -  neg log q  +  quad q^2 / 2

`Sparse`      l sum_kt (s_k h_kt)^p                          Lp on H as if the columns of B added up to one
`Elastic`     l1 sum A + l2 / 2 sum A^2                      plain shrinkage of B and of H
`Hoyer`       l F T sum_k log( |h_k|_1 / |h_k|_2 )           few large gains a basis: blind to every scale
`Smooth`      l sum_kt s_k^2 (h_kt - h_k,t-1)^2              neighbouring frames alike
`Orthogonal`  mu sum_jk (f_jᵀ b_k)^2                         unlike given unit spectra f_j
`Cosine`      mu sum_jk log( f_jᵀ b_k / |b_k| + eps )        the same by the angle: blind to the scale of b_k

Source     bounds: docs/papers/penalties.md;  Orthogonal, Cosine: docs/papers/psnmf.md, equations 4 and 9.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.types import Cost
from otowake.linalg.safe import divide, rooted, template_floor

Bases = Float[Tensor, "*b n f k"]
Activations = Float[Tensor, "*b n k t"]
Templates = Float[Tensor, "f j"]
Weight = float | Float[Tensor, "*b 1 1 1"]


class Terms(NamedTuple):
    """What a penalty adds to the bound of a factor; of the factor's shape or broadcasting to it, all >= 0."""

    neg: Tensor | float = 0.0
    pos: Tensor | float = 0.0
    quad: Tensor | None = None
    high: float = 1.0


@runtime_checkable
class Penalty(Protocol):
    """A cost of the factors and its bounds; `scale_free`: B D and D^-1 H cost the same; `proved`: bounds they are."""

    @property
    def scale_free(self) -> bool: ...
    @property
    def proved(self) -> bool: ...
    def cost(self, B: Bases, H: Activations) -> Cost: ...
    def bases(self, B: Bases, H: Activations) -> Terms | None: ...
    def activations(self, B: Bases, H: Activations) -> Terms | None: ...


@dataclass(frozen=True)
class Sparse:
    """Few activations at a time.

    Args:
        weight: l >= 0; a cost in nats for each unit of s_k h_kt, which is in units of the data.
        p: above 0, 2 at most: 1 counts sizes, less prefers zeros.
    """

    weight: float
    p: float = 1.0
    scale_free = True
    proved = True

    def __post_init__(self) -> None:
        _check_weight("Sparse", self.weight)
        if not 0 < self.p <= 2:
            raise OtowakeError(f"Sparse: p must be above 0, 2 at most, got {self.p:g}; 1 is usual.")

    def cost(self, B: Bases, H: Activations) -> Cost:
        return self.weight * (B.sum(-2).unsqueeze(-1) * H).pow(self.p).sum((-3, -2, -1))

    def bases(self, B: Bases, H: Activations) -> Terms:
        s = B.sum(-2, keepdim=True)
        return self._terms(rooted(s, self.p - 1) * H.pow(self.p).sum(-1).unsqueeze(-2))

    def activations(self, B: Bases, H: Activations) -> Terms:
        return self._terms(B.sum(-2).unsqueeze(-1).pow(self.p) * rooted(H, self.p - 1))

    def _terms(self, slope: Tensor) -> Terms:
        return Terms(pos=self.weight * self.p * slope, high=max(self.p, 1.0))


@dataclass(frozen=True)
class Hoyer:
    """Few large activations a basis, by the ratio of their norms: no gain can evade it, nor does it feed any.

    Args:
        weight: l >= 0; a cost in nats a cell (F T of them) for each factor e in l1 / l2 of a basis's gains.
    """

    weight: float
    scale_free = True
    proved = True

    def __post_init__(self) -> None:
        _check_weight("Hoyer", self.weight)

    def cost(self, B: Bases, H: Activations) -> Cost:
        ratio = divide(H.sum(-1), torch.linalg.vector_norm(H, dim=-1))
        return self._unit(B, H) * torch.log(ratio.clamp_min(1)).sum((-2, -1))

    def bases(self, B: Bases, H: Activations) -> None:
        return None

    def activations(self, B: Bases, H: Activations) -> Terms:
        """log of a sum lies below its tangent; -log |h|_2 below its Jensen bound, whose shares are h^2 / |h|_2^2."""
        size = torch.linalg.vector_norm(H, dim=-1, keepdim=True)
        unit = self._unit(B, H)
        return Terms(divide(unit * divide(H, size), size), divide(torch.full_like(size, unit), H.sum(-1, keepdim=True)))

    def _unit(self, B: Bases, H: Activations) -> float:
        return self.weight * B.shape[-2] * H.shape[-1]


@dataclass(frozen=True)
class Elastic:
    """Plain shrinkage, as scikit-learn has it: sums and squares of B and of H.

    Args:
        bases_weights, activations_weights: (l1, l2) of each.
    """

    bases_weights: tuple[float, float] = (0.0, 0.0)
    activations_weights: tuple[float, float] = (0.0, 0.0)
    scale_free = False
    proved = True

    def __post_init__(self) -> None:
        for weight in (*self.bases_weights, *self.activations_weights):
            _check_weight("Elastic", weight)

    def cost(self, B: Bases, H: Activations) -> Cost:
        pairs = ((B, self.bases_weights), (H, self.activations_weights))
        return sum((l1 * A + l2 / 2 * A.square()).sum((-3, -2, -1)) for A, (l1, l2) in pairs)  # type: ignore[return-value]

    def bases(self, B: Bases, H: Activations) -> Terms:
        return self._terms(B, *self.bases_weights)

    def activations(self, B: Bases, H: Activations) -> Terms:
        return self._terms(H, *self.activations_weights)

    def _terms(self, A: Tensor, l1: float, l2: float) -> Terms:
        return Terms(pos=l1, quad=l2 * A if l2 else None)


@dataclass(frozen=True)
class Smooth:
    """Activations that change slowly.

    Args:
        weight: l >= 0; a cost in nats for each squared step of s_k h_kt.
    """

    weight: float
    scale_free = True
    proved = True

    def __post_init__(self) -> None:
        _check_weight("Smooth", self.weight)

    def cost(self, B: Bases, H: Activations) -> Cost:
        return self.weight * (B.sum(-2).unsqueeze(-1) * H.diff(dim=-1)).square().sum((-3, -2, -1))

    def bases(self, B: Bases, H: Activations) -> Terms:
        s = B.sum(-2, keepdim=True)
        return Terms(quad=2 * self.weight * s * H.diff(dim=-1).square().sum(-1).unsqueeze(-2))

    def activations(self, B: Bases, H: Activations) -> Terms:
        """(h - h')^2 <= 2 (h - m)^2 + 2 (h' - m)^2 with m the mean of both as they are."""
        left, right = H[..., :1], H[..., -1:]
        around = torch.cat([left, H[..., :-1]], -1) + torch.cat([H[..., 1:], right], -1)  # ends meet themselves
        unit = 2 * self.weight * B.sum(-2).unsqueeze(-1).square()
        return Terms(neg=unit * (2 * H + around), quad=4 * unit * H)


@dataclass(frozen=True, eq=False)
class Orthogonal:
    """Bases unlike the templates, by inner products.  B can evade it by its scale: take Nmf(norm=2), or `Cosine`.

    Args:
        templates: f_j, f j; see `unit_templates`.
        weight: mu >= 0; a tensor *b 1 1 1 gives each item of a batch its own.
        form: "mm", the exact minimiser of the bound; "gradient" and "printed", the multiplicative updates with 2 mu and
            with mu (the paper's), which may raise the cost.
    """

    templates: Templates
    weight: Weight
    form: str = "mm"
    scale_free = False

    def __post_init__(self) -> None:
        _check_weight("Orthogonal", self.weight)
        if self.form not in ("mm", "gradient", "printed"):
            raise OtowakeError(f"Orthogonal: the form is mm, gradient or printed, not {self.form!r}.")

    @property
    def proved(self) -> bool:
        return self.form == "mm"

    def cost(self, B: Bases, H: Activations) -> Cost:
        return (self.weight * (self.templates.mT @ B).square()).sum((-3, -2, -1))

    def bases(self, B: Bases, H: Activations) -> Terms:
        c = self.templates @ (self.templates.mT @ B)
        if self.form == "mm":
            return Terms(quad=2 * self.weight * c)
        return Terms(pos=(2 if self.form == "gradient" else 1) * self.weight * c)

    def activations(self, B: Bases, H: Activations) -> None:
        return None


@dataclass(frozen=True, eq=False)
class Cosine:
    """Bases unlike the templates, by angles.

    Args:
        templates: f_j, f j, everywhere above zero (`unit_templates`): the cost is bounded then.
        weight: mu >= 0; a tensor *b 1 1 1 gives each item of a batch its own.
        eps: 0 for the published form; 1e-3 to 0.1 bounds the reward of ever smaller angles.
    """

    templates: Templates
    weight: Weight
    eps: float = 0.0
    scale_free = True
    proved = True

    def __post_init__(self) -> None:
        _check_weight("Cosine", self.weight)
        if not 0 <= self.eps <= 1:
            raise OtowakeError(f"Cosine: eps must be from 0 to 1, got {self.eps:g}; 0 is the published form.")

    def cost(self, B: Bases, H: Activations) -> Cost:
        size = B.square().sum(-2, keepdim=True).sqrt()
        return (self.weight * torch.log(divide(self.templates.mT @ B, size) + self.eps)).sum((-3, -2, -1))

    def bases(self, B: Bases, H: Activations) -> Terms:
        power = B.square().sum(-2, keepdim=True)
        z = self.templates.mT @ B + self.eps * power.sqrt()
        neg = self.weight * self.templates.shape[-1] * divide(B, power)
        pos = self.weight * (self.templates @ (1 / z))
        if self.eps == 0:
            return Terms(neg=neg, pos=pos)  # (19)
        return Terms(neg, pos, self.weight * self.eps * (1 / z).sum(-2, keepdim=True) * divide(B, power.sqrt()))

    def activations(self, B: Bases, H: Activations) -> None:
        return None


def unit_templates(B: Float[Tensor, "f j"]) -> Templates:
    """Spectra of unit length and nowhere zero, as the penalties want them."""
    size = B.square().sum(-2, keepdim=True).sqrt()
    if not bool((size > 0).all()):
        raise OtowakeError("A template spectrum is zero everywhere; leave it out.")
    F = (B / size).clamp_min(template_floor(B))
    return F / F.square().sum(-2, keepdim=True).sqrt()


def _check_weight(name: str, weight: Weight) -> None:
    numbers = torch.as_tensor(weight)
    if not bool(((numbers >= 0) & numbers.isfinite()).all()):
        raise OtowakeError(f"{name}: the weight must be 0 or more, and finite, got {weight}.")


def examples(bins: int) -> dict[str, Penalty]:
    """Every penalty, with the parameters that the laws are tried with."""
    F = unit_templates(torch.linspace(0, 7, 3 * bins, dtype=torch.float64).sin().square().reshape(bins, 3))
    return {
        "sparse": Sparse(0.3),
        "sparse-0.5": Sparse(0.3, 0.5),
        "sparse-1.5": Sparse(0.3, 1.5),
        "sparse-2": Sparse(0.3, 2.0),
        "hoyer": Hoyer(0.1),
        "elastic": Elastic((0.2, 0.4), (0.3, 0.1)),
        "smooth": Smooth(0.3),
        "orthogonal": Orthogonal(F, 3.0),
        "orthogonal-gradient": Orthogonal(F, 3.0, "gradient"),
        "cosine": Cosine(F, 3.0),
        "cosine-eps": Cosine(F, 3.0, 0.05),
    }
