"""The band above a recording's own: what its low band says of it, by spectra of examples that have both.

result = extend(x, rate, bases)       x: (channels, samples);  bases: of `exemplars`, or of `learn`
result.samples                        at result.rate; what lies below 0.9 of the cut is x's own

Model    m of the spectra and of what is heard below 0.9 of the cut (`lost.py`); where the spectra are exemplars, m is
         corrected as it has to be for the exemplars themselves, each modelled by the others (`teach.py`)
Fill     above the cut m; from 0.9 of it on, where converters fade out, what lacks: sqrt(max(m^2 - |x|^2, 0))
Phases   those of the rectified sound, then those that agree with the magnitudes (`signal/phases.py`)
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.linalg.safe import EMPTY, divide
from otowake.signal.band import band_end, from_on, spectrum_end
from otowake.signal.phases import agreeing, rectified
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft
from otowake.spec import show
from otowake.tasks.bases import Bases
from otowake.tasks.door import Result, Watch, as_stft, check_request, like, tensor
from otowake.tasks.lost import OVERLAP, Fit, modelled, teaches
from otowake.tasks.prepare import check_length, check_samples

ITERATIONS = 100
ROUNDS = 10  # of phases
KEPT = 0.9  # of the cut: below it nothing is added
FEWEST = 8  # bins that must be kept
MORE = 1.05  # times the cut: how far examples have to reach at least


@dataclass(frozen=True, kw_only=True)
class Extension(Result):
    """What came out.

    Attributes:
        samples: channels samples, of the kind and dtype that came in, at the new rate.
        rate: samples a second, of the samples.
        cut: Hz, where the recording's content ends; below 0.9 of it the samples are the recording's own.
        method, why: what the new band was made of.
        settings: every parameter in effect, JSON-able.
        costs: before the first and after each iteration, in nats.
        converged: whether the last tenth of the iterations brought less than 1 % of the descent.
        iterations, seconds: how many and how long.
        diagnostics: the recording's rate, and the level of what was added in dB of the recording's: JSON-able.
        notes: what a person should know, in sentences.
    """

    samples: Any
    cut: float
    bases: Bases = field(repr=False)

    def _more(self) -> dict[str, Any]:
        return {"cut": self.cut, "kept_below": KEPT * self.cut, "bases": self.bases.report()}


class Band(NamedTuple):
    """What of a transform's bins is there, and what is to be made."""

    stft: Stft
    rate: int
    cut: float
    kept: int  # bins below 0.9 of the cut
    faded: int  # bins below the cut


def extend(
    x: Any,
    rate: int,
    bases: Bases,
    *,
    to: int | None = None,
    cut: float | None = None,
    iterations: int = ITERATIONS,
    seed: int = 0,
    stft: str | Stft | None = None,
    watch: Watch | None = None,
) -> Extension:
    """Add the band that a recording lacks.

    Args:
        x: (channels, samples) floating point, NumPy or torch.  Never modified.
        rate: samples a second.
        bases: spectra of similar sounds with the whole band, of `exemplars` (best) or `learn`.
        to: samples a second of what comes out; by default the bases' or the recording's, whichever is higher.
        cut: Hz, where the recording's content ends; by default it is looked for (`band_end`).
        iterations: how many.
        seed: of the random start; the same seed gives the same sound.
        stft: only for certainty: refused where it is not that of the bases.
        watch: called after each iteration; an exception that it raises stops the work and is passed on.

    Raises:
        OtowakeError: one sentence: what came, where, what to try.
    """
    began = time.perf_counter()
    samples = tensor(x)
    check_samples(samples)
    if samples.ndim != 2:
        raise OtowakeError(f"The samples have the shape {tuple(samples.shape)}; give (channels, samples).")
    check_request(rate, iterations)
    new = _new_rate(rate, bases, to)
    peak = samples.abs().amax()  # first of all: a resampler loses what is very small
    sound = (samples / peak).numpy()
    found = _cut(samples / peak, rate, bases, cut)
    band = _band(bases, found, as_stft(stft))
    heard = torch.from_numpy(resampled(sound, rate, bases.rate))
    check_length(heard, band.stft)
    A = band.stft.forward(heard).abs()
    M, run = modelled(A.square().mean(0).sqrt(), bases, found, Fit(band.kept, iterations, seed, watch))
    made = _sounded(_missing(M, A, band), heard, band)
    length = (2 * samples.shape[-1] * new + rate) // (2 * rate)
    added = torch.from_numpy(resampled(made.numpy(), bases.rate, new, length))
    low = torch.from_numpy(resampled(sound, rate, new, length))
    return Extension(
        samples=like((low + added) * peak, x),
        rate=new,
        cut=found,
        method="nmf",
        why=_why(bases, found, cut, rate),
        settings={"rate": new, "from": cut, "iterations": iterations, "seed": seed, "stft": show(band.stft)},
        diagnostics={
            "rate_of_recording": rate,
            "added_db": float(10 * torch.log10(added.square().mean() / low.square().mean())),
        },
        notes=list(_notes(bases, new, found, cut, rate)),
        bases=bases,
        **run.told(began, iterations),
    )


