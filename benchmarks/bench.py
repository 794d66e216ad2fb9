"""All figures of this folder that stand beside other packages, or that grow: one JSON and one page.

    python benchmarks/bench.py [SECTION ...] [--only WORD] [--rounds N] [--iterations N] [--audio FOLDER]

Sections: speed, command, growth, memory, roofline; none named: all but roofline (`make bench`, `make roofline`).  A
section that is measured replaces what bench.json had of it; with --only, rows of cases that hold the word alone.
bench.md is made of bench.json; with `--render` nothing is measured.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path

import growth
import memory
import roofline
import speed
from machine import HERE, SETTLED, machine, moment, named, told

JSON, MARKDOWN = HERE / "bench.json", HERE / "bench.md"
PACKAGES = ("otowake", "numpy", "scipy", "torch", "numba", "pyroomacoustics", "ssspy", "scikit-learn", "torchnmf")
HEAD = """# Speed and memory beside other packages

Made by `make bench` (the last section: `make roofline`); figures: [bench.json](bench.json); what has changed since the
last ones: `make bench-compare`.

- A contender is a method of a package in a precision, in a process of its own; those of a case take turns (A B C A B C
  ...), so that a slow minute of the machine is everybody's. Peers run at the versions below, in the precision they are
  fastest in; where two are listed the faster one counts. Ours is complex64 (NMF: the precision of the peer).
- A reading is the time of n + 1 iterations less that of one, divided by n: set-up cancels. Losses and scale restoration
  are off. Figures are the median of the rounds [least, most]; ratios are ours over theirs, of each round.
- Memory that was freed stays with the process, for everybody, and waiting threads sleep.
- Everybody begins with the same numbers. *same*: our complex128 result is theirs up to 1e-3 (result), or its SI-SDR up
  to 1 dB (SDR), or its cost up to 1e-3 (cost). pyroomacoustics' ILRMA scales columns of W where rows are meant; its
  FastMNMF2 moves activations by the halves that the bases moved by, and is compared with ours in that order
  ("simultaneous").
- *reach*: the ratio that is asked for, where one is.
- Sounds: noise in syllables in a simulated room (`benchmarks/scene.py`), 10 s, 16 kHz, 2048/1024 (158 frames) if
  nothing else is said.
- cACGMM is beside ssspy's: pb_bss is on no package index.
"""


def measured_memory() -> list:
    rows = memory.child("--recipes") if memory.available() else []
    return rows + (memory.child("--peers") if rows else [])


SECTIONS: dict[str, tuple[str, Callable]] = {
    "speed": ("An iteration", speed.markdown),
    "command": ("The whole command, 10 s of stereo", speed.command_markdown),
    "growth": ("Growth: ILRMA, 2 bases, 2 channels, 10 s; CPU ms an iteration, 1 thread", growth.markdown),
    "memory": (
        "The most memory that an iteration needs, in complex128 spectrograms (`benchmarks/memory.py`)",
        lambda rows: memory.markdown(rows).splitlines(),
    ),
    "roofline": ("Kernels beside the limits of the machine, 1 thread", roofline.markdown),
}
"""Title and page of each."""


def measure(section: str, args: argparse.Namespace) -> list:
    by_name: dict[str, Callable[[], list]] = {
        "speed": lambda: speed.measured(args.audio, args.rounds, args.iterations, args.only),
        "command": speed.command,
        "growth": lambda: growth.measured(args.rounds, args.iterations, args.only),
        "memory": measured_memory,
        "roofline": lambda: apart(roofline.measured, args.only),
    }
    return by_name[section]()


def apart(call: Callable[..., list], *words: str) -> list:
    """In a process of its own, which begins with what is set here for all."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(call, words)


def kept(old: list, new: list) -> list:
    """Rows of before in whose place nothing new has come, in their order, then what is new."""

    def key(row: dict) -> tuple:
        return tuple(row.get(part) for part in ("case", "axis", "at", "threads"))

    fresh = {key(row): row for row in new}
    return [fresh.pop(key(row), row) for row in old] + list(fresh.values())


def markdown(result: dict) -> str:
    lines = [HEAD]
    for name, (title, page) in SECTIONS.items():
        if name in result:
            facts = result[name]["facts"]
            load = f"load {facts['load']:.1f}" + f" to {facts['load_after']:.1f}"
            lines += [f"## {title}", "", f"{named(facts)} {facts['date']}, commit {facts['commit']}, {load}.", ""]
            lines += [*page(result[name]["rows"]), ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], metavar="SECTION")
    parser.add_argument("--only", default="", metavar="WORD", help="cases whose name, or axis, holds it")
    parser.add_argument("--rounds", type=int, default=0, help="instead of each case's own")
    parser.add_argument("--iterations", type=int, default=0, help="instead of each case's own")
    parser.add_argument("--audio", type=Path, help="a folder of recordings at 16 kHz, one talker each")
    parser.add_argument("--render", action="store_true", help="only make the page of the JSON")
    parser.add_argument("--json", type=Path, default=JSON)
    parser.add_argument("--markdown", type=Path, default=MARKDOWN)
    args = parser.parse_args()
    os.environ.update(SETTLED)
    speed.threads(1)  # children, and what is imported from here on, read it
    result = json.loads(args.json.read_text()) if args.json.exists() else {}
    wanted = [] if args.render else args.sections or [name for name in SECTIONS if name != "roofline"]
    for section in wanted:
        print(f"== {section}", file=sys.stderr, flush=True)
        facts = machine(PACKAGES) | moment()
        facts["sound"] = "noise in syllables" if args.audio is None else "recordings"
        rows = measure(section, args)
        facts["load_after"] = moment()["load"]
        before = result.get(section) if args.only else None
        if before:  # some rows are older than the others
            facts["commit"] = ", then ".join(dict.fromkeys((before["facts"]["commit"], facts["commit"])))
        result[section] = {"facts": facts, "rows": kept(before["rows"], rows) if before else rows}
        args.json.write_text(json.dumps(result, indent=1) + "\n")  # what is measured stays if a later section fails
    told(markdown(result), args.markdown, result, args.json)
    differ = [
        f"{row['case']}: {who}"
        for row in result.get("speed", {}).get("rows", [])
        for who, what in row["same"].items()
        if what == "no"
    ]
    if differ and wanted:
        sys.exit("These did not compute the same: " + "; ".join(differ))


if __name__ == "__main__":
    main()
