"""How time and memory of ILRMA grow: with length, channels, bases and the size of a batch.  Run by `bench.py`."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator

import memory
from contests import OURS, PRA, Case
from machine import spread, table
from scene import Scene
from turns import timed

LENGTHS, CHANNELS = memory.SECONDS, (2, 3, 4, 6, 8)
BASES, BATCHES = (2, 4, 8, 16, 32, 64), (1, 4, 16, 64)


def axes() -> Iterator[tuple[str, int, Case]]:
    """(axis, place on it, case): ILRMA on 10 s of two channels with two bases, but for that axis."""
    plain = Case("ilrma", bases=2, contenders=(PRA, OURS), rounds=3)
    for s in LENGTHS:
        yield "seconds", s, plain._replace(scene=Scene(seconds=s), iterations=max(5, 200 // s))
    for m in CHANNELS:
        yield "channels", m, plain._replace(scene=Scene(mics=m, sources=m), iterations=max(5, 80 // m**2))
    for k in BASES:
        yield "bases", k, plain._replace(bases=k, iterations=max(5, 40 // k))
    for b in BATCHES:
        yield "batch", b, plain._replace(batch=b, contenders=(OURS,), iterations=max(5, 20 // b))


def measured(rounds: int, iterations: int, only: str) -> list[dict]:
    """A row for each place on an axis; those in seconds also say how much memory an iteration needs."""
    if not only:
        weighed = memory.child("--lengths") if memory.available() else []
    else:
        weighed = []
    rows = []
    for axis, at, case in axes():
        if only in axis:
            print(f"{case.name}", file=sys.stderr, flush=True)
            row = timed(case, None, rounds, iterations)[0] | {"axis": axis, "at": at}
            if axis == "seconds":
                row["peak_mb"] = {who: size for who, seconds, size in weighed if seconds == at}
            rows.append(row)
    return rows


def linear(rows: list[dict], who: str) -> dict[int, float]:
    """By place: the time over that of the first place, over how much further it is."""
    times = {row["at"]: statistics.median(row["contenders"][who]["cpu_ms"]) for row in rows if who in row["contenders"]}
    first = min(times, default=1)
    return {at: time / times[first] * first / at for at, time in times.items()}


def markdown(rows: list[dict]) -> list[str]:
    lines: list[str] = []
    for axis in dict.fromkeys(row["axis"] for row in rows):
        along = [row for row in rows if row["axis"] == axis]
        contenders = list(dict.fromkeys(who for row in along for who in row["contenders"]))
        grown = {who: linear(along, who) for who in contenders}
        libraries = [who.split()[0] for who in contenders]
        head = [axis, *(x for who in contenders for x in (who, "of linear"))]
        head += [f"{library}, MB" for library in libraries] if axis == "seconds" else []
        cells = []
        for row in along:
            line = [str(row["at"])]
            for who in contenders:
                line += [spread(row["contenders"][who]["cpu_ms"]), f"{grown[who][row['at']]:.2f}"]
            sizes = row.get("peak_mb", {})
            line += [f"{sizes[x]:.0f}" if x in sizes else "-" for x in libraries] if axis == "seconds" else []
            cells.append(line)
        lines += [*table(head, cells), ""]
    return lines[:-1]
