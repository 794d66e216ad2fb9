"""The peers' side: pyroomacoustics 0.10.1 and ssspy 0.2.0 on the same mixtures, lines of the same form as run.py's.

    python experiments/which_method/peers.py RESULTS.jsonl [--cells figures ...] [--methods NAME ...] [--mixtures 1-10]
        [--seeds N] [--iterations N] [--stft FRAME/HOP] [--part 1/2]

Every peer gets a scaled Hann STFT by scipy (quality's `Grid`) with the frame of the otowake recipe beside it, unless
--stft names another, and as many bases a source as that recipe.  Its sources are those at microphone 1: the demixing
ones by the library's own projection, the others by the library's own Wiener filter or mask there; cACGMM's bins are put
in order by ssspy's own solver.  Losses are not recorded.  Times include both transforms, as ours do.
"""

import importlib.metadata
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2]))
from experiments.quality.peers import frames_first, pra_auxiva, pra_ilrma, pra_overiva, sources_first
from experiments.quality.score import Grid
from experiments.which_method.mixtures import Cell, Mixture, chosen
from experiments.which_method.run import Entry, Outcome, carry_out, commit, parser, warmed, work

from otowake.core.errors import OtowakeError
from otowake.recipes import RECIPES
from otowake.signal.stft import Stft
from otowake.spec import parse_stft
from otowake.tasks.choice import default_stft
from otowake.tasks.door import versions

Run = Callable[[np.ndarray, int, int, int], np.ndarray]  # X (m, f, t), sources, iterations, seed -> Y (n, f, t)
BASES, FEW = 8, 2  # a source, as FastMNMF and MNMF have them here, and ILRMA


@dataclass(frozen=True)
class Peer:
    """A library's method.  beside: the otowake recipe whose frame it gets; random: whether it draws its start."""

    name: str
    beside: str
    iterations: int
    run: Run
    fits: Callable[[Cell], bool] = lambda cell: True
    random: bool = True


def _square(cell: Cell) -> bool:
    return cell.microphones == cell.sources


def _two_of_more(cell: Cell) -> bool:
    return cell.microphones > cell.sources == 2


def _pra_fastmnmf(X: np.ndarray, sources: int, iterations: int, seed: int) -> np.ndarray:
    from pyroomacoustics.bss import fastmnmf

    return _pra(fastmnmf, X, sources, iterations, seed)


def _pra_fastmnmf2(X: np.ndarray, sources: int, iterations: int, seed: int) -> np.ndarray:
    from pyroomacoustics.bss import fastmnmf2

    return _pra(fastmnmf2, X, sources, iterations, seed)


def _pra(method: Callable[..., Any], X: np.ndarray, sources: int, iterations: int, seed: int) -> np.ndarray:
    np.random.seed(seed)  # the library draws from NumPy's global generator
    return sources_first(method(frames_first(X), n_src=sources, n_iter=iterations, n_components=BASES))


def _ssspy_fastmnmf(X: np.ndarray, sources: int, iterations: int, seed: int) -> np.ndarray:
    from ssspy.bss.mnmf import FastGaussMNMF

    return _ssspy(FastGaussMNMF, X, iterations, seed, n_basis=BASES, n_sources=sources)


def _ssspy_mnmf(X: np.ndarray, sources: int, iterations: int, seed: int) -> np.ndarray:
    from ssspy.bss.mnmf import GaussMNMF

    return _ssspy(GaussMNMF, X, iterations, seed, n_basis=BASES, n_sources=sources)


def _ssspy_cacgmm(X: np.ndarray, sources: int, iterations: int, seed: int) -> np.ndarray:
    from ssspy.bss.cacgmm import CACGMM

    return _ssspy(CACGMM, X, iterations, seed, n_sources=sources)


def _ssspy(kind: Callable[..., Any], X: np.ndarray, iterations: int, seed: int, **options: int) -> np.ndarray:
    return kind(record_loss=False, rng=np.random.default_rng(seed), **options)(X, n_iter=iterations)


def _without_sources(run: Callable[..., np.ndarray]) -> Run:
    """quality's peers take the number of bases there."""
    return lambda X, sources, iterations, seed: run(X, FEW, iterations, seed)


PEERS = (
    Peer("pra auxiva", "auxiva", 50, _without_sources(pra_auxiva), _square, random=False),
    Peer("pra overiva", "overiva", 50, _without_sources(pra_overiva), _two_of_more, random=False),
    Peer("pra ilrma", "ilrma", 100, _without_sources(pra_ilrma), _square),
    Peer("pra fastmnmf", "fastmnmf", 100, _pra_fastmnmf),
    Peer("pra fastmnmf2", "fastmnmf2", 100, _pra_fastmnmf2),
    Peer("ssspy fastmnmf", "fastmnmf", 100, _ssspy_fastmnmf),
    Peer("ssspy mnmf", "mnmf", 100, _ssspy_mnmf),
    Peer("ssspy cacgmm", "cacgmm", 100, _ssspy_cacgmm),
)


def entry(peer: Peer, iterations: int | None, stft: Stft | None) -> Entry:
    """A peer as run.py takes it."""

    def separate(mixture: Mixture, sources: int, seed: int) -> Outcome:
        samples = mixture.mixture.shape[1]
        transform = stft or default_stft(mixture.rate, RECIPES[peer.beside].frame, samples)
        grid = Grid(transform.n_fft, transform.hop)
        steps = peer.iterations if iterations is None else iterations
        X, scale = grid.analyse(mixture.mixture)
        y = grid.synthesise(peer.run(X, sources, steps, seed), scale, samples)
        return y, {"steps": steps, "stft": f"{grid.n_fft}/{grid.hop}"}

    name = f"{peer.name} stft={stft.n_fft}/{stft.hop}" if stft else peer.name
    return Entry(name, peer.fits, lambda: peer.random, iterations, separate)


def main() -> None:
    options = parser("Runs the peers on the mixtures of the experiment.")
    options.set_defaults(cells=["figures"])
    options.add_argument("--methods", nargs="+", default=[peer.name for peer in PEERS])
    options.add_argument("--stft", help="frame/hop; by default that of the recipe beside it")
    given = options.parse_args()
    try:
        unknown = set(given.methods) - {peer.name for peer in PEERS}
        if unknown:
            raise OtowakeError(f"There is no peer {min(unknown)!r}: choose from {', '.join(p.name for p in PEERS)}.")
        stft = parse_stft(given.stft) if given.stft else None
        cells = chosen(given.cells)
    except OtowakeError as why:
        sys.exit(str(why))
    taken = [peer for peer in PEERS if peer.name in given.methods]
    libraries = {name: importlib.metadata.version(name) for name in ("pyroomacoustics", "ssspy")}
    warmed([entry(peer, 1, None) for peer in taken])
    jobs = work(cells, given.mixtures, given.seeds, given.part)
    entries = [entry(peer, given.iterations, stft) for peer in taken]
    carry_out(entries, jobs, given.results, given.audio, {**versions(), **libraries, "commit": commit()})


if __name__ == "__main__":
    main()
