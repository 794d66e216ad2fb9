"""Extracts a known sound with every weight of the scan; one line of JSON a pair and seed.

    python experiments/weight/run.py                    every pair and both seeds, into results/full.jsonl
    python experiments/weight/run.py --half development development or test alone
    python experiments/weight/run.py --keep FOLDER      the targets, too, for trying rules

What the file has already is not run again: stop and start at will.  Recordings: README.md.
"""

import argparse
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cases import Case, cases, known, sources

import otowake

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE.parent), str(HERE.parent / "psnmf")]
from sdr import Reference  # noqa: E402

from jsonlines import append, lines  # noqa: E402

SCAN = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.04)
HALVES = ("development", "test")
SEEDS = (0, 1)


def scanned(audio: Path, case: Case, seed: int, keep: Path | None) -> dict[str, Any]:
    """SDR in dB of target and rest, the misfit and the target's share of the power, with each weight."""
    truth = sources(audio, case)
    bases = known(audio, case.target, case.rate)
    x = truth.sum(0, keepdims=True) / 20
    found = [otowake.extract(x, case.rate, bases, weight=weight, seed=seed) for weight in SCAN]
    targets = np.stack([one.target[0] for one in found])
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        np.savez(keep / f"{case.name}-{seed}.npz", targets=targets.astype(np.float32), truth=truth.astype(np.float32))
    references = [Reference(s) for s in truth]
    means = np.cumsum(targets, 0) / np.arange(1, len(SCAN) + 1)[:, None]
    return {
        "weights": SCAN,
        "misfit": [one.diagnostics["tried"][0]["misfit"] for one in found],
        "share": rounded([one.diagnostics["target_share"] for one in found]),
        "sdr": rounded(references[0].sdr(targets)),
        "rest": rounded(references[1].sdr(x - targets)),
        "mean_sdr": rounded(references[0].sdr(means)),
        "mean_rest": rounded(references[1].sdr(x - means)),
    }


def rounded(values: Any) -> list[float]:
    return [round(float(value), 4) for value in values]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("OTOWAKE_AUDIO", HERE.parents[2] / "shared" / "audio"))
    parser.add_argument("--audio", type=Path, default=shared)
    parser.add_argument("--half", choices=HALVES, action="append")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "full.jsonl")
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    done = {(one["name"], one["seed"]) for one in lines(asked.results)}
    versions = {"otowake": otowake.__version__, "torch": torch.__version__, "python": platform.python_version()}
    for half in asked.half or HALVES:
        for seed in SEEDS:
            for case in cases(half):
                if (case.name, seed) in done:
                    continue
                began = time.perf_counter()
                scores = scanned(asked.audio, case, seed, asked.keep)
                what = {"half": half, "kind": case.kind, "name": case.name, "seed": seed}
                spent = {"s": round(time.perf_counter() - began, 1), "versions": versions}
                append(asked.results, {**what, **scores, **spent})
                print(half, case.kind, case.name, seed, scores["sdr"], file=sys.stderr)


if __name__ == "__main__":
    main()
