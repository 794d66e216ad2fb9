"""Generalised iterative projection: for densities with lighter tails than Gauss, whose surrogate has a degree above 2.

Row k minimises  f(w) - 2 log|det W|,  f(w) = (1/T) sum_t c_t |w^H x_t|^b,  b > 2
          U = <c |y|^(b-2) x x^H>,  u = U^-1 a_k scaled so that a_k^H u = a_k^H w,  d = u - w
          alpha = argmin over [0, 2] of the convex f(w + alpha d)         det W does not change along d
          w <- w + alpha d,  then w <- (2 / (b f(w)))^(1/b) w             b = 2 gives alpha = 1: IP1

Source    Mogami et al. 2019 treat the same cost (GIP-HSM) with another majoriser; this descent: docs/papers/ilrma.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.types import Demixer, Mixture, Weight
from otowake.linalg.safe import divide, loaded, tiny
from otowake.ops import demixed, weighted_covariance
from otowake.spatial.demix.update import with_rows

Row = Float[Tensor, "*b #f t"]
"""Of one source."""


@dataclass(frozen=True)
class GIP:
    """Rows in turn by a line search that is exact to rounding (see the file's first lines).

    Args:
        degree: b, the power of |y| in the surrogate: the shape of the GGD, above 2.
    """

    degree: float

    def __post_init__(self) -> None:
        if not self.degree > 2:
            raise OtowakeError(
                f"GIP: the degree must be above 2, got {self.degree}; use ip1 for densities of degree 2."
            )

    def __call__(self, X: Mixture, W: Demixer, phi: Weight) -> Demixer:
        for k in range(W.shape[-2]):
            W = self._row(X, W, phi[..., k, :, :], k)
        return W

    def _row(self, X: Mixture, W: Demixer, c: Row, k: int) -> Demixer:
        b = self.degree
        w = W[..., k, :]
        y = demixed(X, W[..., k : k + 1, :])[..., 0, :, :]
        A = y.real**2 + y.imag**2
        U = loaded(weighted_covariance(X, (c * A ** (b / 2 - 1)).unsqueeze(-3))[..., 0, :, :])
        a = torch.linalg.inv_ex(W).inverse[..., :, k]
        u = torch.linalg.solve_ex(U, a).result
        u = u / (a.conj() * u).sum(-1, keepdim=True).real  # a^H u = 1 = a^H w
        d = u.conj() - w
        yd = demixed(X, d.unsqueeze(-2))[..., 0, :, :]
        B, D = 2 * (y.conj() * yd).real, yd.real**2 + yd.imag**2
        alpha = _line_search(c, A, B, D, b)
        f = (c * (A + alpha * (B + alpha * D)).clamp_min(0) ** (b / 2)).mean(-1, keepdim=True)
        w = (w + alpha * d) * divide(torch.full_like(f, 2 / b), f) ** (1 / b)
        live = f > tiny(f)
        return with_rows(W, {k: torch.where(live, w, W[..., k, :])})


Curve = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
"""alpha -> value, slope and curvature of f(w + alpha d), *b f 1 each."""


def _line_search(c: Row, A: Row, B: Row, D: Row, b: float) -> Tensor:
    """argmin over [0, 2] of mean c (A + alpha B + alpha^2 D)^(b/2), bin by bin: *b f 1; never worse than alpha = 0."""
    curve = _polynomial(c, A, B, D, int(b) // 2) if b in (4, 6, 8) else _sampled(c, A, B, D, b)
    low = torch.zeros_like(c[..., :1])
    high, alpha = low + 2, low + 1 / (b - 1)
    for _ in range(30):
        _, s, ds = curve(alpha)
        low, high = torch.where(s < 0, alpha, low), torch.where(s < 0, high, alpha)
        newton = alpha - divide(s, ds)
        there = (newton - alpha).abs() <= 8 * torch.finfo(alpha.dtype).eps
        alpha = torch.where(there | ((newton > low) & (newton < high)), newton, (low + high) / 2)
        if there.all():
            break
    start = torch.zeros_like(alpha)
    return torch.where(curve(alpha)[0] <= curve(start)[0], alpha, start)


def _polynomial(c: Row, A: Row, B: Row, D: Row, half: int) -> Curve:
    """b = 2 half: a polynomial in alpha whose coefficients are means over time, made once."""
    terms = [c]
    for _ in range(half):
        grown = [torch.zeros_like(c) for _ in range(len(terms) + 2)]
        for i, term in enumerate(terms):
            for j, factor in enumerate((A, B, D)):
                grown[i + j] = grown[i + j] + term * factor
        terms = grown
    means = [term.mean(-1, keepdim=True) for term in terms]

    def curve(alpha: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, dy, ddy = means[-1], torch.zeros_like(alpha), torch.zeros_like(alpha)
        for mean in reversed(means[:-1]):
            y, dy, ddy = y * alpha + mean, dy * alpha + y, ddy * alpha + 2 * dy
        return y, dy, ddy

    return curve


def _sampled(c: Row, A: Row, B: Row, D: Row, b: float) -> Curve:
    """Any b: sums over time for every alpha."""

    def curve(alpha: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q = (A + alpha * (B + alpha * D)).clamp_min(0)
        p = b / 2 * c * q ** (b / 2 - 1)
        e = B + 2 * alpha * D
        bend = (b / 2 - 1) * divide(p, q) * e * e + 2 * p * D
        return (2 / b * p * q).mean(-1, keepdim=True), (p * e).mean(-1, keepdim=True), bend.mean(-1, keepdim=True)

    return curve
