"""CPU time an iteration: AuxIVA and ILRMA here, in pyroomacoustics and in ssspy, side by side.

    python benchmarks/speed.py --threads 1 --json speed.json --markdown speed.md [--audio FOLDER] [--command]

The scene is that of `scene.py`, STFT 2048/1024 (158 frames), with the same start for everybody.  Every
contender lives in a process of its own, whose thread limits are set before it imports anything; those of one
case take turns (A B C D A B C D ...), so that a slow minute of the machine is everybody's.  A reading is the
process CPU time of n + 1 iterations less that of one, divided by n: set-up cancels.  Losses and scale
restoration are off.  Medians over the rounds, with [min, max]; a ratio is the median of each round's ratio.
Peers run in complex128, in which they are fastest.

Everybody's result is projected back to microphone 0 and compared with ssspy's, which has our order of
updates; it also gets a scale-invariant SDR.  pyroomacoustics' ILRMA scales columns of W, so it differs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from machine import machine, named, threads, told
from scene import RATE, SEED, at_microphone, scene, si_sdr, start, waveform

CASES = [(name, k, mics) for mics in (2, 4) for name, k in (("auxiva", 0), ("ilrma", 2), ("ilrma", 10))]
OURS = ("otowake complex128", "otowake complex64")
PEERS = ("pyroomacoustics", "ssspy")


def peer_pyroomacoustics(name: str, k: int, d: dict) -> Callable[[int], np.ndarray]:
    from pyroomacoustics.bss import auxiva, ilrma

    X = np.ascontiguousarray(d["X"].transpose(2, 1, 0))

    def run(n: int) -> np.ndarray:
        if name == "auxiva":
            return auxiva(X, n_iter=n, proj_back=False).transpose(2, 1, 0)
        np.random.seed(SEED)  # its factors come from the global generator
        return ilrma(X, n_iter=n, n_components=k, proj_back=False).transpose(2, 1, 0)

    return run


def peer_ssspy(name: str, k: int, d: dict) -> Callable[[int], np.ndarray]:
    from ssspy.bss.ilrma import GaussILRMA
    from ssspy.bss.iva import AuxLaplaceIVA

    still = {"spatial_algorithm": "IP1", "scale_restoration": False, "record_loss": False}

    def run(n: int) -> np.ndarray:
        if name == "auxiva":
            return AuxLaplaceIVA(**still)(d["X"], n_iter=n)
        return GaussILRMA(n_basis=k, **still)(d["X"], n_iter=n, basis=d["T"], activation=d["V"])

    return run


def ours(dtype: str) -> Callable[[str, int, dict], Callable[[int], np.ndarray]]:
    def contender(name: str, k: int, d: dict) -> Callable[[int], np.ndarray]:
        import torch

        from otowake.core.separator import Separator
        from otowake.divergence.density import Gauss, Laplace, Pooled
        from otowake.signal.stft import bins_first
        from otowake.source.flat import Flat
        from otowake.source.nmf import Nmf
        from otowake.spatial.demix.ip import ip1
        from otowake.spatial.determined import Determined

        X = bins_first(torch.from_numpy(d["X"]).to(getattr(torch, dtype)))  # as the front door lays it out
        iva = name == "auxiva"
        method = Separator(Flat() if iva else Nmf(k), Determined(ip1, Pooled(Laplace()) if iva else Gauss()))

        def run(n: int) -> np.ndarray:
            s = method.init(X, seed=SEED)
            if not iva:
                B, H = (torch.from_numpy(d[f]).to(X.real.dtype) for f in "TV")
                s = s._replace(z=s.z._replace(B=B, H=H))
            for _ in range(n):
                s = method.step(X, s)
            return (s.p.W.numpy() @ d["X"].transpose(1, 0, 2)).transpose(1, 0, 2)

        return run

    return contender


CONTENDERS = {
    "pyroomacoustics": peer_pyroomacoustics,
    "ssspy": peer_ssspy,
    OURS[0]: ours("complex128"),
    OURS[1]: ours("complex64"),
}


def worker(pipe, contender: str, name: str, k: int, path: str) -> None:
    """One contender: warms up, then measures whenever it is told how many iterations to do."""
    try:
        d = dict(np.load(path))
        run = CONTENDERS[contender](name, k, d)
        run(2)
    except ImportError as error:
        pipe.send(error)
        return
    pipe.send(None)
    while n := pipe.recv():
        t = [(time.process_time(), time.perf_counter())]
        for count in (1, n + 1):
            Y = run(count)
            t.append((time.process_time(), time.perf_counter()))
        pipe.send([1e3 * ((c - b) - (b - a)) / n for a, b, c in zip(*t)])
    pipe.send(Y)


def measure(case: tuple, path: str, rounds: int, n: int) -> tuple[dict, dict]:
    """({contender: [(cpu, wall) ms an iteration, ...]}, {contender: Y after n + 1 iterations})."""
    context = multiprocessing.get_context("spawn")
    pipes, children = {}, []
    for contender in CONTENDERS:
        pipes[contender], end = context.Pipe()
        children.append(context.Process(target=worker, args=(end, contender, case[0], case[1], path)))
        children[-1].start()
    for contender, pipe in list(pipes.items()):
        if error := pipe.recv():
            print(f"  without {contender}: {error}", file=sys.stderr)
            del pipes[contender]
    readings: dict = {contender: [] for contender in pipes}
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
    return readings, outputs


def compare(case: tuple, folder: Path | None, rounds: int, n: int) -> dict:
    """One row of the table."""
    name, k, mics = case
    X, images = scene(mics, folder)
    with tempfile.TemporaryDirectory() as scratch:
        path = str(Path(scratch) / "scene.npz")
        np.savez(path, X=X, **start(mics, max(k, 1), *X.shape[1:]))
        readings, outputs = measure(case, path, rounds, n)
    outputs = {c: at_microphone(Y, X) for c, Y in outputs.items()}
    row: dict = {"method": name, "bases": k, "microphones": mics, "shape": X.shape, "contenders": {}}
    for contender, values in readings.items():
        cpu, wall = zip(*values)
        apart = np.linalg.norm(outputs[contender] - outputs["ssspy"]) / np.linalg.norm(outputs["ssspy"])
        row["contenders"][contender] = {
            "cpu_ms": cpu,
            "cpu_ms_median": statistics.median(cpu),
            "wall_ms_median": statistics.median(wall),
            "apart_from_ssspy": float(apart),
            "si_sdr_db": si_sdr(outputs[contender], images),
        }
    row["ratios"] = {
        f"{a.split()[1]} / {b}": statistics.median(p[0] / q[0] for p, q in zip(readings[a], readings[b]))
        for a in OURS
        for b in PEERS
        if a in readings and b in readings
    }
    return row


def command(repeats: int = 3) -> dict:
    """Wall seconds of the process `otowake separate` on 10 s of stereo; the first has no kernels."""
    import soundfile

    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "mixture.wav"
        soundfile.write(path, 0.1 * waveform(scene(2, None)[0]).T, RATE)
        call = [
            sys.executable,
            "-c",
            "from otowake.cli.main import main; raise SystemExit(main())",
            "separate",
            str(path),
            "-o",
        ]
        walls = []
        for k in range(1 + repeats):
            began = time.perf_counter()
            env = free | {"NUMBA_CACHE_DIR": str(Path(scratch) / "cache")}
            done = subprocess.run([*call, f"{scratch}/out{k}"], env=env, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"otowake separate failed: {done.stderr}")
            walls.append(time.perf_counter() - began)
    return {"first_s": walls[0], "cached_s": walls[1:], "command": "otowake separate mixture.wav -o out"}


def facts(args: argparse.Namespace) -> dict:
    return machine(("otowake", "numpy", "scipy", "torch", "numba", *PEERS)) | {
        "seed": SEED,
        "rounds": args.rounds,
        "iterations": args.iterations,
        "threads": args.threads,
        "load": os.getloadavg()[0],
        "sound": "noise in syllables" if args.audio is None else "recordings",
    }


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows)]


def markdown(result: dict) -> str:
    f, rows = result["facts"], result["rows"]
    cases = [[r["method"] + (f" K={r['bases']}" if r["bases"] else ""), str(r["microphones"])] for r in rows]
    times, answers = [], []
    for row, name in zip(rows, cases):
        c = [row["contenders"].get(who) for who in CONTENDERS]
        spread = [f"{x['cpu_ms_median']:.2f} [{min(x['cpu_ms']):.2f}, {max(x['cpu_ms']):.2f}]" if x else "-" for x in c]
        times.append([*name, *spread, *(f"{x:.2f}" for x in row["ratios"].values())])
        answers.append([*name, *(f"{x['si_sdr_db']:.2f} ({x['apart_from_ssspy']:.0e})" if x else "-" for x in c)])
    lines = [named(f), ""]
    lines += [
        f"CPU ms an iteration, {f['threads']} thread(s), median of {f['rounds']} rounds [min, max]:",
        "",
    ]
    lines += table(["method", "mics", *CONTENDERS, *rows[0]["ratios"]], times)
    lines += [
        "",
        f"SI-SDR in dB after {f['iterations'] + 1} iterations (relative distance from ssspy's result):",
        "",
    ]
    lines += table(["method", "mics", *CONTENDERS], answers)
    if c := result.get("command"):
        cached = statistics.median(c["cached_s"])
        lines += [
            "",
            f"`otowake separate`, 10 s of stereo: {c['first_s']:.1f} s the first time, then {cached:.1f} s.",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--audio", type=Path, help="a folder of recordings at 16 kHz, one talker each")
    parser.add_argument("--command", action="store_true", help="also time the whole process `otowake separate`")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    args = parser.parse_args()
    threads(args.threads)  # children read them before they import anything
    result: dict = {"facts": facts(args), "rows": []}
    for case in CASES:
        print("{} K={} {} microphones".format(*case), file=sys.stderr)
        result["rows"].append(compare(case, args.audio, args.rounds, args.iterations))
    if args.command:
        result["command"] = command()
    told(markdown(result), args.markdown, result, args.json)


if __name__ == "__main__":
    main()
