"""The most memory that one iteration needs on top of what is there, in units of the complex128 spectrogram.

    python benchmarks/memory.py [--recipes NAME ...] [--peers] [--markdown memory.md]    # Linux with glibc
    python benchmarks/memory.py --nmf                                  # one step of NMF, in units of its matrix
    python benchmarks/memory.py --prove                                # does the ruler see what it should?

The law (tests/laws/test_memory.py) is 8 at most, for every recipe at 2, 4 and 6 microphones.  The unit is the
spectrogram of the mixture, or of the sources where a recipe makes more of them than there are channels (nmf).
For NMF of a real matrix the law is 3 of that matrix.

The ruler.  tracemalloc does not see torch, torch's profiler does not see NumPy, and neither sees what a
compiled kernel or LAPACK allocates.  The operating system sees them all: it keeps the largest size that the
process ever had (VmPeak), to the page.  So the measuring happens in a child of its own where every block of
4 kB or more is given back as soon as it is freed (no arenas, no growing thresholds); then an empty
mapping fills the process up to its VmPeak, which from there on rises by exactly what is needed.  What comes
out includes the new state.  A first iteration is done before, so that compiling and workspaces that stay
do not count.  Blocks below 4 kB are reused by the C library and seen only where its heap grows.
"""

from __future__ import annotations

import argparse
import gc
import inspect
import json
import mmap
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

BINS, FRAMES, MICROPHONES, SEED = 129, 200, (2, 4, 6), 1
SECONDS = (10, 20, 40, 80, 160)
CHILD = {
    "MALLOC_MMAP_THRESHOLD_": "4096",
    "MALLOC_MMAP_MAX_": "1000000",
    "MALLOC_TRIM_THRESHOLD_": "4096",
    "MALLOC_TOP_PAD_": "0",
    "MALLOC_ARENA_MAX": "1",
    "PYTHONMALLOC": "malloc",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}


def available() -> bool:
    return platform.libc_ver()[0] == "glibc" and Path("/proc/self/status").exists()


