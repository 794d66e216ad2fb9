"""What the tasks share at their doors: arrays in and out, limits, devices, a watched run."""

import importlib.metadata
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from otowake.core.best import Best
from otowake.core.errors import OtowakeError
from otowake.core.method import Method, Restful
from otowake.core.run import converged, finite, iterate, recorded, until
from otowake.core.types import Mixture
from otowake.fused import compiled
from otowake.signal.stft import Stft
from otowake.spec import parse_stft
from otowake.version import __version__

MOST_SEEDS = 1000

Precision = Literal["auto", "single", "double"]
"""Of spectrograms and source models while a method runs."""


class Progress(NamedTuple):
    """What a watcher is told after each iteration."""

    iteration: int
    total: int
    cost: float | None
    seconds: float
    phase: str


Watch = Callable[[Progress], None]


class Run(NamedTuple):
    """Where a method ended, and its costs: (iteration, epoch, nats, mean over a batch); of several seeds the least.

    seed: of the start that was taken;  starts: every seed's last cost, where there were several;  rest: how far from
    rest it is, of methods that know, and whether that is near enough;  readings: the same after each iteration.
    """

    state: Any
    costs: list[tuple[int, int, float]]
    seed: int = 0
    starts: tuple[dict[str, float], ...] = ()
    rest: tuple[dict[str, float], bool] | None = None
    readings: tuple[dict[str, float], ...] = ()

    @property
    def residuals(self) -> dict[str, list[float]]:
        """By name, after each iteration; nothing of methods that do not know, or of several seeds."""
        return {name: [one[name] for one in self.readings] for name in self.readings[0]} if self.readings else {}

    @property
    def converged(self) -> bool:
        return converged(self.costs) if self.rest is None else self.rest[1]

    def diagnostics(self) -> dict[str, Any]:
        """Which seed was taken of which, and residuals, JSON-able; nothing where there is nothing to tell."""
        seeds = {"seed_taken": self.seed, "starts": list(self.starts)} if self.starts else {}
        return seeds | (self.rest[0] if self.rest else {})

    def told(self, began: float, iterations: int) -> dict[str, Any]:
        """What a result says of it, `began` being the clock's `perf_counter` at the start."""
        return {
            "costs": [cost for *_, cost in self.costs],
            "converged": self.converged,
            "iterations": iterations,
            "seconds": time.perf_counter() - began,
        }

    def _still(self) -> int:
        """For how many iterations residuals have not fallen by a tenth: a quarter of all, or 0 where they have."""
        far = [max(reading.values()) for reading in self.readings]
        quarter = len(far) // 4
        return quarter if quarter and min(far[-quarter:]) > 0.9 * min(far[-2 * quarter : -quarter]) else 0

    def notes(self) -> list[str]:
        if len(self.costs) <= 10 or self.converged:
            return []
        if self.rest is not None:
            far = " and ".join(f"{size:.2g}" for size in self.rest[0].values())
            more = f", which hardly fell in the last {still}" if (still := self._still()) else "; more may help"
            return [f"The method had not come to rest when the iterations ended: residuals of {far}{more}."]
        return ["The cost was still falling when the iterations ended; more iterations may help."]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What every task tells of its work, beside what it made; each says what its method, costs and the rest are."""

    rate: int
    method: str
    why: str
    settings: dict[str, Any]
    costs: list[float]
    converged: bool
    iterations: int
    seconds: float
    diagnostics: dict[str, Any]
    notes: list[str]

    def report(self) -> dict[str, Any]:
        """All but sounds and states, JSON-able, with versions."""
        named = ("method", "why", "rate", "settings", "iterations", "converged", "seconds", "notes", "diagnostics")
        told = {key: getattr(self, key) for key in named}
        return {**told, **self._more(), "costs": self.costs, "versions": versions()}

    def _more(self) -> dict[str, Any]:
        """What else a task reports."""
        return {}


def watched(
    method: Method,
    X: Mixture,
    seed: int,
    total: int,
    watch: Watch | None,
    phase: str,
    seeds: int = 1,
    every: int = 1,
) -> Run:
    """Runs a method to its end; `watch` hears of each iteration, and an exception from it stops the work.

    Of `seeds` starts, from seeds `seed`, `seed` + 1, ..., the one that ends with the lowest cost is taken.  The cost is
    computed before the first and after every `every`-th iteration.
    """
    if seeds > 1:
        best = Best(method, range(seed, seed + seeds))
        run = watched(best, X, 0, total, watch, phase, every=every)
        at, state = best.winner(X, run.state)
        ends = best.costs(X, run.state).reshape(seeds, -1).mean(-1).tolist()
        starts = tuple({"seed": seed + n, "cost": cost} for n, cost in enumerate(ends))
        return Run(state, run.costs, seed + at, starts, _rest(method, state))
    began = time.perf_counter()
    log = recorded(finite(until(iterate(compiled(method), X, seed=seed), steps=total)), every=every)
    state, readings = None, []
    for tick in log:
        state = tick.state
        if tick.k and isinstance(method, Restful):
            readings.append(method.reading(state))
        if watch is not None:
            cost = float(log.costs[-1][2].mean())
            watch(Progress(tick.k, total, cost, time.perf_counter() - began, phase))
    costs = [(k, epoch, float(cost.mean())) for k, epoch, cost in log.costs]
    return Run(state, costs, seed, rest=_rest(method, state), readings=tuple(readings))


def _rest(method: Method, state: Any) -> tuple[dict[str, float], bool] | None:
    return (method.reading(state), method.settled(state)) if isinstance(method, Restful) else None


def as_stft(stft: str | Stft | None) -> Stft | None:
    return parse_stft(stft) if isinstance(stft, str) else stft


def versions() -> dict[str, str]:
    """Of otowake and of what its numbers depend on."""
    packages = {name: importlib.metadata.version(name) for name in ("torch", "numpy", "numba")}
    return {"otowake": __version__, **packages, "python": platform.python_version()}


def tensor(x: Any) -> Tensor:
    """The samples in double precision, on the CPU; integers are left for `check_samples` to refuse."""
    t = x.detach().cpu() if isinstance(x, Tensor) else torch.from_numpy(np.array(x))
    return t.to(torch.float64) if t.is_floating_point() else t


def like(y: Tensor, x: Any) -> Any:
    """y as the kind and dtype of x."""
    if isinstance(x, Tensor):
        return y.to(dtype=x.dtype, device=x.device)
    return y.cpu().numpy().astype(np.asarray(x).dtype, copy=False)


def check_request(rate: int, iterations: int | None, seeds: int = 1, precision: Precision = "auto") -> None:
    if not 1_000 <= rate <= 768_000:
        raise OtowakeError(f"A rate of {rate} Hz is outside 1000 to 768000 Hz; is it samples a second?")
    if iterations is not None and not 0 <= iterations <= 1_000_000:
        raise OtowakeError(f"{iterations} iterations were asked for; 0 to 1000000 can be had, 100 is usual.")
    if precision not in get_args(Precision):
        raise OtowakeError(f"There is no precision {precision!r}: use auto, single or double.")
    if not 1 <= seeds <= MOST_SEEDS:
        raise OtowakeError(f"{seeds} starts were asked for; 1 to {MOST_SEEDS} can be had, 5 are many.")


def device_name(name: str) -> str:
    """cpu or cuda."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise OtowakeError("No CUDA device was found; use --device cpu, or auto to take one when there is one.")
    if name not in ("cpu", "cuda"):
        raise OtowakeError(f"There is no device {name!r}: use cpu, cuda or auto.")
    return name