def _new_rate(rate: int, bases: Bases, to: int | None) -> int:
    if to is None:
        return max(rate, bases.rate)
    check_request(to, None)
    if to < rate:
        raise OtowakeError(
            f"A rate of {to} Hz is below the recording's own, and would lose; ask for {rate} Hz or more."
        )
    if to > max(rate, bases.rate):
        raise OtowakeError(
            f"A rate of {to} Hz was asked for and the bases have {bases.rate} Hz, so they know nothing above "
            f"{bases.rate / 2:g} Hz; ask for {max(rate, bases.rate)}, or give examples of {to} Hz."
        )
    return to


def _cut(x: Tensor, rate: int, bases: Bases, asked: float | None) -> float:
    """Where the content ends, when there is something to learn above."""
    if asked is not None and not 0 < asked <= rate / 2:
        raise OtowakeError(
            f"The content cannot end at {asked:g} Hz: a recording of {rate} Hz holds 0 to {rate / 2:g} Hz; give one of "
            "these (--from)."
        )
    cut = band_end(x, rate) if asked is None else float(asked)
    mean = bases.B.square().mean(1)
    end = min(bases.rate / 2, spectrum_end(mean, bases.rate))
    above = mean[int(cut * bases.stft.n_fft / bases.rate) + 1 :].sum() / mean.sum()
    if end <= MORE * cut or float(above) < EMPTY:
        raise OtowakeError(
            f"The recording's content ends at {cut:.0f} Hz (its rate is {rate} Hz), that of the examples at {end:.0f} "
            f"Hz ({bases.rate} Hz): there is nothing to learn above; give examples with a higher band, or say where "
            "the recording's ends (--from)."
        )
    return cut


def _band(bases: Bases, cut: float, asked: Stft | None) -> Band:
    """At a hop of a quarter of the bases' frame: less would leave phases alone."""
    if asked is not None and asked != bases.stft:
        raise OtowakeError(
            f"The bases have an STFT of {show(bases.stft)}, asked for is {show(asked)}; leave it out, or learn them "
            "with it."
        )
    n_fft = bases.stft.n_fft
    kept, faded = (-int(-share * cut * n_fft // bases.rate) for share in (KEPT, 1.0))
    if kept < FEWEST:
        raise OtowakeError(
            f"Below {cut:g} Hz there are only {kept} bins of an STFT of {n_fft} at {bases.rate} Hz, too few to go by; "
            "give a recording with more of the band, or take a longer frame."
        )
    return Band(Stft(n_fft, n_fft // OVERLAP), bases.rate, cut, kept, faded)


def _missing(M: Float[Tensor, "f t"], A: Float[Tensor, "m f t"], band: Band) -> Float[Tensor, "m f t"]:
    """Magnitudes of what is to be added to each channel, whose share is that of the octave below."""
    power = A[:, band.kept // 2 : band.kept].square().sum(-2, keepdim=True)
    share = divide(power, power.mean(0))
    fill = M.square() * share
    fill[:, : band.faded] -= A[:, : band.faded].square()
    fill[:, : band.kept] = 0
    return fill.clamp_min(0).sqrt()


def _sounded(M: Float[Tensor, "m f t"], heard: Float[Tensor, "m samples"], band: Band) -> Float[Tensor, "m samples"]:
    y = agreeing(M, rectified(heard, band.stft), band.stft, heard.shape[-1], ROUNDS)
    return from_on(y, band.rate, KEPT * band.cut, band.cut)


def _why(bases: Bases, cut: float, asked: float | None, rate: int) -> str:
    how = "as asked for" if asked is not None else "half of its rate" if cut == rate / 2 else "found in its spectrum"
    spectra = "exemplars, corrected by what they get wrong of each other" if teaches(bases) else "spectra"
    return f"{bases.B.shape[1]} {spectra}; the recording's content ends at {cut:.0f} Hz ({how})"


def _notes(bases: Bases, new: int, cut: float, asked: float | None, rate: int) -> Iterator[str]:
    if asked is None and cut < rate / 2:
        yield (
            f"The recording's content ends at {cut:.0f} Hz although its rate is {rate} Hz: the band was extended from "
            "there; where that is wrong, say where it ends (--from)."
        )
    if bases.rate < new:
        yield f"The bases have {bases.rate} Hz: above {bases.rate / 2:g} Hz nothing was added."
