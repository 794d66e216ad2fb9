"""SDR of very many estimates of one source: BSS eval version 3 with the work on the reference done once.

SDR = c / (1 - c),  c = |P e|² / |e|² = xᵀ R⁻¹ x / |e|²      P: onto the reference s and its delays by 1 ... taps - 1
R  Toeplitz, the autocorrelation of s;   x  the correlation of e with s at the lags 0 ... taps - 1

Interference and artefacts are one in the SDR, hence the other references do not matter to it.
"""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import cho_factor, cho_solve, toeplitz

from otowake.metrics.bss import TAPS


class Reference:
    """A source, its spectrum and the Cholesky factor of its correlation."""

    def __init__(self, s: np.ndarray, taps: int = TAPS) -> None:
        s = np.asarray(s, dtype=np.float64) / np.sqrt(np.sum(np.square(s, dtype=np.float64)))
        self.taps, self.size = taps, next_fast_len(len(s) + taps, real=True)
        self.spectrum = rfft(s, self.size)
        correlation = irfft(np.abs(self.spectrum) ** 2, self.size)[:taps]
        correlation[0] *= 1 + 1e-12  # rendered notes leave R all but singular
        self.factor = cho_factor(toeplitz(correlation))

    def sdr(self, estimates: np.ndarray) -> np.ndarray:
        """dB, one an estimate; (m, samples)."""
        return np.array([self._sdr(e.astype(np.float64)) for e in estimates])

    def _sdr(self, e: np.ndarray) -> float:
        if not np.isfinite(e).all() or not e.any():
            return float("nan") if e.any() else float("-inf")
        x = irfft(rfft(e, self.size) * self.spectrum.conj(), self.size)[: self.taps]
        c = x @ cho_solve(self.factor, x) / (e @ e)
        return float(10 * np.log10(c / (1 - c)))
