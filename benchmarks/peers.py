"""The peers' methods as contenders: (case, what it begins with, precision) -> run(iterations) -> what came out.

Of demixing, Y before any scaling; of FastMNMF2 and MNMF, the sources at microphone 0; of cACGMM, masks and cost; of
NMF, both factors.  Losses and scale restoration are off, and pairs of bins are not put in order.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from contests import Case
from nmf import LOSSES
from scene import SEED

Run = Callable[[int], Any]
Made = Callable[[Case, dict, str], Run]


def pra_demixing(case: Case, d: dict, dtype: str) -> Run:
    from pyroomacoustics.bss import auxiva, ilrma

    X = np.ascontiguousarray(d["X"].transpose(2, 1, 0)).astype(dtype)

    def run(n: int) -> np.ndarray:
        if case.method == "auxiva":
            return auxiva(X, n_iter=n, proj_back=False).transpose(2, 1, 0)
        np.random.seed(SEED)  # its factors come from the global generator
        return ilrma(X, n_iter=n, n_components=case.bases, proj_back=False).transpose(2, 1, 0)

    return run


def pra_fastmnmf2(case: Case, d: dict, dtype: str) -> Run:
    from pyroomacoustics.bss import fastmnmf2

    X = np.ascontiguousarray(d["X"].transpose(2, 1, 0)).astype(dtype)

    def run(n: int) -> np.ndarray:
        np.random.seed(SEED)
        return fastmnmf2(X, n_src=case.scene.sources, n_iter=n, n_components=case.bases).transpose(2, 1, 0)

    return run


def ssspy_demixing(case: Case, d: dict, dtype: str) -> Run:
    from ssspy.bss.ilrma import GaussILRMA
    from ssspy.bss.iva import AuxLaplaceIVA

    still = {"spatial_algorithm": "IP1", "scale_restoration": False, "record_loss": False}
    X = d["X"].astype(dtype)

    def run(n: int) -> np.ndarray:
        if case.method == "auxiva":
            return AuxLaplaceIVA(**still)(X, n_iter=n)
        return GaussILRMA(n_basis=case.bases, **still)(X, n_iter=n, basis=d["T"], activation=d["V"])

    return run


def ssspy_mnmf(case: Case, d: dict, dtype: str) -> Run:
    from ssspy.bss.mnmf import GaussMNMF

    X, real = d["X"].astype(dtype), np.zeros(0, dtype).real.dtype
    T, V = d["T"].astype(real), d["V"].astype(real)

    def run(n: int) -> np.ndarray:
        method = GaussMNMF(case.bases, case.scene.sources, record_loss=False)
        return method(X, n_iter=n, basis=T, activation=V)

    return run


def ssspy_cacgmm(case: Case, d: dict, dtype: str) -> Run:
    from ssspy.bss.cacgmm import CACGMM

    X = d["X"].astype(dtype)

    def run(n: int) -> tuple[np.ndarray, float]:
        draw = np.random.default_rng(SEED)  # the start of `contests.py`
        method = CACGMM(case.scene.sources, permutation_alignment=False, record_loss=False, rng=draw)
        method(X, n_iter=n)
        return method.posterior, method.compute_loss()

    return run


def scikit_learn(case: Case, d: dict, dtype: str) -> Run:
    from sklearn.decomposition import non_negative_factorization

    def run(n: int) -> tuple[np.ndarray, np.ndarray]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return non_negative_factorization(
                d["V"], W=d["T"].copy(), H=d["H"].copy(), n_components=case.bases, init="custom", solver="mu",
                beta_loss=LOSSES[case.cost], max_iter=n, tol=0,
            )[:2]  # fmt: skip

    return run


def torchnmf(case: Case, d: dict, dtype: str) -> Run:
    import torch
    from torchnmf.nmf import NMF

    V, T, H = (torch.from_numpy(d[name]) for name in "VTH")

    def run(n: int) -> tuple[np.ndarray, np.ndarray]:
        net = NMF(W=T.clone(), H=H.T.clone())
        net.fit(V.T.contiguous(), beta=float(case.cost.split()[1]), max_iter=n, tol=0)
        return net.W.detach().numpy(), net.H.detach().numpy().T

    return run


PEERS: dict[str, dict[str, Made]] = {
    "pyroomacoustics": {"auxiva": pra_demixing, "ilrma": pra_demixing, "fastmnmf2": pra_fastmnmf2},
    "ssspy": {"auxiva": ssspy_demixing, "ilrma": ssspy_demixing, "mnmf": ssspy_mnmf, "cacgmm": ssspy_cacgmm},
    "scikit-learn": {"nmf": scikit_learn},
    "torchnmf": {"nmf": torchnmf},
}
"""By library and method."""
