"""Contenders in turn, A B C A B C ..., each in a process of its own, and what each of them computed.

Thread limits are set before a process imports anything.  A reading is the time of n + 1 iterations less that of one,
divided by n: set-up cancels.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nmf
from contests import Case, problem
from scene import at_microphone, si_sdr

SAME, NEAR = 1e-3, 1.0
"""Results and costs are the same up to this relative distance; SI-SDR up to so many dB."""


class Reading(NamedTuple):
    """ms an iteration."""

    cpu: float
    wall: float


def run_of(contender: str, case: Case, d: dict) -> Any:
    from ours import OURS
    from peers import PEERS

    library, *how = contender.split()
    return (OURS if library == "otowake" else PEERS[library])[case.method](case, d, *how)


def worker(pipe: Any, contender: str, case: Case, path: str) -> None:
    """One contender: warms up, then measures whenever it is told how many iterations to do."""
    try:
        run = run_of(contender, case, dict(np.load(path)))
        run(2)
    except Exception as error:  # a peer that cannot is a line in the table
        pipe.send(f"{type(error).__name__}: {error}"[:200])
        return
    pipe.send(None)
    out = None
    while n := pipe.recv():
        t = [Reading(time.process_time(), time.perf_counter())]
        for count in (1, n + 1):
            out = run(count)
            t.append(Reading(time.process_time(), time.perf_counter()))
        pipe.send(Reading(*(1e3 * ((c - b) - (b - a)) / n for a, b, c in zip(*t))))
    pipe.send(out)


class Measured(NamedTuple):
    """By contender: readings, what came out after n + 1 iterations, and why some could not."""

    readings: dict[str, list[Reading]]
    outputs: dict[str, Any]
    errors: dict[str, str]


def measure(case: Case, path: str, rounds: int, n: int) -> Measured:
    context = multiprocessing.get_context("spawn")
    pipes, children = {}, []
    for contender in case.contenders:
        pipes[contender], end = context.Pipe()
        children.append(context.Process(target=worker, args=(end, contender, case, path)))
        children[-1].start()
    errors = {contender: pipe.recv() for contender, pipe in pipes.items()}
    errors = {contender: error for contender, error in errors.items() if error}
    for contender, error in errors.items():
        print(f"  without {contender}: {error}", file=sys.stderr)
        del pipes[contender]
    readings: dict[str, list[Reading]] = {contender: [] for contender in pipes}
    for _ in range(rounds):
        for contender, pipe in pipes.items():
            pipe.send(n)
            readings[contender].append(pipe.recv())
    outputs = {}
    for contender, pipe in pipes.items():
        pipe.send(0)
        outputs[contender] = pipe.recv()
    for child in children:
        child.join()
    return Measured(readings, outputs, errors)


def timed(case: Case, folder: Path | None = None, rounds: int = 0, n: int = 0) -> tuple[dict, Measured, dict]:
    """(row of readings, what else was measured, what everybody began with); rounds and n: 0 are the case's own."""
    d, rounds, n = problem(case, folder), rounds or case.rounds, n or case.iterations
    with tempfile.TemporaryDirectory() as scratch:
        path = str(Path(scratch) / "case.npz")
        np.savez(path, **d)
        found = measure(case, path, rounds, n)
    row = {"case": case.name, "rounds": rounds, "iterations": n, "errors": found.errors}
    row["contenders"] = {
        who: {f"{clock}_ms": [getattr(r, clock) for r in readings] for clock in Reading._fields}
        for who, readings in found.readings.items()
    }
    return row | {"ratios": ratios(case, found.readings)}, found, d


def compare(case: Case, folder: Path | None, rounds: int, n: int) -> dict:
    """Readings of all contenders of a case, ratios to each peer, and how far apart results are."""
    row, found, d = timed(case, folder, rounds, n)
    for who, answer in answers(case, found.outputs, d).items():
        row["contenders"][who] |= answer
    return row | {"same": same(case, row["contenders"])}


def ratios(case: Case, readings: dict[str, list[Reading]]) -> dict[str, dict[str, list[float]]]:
    """Ours over each peer: that of each round, by either clock."""
    if case.ours not in readings:
        return {}
    return {
        who: {
            clock: [getattr(a, clock) / getattr(b, clock) for a, b in zip(readings[case.ours], theirs)]
            for clock in Reading._fields
        }
        for who, theirs in readings.items()
        if not who.startswith("otowake")
    }


def answers(case: Case, outputs: dict[str, Any], d: dict) -> dict[str, dict]:
    """Of each contender: the relative distance of our result from its, and its SI-SDR in dB or its cost."""
    told: dict[str, dict] = {who: {} for who in outputs}
    if case.method == "cacgmm":
        told = {who: {"cost": cost} for who, (_, cost) in outputs.items()}
        outputs = {who: masks for who, (masks, _) in outputs.items()}
    elif case.method == "nmf":
        told = {who: {"cost": nmf.reached(case.cost, d["V"], *out)} for who, out in outputs.items()}
        outputs = {who: np.asarray(W, float) @ np.asarray(H, float) for who, (W, H) in outputs.items()}
    else:
        if case.method in ("auxiva", "ilrma"):
            outputs = {who: at_microphone(Y, d["X"]) for who, Y in outputs.items()}
        told = {who: {"si_sdr_db": si_sdr(case.scene.waveform(Y), d["images"])} for who, Y in outputs.items()}
    ours = outputs.get(case.double)
    for who, out in outputs.items():
        if ours is not None:
            told[who]["apart"] = float(np.linalg.norm(ours - out) / np.linalg.norm(out))
    return told


def same(case: Case, contenders: dict[str, dict]) -> dict[str, str]:
    """What is the same as with each peer: the result, the SDR, the cost, or nothing."""
    ours, found = contenders.get(case.double, {}), {}
    for who, theirs in contenders.items():
        if who.startswith("otowake") or "apart" not in theirs:
            continue
        found[who] = "no"
        if theirs["apart"] < SAME:
            found[who] = "result"
        elif "si_sdr_db" in theirs and abs(theirs["si_sdr_db"] - ours["si_sdr_db"]) < NEAR:
            found[who] = "SDR"
        elif theirs.get("cost") and abs(theirs["cost"] / ours["cost"] - 1) < SAME:
            found[who] = "cost"
    return found
