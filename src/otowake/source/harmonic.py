"""What a note's spectrum looks like before anything is heard of it: partials, and nothing between them.

Spectrum  b_f = sum_h h^(-decay) w( f - f_h n_fft / rate ),    f_h = h f0 sqrt(1 + stiffness h^2)
          w: the transform's main lobe (Hann), 2 bins to either side, and wider by what the pitch may be off
Support   b_f = 0 between partials stays 0 under multiplicative updates, so a spectrum that adapts stays harmonic
Noise     humps of two octaves' width, flat together: noise of any colour is a sum of a few, a note is not

Source    zeros that stay: Raczynski, Ono, Sagayama 2007; f_h: Fletcher 1964, equation 10
"""

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.signal.pitch import hertz
from otowake.signal.stft import Stft

Spectra = Float[Tensor, "f k"]
PARTIALS = 40
ROOM = 1 / 8  # of the way to the next partial: what a partial's bins may have at the most for a pitch that is off
LOBE = 2.0  # bins from the middle of Hann's main lobe to its end


def harmonic(
    pitches: Float[Tensor, " k"],
    rate: int,
    stft: Stft,
    *,
    decay: float = 1.2,
    stiffness: float = 0.0,
    cents: float = 60.0,
) -> Spectra:
    """The spectrum of each pitch, columns adding up to 1.

    Args:
        pitches: MIDI numbers, which need not be whole.
        rate: samples a second.
        stft: the transform whose bins the spectra have.
        decay: partial h has the size h^-decay, up to the 40th.
        stiffness: of a string, 1e-4 to 1e-3 for a piano's; 0 has partials at whole multiples.
        cents: hundredths of a semitone by which a sound's pitch may be off and still have its partials inside.

    Raises:
        OtowakeError: a pitch has no partial below half the rate.
    """
    spectra = [_partials(float(p), rate, stft, stiffness, cents) for p in pitches]
    sums = [lines @ torch.arange(1, lines.shape[1] + 1, dtype=lines.dtype) ** -decay for lines in spectra]
    return _unit(torch.stack(sums, -1), pitches, rate)


def noise(rate: int, stft: Stft) -> Spectra:
    """What has no pitch: a hump of two octaves' width around every octave from 62.5 Hz, columns adding up to 1: f k.

    They overlap so that all of them together are flat; noise of any colour is a sum of them, a note is not.
    """
    f = torch.arange(stft.bins, dtype=torch.float64) * rate / stft.n_fft
    octave = torch.log2(f.clamp_min(float(f[1]) / 2) / 62.5).unsqueeze(-1)
    middle = torch.arange(max(1, round(torch.log2(f[-1] / 62.5).item())), dtype=torch.float64)
    spectra = (torch.pi / 2 * (octave.clamp(0, float(middle[-1])) - middle).clamp(-1, 1)).cos().square()
    return spectra / spectra.sum(0)


def _partials(pitch: float, rate: int, stft: Stft, stiffness: float, cents: float) -> Float[Tensor, "f _"]:
    """Every partial of a pitch below half the rate, on its own, all of the size 1."""
    f0 = hertz(pitch)
    h = torch.arange(1, min(PARTIALS, int(rate / 2 / f0)) + 1, dtype=torch.float64)
    line = h * f0 * torch.sqrt(1 + stiffness * h.square()) * stft.n_fft / rate
    line = line[line <= stft.bins - 1]
    f = torch.arange(stft.bins, dtype=torch.float64).unsqueeze(-1)
    slack = (line * (2 ** (cents / 1200) - 1)).clamp_max(ROOM * f0 * stft.n_fft / rate)
    return _lobe(((f - line).abs() - slack).clamp_min(0))


def _lobe(d: Tensor) -> Tensor:
    """Hann's main lobe d bins from its middle, 1 there: sinc(d) / (1 - d^2)."""
    at_one = (d - 1).abs() < 1 / 1024  # the formula's 0 / 0
    lobe = torch.sinc(d) / torch.where(at_one, torch.ones_like(d), 1 - d.square())
    return torch.where(d < LOBE, torch.where(at_one, torch.full_like(d, 0.5), lobe), torch.zeros_like(d))


def _unit(spectra: Spectra, pitches: Tensor, rate: int) -> Spectra:
    size = spectra.sum(0)
    if not bool((size > 0).all()):
        high = float(pitches[size == 0].min())
        raise OtowakeError(f"A rate of {rate} Hz holds no partial of {hertz(high):.0f} Hz; leave such high notes out.")
    return spectra / size
