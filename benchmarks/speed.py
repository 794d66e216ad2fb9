"""The cases of `contests.py` on one and two threads, and the whole command.  Run by `bench.py`."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contests import CASES, ITERATED, REACH, REACH_SECONDS, Case
from machine import SETTLED, spread, table, threads
from scene import Scene, scene
from turns import compare

THREADS = (1, 2)
AT_LEAST, ALL = "CPU ms an iteration, 1 thread", "ms by the clock, 2 threads"


def measured(folder: Path | None, rounds: int, iterations: int, only: str) -> list[dict]:
    """A row for each case and number of threads."""
    rows = []
    for case in CASES:
        for number in THREADS:
            if only.lower() in case.name.lower():
                print(f"{case.name}, {number} thread(s)", file=sys.stderr, flush=True)
                threads(number)  # children read them before they import anything
                rows.append({"threads": number} | compare(case, folder, rounds, iterations))
    threads(1)
    return rows


def command(repeats: int = 3) -> list[dict]:
    """Seconds by the clock of the process `otowake separate` on 10 s of stereo; the first has no kernels, as where
    neither `make` nor a wheel has brought any.  In turn with it, as what no run is without: the import of torch."""
    import soundfile

    strange = {*SETTLED, "PYTHONDONTWRITEBYTECODE"}  # to a user
    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS") and k not in strange}
    of = Scene()
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "mixture.wav"
        soundfile.write(path, 0.1 * of.waveform(scene(of)[0]).T, of.rate)
        code = "from otowake.cli.main import main; raise SystemExit(main())"
        for title, words in ((ITERATED, ["--iterations", "100"]), ("separate, as it comes", [])):
            env = free | {"NUMBA_CACHE_DIR": f"{scratch}/{len(rows)}"}
            walls, imports = [], []
            for k in range(1 + repeats):
                call = [sys.executable, "-c", code, "separate", str(path), "-o", f"{scratch}/out{k}", *words]
                walls.append(seconds_of(call, env))
                imports.append(seconds_of([sys.executable, "-c", "import torch"], env))
            rows.append({"case": title, "first_s": walls[0], "cached_s": walls[1:], "torch_s": imports})
    return rows


def seconds_of(call: list[str], env: dict[str, str]) -> float:
    """Of a process, by the clock."""
    began = time.perf_counter()
    done = subprocess.run(call, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{call} failed: {done.stderr}")
    return time.perf_counter() - began


def fastest(case: Case, row: dict, clock: str = "cpu") -> str | None:
    """The contender of the library that is the measure, in its better precision."""
    theirs = [who for who in row["contenders"] if who.split()[0] == case.against != "otowake"]
    return min(theirs, key=lambda who: statistics.median(row["contenders"][who][f"{clock}_ms"]), default=None)


def markdown(rows: list[dict]) -> list[str]:
    """Each case beside its measure, then everybody's readings, then what was computed."""
    cases = {case.name: case for case in CASES}
    found: dict[str, dict[int, dict]] = {}
    for row in rows:
        if row["case"] in cases:
            found.setdefault(row["case"], {})[row["threads"]] = row
    lines, everyone, computed = [], [], []
    for name, by_threads in found.items():
        case, one = cases[name], by_threads.get(1)
        lines.append([name, *_beside(case, one, "cpu", REACH.get(name)), *_beside(case, by_threads.get(2), "wall")])
        for who in case.contenders:
            times = [_times(by_threads.get(n), who, clock) for n, clock in zip(THREADS, ("cpu", "wall"))]
            everyone.append([name, who, *times])
            if one and who in one["contenders"]:
                computed.append([name, who, *_computed(case, one, who)])
    head = ["case", "beside", AT_LEAST, "otowake", "ratio", "reach", "met", "same"]
    head += ["beside", ALL, "otowake", "ratio"]
    out = [*table(head, lines), "", "Everybody's readings:", ""]
    out += [*table(["case", "who", AT_LEAST, ALL], everyone), "", "What was computed, 1 thread:", ""]
    return out + table(["case", "who", "iterations", "SI-SDR dB", "cost", "ours apart", "same as ours"], computed)


def _beside(case: Case, row: dict | None, clock: str, reach: float | None = None) -> list[str]:
    """Who, its time, ours, their ratio; on one thread also the ratio to reach, whether it is, and what is the same."""
    more = 3 if clock == "cpu" else 0
    if row is None or case.ours not in row["contenders"]:
        return ["-"] * (4 + more)
    ours, peer = spread(row["contenders"][case.ours][f"{clock}_ms"]), fastest(case, row, clock)
    if peer is None:
        return ["-", "-", ours, "-", *["-"] * more]
    ratio = row["ratios"][peer][clock]
    asked = ["-", "-"] if reach is None else [f"{reach:.2f}", "yes" if statistics.median(ratio) <= reach else "no"]
    cells = [peer, spread(row["contenders"][peer][f"{clock}_ms"]), ours, spread(ratio)]
    return [*cells, *asked, row["same"].get(peer, "-")] if more else cells


def _times(row: dict | None, who: str, clock: str) -> str:
    if row is None:
        return "-"
    if who in row["errors"]:
        return row["errors"][who]
    return spread(row["contenders"][who][f"{clock}_ms"])


def _computed(case: Case, row: dict, who: str) -> list[str]:
    x = row["contenders"][who]
    sdr, cost = x.get("si_sdr_db"), x.get("cost")
    return [
        str(row["iterations"] + 1),
        "-" if sdr is None else f"{sdr:.2f}",
        "-" if cost is None else f"{cost:.6g}",
        f"{x['apart']:.0e}" if x.get("apart") else "-",
        row["same"].get(who, "-"),
    ]


def command_markdown(rows: list[dict]) -> list[str]:
    cells = []
    for row in rows:
        cached = statistics.median(row["cached_s"])
        asked = REACH_SECONDS if row["case"] == ITERATED else {}
        reach = [f"{asked[k]:.1f}" if k in asked else "-" for k in ("first", "cached")]
        cells.append([row["case"], f"{row['first_s']:.1f}", reach[0], spread(row["cached_s"], 1), reach[1]])
        cells[-1].append("-" if not asked else "yes" if _met(asked, row["first_s"], cached) else "no")
        cells[-1].append(spread(row["torch_s"], 1) if "torch_s" in row else "-")
    return table(["otowake", "first, s", "reach", "then, s", "reach", "met", "import torch alone, s"], cells)


def _met(asked: dict[str, float], first: float, cached: float) -> bool:
    return first <= asked.get("first", first) and cached <= asked.get("cached", cached)
