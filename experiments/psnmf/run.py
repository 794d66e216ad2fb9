"""Separates the songs with every method and weight; one line of JSON a song and method.

    python experiments/psnmf/run.py                   everything, into results/full.jsonl
    python experiments/psnmf/run.py --quick           a first look in minutes, into results/quick.jsonl

What a file has already is not run again: stop and start at will.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from protocol import RANGE, STFT, WEIGHTS, Library, Song, courses, method, songs, spectrogram, teacher, weights_of
from sdr import Reference
from torch import Tensor

sys.path.append(str(Path(__file__).resolve().parents[1]))
from jsonlines import append, lines

HERE = Path(__file__).resolve().parent
SNMF_SWEEPS = (25, 50, 100, 200, 300)  # of the method without weights, which costs next to nothing
KEPT = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**32), "MALLOC_TOP_PAD_": str(10**8)}
# The C library gives large blocks back at once; every sweep would fetch them anew, page by page, at half of its time.
KEY = ("song", "method", "sweeps", "weights", "seed", "training_seed")


@dataclass(frozen=True)
class Plan:
    """What is run.  chunk: how many weights make a batch; device: where."""

    audio: Path
    sweeps: int = 100
    weights: int = WEIGHTS
    songs: int = 90
    seed: int = 0
    training_seed: int = 0
    chunk: int = 4
    device: str = "cpu"


def quick(plan: Plan) -> Plan:
    """12 songs of 90, 18 weights of 72 over the same decades; all the rest as in the full run."""
    return replace(plan, weights=18, songs=12)


@lru_cache(maxsize=32)
def _teacher(audio: Path, name: str, seed: int, device: str) -> Tensor:
    return teacher(Library(audio), name, seed, device)


def separated(plan: Plan, song: Song, kind: str) -> dict[str, Any]:
    """SDR of the target for every weight, by the mask and by the model with the mixture's phase."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    F = _teacher(plan.audio, song.target, plan.training_seed, plan.device)
    sources = Library(plan.audio).sources(song)
    X, _ = spectrogram(sources.sum(0), plan.device)
    reference = Reference(sources[0])
    line = {"song": song.name, "method": kind, "sweeps": plan.sweeps, "weights": plan.weights if RANGE[kind] else 1}
    line |= {"seed": plan.seed, "training_seed": plan.training_seed, "device": plan.device}
    start, cpu = time.perf_counter(), time.process_time()
    if RANGE[kind] is None:
        line |= _unpenalised(plan, F, X, reference, sources.shape[1])
    else:
        line |= _penalised(plan, kind, F, X, reference, sources.shape[1])
    return line | {"s": round(time.perf_counter() - start, 1), "cpu_s": round(time.process_time() - cpu, 1)}


def _penalised(plan: Plan, kind: str, F: Tensor, X: Tensor, reference: Reference, samples: int) -> dict[str, Any]:
    mu = torch.tensor(weights_of(kind, plan.weights), dtype=X.real.dtype, device=X.device)
    found: dict[str, list[float | None]] = {"mask": [], "phase": []}
    for weights in mu.split(plan.chunk):
        m = method(kind, F, weights)
        batch = X.expand(len(weights), -1, -1, -1)
        z = next(z for k, z in enumerate(courses(m, batch, plan.seed)) if k == plan.sweeps)
        for name, e in _estimates(m, X, z, samples).items():
            found[name] += _rounded(reference.sdr(e))
    return {"mu": weights_of(kind, plan.weights), **found}


def _unpenalised(plan: Plan, F: Tensor, X: Tensor, reference: Reference, samples: int) -> dict[str, Any]:
    m, after, last = method("snmf", F, None), {}, max(plan.sweeps, *SNMF_SWEEPS)
    for k, z in enumerate(courses(m, X[None], plan.seed)):
        if k in (*SNMF_SWEEPS, plan.sweeps):
            after[k] = {name: _rounded(reference.sdr(e)) for name, e in _estimates(m, X, z, samples).items()}
        if k == last:
            break
    return {"mu": [0.0], **after[plan.sweeps], "after": {k: scores["mask"][0] for k, scores in after.items()}}


def _estimates(m: Any, X: Tensor, z: Any, samples: int) -> dict[str, np.ndarray]:
    """Waveforms of the target, one a weight: X FG / (FG + HU), and FG with the phase of X."""
    known, rest = (part.psd(own)[:, 0] for part, own in zip(m.source.parts, z, strict=True))
    spectra = {"mask": X * (known / (known + rest)), "phase": known * torch.exp(1j * X.angle())}
    return {name: STFT.inverse(Y, samples).cpu().numpy() for name, Y in spectra.items()}


def _rounded(scores: np.ndarray) -> list[float | None]:
    """None: nothing of the target, or not a number."""
    return [round(float(score), 3) if np.isfinite(score) else None for score in scores]


def jobs(plan: Plan, path: Path) -> Iterator[tuple[Song, str]]:
    """What `path` does not have yet."""
    done = {tuple(line[word] for word in KEY) for line in lines(path)}
    for song in songs()[: plan.songs]:
        for kind in RANGE:
            count = plan.weights if RANGE[kind] else 1
            if (song.name, kind, plan.sweeps, count, plan.seed, plan.training_seed) not in done:
                yield song, kind


def run(plan: Plan, path: Path, processes: int) -> None:
    """Appends to `path` what it does not have yet, songs in a mixed order."""
    os.environ.update(KEPT)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        waiting = [pool.submit(separated, plan, song, kind) for song, kind in jobs(plan, path)]
        for number, done in enumerate(as_completed(waiting), 1):
            line = done.result()
            append(path, line)
            best = max((score for score in line["mask"] if score is not None), default=float("nan"))
            what = f"{line['song']} {line['method']} {best:.2f} dB, {line['cpu_s']} s"
            print(f"{number} of {len(waiting)}: {what}", file=sys.stderr, flush=True)


def audio_folder() -> Path:
    """The environment's OTOWAKE_AUDIO, or shared/audio beside the checkout; music_gm in it."""
    root = Path(os.environ.get("OTOWAKE_AUDIO") or HERE.parents[2] / "shared" / "audio")
    return root / "music_gm"


def main() -> None:
    parser = argparse.ArgumentParser(description="Penalised supervised NMF on 90 songs, as published.")
    parser.add_argument("--audio", type=Path, default=audio_folder(), help="music_gm, or a folder with YMH, scaleData")
    parser.add_argument("--quick", action="store_true", help="12 songs and 18 weights")
    parser.add_argument("--out", type=Path, help="default: results/full.jsonl or quick.jsonl")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes of one thread each")
    for name in ("sweeps", "chunk", "seed", "training_seed"):
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=getattr(Plan, name))
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    plan = Plan(args.audio, args.sweeps, seed=args.seed, training_seed=args.training_seed, chunk=args.chunk)
    plan = replace(quick(plan) if args.quick else plan, device=args.device)
    path = args.out or HERE / "results" / ("quick.jsonl" if args.quick else "full.jsonl")
    print(f"{platform.machine()}, {args.jobs} processes; torch {torch.__version__}; into {path}", file=sys.stderr)
    run(plan, path, args.jobs)


if __name__ == "__main__":
    main()
