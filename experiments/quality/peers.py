"""The peers' side of the quality comparison: pyroomacoustics 0.10.1 and ssspy 0.2.0, by their own interfaces.

    python experiments/quality/peers.py RESULTS.jsonl [--methods NAME ...] [--mixtures NAME ...] [--seeds N]

Every peer gets the same X and restores its own scale to microphone 1: pyroomacoustics by least squares, ssspy
by the inverse of its filters.  Losses are not recorded.  Times compare under OMP_NUM_THREADS=1.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2]))
from experiments.quality.mixtures import MORE, NAMES, audio_folder, mixtures
from experiments.quality.score import GRIDS, Entry, run, table

NU, BETA = 5.0, 1.5  # Student's degrees of freedom, the generalised Gauss exponent: heavier tails than Gauss


def pra_auxiva(X: np.ndarray, bases: int, iterations: int, seed: int) -> np.ndarray:
    """Laplace, IP1; nothing is random."""
    from pyroomacoustics.bss import auxiva

    return sources_first(auxiva(frames_first(X), n_iter=iterations, proj_back=True))


def pra_overiva(X: np.ndarray, bases: int, iterations: int, seed: int) -> np.ndarray:
    """Two sources from more microphones; time-varying Gauss, as OverIVA's default is here."""
    from pyroomacoustics.bss import auxiva

    return sources_first(auxiva(frames_first(X), n_src=2, n_iter=iterations, proj_back=True, model="gauss"))


def pra_overiva_laplace(X: np.ndarray, bases: int, iterations: int, seed: int) -> np.ndarray:
    from pyroomacoustics.bss import auxiva

    return sources_first(auxiva(frames_first(X), n_src=2, n_iter=iterations, proj_back=True, model="laplace"))


def pra_ilrma(X: np.ndarray, bases: int, iterations: int, seed: int) -> np.ndarray:
    from pyroomacoustics.bss import ilrma

    np.random.seed(seed)  # the library draws from NumPy's global generator
    return sources_first(ilrma(frames_first(X), n_iter=iterations, n_components=bases, proj_back=True))


def frames_first(X: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(X.transpose(2, 1, 0))  # t f m


def sources_first(Y: np.ndarray) -> np.ndarray:
    return Y.transpose(2, 1, 0)  # n f t


def ssspy_auxiva(X: np.ndarray, bases: int, iterations: int, seed: int) -> np.ndarray:
    """Laplace, IP1; nothing is random."""
    from ssspy.bss.iva import AuxLaplaceIVA

    return AuxLaplaceIVA(spatial_algorithm="IP1", record_loss=False)(X, n_iter=iterations)


def ssspy_ilrma(X: np.ndarray, bases: int, iterations: int, seed: int) -> np.ndarray:
    from ssspy.bss.ilrma import GaussILRMA

    rng = np.random.default_rng(seed)
    return GaussILRMA(bases, spatial_algorithm="IP1", record_loss=False, rng=rng)(X, n_iter=iterations)


def ssspy_t_ilrma(X: np.ndarray, bases: int, iterations: int, seed: int) -> np.ndarray:
    from ssspy.bss.ilrma import TILRMA

    rng = np.random.default_rng(seed)
    return TILRMA(bases, NU, spatial_algorithm="IP1", record_loss=False, rng=rng)(X, n_iter=iterations)


def ssspy_ggd_ilrma(X: np.ndarray, bases: int, iterations: int, seed: int) -> np.ndarray:
    from ssspy.bss.ilrma import GGDILRMA

    rng = np.random.default_rng(seed)
    return GGDILRMA(bases, BETA, spatial_algorithm="IP1", record_loss=False, rng=rng)(X, n_iter=iterations)


def entries(seeds: int) -> tuple[Entry, ...]:
    """All peers; `seeds` starts for those that begin at random."""
    return (
        Entry("pra auxiva", 50, 1, pra_auxiva),
        Entry("ssspy auxiva", 50, 1, ssspy_auxiva),
        Entry("pra ilrma", 100, seeds, pra_ilrma),
        Entry("ssspy ilrma", 100, seeds, ssspy_ilrma),
        Entry(f"ssspy ilrma t:{NU:g}", 100, seeds, ssspy_t_ilrma),
        Entry(f"ssspy ilrma ggd:{BETA:g}", 100, seeds, ssspy_ggd_ilrma),
        Entry("pra overiva", 50, 1, pra_overiva),
        Entry("pra overiva laplace", 50, 1, pra_overiva_laplace),
    )


ALL = (*NAMES, *(recipe.name for recipe in MORE))
USUAL = ("pra auxiva", "ssspy auxiva", "pra ilrma", "ssspy ilrma", "ssspy ilrma t:5", "ssspy ilrma ggd:1.5")


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs the peers on the mixtures of the quality comparison.")
    parser.add_argument("results", type=Path, help="JSON lines; what is there already is not run again")
    parser.add_argument("--audio", type=Path, default=audio_folder(), help="folder of the recordings")
    parser.add_argument("--methods", nargs="+", default=USUAL, choices=[entry.name for entry in entries(1)])
    parser.add_argument("--mixtures", nargs="+", default=NAMES, choices=ALL, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3, help="starts of the methods that begin at random")
    given = parser.parse_args()
    chosen = [entry for entry in entries(given.seeds) if entry.name in given.methods]
    run(mixtures(given.audio, tuple(given.mixtures)), chosen, GRIDS, given.results)
    print(table([given.results]))


if __name__ == "__main__":
    main()
