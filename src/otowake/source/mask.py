"""Masks as sources: anything that says which share of each bin belongs to a sound, in place of a penalty.

Mask       z <- M(level z) z,  0 < M < 1: a step that has no penalty behind it; where it comes to rest, M weighs z like
           the density whose phi = (1 - M) / M
Harmonic   harmonic vector analysis: of the log spectrum's cepstrum keep what stands out, so that harmonics stay:
           mu = mean_f log(|z| + eps),   nu = cepstrum of log(|z| + eps) - mu,
           s = min(1, |nu|), then kappa times s <- (1 - cos(pi s)) / 2,   xi = the log spectrum of s nu,
           v = exp(2 (xi + mu)),   M = (v / sum_n v)^gamma

Source     Yatabe & Kitamura 2021 (harmonic vector analysis); Yatabe & Kitamura 2019 (masks in place of
           proximal operators).  |nu| in place of nu, which is the same up to 1; kappa and eps: docs/papers/hva.md.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float

from otowake.core.errors import OtowakeError
from otowake.core.types import Gain, Spec
from otowake.linalg.safe import MASKED, rooted
from otowake.ops import abs2
from otowake.source.shrink import SHRINKS, Shrink, Step

Shares = Float[torch.Tensor, "*b n f t"]


@dataclass(frozen=True)
class Mask:
    """A mask or denoiser of the user's.

    Args:
        of: takes the sources as the reference microphone would hear them, *b n f t complex and of unit mean power as
            the mixture is, and gives their shares, as many real numbers from 0 to 1.  It must be the same function
            every time, and should not change when all of its input gets louder.
    """

    of: Callable[[Spec], Shares]

    def shrink(self, Z: Spec, a: Step, level: Gain) -> Spec:
        return Z * self._checked(Z, level).clamp(*MASKED)

    def _checked(self, Z: Spec, level: Gain) -> Shares:
        name = getattr(self.of, "__name__", type(self.of).__name__)
        try:
            M = self.of(Z * level)
        except OtowakeError:
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            raise OtowakeError(f"The mask {name} failed ({said}); try it on its own.") from error
        if not isinstance(M, torch.Tensor) or M.is_complex() or M.shape != Z.shape:
            got = tuple(M.shape) if isinstance(M, torch.Tensor) else type(M).__name__
            kind = "complex numbers of " if isinstance(M, torch.Tensor) and M.is_complex() else ""
            raise OtowakeError(
                f"The mask {name} gave {kind}{got} for sources of {tuple(Z.shape)}; it must give a real tensor of the "
                "same shape."
            )
        if not bool(M.isfinite().all()):
            at = tuple(int(i) for i in (~M.isfinite()).nonzero()[0])
            raise OtowakeError(f"The mask {name} is not finite at {at} (source, bin, frame); it must be from 0 to 1.")
        return M.to(Z.real.dtype)


@dataclass(frozen=True)
class Harmonic:
    """Spectra with harmonics: the mask of harmonic vector analysis.

    Args:
        kappa: how often the cosine is taken: the more, the more is small cepstra's loss; the paper's is 1.
        gamma: how far the mask goes; None: 1 over the number of sources.
        eps: what is added to amplitudes before their logarithm, the mixture's mean power being 1.
    """

    kappa: int = 0
    gamma: float | None = None
    eps: float = 1e-2

    def __post_init__(self) -> None:
        if not 0 <= self.kappa <= 10 or not self.eps > 0 or not (self.gamma is None or self.gamma > 0):
            raise OtowakeError(
                f"Harmonic: kappa must be 0 to 10, gamma and eps above 0; got {self.kappa}, {self.gamma}, {self.eps}."
            )

    def shrink(self, Z: Spec, a: Step, level: Gain) -> Spec:
        return Z * self.shares(Z * level).clamp(*MASKED)

    def shares(self, Z: Spec) -> Shares:
        """M of sources at the reference's scale."""
        # one at a time: of many at once libraries round transforms in another way, and batches shall not meet
        enhanced = torch.stack([self.enhanced(z) for z in Z.flatten(0, -3)]).view(Z.shape)
        share = torch.softmax(2 * enhanced, -3)
        return share ** (1 / Z.shape[-3] if self.gamma is None else self.gamma)

    def enhanced(self, Z: Complex[torch.Tensor, "f t"]) -> Float[torch.Tensor, "f t"]:
        """xi + mu: the log spectrum of what stands out of one source's cepstrum."""
        F = Z.shape[-2]
        n = 2 * (F - 1)
        log = torch.log(rooted(abs2(Z), 0.5) + self.eps)
        mu = log.mean(-2, keepdim=True)
        nu = torch.fft.irfft(log - mu, n, dim=-2)[..., :F, :]
        s = nu.abs().clamp_max(1)
        for _ in range(self.kappa):
            s = (1 - torch.cos(math.pi * s)) / 2
        return torch.fft.irfft(s * nu, n, dim=-2)[..., :F, :] * n + mu


DRAWN: dict[str, Shrink] = {**SHRINKS, "harmonic": Harmonic()}
"""Every penalty and mask by name."""
