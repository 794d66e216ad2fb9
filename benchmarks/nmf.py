"""NMF next to scikit-learn and torchnmf: 1025 x 1000, 30 components, the same start, the same number of updates.

    python benchmarks/nmf.py [--threads N] [--rounds R] [--updates U] [--json FILE] [--markdown FILE]

Another number of threads needs another run; `make bench` makes nmf.md with one thread and nmf2.md with two.

Contenders take turns within a round.  Times are those of the clock; CPU time is in the JSON, too.  What is reached is
the divergence of the same matrix in double precision; scikit-learn updates W and H in the order B, H, as otowake does.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from machine import machine, named, threads, told

F, T, K, SEED = 1025, 1000, 30, 0
LOSSES = {"beta 2": "frobenius", "beta 1": "kullback-leibler", "beta 0": "itakura-saito"}
COSTS = (*LOSSES, "beta 0.5", "t 10", "ggd 1")
PACKAGES = ("otowake", "scikit-learn", "torchnmf", "numpy", "torch")


def problem(dtype: str):
    import numpy as np

    rng = np.random.default_rng(SEED)
    V = (rng.gamma(0.5, size=(F, 10)) @ rng.gamma(0.5, size=(10, T))) * rng.gamma(1.0, size=(F, T)) + 1e-3
    W, H = rng.uniform(0.1, 1, (F, K)), rng.uniform(0.1, 1, (K, T))
    return tuple(np.ascontiguousarray(x.astype(dtype)) for x in (V, W, H))


def divergence_of(cost: str):
    from otowake.divergence.beta import Beta
    from otowake.divergence.density import GGD, StudentT

    kind, number = cost.split()
    return {"beta": Beta, "t": StudentT, "ggd": GGD}[kind](float(number))


def otowake(cost: str, V, W, H, updates: int):
    import torch

    from otowake.core.separator import Separator
    from otowake.source.nmf import Nmf, NmfState
    from otowake.spatial.observed import Observed

    method = Separator(Nmf(K), Observed(divergence_of(cost), 1))
    X = torch.from_numpy(V).sqrt()[None]
    s = method.init(X, 0)
    z = NmfState(torch.from_numpy(W.copy())[None], torch.from_numpy(H.copy())[None], s.z.e)
    split = method.spatial.split(method.spatial.observe(X, s.p), s.p)
    for _ in range(updates):
        z = method.source.update(z, split)
    return z.B[0].numpy(), z.H[0].numpy()


def scikit_learn(cost: str, V, W, H, updates: int):
    from sklearn.decomposition import non_negative_factorization

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return non_negative_factorization(
            V, W=W.copy(), H=H.copy(), n_components=K, init="custom", solver="mu", beta_loss=LOSSES[cost],
            max_iter=updates, tol=0,
        )[:2]  # fmt: skip


def torchnmf(cost: str, V, W, H, updates: int):
    import torch
    from torchnmf.nmf import NMF

    net = NMF(W=torch.from_numpy(W.copy()), H=torch.from_numpy(H.T.copy()))
    net.fit(torch.from_numpy(V.T.copy()), beta=float(cost.split()[1]), max_iter=updates, tol=0)
    return net.W.detach().numpy(), net.H.detach().numpy().T


def contenders(cost: str) -> dict[str, Callable]:
    found: dict[str, Callable] = {"otowake": otowake}
    if cost in LOSSES:
        found["scikit-learn"] = scikit_learn
    if cost.startswith("beta"):
        found["torchnmf"] = torchnmf
    return found


def reached(cost: str, V, W, H) -> float | None:
    import torch

    from otowake.divergence.beta import Beta

    if not cost.startswith("beta"):
        return None
    v, r = (torch.from_numpy(x.astype("float64"))[None] for x in (V, W.astype("float64") @ H.astype("float64")))
    return float(Beta(float(cost.split()[1])).cost(v, r))


def compare(cost: str, dtype: str, rounds: int, updates: int) -> dict:
    V, W, H = problem(dtype)
    row: dict = {"cost": cost, "dtype": dtype, "contenders": {}}
    for k in range(rounds + 1):
        for name, run in contenders(cost).items():
            cpu, wall = time.process_time(), time.perf_counter()
            try:
                out = run(cost, V, W, H, updates)
            except Exception as error:  # a peer that cannot is a line of the table
                row["contenders"][name] = {"error": f"{type(error).__name__}: {error}"[:100]}
                continue
            spent = {"cpu_ms": time.process_time() - cpu, "wall_ms": time.perf_counter() - wall}
            kept = row["contenders"].setdefault(name, {"cpu_ms": [], "wall_ms": []})
            kept["divergence"] = reached(cost, V, *out)
            for clock in spent if k else ():  # the first round compiles and warms up
                kept[clock].append(spent[clock] / updates * 1e3)
    return row


def markdown(result: dict) -> str:
    f = result["facts"]
    lines = [named(f), ""]
    lines += [f"{F} x {T}, {K} components, {f['updates']} updates of both factors from one start (seed {SEED}),"]
    lines += [f"{f['threads']} thread(s), median of {f['rounds']} rounds [min, max], ms an update by the clock:", ""]
    lines += [
        "| cost | dtype | otowake | scikit-learn | torchnmf | of scikit-learn | divergence apart |",
        "|" + "---|" * 7,
    ]
    for row in result["rows"]:
        c = row["contenders"]
        cells = []
        for name in ("otowake", "scikit-learn", "torchnmf"):
            x = c.get(name, {}).get("wall_ms")
            cells.append(f"{statistics.median(x):.2f} [{min(x):.2f}, {max(x):.2f}]" if x else "-")
        ours, theirs = (c.get(name, {}) for name in ("otowake", "scikit-learn"))
        ratio = (
            statistics.median(ours["wall_ms"]) / statistics.median(theirs["wall_ms"]) if theirs.get("wall_ms") else None
        )
        apart = abs(ours["divergence"] / theirs["divergence"] - 1) if theirs.get("divergence") else None
        cells += ["-" if ratio is None else f"{ratio:.2f}", "-" if apart is None else f"{apart:.0e}"]
        lines.append(f"| {row['cost']} | {row['dtype']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def facts(args: argparse.Namespace) -> dict:
    return machine(PACKAGES) | {key: getattr(args, key) for key in ("threads", "rounds", "updates")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    args = parser.parse_args()
    threads(args.threads)
    result: dict = {"facts": facts(args), "rows": []}
    for dtype in ("float32", "float64"):
        for cost in COSTS:
            print(cost, dtype, file=sys.stderr)
            result["rows"].append(compare(cost, dtype, args.rounds, args.updates))
    told(markdown(result), args.markdown, result, args.json)


if __name__ == "__main__":
    main()
