"""Milliseconds an iteration on a CUDA device, step by step and as a graph.

    python benchmarks/gpu.py            prints a table and writes benchmarks/gpu.md
    python benchmarks/gpu.py --only ilrma --batch 1 8 --no-write

Mixtures are 10 s of noise at 16 kHz in complex64, transform 2048/1024: 1025 bins, 158 frames.  The clock is the
device's (CUDA events) around enough iterations for `SECONDS`, after as many to warm up.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import HERE, machine, moment, named, spread, table, told

SAMPLES, WINDOW, HOP = 160_000, 2048, 1024
REPEATS, SECONDS, FEW, MOST = 7, 0.3, 3, 1000
NO_DEVICE = "There is no CUDA device here, so nothing was measured and benchmarks/gpu.md was left as it is."


def methods(sources: int) -> dict[str, Any]:
    """What is measured, by name, from its own cold start: openings are not iterations."""
    from otowake import recipes
    from otowake.opening import cold
    from otowake.signal.stft import Stft

    stft = Stft(WINDOW, HOP)
    return {
        "auxiva": recipes.auxiva(),
        "ilrma, K 2": recipes.ilrma(bases=2, start=cold),
        "ilrma, K 10": recipes.ilrma(bases=10, start=cold),
        "fastmnmf2": recipes.fastmnmf2(sources, start=cold),
        "consistent_ilrma": recipes.consistent_ilrma(stft, start=cold),
        "cacgmm": recipes.cacgmm(sources),
    }


def mixture(mics: int, batch: int) -> Any:
    """Noise, each microphone's its own and a common part."""
    import torch

    from otowake.signal.stft import Stft

    g = torch.Generator().manual_seed(4)
    x = torch.randn(batch, mics, SAMPLES, generator=g, dtype=torch.float64)
    X = Stft(WINDOW, HOP).forward(x + x.mean(-2, keepdim=True))
    return (X / X.abs().square().mean().sqrt()).to("cuda", torch.complex64)


def milliseconds(step: Callable[[Any], Any], state: Any) -> list[float]:
    """Of one iteration, from `REPEATS` runs of at least `SECONDS`."""
    count = FEW
    while (once := _run(step, state, count)) < 1000 * SECONDS and count < MOST:
        count = min(MOST, max(2 * count, int(count * 1000 * SECONDS / once) + 1))
    return [_run(step, state, count) / count for _ in range(REPEATS)]


def _run(step: Callable[[Any], Any], state: Any, count: int) -> float:
    import torch

    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    begin.record()
    for _ in range(count):
        state = step(state)
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end)


def measured(mics: int, batch: int, only: str) -> list[list[str]]:
    """A row for each method: plain and graphed, and what one of the batch takes."""
    import torch

    from otowake.core.errors import OtowakeError
    from otowake.core.graph import graphed

    X, rows = mixture(mics, batch), []
    for name, method in methods(mics).items():
        if only not in name:
            continue
        print(f"{name}, {mics} microphones, batch {batch}", file=sys.stderr, flush=True)
        try:
            state = method.init(X, 0)
            for _ in range(getattr(method, "length", 0)):  # counted phases come first
                state = method.step(X, state)
            method = method.active(state) if hasattr(method, "active") else method
            state = getattr(state, "s", state)
            plain = milliseconds(lambda s, of=method: of.step(X, s), state)
            try:
                kept, why = milliseconds(graphed(method, X, state), state), ""
            except OtowakeError as error:
                kept, why = None, str(error)
        except torch.cuda.OutOfMemoryError:
            rows.append([name, str(mics), str(batch), "out of memory", "-", "-"])
            continue
        finally:
            torch.cuda.empty_cache()
        best = min(statistics.median(times) for times in (plain, kept) if times)
        graph = spread(kept, 3) if kept else f"none: {why}"
        rows.append([name, str(mics), str(batch), spread(plain, 3), graph, f"{best / batch:.3f}"])
    return rows


def facts() -> list[str]:
    """The device, and what drives it."""
    import torch

    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        driver = "unknown"
    seen, host = torch.cuda.get_device_properties(0), machine(["torch", "numpy"])
    when = moment()
    return [
        f"{seen.name}, {seen.total_memory / 2**30:.0f} GiB, driver {driver}, CUDA {torch.version.cuda}; "
        f"{platform.system()}, {named(host)}",
        f"{when['date']}, commit {when['commit']}.",
    ]


def page(rows: list[list[str]]) -> str:
    head = ["method", "microphones", "batch", "ms an iteration, plain", "as a graph", "ms a mixture, the better one"]
    text = [
        "# Iterations on a CUDA device",
        "",
        *facts(),
        "",
        f"10 s of noise at 16 kHz, complex64, transform {WINDOW}/{HOP}; median [least, most] of {REPEATS} runs by the "
        f"device's clock. Written by `python benchmarks/gpu.py`.",
        "",
        *table(head, rows),
    ]
    return "\n".join(text) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mics", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--only", default="", help="methods whose name holds this")
    parser.add_argument("--no-write", action="store_true", help="print, and leave gpu.md as it is")
    asked = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        print(NO_DEVICE, file=sys.stderr)
        return 2
    rows = [row for mics in asked.mics for batch in asked.batch for row in measured(mics, batch, asked.only)]
    told(page(rows), None if asked.no_write else Path(HERE) / "gpu.md")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
