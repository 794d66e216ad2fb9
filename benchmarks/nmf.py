"""The matrix of the NMF cases: 1025 x 1000, 30 components, one start; `contests.py` times it, `memory.py` weighs it."""

from __future__ import annotations

from typing import Any

F, T, K, SEED = 1025, 1000, 30, 0
LOSSES = {"beta 2": "frobenius", "beta 1": "kullback-leibler", "beta 0": "itakura-saito"}
"""What scikit-learn calls them."""
COSTS = (*LOSSES, "beta 0.5", "t 10", "ggd 1")


def problem(dtype: str) -> tuple[Any, Any, Any]:
    """V, and where W and H begin."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    V = (rng.gamma(0.5, size=(F, 10)) @ rng.gamma(0.5, size=(10, T))) * rng.gamma(1.0, size=(F, T)) + 1e-3
    W, H = rng.uniform(0.1, 1, (F, K)), rng.uniform(0.1, 1, (K, T))
    return tuple(np.ascontiguousarray(x.astype(dtype)) for x in (V, W, H))


def divergence_of(cost: str) -> Any:
    from otowake.divergence.beta import Beta
    from otowake.divergence.density import GGD, StudentT

    kind, number = cost.split()
    return {"beta": Beta, "t": StudentT, "ggd": GGD}[kind](float(number))


def reached(cost: str, V: Any, W: Any, H: Any) -> float | None:
    """The divergence in double precision; None where there is no peer to compare it with."""
    import torch

    if not cost.startswith("beta"):
        return None
    v, r = (torch.from_numpy(x.astype("float64"))[None] for x in (V, W.astype("float64") @ H.astype("float64")))
    return float(divergence_of(cost).cost(v, r))
