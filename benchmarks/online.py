"""Bases from mini-batches next to the batch and to scikit-learn's MiniBatchNMF: one long recording of speech.

    python benchmarks/online.py [--minutes M ...] [--audio FOLDER] [--markdown FILE]
    python benchmarks/online.py --hour [--seeds N]      # `otowake learn` of an hour, on talkers held out: hour.py

The recording is a folder of speech files laid end to end, again and again at other gains until it is long enough.
Kullback-Leibler of amplitudes, the same number of components, the same batches.  What is reached is the divergence of
the whole recording after 100 updates of the activations alone, from one start for everybody; CPU time counts all
threads; the batch runs as many updates as stand there.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import hour
from machine import machine, named, threads

K, BATCH, SEED, PASSES, RATE = 27, 256, 0, (1, 2, 3, 5), 16_000
PACKAGES = ("otowake", "scikit-learn", "numpy", "torch")
HERE = Path(__file__).resolve()


def recording(folder: Path, minutes: float):
    """|X| of mean 1, (bins, frames), single precision."""
    import numpy as np
    import soundfile
    import torch

    from otowake.signal.stft import Stft

    files = [soundfile.read(path)[0] for path in sorted(folder.rglob("*.flac"))]
    x, rng, stft = np.concatenate(files), np.random.default_rng(SEED), Stft(1536, 768)
    whole = int(minutes * 60 * RATE)
    parts = [x * (rng.uniform(0.3, 1.0) if n else 1.0) for n in range(-(-whole // len(x)))]
    blocks = stft.blocks((torch.from_numpy(part[: whole - n * len(x)]) for n, part in enumerate(parts)), 4096)
    a = torch.cat([X.abs().float() for X in blocks], -1)
    return a / a.mean()


def reached(a, B) -> float:
    """KL of everything, with activations of its own."""
    import torch

    from otowake.core.separator import Separator
    from otowake.divergence.beta import Beta
    from otowake.online import Online, begun
    from otowake.source.nmf import Nmf
    from otowake.spatial.observed import Observed

    spatial, source = Observed(Beta(1.0), 1, power_of_v=1.0), Nmf(K)
    model, total = Online(source, spatial, gains=100, rounds=1), 0.0
    for X in a.split(4096, -1):
        z = Separator(source, spatial).init(X[None], SEED).z
        total += float(model.cost(X[None], begun(z._replace(B=torch.as_tensor(B, dtype=X.dtype)[None]))))
    return total


def start(a):
    """B of the first start, for everybody."""
    from otowake.core.separator import Separator
    from otowake.source.nmf import Nmf
    from otowake.spatial.observed import Observed

    return Separator(Nmf(K), Observed()).init(a[None, :, :BATCH], SEED).z.B[0]


def batch(a) -> Iterator[tuple[str, object]]:
    from otowake.core.separator import Separator
    from otowake.divergence.beta import Beta
    from otowake.source.nmf import Nmf
    from otowake.spatial.observed import Observed

    method = Separator(Nmf(K), Observed(Beta(1.0), 1, power_of_v=1.0))
    X = a[None]
    s = method.init(X, SEED)
    split = method.spatial.split(method.spatial.observe(X, s.p), s.p)
    z = s.z
    for k in range(1, 201):
        z = method.source.update(z, split)
        if k in (20, 50, 100, 200):
            yield f"{k} updates", z.B[0]


def online(a) -> Iterator[tuple[str, object]]:
    from otowake.divergence.beta import Beta
    from otowake.online import Online
    from otowake.source.nmf import Nmf
    from otowake.spatial.observed import Observed
    from otowake.tasks.passes import MEMORY

    spatial = Observed(Beta(1.0), 1, power_of_v=1.0)
    s = None
    for n in range(max(PASSES)):
        model = Online(Nmf(K), spatial, memory=MEMORY * 2.0**n)
        for X in a.split(BATCH, -1):
            s = model.init(X[None], SEED) if s is None else s
            s = model.step(X[None], s)
        if n + 1 in PASSES:
            yield f"{n + 1} passes", s.B[0]


def theirs(fresh: bool) -> Callable:
    def run(a) -> Iterator[tuple[str, object]]:
        import numpy as np
        from sklearn.decomposition import MiniBatchNMF

        V, B = a.T.contiguous().numpy(), start(a).T.contiguous().numpy()
        rng = np.random.default_rng(SEED)
        for n in (5, 20) if fresh else (20, 60):
            model = MiniBatchNMF(
                K, init="custom", batch_size=BATCH, beta_loss="kullback-leibler", tol=0, max_no_improvement=None,
                max_iter=n, fresh_restarts=fresh, transform_max_iter=1,
            )  # fmt: skip
            W = rng.uniform(0.1, 1, (len(V), K)).astype(V.dtype)
            begun = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit_transform(V, W=W, H=B.copy())  # `fit` would draw a start of its own
            yield f"{n} passes", (model.components_.T, time.process_time() - begun)

    return run


CONTENDERS: dict[str, Callable] = {
    "batch": batch,
    "online": online,
    "MiniBatchNMF": theirs(False),
    "MiniBatchNMF, fresh_restarts": theirs(True),
}


def compare(folder: Path, minutes: float) -> list[dict]:
    a = recording(folder, minutes)
    rows = []
    for name, run in CONTENDERS.items():
        spent, since = 0.0, time.process_time()
        for what, found in run(a):
            spent += time.process_time() - since
            B, own = found if isinstance(found, tuple) else (found, spent)
            rows.append({"minutes": minutes, "frames": a.shape[-1], "who": name, "after": what, "cpu_s": own})
            rows[-1]["kl"] = reached(a, B)
            print(rows[-1], file=sys.stderr, flush=True)
            since = time.process_time()
    return rows


def where() -> list[str]:
    return [named(machine(PACKAGES)), ""]


def markdown(rows: list[dict]) -> list[str]:
    lines = [
        f"Speech at {RATE} Hz, 769 bins; {K} components, batches of {BATCH} frames, one thread; KL relative to the"
    ]
    lines += ["lowest of the same recording:", "", "| minutes | who | after | CPU s | KL above the lowest |"]
    lines += ["|" + "---|" * 5]
    for row in rows:
        least = min(other["kl"] for other in rows if other["minutes"] == row["minutes"])
        above = 100 * (row["kl"] / least - 1)
        lines.append(f"| {row['minutes']:g} | {row['who']} | {row['after']} | {row['cpu_s']:.1f} | {above:.1f} % |")
    return lines


def written(page: Path, mark: str, lines: list[str]) -> None:
    """Lines between their marks in a page."""
    text = page.read_text("utf-8")
    rows = "\n".join(lines)
    new = re.sub(rf"(<!-- figures: {mark} -->\n).*?(<!-- end -->)", rf"\1\n{rows}\n\n\2", text, flags=re.S)
    page.write_text(new, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.5, 60])
    parser.add_argument("--hour", action="store_true")
    parser.add_argument("--seeds", type=int, default=2)
    default = Path(os.environ.get("OTOWAKE_AUDIO") or HERE.parents[2] / "shared" / "audio")
    parser.add_argument("--audio", type=Path, default=default)
    parser.add_argument("--markdown", type=Path, help="a page with marks, such as online.md")
    args = parser.parse_args()
    threads(1)
    if not any((args.audio / "speech_libri").rglob("*.flac")):
        sys.exit(f"{args.audio} has no FLAC files in speech_libri: name a folder with --audio, or set OTOWAKE_AUDIO.")
    if args.hour:
        seeds = range(args.seeds)
        mark, lines = "hour", hour.table(hour.compare(args.audio, seeds, reached), seeds)
    else:
        rows = [row for minutes in args.minutes for row in compare(args.audio / "speech_libri", minutes)]
        mark, lines = "batch", markdown(rows)
    print("\n".join(lines := where() + lines))
    if args.markdown:
        written(args.markdown, mark, lines)


if __name__ == "__main__":
    main()
