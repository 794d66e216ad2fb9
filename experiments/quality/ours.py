"""The otowake side of the quality comparison: the mixtures, spectrograms, iterations and seeds of the peers.

    python experiments/quality/ours.py RESULTS.jsonl [--sets NAME ...] [--mixtures NAME ...] [--seeds N]

Sets: `usual` (what peers have too, on the peers' spectrograms), `family` (what else ILRMA and AuxIVA can be
made of), `consistent` (on spectrograms by otowake's own `Stft`, which consistency is about), `door`
(`otowake.separate` from samples to samples), `search`, `bases`, `start`, `middle`, `long` and `longer` (settings that
the default might have had), `more` and `more-door` (four microphones for two voices: name those mixtures, too).
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from otowake import opening
from otowake.core.method import Method
from otowake.divergence.density import GGD, Gauss, Laplace, StudentT
from otowake.opening import Opening, cold
from otowake.recipes import RECIPES, auxiva, auxiva_plus, consistent_ilrma, ilrma, overiva
from otowake.signal.stft import Stft, bins_first
from otowake.spatial.demix import Demix, ip1, ip2, ipa, iss1
from otowake.tasks.choice import DEFAULT, default_stft
from otowake.tasks.separate import separate

sys.path.append(str(Path(__file__).resolve().parents[2]))
from experiments.quality.mixtures import MORE, NAMES, RATE, audio_folder, mixtures
from experiments.quality.score import GRIDS, Entry, Grid, Separate, run, table

Build = Callable[[int, int], Method]  # bases a source, sources -> method


@dataclass(frozen=True)
class OwnGrid(Grid):
    """The same frame and hop by otowake's `Stft`: its first frame starts n_fft - hop before the signal."""

    def analyse(self, x: np.ndarray) -> tuple[np.ndarray, float]:
        X = Stft(self.n_fft, self.hop).forward(torch.from_numpy(x)).numpy()
        scale = float(np.sqrt((np.abs(X) ** 2).mean()))
        return X / scale, scale

    def synthesise(self, Y: np.ndarray, scale: float, samples: int) -> np.ndarray:
        y = Stft(self.n_fft, self.hop).inverse(torch.from_numpy(scale * Y), samples)
        return y.numpy()


@dataclass(frozen=True)
class Door(Grid):
    """No transform: the method takes samples and makes its own.  n_fft and hop only say which it will be."""

    def analyse(self, x: np.ndarray) -> tuple[np.ndarray, float]:
        return x, 1.0

    def synthesise(self, Y: np.ndarray, scale: float, samples: int) -> np.ndarray:
        return Y


START = opening.auxiva  # 30 iterations before consistent ILRMA, where it is not "cold"
OWN = tuple(OwnGrid(grid.n_fft, grid.hop) for grid in GRIDS)
MIDDLE, LONG, LONGER = (OwnGrid(6144, 1536),), (OwnGrid(8192, 2048),), (OwnGrid(16384, 4096),)
_USED = default_stft(RATE, RECIPES[DEFAULT].frame, 8 * RATE)
DOOR = (Door(_USED.n_fft, _USED.hop),)


def plain(build: Build) -> Separate:
    """A method that knows nothing of the transform."""

    def separated(X: np.ndarray, bases: int, iterations: int, seed: int) -> np.ndarray:
        return _run(build(bases, len(X)), X, iterations, seed)

    return separated


