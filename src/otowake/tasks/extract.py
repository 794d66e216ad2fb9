"""One known sound out of a mixture: what its learned spectra explain, and the rest.

result = extract(x, rate, bases)      x: (channels, samples);  bases: of `learn` or `load_bases`
result.target + result.rest           is x

Model    |x_ft| ~ sum_k f_fk g_kt + sum_l h_fl u_lt: F known and kept; H, U, G found, H being unlike F by a penalty
Mask     FG / (FG + HU), one for all channels; |x| is the root of the mean power of the channels
Weight   mu = weight F T / (K L) for F bins, T frames, K known and L new spectra, |x| having mean 1: the same weight
         suits long recordings and short ones.  "auto": of angles, heavier and heavier ones are tried as long as the
         misfit is at most `SLACK` times that without a penalty, and the mask is the mean of theirs, the one without a
         penalty among them; of products, one usual weight

Source   Smaragdis, Raj, Shashanka 2007; Kitamura et al. 2014; the rule: docs/decisions/0010-weight.md
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.core.types import Mixture
from otowake.divergence.beta import Beta
from otowake.divergence.penalty import Cosine, Orthogonal, Penalty, unit_templates
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft
from otowake.source.nmf import Given, Nmf
from otowake.source.stack import Stack
from otowake.spatial.observed import Observed
from otowake.spec import show
from otowake.tasks.bases import Bases
from otowake.tasks.door import (
    Progress,
    Result,
    Run,
    Watch,
    as_stft,
    check_request,
    device_name,
    like,
    tensor,
    watched,
)
from otowake.tasks.examples import amplitudes
from otowake.tasks.prepare import check_length, check_samples

Way = Literal["cosine", "orthogonal", "plain"]
PENALTIES = {"cosine": Cosine, "orthogonal": Orthogonal}
SCAN = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.04)
SLACK = 1.2
USUAL = 0.64
REST_BASES = 50
ITERATIONS = 100


@dataclass(frozen=True, kw_only=True)
class Extraction(Result):
    """What came out.

    Attributes:
        target, rest: channels samples, of the kind and dtype that came in; they add up to the mixture.
        rate: samples a second.
        method, why: which penalty, and with what weight.
        settings: every parameter in effect, JSON-able.
        costs: of the run of the heaviest weight that was taken: before the first and after each iteration, in nats.
        converged: whether the last tenth of the iterations brought less than 1 % of the descent.
        iterations, seconds: how many and how long, all weights that were tried included.
        diagnostics: the weights that were tried and their misfits, the target's share: JSON-able.
        notes: what a person should know, in sentences.
    """

    target: Any
    rest: Any
    bases: Bases = field(repr=False)

    def _more(self) -> dict[str, Any]:
        return {"bases": self.bases.report()}


class Starts(NamedTuple):
    """How long each start runs, the first one's seed, and how many there are."""

    iterations: int
    seed: int
    seeds: int


class Fit(NamedTuple):
    """One run: its weight, its method, where it ended, and d(|x|, FG + HU) there."""

    weight: float
    method: Separator
    run: Run
    misfit: float


