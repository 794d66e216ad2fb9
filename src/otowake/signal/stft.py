"""Short-time Fourier transform that inverts exactly, for any length.

Analysis   frames of n_fft samples every hop, the first starts n_fft - hop before the signal, so that every sample lies
           in as many frames as any other; periodic Hann window; rfft
Inverse    window again, add up, divide by the sum of squared windows: the least-squares inverse (Griffin & Lim 1984,
           equation 6), hence istft(stft(x)) = x to rounding
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.ops import overlap_added, reframed


@dataclass(frozen=True)
class Stft:
    """A frozen description of the transform; it can invert what it made.

    Args:
        n_fft: samples a frame, even.
        hop: samples from frame to frame, at most n_fft / 2.
    """

    n_fft: int = 2048
    hop: int = 512

    def __post_init__(self) -> None:
        if self.n_fft < 4 or self.n_fft % 2 or self.n_fft > 2**20:
            raise OtowakeError(f"STFT: the frame must be an even number of 4 to {2**20} samples, got {self.n_fft}.")
        if not 1 <= self.hop <= self.n_fft // 2:
            raise OtowakeError(
                f"STFT: the hop must be 1 to half the frame ({self.n_fft // 2}) samples, got {self.hop}; "
                f"try {self.n_fft // 4}."
            )

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1

    def window(self, x: Tensor) -> Float[Tensor, " n_fft"]:
        """Periodic Hann."""
        return _hann(self.n_fft, x.real.dtype, x.device)

    def frames(self, samples: int) -> int:
        """How many frames a signal of `samples` has."""
        return -(-(samples + self.n_fft - self.hop) // self.hop)

    def check(self, X: Complex[Tensor, "*b f t"]) -> None:
        """Whether this transform can have made X.  Errors: `OtowakeError`."""
        bins, frames = X.shape[-2:]
        if bins != self.bins:
            raise OtowakeError(
                f"The mixture has {bins} bins, the STFT of {self.n_fft} samples makes {self.bins}; "
                "give the transform that made the mixture."
            )
        if frames < self.frames(1):
            raise OtowakeError(
                f"The mixture has {frames} frames, the STFT of a single sample has {self.frames(1)}; "
                "give a mixture that such a transform made."
            )

    def forward(self, x: Float[Tensor, "*b samples"]) -> Complex[Tensor, "*b f t"]:
        """The spectrogram; in memory f-major over the last batch axis (see `bins_first`)."""
        t = self.frames(x.shape[-1])
        front = self.n_fft - self.hop
        back = (t - 1) * self.hop + self.n_fft - front - x.shape[-1]
        return self._spectra(torch.nn.functional.pad(x, (front, back)))

    def blocks(self, parts: Iterable[Float[Tensor, "*b _"]], frames: int) -> Iterator[Complex[Tensor, "*b f t"]]:
        """The spectrogram of parts of a signal laid end to end, `frames` frames at a time; the last may be fewer."""
        front = self.n_fft - self.hop
        step, samples, done, kept = frames * self.hop, 0, 0, None
        for x in parts:
            kept = torch.cat([x.new_zeros(*x.shape[:-1], front) if kept is None else kept, x], -1)
            samples += x.shape[-1]
            while kept.shape[-1] >= step + front:
                yield self._spectra(kept[..., : step + front])
                kept, done = kept[..., step:], done + frames
        left = self.frames(samples) - done
        if kept is not None and left:
            yield self._spectra(torch.nn.functional.pad(kept, (0, left * self.hop + front - kept.shape[-1])))

    def _spectra(self, x: Float[Tensor, "*b samples"]) -> Complex[Tensor, "*b f t"]:
        """Of the frames that fit into x."""
        return torch.fft.rfft(x.unfold(-1, self.n_fft, self.hop) * self.window(x)).mT

    def inverse(self, X: Complex[Tensor, "*b f t"], samples: int | None = None) -> Float[Tensor, "*b samples"]:
        """The signal whose spectrogram is nearest to X.

        Args:
            X: spectrogram.
            samples: length of the signal; by default the longest that gives as many frames as X has.
        """
        front = self.n_fft - self.hop
        samples = max(0, X.shape[-1] * self.hop - front) if samples is None else samples
        return self._laid(X)[..., front : front + samples]

    def consistent(self, X: Complex[Tensor, "*b f t"]) -> Complex[Tensor, "*b f t"]:
        """The spectrogram of `inverse(X)`: the nearest to X that a signal has."""
        return torch.fft.rfft(reframed(self._frames(X), self.window(X), _whole(self, X.real.dtype, X.device))).mT

    def joined(self, blocks: Iterable[Complex[Tensor, "*b f _"]], samples: int) -> Iterator[Float[Tensor, "*b _"]]:
        """`inverse` of blocks of frames laid end to end, which together are those of `samples` samples: its parts."""
        front, kept = self.n_fft - self.hop, None
        at = -front
        for X in blocks:
            y, step = self._laid(X), X.shape[-1] * self.hop
            if kept is not None:
                y[..., :front] += kept
            kept = y[..., step:]
            yield y[..., max(0, -at) : max(0, min(step, samples - at))]
            at += step

    def _laid(self, X: Complex[Tensor, "*b f t"]) -> Float[Tensor, "*b _"]:
        """The frames' own signals over each other, from the beginning of the first one."""
        return overlap_added(self._frames(X).mul_(self.dual(X)), self.hop)

    def _frames(self, X: Complex[Tensor, "*b f t"]) -> Float[Tensor, "*b t n_fft"]:
        """The frames' own signals.

        Frames that do not lie one after the other take the library twice as long, and it rounds them otherwise in
        a batch.
        """
        return torch.fft.irfft(X.mT.contiguous(), n=self.n_fft)

    def dual(self, x: Tensor) -> Float[Tensor, " n_fft"]:
        """The synthesis window: the window over the sum of squared windows, which repeats every hop samples
        wherever a whole set of frames overlaps (the padding sees to that for every sample of the signal)."""
        return _dual(self, x.real.dtype, x.device)


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # what is kept may be asked for again where gradients are wanted
def _hann(n_fft: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.hann_window(n_fft, periodic=True, dtype=dtype, device=device)


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _dual(stft: Stft, dtype: torch.dtype, device: torch.device) -> Tensor:
    at = torch.arange(stft.n_fft, device=device) % stft.hop
    return _hann(stft.n_fft, dtype, device) / _whole(stft, dtype, device)[at]


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _whole(stft: Stft, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The sum of squared windows over each sample of a hop, counted from where frames begin."""
    square = _hann(stft.n_fft, dtype, device).square()
    square = torch.nn.functional.pad(square, (0, -stft.n_fft % stft.hop))
    return square.unflatten(-1, (-1, stft.hop)).sum(0)


def bins_first(X: Complex[Tensor, "*b m f t"]) -> Complex[Tensor, "*b m f t"]:
    """The same tensor, laid out in memory with frequency before microphones: one bin of all microphones is one
    stretch, which the kernels read without a copy."""
    return X.movedim(-2, -3).contiguous().movedim(-3, -2)