def consistent(bases: int = 0, demix: Demix = ip1, start: Opening = cold) -> Separate:
    """Consistent ILRMA; 0 bases are as many as the kind of sound gets."""

    def separated(X: np.ndarray, usual: int, iterations: int, seed: int) -> np.ndarray:
        n_fft = 2 * (X.shape[-2] - 1)
        method = consistent_ilrma(Stft(n_fft, n_fft // 4), bases or usual, demix, start)
        return _run(method, X, iterations, seed)

    return separated


def after_iva(first: int, bases: int = 0, look: bool = True) -> Separate:
    """ILRMA (look: consistent) whose W comes from `first` iterations of Gauss AuxIVA, counted among its own."""

    def separated(X: np.ndarray, usual: int, iterations: int, seed: int) -> np.ndarray:
        mixture, k = bins_first(torch.from_numpy(X)), bases or usual
        n_fft = 2 * (X.shape[-2] - 1)
        method = consistent_ilrma(Stft(n_fft, n_fft // 4), k, start=cold) if look else ilrma(k, start=cold)
        start = _stepped(auxiva(Gauss()), mixture, None, first, seed)
        state = method.init(mixture, seed)._replace(p=start.p)
        return method.estimate(mixture, _stepped(method, mixture, state, iterations - first, seed)).numpy()

    return separated


def _run(method: Method, X: np.ndarray, iterations: int, seed: int) -> np.ndarray:
    mixture = bins_first(torch.from_numpy(X))
    return method.estimate(mixture, _stepped(method, mixture, None, iterations, seed)).numpy()


def _stepped(method: Method, mixture: torch.Tensor, state: Any, iterations: int, seed: int) -> Any:
    state = method.init(mixture, seed) if state is None else state
    for _ in range(iterations):
        state = method.step(mixture, state)
    return state


def front_door(x: np.ndarray, bases: int, iterations: int, seed: int) -> np.ndarray:
    """Nothing is named but the rate: the method, its settings and its STFT are the defaults."""
    return separate(x, RATE, seed=seed).sources


def usual(seeds: int) -> tuple[Entry, ...]:
    return (
        Entry("otowake auxiva", 50, 1, plain(lambda k, n: auxiva())),
        Entry("otowake ilrma", 100, seeds, plain(lambda k, n: ilrma(k, start=cold))),
    )


def family(seeds: int) -> tuple[Entry, ...]:
    start = {
        "iss1": lambda k, n: ilrma(k, demix=iss1, start=cold),
        "ip2": lambda k, n: ilrma(k, demix=ip2, start=cold),
        "ipa": lambda k, n: ilrma(k, demix=ipa, start=cold),
        "t:1000": lambda k, n: ilrma(k, StudentT(1000), start=cold),
        "t:30": lambda k, n: ilrma(k, StudentT(30), start=cold),
        "t:5": lambda k, n: ilrma(k, StudentT(5), start=cold),
        "ggd:1.5": lambda k, n: ilrma(k, GGD(1.5), start=cold),
        "ggd:1.9": lambda k, n: ilrma(k, GGD(1.9), start=cold),
        "ggd:1": lambda k, n: ilrma(k, GGD(1), start=cold),
        "domain 1": lambda k, n: ilrma(k, domain=1, start=cold),
        "partitioned": lambda k, n: ilrma(shared=n * k, start=cold),
        "partitioned 5n": lambda k, n: ilrma(shared=5 * n, start=cold),
    }
    ivas = (
        Entry("otowake auxiva gauss", 50, 1, plain(lambda k, n: auxiva(Gauss()))),
        Entry("otowake auxiva ip2", 50, 1, plain(lambda k, n: auxiva(demix=ip2))),
    )
    return ivas + tuple(Entry(f"otowake ilrma {name}", 100, seeds, plain(b)) for name, b in start.items())


def _consistent(seeds: int) -> tuple[Entry, ...]:
    return (
        Entry("otowake consistent", RECIPES["consistent_ilrma"].iterations, seeds, consistent(start=START)),
        Entry("otowake consistent cold", 100, seeds, consistent()),
    )


def _search(seeds: int) -> tuple[Entry, ...]:
    return (
        Entry("otowake consistent", 100, seeds, consistent(start=START)),
        Entry("otowake consistent cold", 50, seeds, consistent()),
        Entry("otowake consistent cold", 200, seeds, consistent()),
        Entry("otowake consistent cold k=4", 100, seeds, consistent(4)),
        Entry("otowake consistent cold k=10", 100, seeds, consistent(10)),
        Entry("otowake consistent cold iss1", 100, seeds, consistent(demix=iss1)),
        Entry("otowake consistent cold ip2", 100, seeds, consistent(demix=ip2)),
    )


def _bases(seeds: int) -> tuple[Entry, ...]:
    steps = RECIPES["consistent_ilrma"].iterations
    return (
        Entry("otowake consistent k=4", steps, seeds, consistent(4, start=START)),
        Entry("otowake consistent k=6", steps, seeds, consistent(6, start=START)),
    )


def _start(seeds: int) -> tuple[Entry, ...]:
    return (
        Entry("otowake consistent, gauss start", 100, seeds, after_iva(30)),
        Entry("otowake ilrma, gauss start", 100, seeds, after_iva(30, look=False)),
    )


def _long(seeds: int) -> tuple[Entry, ...]:
    steps = RECIPES["consistent_ilrma"].iterations
    more = (
        Entry("otowake consistent k=4", steps, seeds, consistent(4, start=START)),
        Entry("otowake consistent k=2", steps, seeds, consistent(2, start=START)),
        *(Entry(f"otowake consistent cold k={k}", n, seeds, consistent(k)) for k in (2, 3, 4) for n in (60, 100)),
    )
    return (*usual(seeds), *_consistent(seeds), *more)


def _middle(seeds: int) -> tuple[Entry, ...]:
    choices = ((2, 60), (4, 60), (4, 100))
    return tuple(Entry(f"otowake consistent cold k={k}", n, seeds, consistent(k)) for k, n in choices)


def _longer(seeds: int) -> tuple[Entry, ...]:
    return _consistent(seeds)


def _door(seeds: int) -> tuple[Entry, ...]:
    return (Entry("otowake default", RECIPES[DEFAULT].iterations, seeds, front_door),)


def through_door(method: str, microphones: Sequence[int] = (0, 1, 2, 3)) -> Separate:
    """Two sources from some of the microphones; where these are more, PCA comes first."""

    def separated(x: np.ndarray, bases: int, iterations: int, seed: int) -> np.ndarray:
        chosen = x[list(microphones)]
        return separate(chosen, RATE, method, sources=2, seed=seed, iterations=iterations).sources

    return separated


def _more(seeds: int) -> tuple[Entry, ...]:
    return (
        Entry("otowake overiva", 50, 1, plain(lambda k, n: overiva(2))),
        Entry("otowake overiva laplace", 50, 1, plain(lambda k, n: overiva(2, Laplace()))),
        Entry("otowake auxiva+", 50, 1, plain(lambda k, n: auxiva_plus(2))),
        Entry("otowake auxiva+ gauss", 50, 1, plain(lambda k, n: auxiva_plus(2, Gauss()))),
    )


def _more_door(seeds: int) -> tuple[Entry, ...]:
    return (
        Entry("otowake auxiva, PCA", 50, 1, through_door("auxiva")),
        Entry("otowake ilrma, PCA", 100, seeds, through_door("ilrma")),
        Entry("otowake default, PCA", RECIPES[DEFAULT].iterations, seeds, through_door("auto")),
        Entry("otowake default, mics 1 2", RECIPES[DEFAULT].iterations, seeds, through_door("auto", (0, 1))),
        Entry("otowake default, mics 1 4", RECIPES[DEFAULT].iterations, seeds, through_door("auto", (0, 3))),
    )


SETS: dict[str, tuple[Callable[[int], tuple[Entry, ...]], Sequence[Grid]]] = {
    "usual": (usual, GRIDS),
    "family": (family, GRIDS[:1]),
    "consistent": (_consistent, OWN),
    "door": (_door, DOOR),
    "search": (_search, OWN[:1]),
    "bases": (_bases, OWN[:1]),
    "start": (_start, OWN[:1]),
    "middle": (_middle, MIDDLE),
    "long": (_long, LONG),
    "longer": (_longer, LONGER),
    "more": (_more, GRIDS),
    "more-door": (_more_door, DOOR),
}
ALL = (*NAMES, *(recipe.name for recipe in MORE))


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs otowake on the mixtures of the quality comparison.")
    parser.add_argument("results", type=Path, help="JSON lines; what is there already is not run again")
    parser.add_argument("--audio", type=Path, default=audio_folder(), help="folder of the recordings")
    parser.add_argument("--sets", nargs="+", default=["usual", "consistent", "door"], choices=list(SETS))
    parser.add_argument("--mixtures", nargs="+", default=NAMES, choices=ALL, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=4, help="starts of the methods that begin at random")
    given = parser.parse_args()
    for name in given.sets:
        entries, grids = SETS[name]
        run(mixtures(given.audio, tuple(given.mixtures)), entries(given.seeds), grids, given.results)
    print(table([given.results]))


if __name__ == "__main__":
    main()
