"""The main job: a recording in, its sounds out.

result = separate(x, rate)          x: (channels, samples), or with batch axes in front
result.sources                      (n, samples): each sound as the reference microphone hears it
"""

import inspect
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Dividing, Method
from otowake.core.state import in_double
from otowake.core.wrap import Warm
from otowake.linalg.safe import LOG_FLOOR, SUM_RESIDUE
from otowake.opening import ONWARD, filters, onward
from otowake.recipes import Recipe
from otowake.signal.stft import Stft
from otowake.spec import GIVEN, parse_settings, show
from otowake.tasks.choice import DEFAULT, choose, default_stft
from otowake.tasks.door import (
    Precision,
    Result,
    Watch,
    as_stft,
    check_request,
    device_name,
    like,
    tensor,
    watched,
)
from otowake.tasks.limits import check_fits, check_sources
from otowake.tasks.prepare import Prepared, check_length, check_samples, prepared

FOUND = -20
"""dB of the recording: quieter sources were not needed, where a method may switch them off."""


@dataclass(frozen=True, kw_only=True)
class Separation(Result):
    """What came out.

    Attributes:
        sources: *b n samples, or *b n m samples with images="all": of the kind and dtype that came in.
        rest: None, or *b samples (*b m samples): what no source explains; sources and rest add up to the recording.
        rate: samples a second.
        method, why: the recipe, and why it was taken.
        settings: every parameter in effect, as strings and numbers.
        costs: before the first and after each iteration (the last only, if `onward`), in nats (mean over a batch).
        converged: whether the last tenth of the iterations brought less than 1 % of the descent.
        residuals: of methods that can tell how far from rest they are, by name and after each iteration; else empty.
        masks: None, or *b n f t: the share of each source in each bin of `transform`, of methods that divide bins.
        transform: the STFT that was worked in.
        iterations, seconds: how many and how long.
        diagnostics: inactive bins, rank, reductions: JSON-able.  notes: what a person should know, in sentences.
        state: of the method; `iterate` goes on from it.
        filters: what `begin` takes of the next stretch of the recording; nothing of methods that cannot begin there.
        onward: whether it began so.
    """

    sources: Any
    rest: Any
    transform: Stft
    residuals: dict[str, list[float]] = field(repr=False, default_factory=dict)
    masks: Any = field(repr=False, default=None)
    state: Any = field(repr=False, default=None)
    filters: Mapping[str, Tensor] = field(repr=False, default_factory=dict)
    onward: bool = False

    def _more(self) -> dict[str, Any]:
        return {"residuals": self.residuals} if self.residuals else {}


def separate(
    x: Any,
    rate: int,
    method: str = "auto",
    *,
    sources: int | None = None,
    seed: int = 0,
    iterations: int | None = None,
    stft: str | Stft | None = None,
    images: Literal["reference", "all"] = "reference",
    reference: int = 0,
    device: str = "cpu",
    watch: Watch | None = None,
    settings: Mapping[str, Any] | None = None,
    seeds: int = 1,
    begin: Mapping[str, Tensor] | None = None,
    precision: Precision = "auto",
) -> Separation:
    """Separate a recording of several microphones (or, with methods such as "nmf", of one) into its sounds.

    Args:
        x: (channels, samples) floating point, NumPy or torch; batch axes may stand in front.  Never modified.
        rate: samples a second.
        method: a name of `otowake methods`, or "auto".
        sources: how many sounds; by default as many as there are independent channels.
        seed: of the random start; the same seed gives the same sounds.
        iterations: how many; by default the recipe's.
        stft: "frame/hop" in samples; by default the recipe's frame, and a hop of a quarter of it.
        images: the sounds at the "reference" microphone, or at "all".
        reference: which channel is the reference, from 0.
        device: "cpu", "cuda" or "auto".
        watch: called after each iteration; an exception that it raises stops the work and is passed on.
        settings: the recipe's own parameters, as parts and numbers or as the strings of the command line.
        seeds: how many starts, from `seed` on; the one that ends with the lowest cost is taken.
        begin: the `filters` that were found for the stretch of the recording just before, by the same method: where
            they fit, a few iterations from there are enough, and no more are made.
        precision: of spectrograms and source models while a method runs: "single" takes half the time and memory,
            "double" leaves nothing to rounding, "auto" is single where the recipe is known to end as well.  Matrices of
            microphones, and the sounds at the end, are computed in double.

    Returns:
        Separation; given back in the dtype and kind of x.

    Raises:
        OtowakeError: one sentence: what came, where, what to try.
    """
    began = time.perf_counter()
    samples = _checked(x, reference)
    check_request(rate, iterations, seeds, precision)
    choice = choose(method, samples, rate, sources)
    chosen = choice.recipe
    check_sources(chosen, sources)
    mics, length = samples.shape[-2:]
    transform = as_stft(stft) or default_stft(rate, chosen.frame_for(sources or 0, mics), length)
    _check_size(chosen, samples, sources, transform)
    ready = prepared(samples[..., _reference_first(mics, reference), :], transform, sources, chosen.takes)
    built, values = _built(chosen, ready, sources, transform, {**choice.settings, **(settings or {})})
    where = device_name(device)
    X = ready.X.to(where)
    fine = ("single" if chosen.single else "double") if precision == "auto" else precision
    cells = X if fine == "double" else X.to(torch.complex64)
    asked = {"seed": seed, "seeds": seeds, "stft": show(transform), "reference": reference, "device": where}
    total = chosen.iterations if iterations is None else iterations
    if begun := onward(built, begin, cells) if begin and ready.restore is None else None:
        built, total = begun, min(total, ONWARD)
    run = watched(built, cells, seed, total, watch, "separating", seeds, 1 if begun is None else max(1, total))
    state = in_double(run.state)
    out, rest = _sounds(built, X, state, ready, transform, samples, reference, images)
    loud = _found(out, samples) if values.get("relevance") else {}
    return Separation(
        sources=like(out, x),
        rest=None if rest is None else like(rest, x),
        transform=transform,
        residuals=run.residuals,
        masks=_masks(built, X, state, x),
        rate=rate,
        method=chosen.name,
        why=choice.why,
        settings={**values, **asked, "precision": fine},
        diagnostics={**choice.found, **ready.diagnostics, "proved_monotone": built.proved, **run.diagnostics(), **loud},
        notes=[*ready.notes, *run.notes(), *_found_note(loud)],
        state=run.state,
        filters=filters(built, run.state) if ready.restore is None else {},
        onward=begun is not None,
        **run.told(began, run.costs[-1][0] * seeds),
    )


