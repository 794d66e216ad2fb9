"""Each kernel's GB/s and GFLOP/s beside what the machine can do on one thread.  Run by `bench.py`.

Bytes are those of the arguments, read once, and of the result.  Flops are real additions, multiplications, divisions
and roots of the formulas below, in F bins, T frames (C = F T cells), M microphones, N = M sources, K bases.
Limit: the least of the GEMM's GFLOP/s in that precision, and of flops a byte times the bandwidth of a STREAM triad over
as many bytes: what fits into caches is measured in caches, as an iteration finds it there.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from machine import spread, table

F, T = 1025, 158
REPEATS, SECONDS = 7, 0.1


class Size(NamedTuple):
    """M microphones, N sources, K bases, C cells."""

    M: int
    N: int
    K: int
    F: int = F
    T: int = T

    @property
    def C(self) -> int:
        return self.F * self.T


class Kernel(NamedTuple):
    """Makes the arguments (X: complex, v, r, ...: real) from a `Maker`; flops of a size; what of it plays a part."""

    arguments: Callable[[Any], tuple]
    flops: Callable[[Size], float]
    axes: str = "M"


class Maker:
    """Random tensors of a size in single precision, laid out as the kernels take them."""

    def __init__(self, size: Size) -> None:
        import torch

        self.s, self.torch = size, torch
        self.generator = torch.Generator().manual_seed(7)

    def normal(self, *shape: int) -> Any:
        return self.torch.randn(*shape, dtype=self.torch.complex64, generator=self.generator)

    def positive(self, *shape: int) -> Any:
        return self.torch.rand(*shape, generator=self.generator) + 0.2

    def X(self) -> Any:
        return self.normal(self.s.F, self.s.M, self.s.T).movedim(0, 1)

    def D(self) -> Any:
        return self.normal(1, self.s.N, self.s.F, self.s.T)

    def v(self, rows: int) -> Any:
        return self.positive(rows, self.s.F, self.s.T)

    def W(self) -> Any:
        return self.normal(self.s.F, self.s.N, self.s.M) / 4 + self.torch.eye(self.s.N)

    def spread(self, n: int) -> Any:
        """Covariances of full rank."""
        Z = self.normal(self.s.F, n, self.s.M, 3 * self.s.M)
        return Z @ Z.mH

    def factors(self) -> tuple:
        s = self.s
        return self.positive(s.N, s.F, s.K), self.positive(s.N, s.K, s.T), self.positive(s.N, s.F, 1) * 1e-6

    def whole(self) -> tuple:
        v, (B, H, e) = self.v(1)[0], (x[0] for x in self.factors())
        return v, B, H, e, self.number(1.0)

    def shares(self) -> tuple:
        return self.positive(self.s.N, 1, self.s.M), self.positive(self.s.M, 1, 1) * 1e-6

    def number(self, *numbers: float) -> Any:
        return self.torch.tensor(numbers, dtype=self.torch.float64)

    @property
    def gauss(self) -> Any:
        return self.number(1.0, 0.0, 0.0)

    def full(self) -> tuple:
        S = self.spread(self.s.N).movedim(0, 1).contiguous()
        return self.X(), S, self.v(self.s.N), self.positive(self.s.F, 1) * 1e-6, self.gauss


def _factor(s: Size) -> float:
    """r = B H: 2 K; q, neg, pos: 4; both halves times a factor: 4 K; the quotients."""
    return s.N * (s.C * (6 * s.K + 4) + (s.F + s.T) * s.K)


def _whole(s: Size) -> float:
    return _factor(s._replace(N=1))


def _modelled(s: Size) -> float:
    """r = B H and 1 / r: 2 K + 1; phi x x^H: 4 M^2 + 2 M."""
    return s.N * (4 * s.M**2 + 2 * s.M + 2 * s.K + 1) * s.C


def _ip1(s: Size) -> float:
    """An inverse of W and a solution with V for each row."""
    return s.N * s.F * (16 / 3 * s.M**3 + 16 * s.M**2)


def _prox(s: Size) -> float:
    """Two sweeps over pairs of columns, 16 M for an angle and 40 M for a turn; U h V^H: 12 M^3."""
    return s.F * (56 * s.M**2 * (s.M - 1) + 12 * s.M**3)


def _ip2(s: Size) -> float:
    """An inverse of W and two solutions of two columns each, with their products, for each pair of rows."""
    return (s.N if s.N > 2 else 1) * s.F * (16 / 3 * s.M**3 + 2 * (4 / 3 * s.M**3 + 16 * s.M**2) + 32 * s.M)


def _joint(s: Size) -> float:
    """Y: 2 N M; q, neg, pos: 4 M; heard: 4 N M; r and both products: 6 K N."""
    return s.C * (6 * s.N * s.M + 4 * s.M + 6 * s.N * s.K)


def _inverse(s: Size) -> float:
    """R of N Hermitian S: 2 N M^2; its inverse: 4 M^3; u = R^-1 x: 8 M^2; x^H u: 4 M."""
    return s.C * (2 * s.N * s.M**2 + 4 * s.M**3 + 8 * s.M**2 + 4 * s.M)


KERNELS: dict[str, Kernel] = {
    "weighted_covariance": Kernel(lambda m: (m.X(), m.v(m.s.N)), lambda s: s.N * (4 * s.M**2 + 2 * s.M) * s.C),
    "modelled_covariance": Kernel(lambda m: (m.X(), m.W(), *m.factors(), m.gauss), _modelled, "MK"),
    "demixed_step": Kernel(
        lambda m: (m.X(), m.W().to(m.torch.complex128), *m.factors(), m.number(0.5), m.gauss),
        lambda s: (8 * s.M + 3) * s.N * s.C + 2 * _factor(s) + _modelled(s) + _ip1(s),
        "MK",
    ),
    "modelled_cost": Kernel(
        lambda m: (m.X(), m.W(), *m.factors(), m.gauss),
        lambda s: (8 * s.M + 3 + 2 * s.K + 5) * s.N * s.C,
        "MK",
    ),
    "inverse": Kernel(lambda m: (m.W().to(m.torch.complex128),), lambda s: 16 / 3 * s.M**3 * s.F),
    "log_abs_det": Kernel(lambda m: (m.W().to(m.torch.complex128),), lambda s: 8 / 3 * s.M**3 * s.F),
    "unit_rows": Kernel(lambda m: (m.W(), m.spread(1)[:, 0]), lambda s: s.N * s.F * (4 * s.M**2 + 4 * s.M)),
    "angular_posterior": Kernel(
        lambda m: (m.X(), m.spread(m.s.N), m.positive(m.s.N, m.s.F, 1), *(m.positive(m.s.F, m.s.N) for _ in range(2))),
        lambda s: ((8 * s.M + 4) * s.M * s.N + (s.M + 8) * s.N + 4 * s.M) * s.C,
    ),
    "abs2_by_bin": Kernel(lambda m: (m.normal(m.s.N, m.s.T, m.s.F).mT,), lambda s: 3 * s.N * s.C),
    "demixed": Kernel(lambda m: (m.X(), m.W()), lambda s: 8 * s.N * s.M * s.C),
    "demixed_by_frame": Kernel(lambda m: (m.X(), m.W()), lambda s: 8 * s.N * s.M * s.C),
    "reframed": Kernel(
        lambda m: (m.positive(m.s.N, m.s.T, 2 * m.s.F - 2), m.positive(2 * m.s.F - 2), m.positive((m.s.F - 1) // 2)),
        lambda s: (2 + 1 + 1 / 4) * s.N * 2 * s.C,
    ),
    "demixed_power": Kernel(lambda m: (m.X(), m.W()), lambda s: (8 * s.M + 3) * s.N * s.C),
    "demixed_radius": Kernel(lambda m: (m.X(), m.spread(m.s.N)), lambda s: (8 * s.M + 4) * s.M * s.N * s.C),
    "ip1_sweep": Kernel(lambda m: (m.spread(m.s.N), m.W()), _ip1),
    "ip2_sweep": Kernel(lambda m: (m.spread(m.s.N), m.W()), _ip2),
    "iss1_sweep": Kernel(lambda m: (m.X(), m.W(), m.v(m.s.N)), lambda s: (20 * s.N**2 + 8 * s.N * s.M) * s.C),
    "dual_pull": Kernel(lambda m: (m.D()[0], m.D()), lambda s: 8 * s.N * s.M * s.C),
    "dual_ahead": Kernel(lambda m: (m.D()[0], m.W(), m.D()), lambda s: (8 * s.M + 2) * s.N * s.C),
    "dual_step": Kernel(
        lambda m: (m.D()[0], m.W(), m.D(), m.D(), m.D(), m.number(1.0)), lambda s: (16 * s.M + 17) * s.N * s.C
    ),
    "frame_sizes": Kernel(lambda m: (m.D()[0],), lambda s: 4 * s.N * s.C),
    "log_det_prox": Kernel(lambda m: (m.W().to(m.torch.complex128), m.number(1.0)), _prox),
    "bases_ratio": Kernel(lambda m: (m.v(m.s.N), *m.factors(), m.gauss), _factor, "MK"),
    "gains_ratio": Kernel(lambda m: (m.v(m.s.N), *m.factors(), m.gauss), _factor, "MK"),
    "factors_moved": Kernel(
        lambda m: (m.v(m.s.N), *m.factors(), m.number(0.5), m.gauss), lambda s: 2 * _factor(s), "MK"
    ),
    "slope_cost": Kernel(lambda m: (m.v(m.s.N), m.v(m.s.N), m.gauss), lambda s: 5 * s.N * s.C),
    "slope_weight": Kernel(lambda m: (m.v(m.s.N), m.v(m.s.N), m.number(1.7, 0.3, -1.0)), lambda s: 5 * s.N * s.C),
    "factored_bases": Kernel(lambda m: m.whole(), _whole, "K"),
    "factored_activations": Kernel(lambda m: m.whole(), _whole, "K"),
    "factored_moved": Kernel(lambda m: (*m.whole(), m.number(1.0)), lambda s: 2 * _whole(s), "K"),
    "joint_bases": Kernel(lambda m: (m.v(m.s.M), *m.factors(), *m.shares(), m.gauss), _joint, "MK"),
    "joint_activations": Kernel(lambda m: (m.v(m.s.M), *m.factors(), *m.shares(), m.gauss), _joint, "MK"),
    "joint_shares": Kernel(
        lambda m: (m.v(m.s.M), m.v(m.s.N), *m.shares(), m.gauss), lambda s: s.C * (6 * s.N * s.M + 4 * s.M)
    ),
    "joint_weight": Kernel(
        lambda m: (m.v(m.s.M), m.v(m.s.N), *m.shares(), m.gauss), lambda s: s.C * (2 * s.N * s.M + s.M)
    ),
    "full_halves": Kernel(lambda m: m.full(), lambda s: _inverse(s) + s.C * s.N * (10 * s.M**2 + 4 * s.M)),
    "full_turned": Kernel(lambda m: m.full(), lambda s: _inverse(s) + s.C * (4 * s.N + 3) * s.M**2),
}
"""Of every op that has a kernel."""


def sizes(kernel: Kernel) -> list[Size]:
    """2 and 4 channels, 2 and 10 bases, as far as they play a part; NMF of one channel also as `nmf.py` has it."""
    mics = (2, 4) if "M" in kernel.axes else (1,)
    bases = (2, 10) if "K" in kernel.axes else (1,)
    found = [Size(m, m, k) for m in mics for k in bases]
    return found if "M" in kernel.axes else [*found, Size(1, 1, 30, T=1000)]


def seconds(call: Callable[[], object]) -> list[float]:
    """Of one call; each reading is of as many as take a tenth of a second."""
    for _ in range(2):
        call()
    began = time.perf_counter()
    call()
    often = max(1, int(SECONDS / (time.perf_counter() - began)))
    found = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for _ in range(often):
            call()
        found.append((time.perf_counter() - began) / often)
    return found


@lru_cache
def triad(size: int) -> float:
    """GB/s of a = b + s c over so many bytes in all; single precision, one pass, compiled as our kernels are."""
    import numba
    import numpy as np

    @numba.njit(fastmath=True)
    def run(a: Any, b: Any, c: Any, s: Any) -> None:
        for i in range(len(a)):
            a[i] = b[i] + s * c[i]

    a, b, c = (np.ones(size // 12, np.float32) for _ in range(3))
    return 3 * a.nbytes / min(seconds(lambda: run(a, b, c, np.float32(0.5)))) / 1e9


def gemm(dtype: str) -> float:
    """GFLOP/s of a product of square matrices of 1024."""
    import numpy as np

    A = np.random.default_rng(0).standard_normal((1024, 1024)).astype(dtype)
    return 2 * 1024**3 / min(seconds(lambda: A @ A)) / 1e9


def one(name: str, size: Size, peak: float) -> dict:
    from otowake.ops import OPS

    kernel, op = KERNELS[name], OPS[name]
    args = kernel.arguments(Maker(size))
    if not op.suits(*args):
        raise SystemExit(f"the kernel of {name} is not taken for {size}")
    result = op(*args)
    moved = sum(x.nbytes for x in (*args, *(result if isinstance(result, tuple) else (result,))))
    times = seconds(lambda: op(*args))
    flops, best = kernel.flops(size), statistics.median(times)
    bandwidth = triad(2 ** round(moved.bit_length() - 0.5))
    limit = min(peak, flops / moved * bandwidth)
    said = [f"{size.M} ch" if "M" in kernel.axes else "", f"{size.K} bases" if "K" in kernel.axes else ""]
    return {
        "case": ", ".join([name, *filter(None, said), *([f"{size.T} frames"] if size.T != T else [])]),
        "ms": [1e3 * t for t in times],
        "mb": moved / 1e6,
        "gb_s": moved / best / 1e9,
        "gflop_s": flops / best / 1e9,
        "limit_gflop_s": limit,
        "bound": "GEMM" if limit == peak else "triad",
        "percent": 100 * flops / best / 1e9 / limit,
    }


def measured(only: str = "") -> list[dict]:
    """The machine, then a row for each kernel and size."""
    import torch

    from otowake.ops import OPS

    missing = {name for name, op in OPS.items() if op.kernel is not None} ^ set(KERNELS)
    if missing:
        raise SystemExit(f"roofline.py and the ops' kernels differ in {', '.join(sorted(missing))}")
    torch.set_num_threads(1)
    peak = {dtype: gemm(dtype) for dtype in ("float32", "float64")}
    streams = {f"triad of {size >> 20} MB, GB/s": triad(size) for size in (2**20, 2**22, 2**24, 2**28)}
    rows = [{"case": "the machine", "gemm": peak, "triad": streams}]
    for name, kernel in KERNELS.items():
        for size in sizes(kernel) if only in name else []:
            rows.append(one(name, size, peak["float32"]))
            print(f"{rows[-1]['case']}: {rows[-1]['percent']:.0f} %", file=sys.stderr, flush=True)
    return rows


def markdown(rows: list[dict]) -> list[str]:
    """The machine's own figures, then the kernels'."""
    its, kernels = rows[0], rows[1:]
    lines = ["; ".join(f"GEMM {dtype} {x:.0f} GFLOP/s" for dtype, x in its["gemm"].items()) + ";"]
    lines += ["; ".join(f"{what} {x:.0f}" for what, x in its["triad"].items()) + ".", ""]
    lines += [
        f"Kernels in complex64 or float32, {F} bins, {T} frames if nothing else is said. The limit is the GEMM, or"
    ]
    lines += ["the triad over as many bytes; bytes are arguments, read once, and result.", ""]
    head = ["kernel", "ms", "MB", "GB/s", "GFLOP/s", "limit, GFLOP/s", "set by", "% of limit"]
    cells = [
        [
            row["case"], spread(row["ms"], 3), f"{row['mb']:.1f}", f"{row['gb_s']:.1f}", f"{row['gflop_s']:.1f}",
            f"{row['limit_gflop_s']:.1f}", row["bound"], f"{row['percent']:.2g}",
        ]
        for row in kernels
    ]  # fmt: skip
    return [*lines, *table(head, cells)]
