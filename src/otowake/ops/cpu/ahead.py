"""Compiles kernels of the usual separation before they are asked for: `python -m otowake.ops.cpu.ahead`.

The command runs it beside itself when nothing has been compiled yet (`cli/host.py`).  It begins with the kernels that
are needed last, so that the two meet in the middle; each is called with a few numbers and kept on disk.
"""

import torch

from otowake.ops import (
    abs2_by_bin,
    angular_posterior,
    demixed,
    demixed_power,
    factors_moved,
    ip1_sweep,
    modelled_covariance,
    slope_cost,
    weighted_covariance,
)


def main() -> None:
    """Of two microphones, in single precision, with two bases: sizes are not compiled, types are."""
    m, f, t = 2, 3, 4
    X = torch.ones(f, m, t, dtype=torch.complex64).movedim(0, 1)
    W = torch.eye(m, dtype=torch.complex128).expand(f, m, m).clone()
    v, B, H, e = (torch.ones(m, *shape) for shape in ((f, t), (f, 2), (2, t), (f, 1)))
    slope, power = (torch.tensor(x, dtype=torch.float64) for x in ([1.0, 0.0, 0.0], [0.5]))
    V = modelled_covariance(X, W, B, H, e, slope)
    factors_moved(v, B, H, e, power, slope)
    slope_cost(v, v, slope)
    demixed(X.to(torch.complex128), W)
    abs2_by_bin(X)
    demixed(X, W)
    ip1_sweep(V, W)
    ones = torch.ones(f, m, dtype=torch.float64)
    angular_posterior(X, W.unsqueeze(-3).expand(f, m, m, m), v, ones, ones)
    demixed_power(X, W)
    weighted_covariance(X, v)
    weighted_covariance(X.to(torch.complex128), v.double())


if __name__ == "__main__":
    main()