def _checked(x: Any, reference: int) -> Tensor:
    """The samples, which are as they should be."""
    samples = tensor(x)
    check_samples(samples)
    if not 0 <= reference < samples.shape[-2]:
        raise OtowakeError(f"The reference channel {reference} does not exist: there are 0 to {samples.shape[-2] - 1}.")
    return samples


def _check_size(chosen: Recipe, x: Tensor, sources: int | None, stft: Stft) -> None:
    """Neither too short for a frame nor too long for the memory."""
    check_length(x, stft)
    check_fits(chosen, x, sources, stft)


def _reference_first(channels: int, reference: int) -> list[int]:
    """The order of channels that methods work on."""
    return [reference, *(m for m in range(channels) if m != reference)]


def _built(
    chosen: Recipe, ready: Prepared, sources: int | None, stft: Stft, settings: dict[str, Any]
) -> tuple[Method, dict[str, Any]]:
    """The method, and every parameter in effect in words."""
    values = {key: value for key, value in settings.items() if not isinstance(value, str)}
    values |= parse_settings(chosen, {key: value for key, value in settings.items() if isinstance(value, str)})
    signature = inspect.signature(chosen.build).parameters
    unknown = [key for key in values if key not in signature or key in GIVEN]
    if unknown:
        parse_settings(chosen, dict.fromkeys(unknown, ""))
    if "stft" in signature:
        values["stft"] = stft
    if chosen.takes == "any" and "sources" not in signature and sources not in (None, 1):
        raise OtowakeError(
            f"{chosen.name} finds one source and leaves all else as the rest; ask for 1 source, or take fastmnmf2."
        )
    if "sources" in signature and (sources is not None or chosen.takes == "any"):
        values["sources"] = sources or ready.X.shape[-3]
    if chosen.takes == "more" and ready.X.shape[-3] == sources:
        raise OtowakeError(
            f"{chosen.name} needs more microphones than sources, there are {sources} of each; use auxiva or {DEFAULT}."
        )
    defaults = {name: p.default for name, p in signature.items()}
    shown = {name: _plain(value) for name, value in {**defaults, **values}.items() if name != "stft"}
    return chosen.build(**values), shown


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str | None) else show(value)


def _masks(method: Method, X: Tensor, state: Any, x: Any) -> Any:
    """Of methods that have any, as the kind and dtype of x."""
    if isinstance(method, Warm):
        return _masks(method.active(state), X, state.s, x)
    return like(method.masks(X, state), x) if isinstance(method, Dividing) else None


def _found(sources: Tensor, x: Tensor) -> dict[str, Any]:
    """How loud each source is beside the recording, and how many count."""
    apart = 1 + sources.ndim - x.ndim  # axes of one source: its samples, and its microphones where all were asked for
    power = sources.square().flatten(-apart).mean(-1)
    share = power.reshape(-1, power.shape[-1]).mean(0) / x.square().mean()
    levels = [round(level, 1) for level in (10 * share.clamp_min(LOG_FLOOR).log10()).tolist()]
    return {"levels_db": levels, "found": sum(level > FOUND for level in levels)}


def _found_note(found: dict[str, Any]) -> list[str]:
    if not found:
        return []
    asked, there = len(found["levels_db"]), found["found"]
    if there == asked:
        return [f"None of the {asked} sources went out: all are above {FOUND} dB of the recording."]
    return [f"Of {asked} sources {there} were found; the others are below {FOUND} dB of the recording."]


def _sounds(
    method: Method,
    X: Tensor,
    state: Any,
    ready: Prepared,
    stft: Stft,
    x: Tensor,
    reference: int,
    images: str,
) -> tuple[Tensor, Tensor | None]:
    """Waveforms of the sources, and what is left of the recording where they do not add up to it by construction."""
    needed = range(X.shape[-3]) if ready.restore is not None or images == "all" else range(1)
    out = ready.back(method.images(X, state, tuple(needed)).cpu())
    whole = images == "all"
    y = stft.inverse(out if whole else out[..., :1, :, :], x.shape[-1])
    if whole:
        y = y[..., np.argsort(_reference_first(x.shape[-2], reference)).tolist(), :]
    target = x if whole else x[..., reference : reference + 1, :]
    left = target - y.sum(-3)
    small = float(left.abs().amax()) <= SUM_RESIDUE * float(x.abs().amax())
    rest = None if small else (left if whole else left[..., 0, :])
    return (y if whole else y[..., 0, :]), rest
