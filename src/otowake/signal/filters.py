"""From masks to sounds: how the cells of each source become its images.

Given    gamma_nft: share of source n in a cell, sum_n gamma = 1;  r_nft R_nf: its covariance there
Phi_n    <gamma_n x x^H>: covariance of a source's cells;  C = sum_n Phi_n = <x x^H>

mask     c_n = gamma_n x                                    every microphone's share; adds up to x
mwf      c_n = Phi_n C^-1 x                                 multichannel Wiener filter, one a bin; adds up to x
wiener   c_n = r_n R_n (sum_j r_j R_j)^-1 x                 the same for every cell; adds up to x
mvdr     c_nm = e_m^H A_n^H x,  A_n = N_n^-1 Phi_n / tr,  N_n = C - Phi_n     keeps its source as microphone m has it

What loading leaves of x is shared out by gamma, so that sums stay exact; bins without sound are shared out, too.

Source   Souden, Benesty, Affes 2010 (mvdr); Duong, Vincent, Gribonval 2010 (wiener).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch

from otowake.core.types import Covariances, Images, Mixture, Power
from otowake.linalg.safe import balanced, loaded, mean_eigenvalue
from otowake.ops import weighted_covariance

_AT_ONCE = 2**18
"""Numbers of the covariances of cells that are inverted at a time."""


class Shares(NamedTuple):
    """gamma: *b n f t, of each cell;  r: *b n f t and R: *b f n m m, covariance r R of a source in a cell."""

    gamma: Power
    r: Power
    R: Covariances


@runtime_checkable
class Output(Protocol):
    """(X, shares, microphones) -> images."""

    def __call__(self, X: Mixture, s: Shares, microphones: Sequence[int]) -> Images: ...


def mask(X: Mixture, s: Shares, microphones: Sequence[int]) -> Images:
    """The share of each microphone."""
    return s.gamma.unsqueeze(-3) * X[..., list(microphones), :, :].unsqueeze(-4)


def mwf(X: Mixture, s: Shares, microphones: Sequence[int]) -> Images:
    """One Wiener filter a bin, for stationary sources of the covariances of their cells."""
    Phi = weighted_covariance(X, s.gamma)
    C = Phi.sum(-3, keepdim=True)
    size = mean_eigenvalue(C)[..., None, None]
    W = torch.linalg.solve_ex(loaded(C), Phi / torch.where(size > 0, size, 1)).result.mH
    return completed(filtered(X, W, microphones), X, s, microphones)


def mvdr(X: Mixture, s: Shares, microphones: Sequence[int]) -> Images:
    """Beamformers that keep their source and take as much of the others as they can."""
    Phi = weighted_covariance(X, s.gamma)
    A = torch.linalg.solve_ex(loaded(Phi.sum(-3, keepdim=True) - Phi), balanced(Phi)).result
    trace = A.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None].real
    return filtered(X, (A / trace).mH, microphones)


def wiener(X: Mixture, s: Shares, microphones: Sequence[int]) -> Images:
    """A Wiener filter for every cell."""
    size = max(1, _AT_ONCE // (X[..., 0, :].numel() * X.shape[-3] ** 2))
    cut = [slice(i, i + size) for i in range(0, X.shape[-2], size)]
    parts = [_wiener(X[..., i, :], Shares(s.gamma[..., i, :], s.r[..., i, :], s.R[..., i, :, :, :])) for i in cut]
    c = torch.cat(parts, -2)[..., list(microphones), :, :]
    return completed(c, X, s, microphones)


def _wiener(X: Mixture, s: Shares) -> Images:
    S = torch.einsum("...nft,...fnij->...ftij", s.r.to(s.R.dtype), s.R)
    size = mean_eigenvalue(S).unsqueeze(-3)
    u = torch.linalg.solve_ex(balanced(S), X.to(S.dtype).movedim(-3, -1).unsqueeze(-1)).result[..., 0]
    share = torch.where(size > 0, s.r / torch.where(size > 0, size, 1), 0)
    return (share.unsqueeze(-3) * torch.einsum("...fnij,...ftj->...nift", s.R, u)).to(X.dtype)


OUTPUTS: dict[str, Output] = {"wiener": wiener, "mwf": mwf, "mvdr": mvdr, "mask": mask}
"""Every way by name."""


def filtered(X: Mixture, W: Covariances, microphones: Sequence[int]) -> Images:
    """W_n x at some microphones, W: *b f n m m; each the same whichever others are asked for."""
    taps = W.to(X.dtype)[..., list(microphones), :].movedim(-4, -1).unsqueeze(-1)  # *b n m m f 1
    c = taps[..., 0, :, :] * X[..., None, None, 0, :, :]
    for j in range(1, X.shape[-3]):
        c = torch.addcmul(c, taps[..., j, :, :], X[..., None, None, j, :, :])
    return c


def completed(c: Images, X: Mixture, s: Shares, microphones: Sequence[int]) -> Images:
    """What the images lack of x, shared out by gamma."""
    left = X[..., list(microphones), :, :] - c.sum(-4)
    return c + s.gamma.unsqueeze(-3) * left.unsqueeze(-4)
