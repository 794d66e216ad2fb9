"""Compiles kernels of the usual separation before they are asked for: `python -m otowake.ops.cpu.ahead`.

`make` does that once when it installs otowake, in two processes: one begins with the kernel that is needed first, the
other with the last, and they meet in the middle.  Elsewhere the command's first run is one of the two
(`cli/host.py`), and the other is told `--beside`.  For a wheel (`--classes`) they are compiled for classes of
processors.  Each kernel is called with a few numbers.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

import torch

from otowake import kept
from otowake.ops import (
    abs2_by_bin,
    angular_posterior,
    demixed,
    demixed_by_frame,
    demixed_power,
    factors_moved,
    inverse,
    ip1_sweep,
    log_abs_det,
    modelled_cost,
    modelled_covariance,
    reframed,
    weighted_covariance,
)

OURSELVES = [sys.executable, "-m", "otowake.ops.cpu.ahead"]


def calls() -> list[Callable[[], object]]:
    """Of two microphones, in single precision, with two bases: sizes are not compiled, types are.  What is needed last
    comes first."""
    m, f, t = 2, 3, 4
    X = torch.ones(f, m, t, dtype=torch.complex64).movedim(0, 1)
    W = torch.eye(m, dtype=torch.complex128).expand(f, m, m).clone()
    V = W.unsqueeze(-3).expand(f, m, m, m)
    v, B, H, e = (torch.ones(m, *shape) for shape in ((f, t), (f, 2), (2, t), (f, 1)))
    slope, power = (torch.tensor(x, dtype=torch.float64) for x in ([1.0, 0.0, 0.0], [0.5]))
    ones = torch.ones(f, m, dtype=torch.float64)
    return [
        lambda: modelled_covariance(X, W, B, H, e, slope),
        lambda: factors_moved(v, B, H, e, power, slope),
        lambda: modelled_cost(X, W, B, H, e, slope),
        lambda: demixed(X.to(torch.complex128), W),
        lambda: abs2_by_bin(X),
        lambda: demixed_by_frame(X, W),
        lambda: reframed(v, torch.ones(t), torch.ones(2)),
        lambda: (ip1_sweep(V, W), inverse(W), log_abs_det(W)),  # one kernel
        lambda: angular_posterior(X, V, v, ones, ones),
        lambda: demixed_power(X, W),
        lambda: weighted_covariance(X, v),
        lambda: weighted_covariance(X.to(torch.complex128), v.double()),
    ]


def compile_all(beside: bool) -> None:
    """All of them; beside another process that begins at the other end."""
    other = None if beside else subprocess.Popen([*OURSELVES, "--beside"])
    for call in calls() if beside else reversed(calls()):
        call()
    if other is not None and other.wait():
        raise SystemExit(other.returncode)
    kept.write(kept.DONE, b"")


def main(words: Sequence[str]) -> None:
    """What the command line asks for."""
    if "--classes" not in words:
        compile_all("--beside" in words)
        return
    from otowake.ops.cpu.compile import CLASSES, fits

    for name, features in CLASSES.items():
        if fits(name):
            asked = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
            subprocess.run(OURSELVES, env={**os.environ, **asked}, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