def extract(
    x: Any,
    rate: int,
    bases: Bases,
    *,
    method: Way = "cosine",
    weight: float | Literal["auto"] = "auto",
    rest_bases: int = REST_BASES,
    iterations: int = ITERATIONS,
    seed: int = 0,
    stft: str | Stft | None = None,
    watch: Watch | None = None,
    seeds: int = 1,
    device: str = "cpu",
) -> Extraction:
    """Extract the sound that `bases` were learned from.

    Args:
        x: (channels, samples) floating point, NumPy or torch.  Never modified.
        rate: samples a second; where the bases have another, the mixture is analysed at theirs.
        bases: the target's spectra.
        method: how the rest is kept unlike the target: "cosine" by angles, "orthogonal" by products, "plain" not.
        weight: of that penalty, from 0; "auto" finds one without a reference.
        rest_bases: spectra for the rest.
        iterations: of each weight that is tried.
        seed: of the random start; the same seed gives the same sounds.
        stft: only for certainty: refused where it is not that of the bases.
        watch: called after each iteration; an exception that it raises stops the work and is passed on.
        seeds: how many starts for each weight, from `seed` on; the one that ends with the lowest cost is taken.
        device: "cpu", "cuda" or "auto".

    Raises:
        OtowakeError: one sentence: what came, where, what to try.
    """
    began = time.perf_counter()
    samples = tensor(x)
    check_samples(samples)
    _check_wishes(samples, bases, method, weight, rest_bases, as_stft(stft))
    check_request(rate, iterations, seeds)
    where = device_name(device)
    heard = torch.from_numpy(resampled(samples.numpy(), rate, bases.rate))
    check_length(heard, bases.stft)
    peak = heard.abs().amax()
    X = bases.stft.forward(heard / peak)
    bins = _bins(rate, bases)
    a = amplitudes(X[..., :bins, :].abs().square().mean(0).sqrt()).to(where)
    starts = Starts(iterations, seed, seeds)
    taken, tried = _fitted(a, _heard(bases, bins).to(where), method, weight, rest_bases, starts, watch)
    fit = taken[-1]
    found = bases.stft.inverse(X * _mask(taken, X.shape[-2:]), heard.shape[-1]) * peak
    target = torch.from_numpy(resampled(found.numpy(), bases.rate, rate, samples.shape[-1]))
    return Extraction(
        target=like(target, x),
        rest=like(samples - target, x),
        rate=rate,
        method=method,
        why=_why(bases, method, [one.weight for one in taken], weight),
        settings={
            "weight": fit.weight,
            "weights": [one.weight for one in taken],
            "weight_asked": weight,
            "rest_bases": rest_bases,
            "iterations": iterations,
            "seed": seed,
            "seeds": seeds,
            "stft": show(bases.stft),
            "device": where,
        },
        diagnostics=_diagnostics(fit, tried, float(target.square().sum() / samples.square().sum())),
        notes=[*_rate_notes(rate, bases), *fit.run.notes()],
        bases=bases,
        **fit.run.told(began, iterations * len(tried) * seeds),
    )


def _check_wishes(
    x: Tensor, bases: Bases, method: str, weight: float | str, rest_bases: int, stft: Stft | None
) -> None:
    if x.ndim != 2:
        raise OtowakeError(f"The samples have the shape {tuple(x.shape)}; give (channels, samples).")
    if method not in (*PENALTIES, "plain"):
        raise OtowakeError(f"There is no way {method!r} to extract: use {', '.join(PENALTIES)} or plain.")
    if isinstance(weight, str) and weight != "auto":
        raise OtowakeError(f"The weight {weight!r} was not understood: give a number from 0, or auto.")
    if not isinstance(weight, str) and not 0 <= weight < float("inf"):
        raise OtowakeError(f"A weight of {weight:g} is none: give a number from 0, or auto.")
    if not 1 <= rest_bases <= 10_000:
        raise OtowakeError(f"{rest_bases} spectra for the rest cannot be had; ask for 1 to 10000, 50 are usual.")
    if stft is not None and stft != bases.stft:
        raise OtowakeError(
            f"The bases were learned with an STFT of {show(bases.stft)}, asked for is {show(stft)}; leave it out, or "
            "learn them with it."
        )


def _fitted(
    a: Mixture, B: Tensor, method: str, weight: float | str, rest_bases: int, starts: Starts, watch: Watch | None
) -> tuple[list[Fit], list[Fit]]:
    """The fits that are taken, and all that were tried: of "auto" all before the misfit is too large."""
    weights = _weights(method, weight)
    tried: list[Fit] = []
    for one in weights:
        ahead = _ahead(watch, len(tried) * starts.iterations, len(weights) * starts.iterations)
        tried.append(_fit(a, B, method, one, rest_bases, starts, ahead))
        if tried[-1].misfit > SLACK * tried[0].misfit:
            return tried[:-1], tried
    return tried, tried


