"""Complex NMF beside NMF of magnitudes: two instruments, components put together by whoever knows the parts.

    python experiments/complex_nmf/run.py [--write]       four mixtures, every setting and seed; --write: into README.md

The recordings are those of the penalised experiment (`experiments/psnmf`): `--audio` or OTOWAKE_AUDIO.
"""

import argparse
import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from otowake.complex_nmf import ComplexNmf
from otowake.core.method import Method
from otowake.core.run import iterate, last, until
from otowake.core.separator import Separator
from otowake.divergence.beta import Beta
from otowake.metrics import evaluate
from otowake.signal.audio import read
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft
from otowake.source.nmf import Nmf
from otowake.spatial.observed import Observed

HERE = Path(__file__).resolve().parent
PAIRS = (("piano", "trumpet"), ("oboe", "cello"), ("flute", "bassoon"), ("violin", "horn"))
RATE, SECONDS, STFT, COMPONENTS, ITERATIONS, SEEDS = 16000, 6, Stft(1024, 256), 8, 100, (0, 1, 2)
METHODS: dict[str, Method] = {
    "magnitudes, Euclidean": Separator(Nmf(1), Observed(Beta(2.0), COMPONENTS, power_of_v=1.0)),
    "magnitudes, Kullback-Leibler": Separator(Nmf(1), Observed(Beta(1.0), COMPONENTS, power_of_v=1.0)),
    **{f"complex, sparsity {number:g}": ComplexNmf(COMPONENTS, 1, number) for number in (0.0, 1.0, 3.0, 10.0)},
    **{f"spread 0, sparsity {number:g}": ComplexNmf(COMPONENTS, 1, number, spread=0.0) for number in (1.0, 3.0, 10.0)},
}


def sources(folder: Path, pair: tuple[str, str]) -> np.ndarray:
    """Two parts of one piece, (2, samples), equally loud."""
    both = []
    for name in pair:
        recording = read(folder / f"fluid_{name}.flac")
        both.append(resampled(recording.samples.mean(0), recording.rate, RATE)[: RATE * SECONDS])
    x = np.stack(both)
    return x / np.sqrt((x**2).mean(1, keepdims=True)) / 10


def together(components: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Each component to the part that it is more like."""
    likeness = np.abs(components @ x.T)
    return np.stack([components[likeness.argmax(1) == n].sum(0) for n in range(len(x))])


def score(method: Method, x: np.ndarray, seed: int) -> tuple[float, float]:
    """Mean SDR of the two parts in dB, and the share of the energy that the model leaves."""
    mixture = torch.from_numpy(x.sum(0))
    X = STFT.forward(mixture)[None]
    X = X / X.abs().square().mean().sqrt()
    state = last(until(iterate(method, X, seed=seed), steps=ITERATIONS)).state
    images = STFT.inverse(method.estimate(X, state), x.shape[1]).numpy()
    parts = together(images * (np.abs(x).max() / np.abs(images.sum(0)).max()), x)
    left = float("nan")
    if isinstance(method, ComplexNmf):
        rest = X - method.components(state).sum(-3)
        left = float(rest.abs().square().sum() / X.abs().square().sum())
    return float(np.mean(evaluate(x, parts).sdr)), left


def rows(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Of each method: SDR of each mixture, of all, of the worst and best seed, and what the model leaves."""
    for name, method in METHODS.items():
        found = np.array([[score(method, sources(folder, pair), seed) for seed in SEEDS] for pair in PAIRS])
        sdr = found[..., 0]
        left = f"{100 * found[..., 1].mean():.1f} %" if np.isfinite(found[..., 1]).all() else "-"
        cells = [f"{value:.1f}" for value in sdr.mean(1)]
        yield name, [*cells, f"{sdr.mean():.2f}", f"{sdr.mean(0).min():.2f} to {sdr.mean(0).max():.2f}", left]
        print(name, *cells, file=sys.stderr, flush=True)


def table(found: list[tuple[str, list[str]]]) -> str:
    heads = ["method", *("+".join(pair) for pair in PAIRS), "mean", "of a seed", "left over"]
    lines = [heads, ["---"] * len(heads), *([name, *cells] for name, cells in found)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    root = Path(os.environ.get("OTOWAKE_AUDIO") or HERE.parents[2] / "shared" / "audio")
    parser = argparse.ArgumentParser(description="Complex NMF beside NMF of magnitudes.")
    parser.add_argument("--audio", type=Path, default=root / "music_gm")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    args = parser.parse_args()
    text = f"{table(list(rows(args.audio)))}\n\ntorch {torch.__version__}, Python {platform.python_version()}"
    print(text)
    if args.write:
        page = HERE / "README.md"
        mark = re.compile(r"(<!-- figures -->\n).*(<!-- end -->)", re.S)
        page.write_text(mark.sub(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", page.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
