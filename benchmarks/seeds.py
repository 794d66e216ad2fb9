"""What the best of several seeds gains: music of two instruments, apart by NMF and by what was learned of one of them.

    python benchmarks/seeds.py [--seeds N] [--markdown FILE]

Mixtures of examples/music, equally loud.  nmf: 12 patterns, each given to the instrument that it is most like (an
oracle).  extract: one instrument's scale is learned, at a fixed weight.  SDR of BSS eval; "best" is by the cost alone.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from itertools import combinations
from pathlib import Path

import numpy as np

import otowake
from machine import machine

MUSIC = Path(__file__).resolve().parents[1] / "examples" / "music"
PAIRS = [*combinations(("oboe", "flute", "piano", "bassoon"), 2)][:4]
SECONDS, PATTERNS, WEIGHT = 4, 12, 0.02


def mixture(pair: tuple[str, str]) -> tuple[np.ndarray, int]:
    """(2, samples) of equal power."""
    heard = [otowake.read(MUSIC / f"{name}.flac") for name in pair]
    x = np.stack([one.samples[0, : SECONDS * one.rate] for one in heard])
    return 0.1 * x / x.std(1, keepdims=True), heard[0].rate


def by_patterns(x: np.ndarray, rate: int, seed: int, start: str = "random") -> tuple[float, float]:
    """(cost, mean SDR) of one start."""
    result = otowake.separate(
        x.sum(0)[None], rate, "nmf", sources=PATTERNS, seed=seed, stft="4096/1024", settings={"start": start}
    )
    likeness = np.abs(result.sources @ x.T) / np.linalg.norm(x, axis=1)
    owner = likeness.argmax(1)
    parts = np.stack([result.sources[owner == n].sum(0) + 1e-9 * x.sum(0) for n in range(2)])
    return result.costs[-1], float(np.mean(otowake.evaluate(x, parts).sdr))


def by_scale(x: np.ndarray, rate: int, seed: int, bases: otowake.Bases) -> tuple[float, float]:
    result = otowake.extract(x.sum(0)[None], rate, bases, weight=WEIGHT, seed=seed)
    parts = np.stack([result.target[0], result.rest[0]])
    return result.costs[-1], float(otowake.evaluate(x, parts).sdr[0])


def row(name: str, ends: list[tuple[float, float]]) -> str:
    costs, scores = zip(*ends, strict=True)
    best = scores[int(np.argmin(costs))]
    order = np.corrcoef(costs, scores)[0, 1]
    cells = (statistics.mean(scores), best, max(scores), min(scores))
    return f"| {name} | " + " | ".join(f"{cell:.2f}" for cell in cells) + f" | {order:+.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--markdown", type=Path)
    args = parser.parse_args()
    facts = machine(("otowake", "torch", "numpy"))
    lines = [f"{facts['machine']}; " + ", ".join(f"{p} {v}" for p, v in facts["versions"].items()) + ".", ""]
    lines += [
        f"SDR in dB of {args.seeds} seeds; correlation of cost and SDR over them (below 0: a lower cost is better):"
    ]
    lines += ["", "| what | mean over seeds | best by cost | highest | lowest | correlation |", "|" + "---|" * 6]
    for pair in PAIRS:
        x, rate = mixture(pair)
        scale = otowake.read(MUSIC / f"{pair[0]}-scale.flac")
        bases = otowake.learn(scale.samples, scale.rate, iterations=200)
        title = " + ".join(pair)
        lines.append(row(f"nmf, {title}", [by_patterns(x, rate, seed) for seed in range(args.seeds)]))
        lines.append(f"| nmf from nndsvd, {title} | {by_patterns(x, rate, 0, 'nndsvd')[1]:.2f} | | | | |")
        lines.append(row(f"extract, {title}", [by_scale(x, rate, seed, bases) for seed in range(args.seeds)]))
        print("\n".join(lines[-3:]), file=sys.stderr, flush=True)
    text = "\n".join(lines) + "\n"
    print(text)
    if args.markdown:
        args.markdown.write_text(text)


if __name__ == "__main__":
    main()
