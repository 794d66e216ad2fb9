"""What `--method auto` rests on beside experiments/quality: short recordings, and strong reverberation.

    python experiments/auto/run.py short [--audio FOLDER] [--mixtures NAME ...]
    python experiments/auto/run.py strong

Prints a table of SDR improvements in dB.  Runs go into results/, one line of JSON each; what is there is not run again.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "quality"))

from mixtures import RECIPES, Mixture, audio_folder, make

import otowake

HERE = Path(__file__).parent
BEGIN = 2.0  # seconds into each mixture, where all sounds have begun
SECONDS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
STRONG = 0.6  # seconds of reverberation, asked for


class Run(NamedTuple):
    """A column and a row of the table, and how they are made."""

    column: str
    row: str
    method: str
    stft: str | None = None
    seconds: float | None = None
    seeds: int = 1


SHORT = [
    Run(f"{seconds:g} s", method, method, seconds=seconds, seeds=2)
    for seconds in SECONDS
    for method in ("auxiva", "ilrma", "consistent_ilrma", "cacgmm")
]
REVERBERANT = [Run("dB", method, method) for method in ("consistent_ilrma", "ilrma", "fastmnmf2", "auxiva", "cacgmm")]
REVERBERANT += [Run("dB", f"consistent_ilrma {stft}", "consistent_ilrma", stft) for stft in ("8192/2048", "12288/3072")]
PLANS = {"short": (SHORT, None), "strong": (REVERBERANT, STRONG)}


def runs(plan: list[Run], made: Mixture, done: set[str]) -> Iterator[dict]:
    """One line for each run of a mixture that is not done."""
    for run in plan:
        part = slice(0, None)
        if run.seconds:
            part = slice(round(BEGIN * made.rate), round((BEGIN + run.seconds) * made.rate))
        x, truth = made.mixture[:, part], made.images[:, part]
        for seed in range(run.seeds):
            key = f"{made.name}, {run.row}, {run.column}, seed {seed}"
            if key not in done:
                found = otowake.separate(x, made.rate, run.method, sources=len(truth), seed=seed, stft=run.stft)
                gain = otowake.evaluate(truth, found.sources, x[0]).sdr_improvement
                named = {"mixture": made.name, "kind": made.kind, "row": run.row, "column": run.column}
                yield {"run": key, **named, "seed": seed, "db": round(float(np.mean(gain)), 3)}


def table(plan: list[Run], lines: list[dict]) -> str:
    """Medians over mixtures of the mean over seeds, in parentheses how many mixtures."""
    columns, rows = (list(dict.fromkeys(values)) for values in ([r.column for r in plan], [r.row for r in plan]))
    text = ["| kind | | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for kind in sorted({line["kind"] for line in lines}):
        for row in rows:
            cells = [_cell([one for one in lines if (one["kind"], one["row"], one["column"]) == (kind, row, column)])
                     for column in columns]  # fmt: skip
            text.append(f"| {kind} | {row} | {' | '.join(cells)} |")
    return "\n".join(text)


def _cell(lines: list[dict]) -> str:
    of: dict[str, list[float]] = {}
    for line in lines:
        of.setdefault(line["mixture"], []).append(line["db"])
    return f"{np.median([np.mean(values) for values in of.values()]):.1f} ({len(of)})" if of else "-"


def main() -> None:
    names = [one.name for one in RECIPES if one.kind in ("speech2", "music2") and not one.name.startswith("drums")]
    parser = argparse.ArgumentParser(description="Short recordings, and strong reverberation.")
    parser.add_argument("plan", choices=PLANS)
    parser.add_argument("--audio", type=Path, default=audio_folder(), help="folder of the recordings")
    parser.add_argument("--mixtures", nargs="*", default=names, help="none: only print the table")
    asked = parser.parse_args()
    plan, rt60 = PLANS[asked.plan]
    path = HERE / "results" / f"{asked.plan}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    with path.open("a") as file:
        for one in (one for one in RECIPES if one.name in asked.mixtures):
            made = make(replace(one, rt60=rt60 or one.rt60), asked.audio)
            for line in runs(plan, made, {line["run"] for line in lines}):
                lines.append(line)
                file.write(json.dumps(line) + "\n")
                file.flush()
    print(table(plan, lines))


if __name__ == "__main__":
    main()
