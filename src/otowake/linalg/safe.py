"""The only room with floors, loadings and tolerances.

Everything here is relative: mixtures come in with unit mean power, matrices are compared with their own trace.
Sources of the numbers: measurements on speech and random mixtures, docs/decisions/0003-numbers.md.
"""

import torch
from torch import Tensor

_DOUBLE = (torch.float64, torch.complex128)


def _pick(x: Tensor, double: float, single: float) -> float:
    return double if x.dtype in _DOUBLE else single


LIMIT = 1e-8
"""Parameters nearer than this to a limit of a formula take the limit's own formula."""
SUM_RESIDUE = 1e-9
"""Sources that add up to the recording within this share of its peak leave no rest."""
UNHEARD = 1e-6
"""A microphone that hears less than this share of a subspace cannot be its phase reference."""
DEAD = 1e-12
"""A channel below this share of the loudest one's amplitude is silent."""
EMPTY = 1e-9
"""A band with less than this share of a sound's power holds nothing of it."""
UNTOLD = 1e-5
"""Amplitudes below this share of a sound's level are not told apart: their logarithms would say nothing."""
SAME = 1e-12
"""Sums of correlations that differ by less count as equal: nothing is moved for the sake of rounding."""
MASKED = 1e-3, 1 - 1e-6
"""The least and the most of a source that a mask in place of a penalty may leave: nothing is lost for ever."""
NEGLIGIBLE = 1e-4
"""A source with a smaller share of the recording is as good as none."""
LOG_FLOOR = 1e-12
"""Powers are raised by this share of their mean before their logarithms are compared."""


def variance_floor(x: Tensor) -> float:
    """The additive frozen floor e of a source model, in units of the mixture's mean power."""
    return _pick(x, 1e-10, 1e-10)


def grounded(e: Tensor, power: float = 1.0) -> Tensor:
    """A floor e of r^power that scaling has not brought to where 1 / r^2 is no number any more in its precision."""
    return e.clamp_min(_pick(e, 1e-100, 1e-12) ** power)


def radius_floor(q: Tensor) -> float:
    """What is added to q = v / r where a density has a cusp at zero (part of the model, hence of the cost)."""
    return _pick(q, 1e-10, 1e-10)


def loading(V: Tensor) -> float:
    """Relative loading of a covariance before it is inverted."""
    return _pick(V, 1e-15, 1e-6)


def inactive(C: Tensor) -> float:
    """A bin with less than this share of the loudest bin's power is left alone."""
    return _pick(C, 1e-10, 1e-10)


def rank_tolerance(C: Tensor) -> float:
    """Eigenvalues below this share of the largest count as zero."""
    return _pick(C, 1e-10, 1e-6)


def template_floor(F: Tensor) -> float:
    """The least that a unit template spectrum may be anywhere: angles to it stay below 90 degrees."""
    return _pick(F, 1e-6, 1e-6)


def bases_floor(B: Tensor) -> Tensor:
    """The least that a basis learned from block after block may be: zero would stay zero, whatever comes."""
    return _pick(B, 1e-12, 1e-8) * B.amax((-3, -2, -1), keepdim=True)


def data_floor(v: Tensor) -> Tensor:
    """Observed powers are raised to this share of their mean, once: logarithms of them exist then."""
    mean = v.mean((-3, -2, -1), keepdim=True)
    return torch.where(mean > 0, 1e-10 * mean, torch.ones_like(mean))


def tiny(x: Tensor) -> float:
    """The smallest normal number: only to keep 0 / 0 away."""
    return torch.finfo(x.dtype).tiny


def divide(a: Tensor, b: Tensor) -> Tensor:
    """a / b for b >= 0, with a / 0 read as a / tiny (so 0 / 0 = 0)."""
    return a / b.clamp_min(tiny(b))


def rooted(q: Tensor, x: float) -> Tensor:
    """q^x for q >= 0, with the slope 0 at 0 and not infinity: silent bins leave gradients finite."""
    return q if x == 1 else q.clamp_min(tiny(q)) ** x


def polar(u: Tensor, old: Tensor) -> tuple[Tensor, Tensor]:
    """(u / |u|, |u|) of complex numbers, and the old phase where |u| is next to nothing; with finite slopes everywhere.

    Parts are copied first (abs): hypot is several times slower on views.
    """
    least = tiny(u.real)
    size = torch.hypot(u.real.abs().clamp_min(least), u.imag.abs())
    sure = size > least / torch.finfo(u.dtype).eps
    return torch.where(sure, torch.complex(u.real / size, u.imag / size), old), size


def loaded(V: Tensor) -> Tensor:
    """V / (tr V / M) + delta I: unit mean eigenvalue, never singular; an empty V becomes the identity.

    The scale that is taken out does not matter to the caller's direction and is returned by `mean_eigenvalue`.
    """
    unit, some, eye = _unit(V)
    return torch.where(some, unit + loading(V) * eye, eye)


def balanced(V: Tensor) -> Tensor:
    """V / (tr V / M): unit mean eigenvalue; an empty V becomes the identity."""
    unit, some, eye = _unit(V)
    return torch.where(some, unit, eye)


def _unit(V: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """V / (tr V / M), where V is not empty, and the identity."""
    s = mean_eigenvalue(V)[..., None, None]
    some = s > tiny(s)
    eye = torch.eye(V.shape[-1], dtype=V.dtype, device=V.device)
    return V / torch.where(some, s, torch.ones_like(s)), some, eye


def widened(S: Tensor) -> Tensor:
    """S + delta tr S / M I: a covariance that can be inverted, however loud what it is multiplied by."""
    eye = torch.eye(S.shape[-1], dtype=S.dtype, device=S.device)
    return S + _pick(S, 1e-12, 1e-5) * mean_eigenvalue(S)[..., None, None] * eye


def blurred(R: Tensor) -> Tensor:
    """R + a millionth of I, for R of unit mean eigenvalue: masks never tell that a source has one direction alone."""
    return R + 1e-6 * torch.eye(R.shape[-1], dtype=R.dtype, device=R.device)


def mean_eigenvalue(V: Tensor) -> Tensor:
    """tr V / M, real."""
    return V.diagonal(dim1=-2, dim2=-1).real.mean(-1)


def isotropy(x: Tensor) -> float:
    """The share of every cell's power that a mixture of directions takes for noise from everywhere.

    Part of the model: it bounds the likelihood, which else has no limit where a class collapses.
    """
    return _pick(x, 1e-10, 1e-10)
