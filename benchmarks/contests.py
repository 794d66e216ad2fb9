"""What is timed: cases, who runs in each, what each begins with, and the ratio to reach.

A contender is a library and a precision, "pyroomacoustics complex128".  Peers run in the precision in which they are
fastest (where that is not known beforehand in both, and the faster one counts); ours in both: complex64 is what is
compared in speed, complex128 in results.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

import nmf
from scene import SEED, Scene, scene

OURS, OURS_DOUBLE = "otowake complex64", "otowake complex128"
THEIR_ORDER = "otowake complex128 simultaneous"
"""pyroomacoustics moves FastMNMF2's activations by the halves that its bases moved by: to compare results, so do we."""
PRA, SSSPY = "pyroomacoustics complex128", "ssspy complex128"
SPELT = {"auxiva": "AuxIVA IP1", "ilrma": "ILRMA", "fastmnmf2": "FastMNMF2", "mnmf": "MNMF", "cacgmm": "cACGMM"}


class Case(NamedTuple):
    """A method on a scene.  against: the library whose time is the measure; iterations: of one reading."""

    method: str
    scene: Scene = Scene()
    bases: int = 0
    contenders: tuple[str, ...] = (PRA, SSSPY, OURS_DOUBLE, OURS)
    against: str = "pyroomacoustics"
    iterations: int = 20
    rounds: int = 7
    batch: int = 0  # 0: no batch axis
    cost: str = ""  # of nmf

    @property
    def name(self) -> str:
        s = self.scene
        if self.method == "nmf":
            return f"NMF {nmf.F} x {nmf.T}, {self.bases} bases, {self.cost}, {self.ours.split()[1]}"
        words = [f"{SPELT[self.method]} {s.mics} ch"]
        words += [f"{s.sources} sources"] * (s.sources != s.mics or self.method in ("fastmnmf2", "mnmf", "cacgmm"))
        words += [f"{self.bases} bases"] * bool(self.bases)
        words += [f"{s.window}/{s.hop}"] * (s.window != 2048)
        words += [f"{s.rate // 1000} kHz"] * (s.rate != 16000)
        words += [f"{s.seconds:g} s"] * (s.seconds != 10)
        return ", ".join([*words, *([f"batch {self.batch}"] * bool(self.batch))])

    @property
    def ours(self) -> str:
        """The contender of ours that is timed: the last."""
        return self.contenders[-1]

    @property
    def double(self) -> str:
        """The contender of ours that is compared in results."""
        return next(who for who in (THEIR_ORDER, OURS_DOUBLE, self.ours) if who in self.contenders)


def _nmf(cost: str, dtype: str) -> Case:
    libraries = [*(["scikit-learn"] * (cost in nmf.LOSSES)), *(["torchnmf"] * cost.startswith("beta")), "otowake"]
    return Case(
        "nmf", bases=nmf.K, contenders=tuple(f"{library} {dtype}" for library in libraries), against=libraries[0],
        iterations=40, rounds=5, cost=cost,
    )  # fmt: skip


FOUR = Scene(mics=4, sources=4)
CASES = (
    *(Case("auxiva", s) for s in (Scene(), FOUR)),
    *(Case("ilrma", s, k) for s in (Scene(), FOUR) for k in (2, 10)),
    Case("ilrma", Scene(window=4096, hop=2048), 2),
    *(
        Case(
            "fastmnmf2",
            Scene(sources=n),
            8,
            (PRA, "pyroomacoustics complex64", THEIR_ORDER, OURS_DOUBLE, OURS),
            iterations=10,
            rounds=5,
        )
        for n in (2, 3)
    ),
    Case("mnmf", bases=8, contenders=(SSSPY, OURS_DOUBLE, OURS), against="ssspy", iterations=3, rounds=3),
    Case(
        "cacgmm",
        Scene(mics=4, rate=8000, window=512, hop=128),
        contenders=(SSSPY, OURS_DOUBLE, OURS),
        against="ssspy",
        iterations=10,
        rounds=5,
    ),
    *(_nmf(cost, "float32") for cost in nmf.COSTS),
    *(_nmf(cost, "float64") for cost in nmf.LOSSES),
)

REACH: dict[str, float] = {
    "AuxIVA IP1 2 ch": 1 / 6,
    "AuxIVA IP1 4 ch": 1 / 8,
    "ILRMA 2 ch, 2 bases": 1 / 10,
    "ILRMA 2 ch, 10 bases": 1 / 6,
    "ILRMA 4 ch, 2 bases": 1 / 8,
    "ILRMA 2 ch, 2 bases, 4096/2048": 1 / 10,
    "FastMNMF2 2 ch, 2 sources, 8 bases": 1 / 8,
    "FastMNMF2 2 ch, 3 sources, 8 bases": 1 / 8,
    "MNMF 2 ch, 2 sources, 8 bases": 1 / 15,
    "cACGMM 4 ch, 2 sources, 512/128, 8 kHz": 1 / 8,
    "NMF 1025 x 1000, 30 bases, beta 2, float32": 1 / 1.1,
    "NMF 1025 x 1000, 30 bases, beta 1, float32": 1 / 1.6,
    "NMF 1025 x 1000, 30 bases, beta 0, float32": 1 / 1.8,
}
"""By a case's name: our CPU time over the peer's, on one thread, that is asked for."""

ITERATED = "separate, 100 iterations"
REACH_SECONDS: dict[str, float] = {"cached": 3.0}
"""By what `command` in speed.py calls it, "first" or "cached": seconds by the clock that are asked for."""


def problem(case: Case, folder: Path | None = None) -> dict[str, np.ndarray]:
    """What all contenders of a case get: the mixture and one start."""
    if case.method == "nmf":
        return dict(zip("VTH", nmf.problem(case.ours.split()[1])))
    X, images = scene(case.scene, folder)
    return {"X": X, "images": images, **STARTS.get(case.method, _demixing)(case, *X.shape[1:])}


def _demixing(case: Case, bins: int, frames: int) -> dict[str, np.ndarray]:
    """Factors as pyroomacoustics draws them in ILRMA."""
    draw, n, k = np.random.RandomState(SEED), case.scene.sources, max(case.bases, 1)
    T = 0.1 + 0.9 * draw.rand(n, bins, k)
    V = 0.1 + 0.9 * draw.rand(n, frames, k)
    return {"T": T, "V": V.transpose(0, 2, 1).copy()}


def _joint(case: Case, bins: int, frames: int) -> dict[str, np.ndarray]:
    """As it draws them in FastMNMF2; shares of 1 in every n-th channel and of 0.05 in the others."""
    draw, n, k = np.random.RandomState(SEED), case.scene.sources, case.bases
    V, T = draw.rand(n, k, frames), draw.rand(n, bins, k)
    channels = np.arange(case.scene.mics) % n
    return {"T": T, "V": V, "G": np.where(np.arange(n)[:, None] == channels, 1.0, 0.05)}


def _mixture(case: Case, bins: int, frames: int) -> dict[str, np.ndarray]:
    """As ssspy draws them in its cACGMM: weights, and diagonal covariances of unit trace."""
    draw, n = np.random.default_rng(SEED), case.scene.sources
    weights = draw.random((n, bins))
    diagonal = draw.random((n, bins, case.scene.mics))
    return {
        "weights": weights / weights.sum(0),
        "covariances": (diagonal / diagonal.sum(-1, keepdims=True))[..., None] * np.eye(case.scene.mics),
    }


STARTS = {"fastmnmf2": _joint, "cacgmm": _mixture}