def _weights(method: str, weight: float | str) -> tuple[float, ...]:
    if method == "plain":
        return (0.0,)
    if weight != "auto":
        return (float(weight),)
    return SCAN if method == "cosine" else (USUAL,)


def _fit(
    a: Mixture, B: Tensor, method: str, weight: float, rest_bases: int, starts: Starts, watch: Watch | None
) -> Fit:
    known = Nmf(B.shape[-1], given=Given(B))
    mu = weight * a.shape[-2] * a.shape[-1] / (B.shape[-1] * rest_bases)
    penalties: tuple[Penalty, ...] = ()
    if mu > 0:
        penalties = (PENALTIES[method](unit_templates(B).to(a.real.dtype), mu),)
    rest = Nmf(rest_bases, penalties=penalties, norm=2)
    built = Separator(Stack((known, rest)), Observed(Beta(1.0), 2, power_of_v=1.0))
    run = watched(built, a, starts.seed, starts.iterations, watch, f"weight {weight:g}", starts.seeds)
    r = built.source.psd(run.state.z)
    return Fit(weight, built, run, float(built.spatial.cost(a, run.state.p, r)))


def _diagnostics(fit: Fit, tried: list[Fit], share: float) -> dict[str, Any]:
    every = [{"weight": one.weight, "misfit": one.misfit} for one in tried]
    return {"tried": every, "target_share": share, **fit.run.diagnostics()}


def _ahead(watch: Watch | None, done: int, total: int) -> Watch | None:
    """Tells a watcher of one of several runs."""
    if watch is None:
        return None
    return lambda tick: watch(Progress(tick.iteration + done, total, *tick[2:]))


def _mask(taken: list[Fit], shape: Sequence[int]) -> Float[Tensor, "f t"]:
    """The mean of FG / (FG + HU) over the fits, in double precision; 0 in bins above theirs."""
    mask = torch.zeros(*shape, dtype=torch.float64)
    for fit in taken:
        r = fit.method.source.psd(fit.run.state.z).double()
        mask[: r.shape[-2]] += (r[0] / r.sum(0)).cpu() / len(taken)
    return mask


def _bins(rate: int, bases: Bases) -> int:
    """Bins of the bases' STFT that a mixture at this rate can fill."""
    return min(bases.stft.bins, bases.stft.n_fft * rate // (2 * bases.rate) + 1)


def _heard(bases: Bases, bins: int) -> Float[Tensor, "f k"]:
    """The spectra up to there, without those that are all above."""
    B = bases.B[:bins]
    B = B[:, B.sum(0) > 0]
    if not B.shape[-1]:
        raise OtowakeError("All of the bases lie above what a mixture of this rate holds; take one of a higher rate.")
    return B


def _rate_notes(rate: int, bases: Bases) -> Iterator[str]:
    if rate > bases.rate:
        yield (
            f"The bases have {bases.rate} Hz, the mixture {rate} Hz: it was analysed at {bases.rate} Hz, and what is "
            f"above {bases.rate / 2:g} Hz went to the rest."
        )
    elif rate < bases.rate:
        yield f"The bases have {bases.rate} Hz, the mixture {rate} Hz: it was analysed at {bases.rate} Hz."


def _why(bases: Bases, method: str, weights: list[float], asked: float | str) -> str:
    spectra = f"{bases.B.shape[1]} learned spectra"
    if method == "plain":
        return f"{spectra}, no penalty"
    if len(weights) > 1:
        return f"{spectra}, mean of {len(weights)} weights from {weights[0]:g} to {weights[-1]:g} (found by the misfit)"
    how = "as asked for" if asked != "auto" else "found by the misfit" if method == "cosine" else "the usual one"
    return f"{spectra}, weight {weights[0]:g} ({how})"
