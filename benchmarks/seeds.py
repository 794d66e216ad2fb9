"""What the best of several seeds gains: music of two instruments, apart by NMF and by what was learned of one of them.

    python benchmarks/seeds.py [--seeds N] [--of M] [--markdown FILE]

Mixtures of examples/music, equally loud.  nmf: 12 patterns, each given to the instrument that it is most like (an
oracle).  extract: one instrument's scale is learned, at a fixed weight.  SDR of BSS eval.  Best of M: the mean over all
choices of M of the N seeds, of which either the lowest cost or the highest SDR is taken.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

import otowake
from machine import machine, told

MUSIC = Path(__file__).resolve().parents[1] / "examples" / "music"
PAIRS = [*combinations(("oboe", "flute", "piano", "bassoon"), 2)]
SECONDS, PATTERNS, WEIGHT = 4, 12, 0.02
HEAD = ("what", "mean", "spread", "lowest", "highest", "best of {of} by cost", "best of {of} by SDR", "nndsvd", "rank")


class Row(NamedTuple):
    """One mixture: SDR in dB of its seeds, of the best of some of them, of nndsvd; rank correlation of cost and SDR."""

    what: str
    mean: float
    spread: float
    lowest: float
    highest: float
    by_cost: float
    by_sdr: float
    nndsvd: float | None
    rank: float

    def cells(self) -> list[str]:
        fixed = "" if self.nndsvd is None else f"{self.nndsvd:.2f}"
        return [self.what, *(f"{x:.2f}" for x in self[1:7]), fixed, f"{self.rank:+.2f}"]


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
    """(cost, SDR of the instrument that is known) of one start."""
    result = otowake.extract(x.sum(0)[None], rate, bases, weight=WEIGHT, seed=seed)
    parts = np.stack([result.target[0], result.rest[0]])
    return result.costs[-1], float(otowake.evaluate(x, parts).sdr[0])


def row(what: str, ends: list[tuple[float, float]], of: int, nndsvd: float | None = None) -> Row:
    costs, scores = (np.array(column) for column in zip(*ends, strict=True))
    chosen = np.array([*combinations(range(len(ends)), of)])
    told = chosen[np.arange(len(chosen)), costs[chosen].argmin(1)]
    rank = np.corrcoef(costs.argsort().argsort(), scores.argsort().argsort())[0, 1]
    return Row(
        what, scores.mean(), scores.std(ddof=1), scores.min(), scores.max(), scores[told].mean(),
        scores[chosen].max(1).mean(), nndsvd, rank,
    )  # fmt: skip


def gain(rows: list[Row], field: str) -> str:
    """What it is above the mean over seeds: its mean over mixtures, and the standard error of that."""
    above = [getattr(row, field) - row.mean for row in rows]
    error = statistics.stdev(above) / len(above) ** 0.5
    return (
        f"{statistics.mean(above):+.2f} ± {error:.2f} dB ({sum(x > 0 for x in above)} of {len(above)} mixtures above)"
    )


def markdown(rows: list[Row], seeds: int, of: int) -> str:
    lines = ["# What the best of several seeds gains", "", *__doc__.strip().split("\n\n")[2].split("\n"), ""]
    lines += [named(machine(("otowake", "torch", "numpy")))]
    lines += [
        "",
        f"SDR in dB of {seeds} seeds (0 to {seeds - 1}), {SECONDS} s of two instruments; spread is the standard",
    ]
    lines += ["deviation over seeds, rank the rank correlation of cost and SDR (-1: the cost tells, 0: it does not):"]
    lines += ["", "| " + " | ".join(HEAD).format(of=of) + " |", "|---" * len(HEAD) + "|"]
    lines += ["| " + " | ".join(one.cells()) + " |" for one in rows] + [""]
    for job in ("nmf", "extract"):
        own = [one for one in rows if one.what.startswith(job)]
        rank = statistics.mean(one.rank for one in own)
        lines.append(f"- {job}, above the mean of the seeds: best of {of} by cost {gain(own, 'by_cost')}, best of {of}")
        lines.append(f"  by SDR, which nobody knows, {gain(own, 'by_sdr')}; mean rank correlation {rank:+.2f}.")
        if own[0].nndsvd is not None:
            lines.append(f"  nndsvd {gain(own, 'nndsvd')}.")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--of", type=int, default=5)
    parser.add_argument("--markdown", type=Path)
    args = parser.parse_args()
    rows: list[Row] = []
    for pair in PAIRS:
        x, rate = mixture(pair)
        scale = otowake.read(MUSIC / f"{pair[0]}-scale.flac")
        bases = otowake.learn(scale.samples, scale.rate, iterations=200)
        title, fixed = " + ".join(pair), by_patterns(x, rate, 0, "nndsvd")[1]
        found = [by_patterns(x, rate, seed) for seed in range(args.seeds)]
        rows.append(row(f"nmf, {title}", found, args.of, fixed))
        found = [by_scale(x, rate, seed, bases) for seed in range(args.seeds)]
        rows.append(row(f"extract, {title}", found, args.of))
        print(*rows[-2:], sep="\n", file=sys.stderr, flush=True)
    told(markdown(rows, args.seeds, args.of), args.markdown)


if __name__ == "__main__":
    main()