def size(field: str) -> int:
    """VmSize or VmPeak of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise OSError(f"no {field} in /proc/self/status")


def peak(call: Callable[[], object]) -> int:
    """The most bytes that `call` held at any moment, its result included."""
    gc.collect()
    missing = size("VmPeak") - size("VmSize")
    filling = mmap.mmap(-1, missing) if missing > 0 else None
    before = size("VmPeak")
    result = call()
    grown = size("VmPeak") - before
    del result
    if filling is not None:
        filling.close()
    return grown


def mixture(mics: int):
    """A spectrogram of BINS x FRAMES that some signal has, laid out as the front door lays it out."""
    import torch

    from otowake.signal.stft import Stft, bins_first

    draw = torch.Generator().manual_seed(SEED)
    stft = Stft(2 * (BINS - 1), (BINS - 1) // 2)
    samples = FRAMES * stft.hop - (stft.n_fft - stft.hop)
    loud = torch.rand(mics, samples // 1000 + 1, dtype=torch.float64, generator=draw).repeat_interleave(1000, -1)
    sources = torch.randn(mics, samples, dtype=torch.float64, generator=draw) * loud[:, :samples]
    mixing = torch.randn(mics, mics, 41, dtype=torch.float64, generator=draw)
    x = torch.nn.functional.conv1d(sources[None], mixing, padding="same")[0]
    X = bins_first(stft.forward(x))
    return X / X.abs().square().mean().sqrt(), stft


def variants(stft) -> Iterator[tuple[str, str, dict]]:
    """(what to call it, recipe, settings): every recipe as it comes, and ILRMA with every density."""
    from otowake.divergence.density import DENSITIES
    from otowake.recipes import RECIPES

    for name in RECIPES:
        takes = inspect.signature(RECIPES[name].build).parameters
        yield name, name, {"stft": stft} if "stft" in takes else {}
    for name, density in DENSITIES.items():
        yield f"ilrma, {name}", "ilrma", {"density": density, "warm": 0, "stft": stft}
    yield "ilrma, domain 1", "ilrma", {"domain": 1.0, "stft": stft}
    yield "ilrma, 20 bases", "ilrma", {"bases": 20, "stft": stft}


def ours(wanted: list[str] | None) -> Iterator[tuple[str, int, float]]:
    """(recipe, microphones, peak in units); recipes that refuse so many microphones are left out."""
    import torch

    from otowake.core.errors import OtowakeError
    from otowake.recipes import RECIPES

    for mics in MICROPHONES:
        whole, stft = mixture(mics)
        for name, recipe, settings in variants(stft):
            if wanted and recipe not in wanted:
                continue
            X = whole[:, None] if RECIPES[recipe].takes == "one" else whole  # one channel each, in a batch
            try:
                method = RECIPES[recipe].build(**settings)
                with torch.no_grad():
                    s = method.step(X, method.init(X, SEED))
                    unit = max(X.nbytes, method.estimate(X, s).nbytes)
                    yield name, mics, peak(lambda m=method, s=s, X=X: m.step(X, s)) / unit
            except OtowakeError as refusal:
                print(f"{name}, {mics} microphones: {refusal}", file=sys.stderr)


def nmf() -> Iterator[tuple[str, str, float]]:
    """(cost, dtype, peak of a step in units of the matrix)."""
    import torch

    from nmf import COSTS, K, divergence_of, problem
    from otowake.core.separator import Separator
    from otowake.source.nmf import Nmf
    from otowake.spatial.observed import Observed

    for dtype in ("float32", "float64"):
        X = torch.from_numpy(problem(dtype)[0]).sqrt()[None]
        for cost in COSTS:
            method = Separator(Nmf(K), Observed(divergence_of(cost), 1))
            s = method.step(X, method.init(X, SEED))
            yield cost, dtype, peak(lambda m=method, s=s, X=X: m.step(X, s)) / X.nbytes


def peers() -> Iterator[tuple[str, int, float]]:
    from pyroomacoustics.bss import auxiva, ilrma
    from ssspy.bss.ilrma import GaussILRMA
    from ssspy.bss.iva import AuxLaplaceIVA

    for mics in MICROPHONES:
        X = mixture(mics)[0].numpy().copy()
        for name, method in (("AuxIVA", AuxLaplaceIVA("IP1")), ("ILRMA", GaussILRMA(2, "IP1"))):
            method(X, n_iter=1)
            yield f"ssspy {name}-IP1", mics, peak(method.update_once) / X.nbytes
        Z = X.transpose(2, 1, 0).copy()
        for name, call in (("auxiva", auxiva), ("ilrma", ilrma)):
            call(Z, n_iter=1, proj_back=False)
            yield (
                f"pyroomacoustics {name}",
                mics,
                peak(lambda c=call, Z=Z: c(Z, n_iter=1, proj_back=False)) / X.nbytes,
            )


def lengths() -> Iterator[tuple[str, int, float]]:
    """(who, seconds at 16 kHz, peak of an iteration of ILRMA on two channels in MB): ours in complex64."""
    import torch
    from pyroomacoustics.bss import ilrma

    from otowake.core.separator import Separator
    from otowake.signal.stft import bins_first
    from otowake.source.nmf import Nmf
    from otowake.spatial.determined import Determined

    method = Separator(Nmf(2), Determined())
    for seconds in SECONDS:
        draw = torch.Generator().manual_seed(SEED)
        X = bins_first(torch.randn(2, 1025, seconds * 16000 // 1024 + 2, dtype=torch.complex128, generator=draw))
        single = X.to(torch.complex64)
        with torch.no_grad():
            s = method.step(single, method.init(single, SEED))
            yield "otowake", seconds, peak(lambda s=s, X=single: method.step(X, s)) / 1e6
        Z = X.numpy().transpose(2, 1, 0).copy()
        ilrma(Z, n_iter=1, n_components=2, proj_back=False)
        yield "pyroomacoustics", seconds, peak(lambda Z=Z: ilrma(Z, n_iter=1, n_components=2, proj_back=False)) / 1e6


def prove() -> Iterator[tuple[str, int, int]]:
    """(who allocates, bytes that it holds at most, bytes seen)."""
    import numba
    import numpy as np
    import torch

    n = 300_000  # doubles: 2.4 MB

    @numba.njit
    def compiled(n: int) -> float:
        a = np.ones(n)
        return (a + 1.0).sum()  # a and a + 1 live together

    def twice_in_turn() -> None:
        for _ in range(2):
            torch.ones(n, dtype=torch.float64)

    square = np.eye(400)
    calls = {
        "nothing": (lambda: None, 0),
        "torch": (lambda: torch.ones(n, dtype=torch.float64), 8 * n),
        "torch, two that live together": (lambda: torch.ones(n).double() + 1, 16 * n),
        "torch, one after the other": (twice_in_turn, 8 * n),
        "numpy": (lambda: np.ones(n), 8 * n),
        "numba, inside a kernel": (lambda: compiled(n), 16 * n),
        "lapack's copies": (lambda: np.linalg.inv(square), 2 * square.nbytes),
        "small blocks": (lambda: [bytearray(1000) for _ in range(2000)], 2_000_000),
    }
    for call, _ in calls.values():
        call()
    for name, (call, held) in calls.items():
        yield name, held, peak(call)


def child(*arguments: str) -> list:
    """Run this file in a process whose memory can be measured; its rows."""
    env = os.environ | CHILD | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, __file__, "--child", *arguments],
        env=env,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


def markdown(rows: list) -> str:
    table = {name: {m: r for n, m, r in rows if n == name} for name, _, _ in rows}
    columns = list(dict.fromkeys(m for _, m, _ in rows))
    heads = [f"{m} mics" if isinstance(m, int) else m for m in columns]
    lines = [f"| method | {' | '.join(heads)} |", "|---" * (len(columns) + 1) + "|"]
    for name, found in table.items():
        lines.append(f"| {name} | " + " | ".join(f"{found[m]:.1f}" if m in found else "-" for m in columns) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--recipes", nargs="*")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--nmf", action="store_true")
    parser.add_argument("--lengths", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--prove", action="store_true")
    parser.add_argument("--markdown", type=Path)
    args = parser.parse_args()
    if args.child:
        wanted = (prove, args.prove), (peers, args.peers), (nmf, args.nmf), (lengths, args.lengths)
        for row in next((rows for rows, asked in wanted if asked), lambda: ours(args.recipes))():
            print(json.dumps(row), flush=True)
        return
    if not available():
        sys.exit("this needs Linux with glibc")
    if args.prove:
        for name, held, seen in child("--prove"):
            print(f"{name:32s} holds {held / 1e6:6.2f} MB, seen {seen / 1e6:6.2f} MB")
        return
    rows = child("--nmf") if args.nmf else child("--recipes", *(args.recipes or []))
    rows += child("--peers") if args.peers else []
    from machine import told  # not at the top: the law of memory loads this file from elsewhere

    told(markdown(rows), args.markdown)


if __name__ == "__main__":
    main()
