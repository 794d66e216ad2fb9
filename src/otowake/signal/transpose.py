"""A note at another pitch, as long as it was: every partial is moved by a share of its own frequency.

Model    x = sum_h Re z_h:  z_h is the band around h f0, h = 0, 1, 2, ...; raised cosines that add up to 1
Update   w_h(t) = arg < z_h(t) conj z_h(t - 1) >: the partial's frequency, a mean over `SMOOTH` weighted by power
         z_h <- z_h exp(j (a - 1) sum_t w_h(t)),   a = 2^(semitones / 12);   h = 0, below the note, stays

The amplitude of a band stays what it is at every moment, so attacks stay sharp; and what moves is the partial that was
played, so vibrato, mistuning and stretched partials are kept.  What would pass half the rate is left out.

Source   the phase vocoder: Flanagan & Golden 1966; moving regions around peaks: Laroche & Dolson 1999
"""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

SMOOTH = 0.02  # seconds, standard deviation: long against a period, short against a vibrato
PARTIALS = 5  # the first ones tell the fundamental
OVER = 8  # a band of half-width f0 is sampled at this multiple of f0 or more: room for moves of two octaves

Sound = Float[Tensor, "channels samples"]


def transposed(x: Sound, rate: int, hertz: float, semitones: float) -> Sound:
    """The note, moved.

    Args:
        x: one note alone, with whatever silence around it.
        rate: samples a second.
        hertz: its fundamental, to half a semitone.
        semitones: how far, upwards if positive; need not be whole; up to two octaves.
    """
    if semitones == 0:
        return x
    a = 2.0 ** (semitones / 12.0)
    spectrum, f0 = _spectrum(x, rate), fundamental(x, rate, hertz)
    bins, samples = spectrum.shape[-1], 2 * (spectrum.shape[-1] - 1)
    moved = torch.zeros_like(spectrum)
    for h in range(int(rate / (2 * f0)) + 2):
        centre = round(h * f0 * samples / rate)
        z = _band(spectrum, rate, f0, h, centre)
        count, there = z.shape[-1], centre
        if h:
            there = round(a * centre)
            left = 2 * torch.pi * (a * centre - there) / count
            z = z * torch.exp(1j * ((a - 1) * _frequency(z, samples / rate) + left).cumsum(-1))
        places = torch.fft.fftfreq(count, 1 / count, device=x.device).round().long() + there
        inside = (places >= 0) & (places < bins)
        moved.index_add_(-1, places[inside], torch.fft.fft(z)[..., inside])
    return torch.fft.irfft(moved, samples)[..., : x.shape[-1]]


def fundamental(x: Sound, rate: int, hertz: float) -> float:
    """The fundamental in hertz, as the note's first partials tell it; `hertz` where they tell nothing near it."""
    spectrum = _spectrum(x, rate)
    samples = 2 * (spectrum.shape[-1] - 1)
    told, weight = 0.0, 0.0
    for h in range(1, PARTIALS + 1):
        if (h + 1) * hertz < rate / 2:
            centre = round(h * hertz * samples / rate)
            z = _band(spectrum, rate, hertz, h, centre)
            turn = (z[..., 1:] * z[..., :-1].conj()).sum()
            power = float(turn.abs()) * z.shape[-1]
            told += power * (centre + float(turn.angle()) * z.shape[-1] / (2 * torch.pi)) / h
            weight += power
    found = told / weight * rate / samples if weight > 0 else hertz
    return found if abs(found / hertz - 1) < 2 ** (0.5 / 12) - 1 else hertz


def _spectrum(x: Sound, rate: int) -> Complex[Tensor, "channels f"]:
    """With zeros behind the note, so that its end does not run into its beginning."""
    return torch.fft.rfft(x, n=1 << (x.shape[-1] + int(6 * SMOOTH * rate)).bit_length())


def _band(
    spectrum: Complex[Tensor, "channels f"], rate: int, hertz: float, h: int, centre: int
) -> Complex[Tensor, "channels samples"]:
    """z_h without its carrier of `centre` bins, at a lower rate."""
    bins = spectrum.shape[-1]
    f0 = 2 * (bins - 1) * hertz / rate  # in bins
    count = 1 << int(OVER * f0).bit_length()
    low, high = max(0, centre - int(f0)), min(bins - 1, centre + int(f0))
    places = torch.arange(low, high + 1, device=spectrum.device)
    shape = torch.cos((places.to(spectrum.real.dtype) / f0 - h).clamp(-1, 1) * torch.pi / 2) ** 2
    z = torch.zeros(*spectrum.shape[:-1], count, dtype=spectrum.dtype, device=spectrum.device)
    z[..., (places - centre) % count] = spectrum[..., low : high + 1] * shape
    return torch.fft.ifft(z)


def _frequency(z: Complex[Tensor, "channels samples"], seconds: float) -> Float[Tensor, " samples"]:
    """Radians a sample above the carrier, the same for all channels; 0 where there is nothing."""
    turn = torch.zeros_like(z[0])
    turn[1:] = (z[:, 1:] * z[:, :-1].conj()).sum(0)
    cycles = torch.fft.fftfreq(len(turn), seconds / len(turn), dtype=z.real.dtype, device=z.device)
    smooth = torch.exp(-2 * (torch.pi * SMOOTH * cycles) ** 2)
    return torch.fft.ifft(torch.fft.fft(turn) * smooth).angle()
