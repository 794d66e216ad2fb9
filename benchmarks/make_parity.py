"""Writes `tests/golden/parity.npz`: eight iterations of ssspy 0.2.0, to compare ours with.

    python benchmarks/make_parity.py          # needs the extra `bench`: ssspy, packaging

ssspy (T. Yoshinaga, Apache-2.0) is an independent NumPy implementation of the same papers.  What its methods
do, read in its source and then checked by a second, literal implementation of the equations (equal to 1e-12):

Layout      X (m, f, t), Y (n, f, t); demix_filter (f, n, m) is W itself, y = W x, row n is w_n^H; basis (n,
            f, k), activation (n, k, t); R = basis @ activation.
Order       all bases -> R again -> all activations -> R again -> rows of W, 0 to N-1 -> normalisation. Y,
            and so P = |Y|^2, is the old W's in both factor updates and in the weights; the weights are made
            once, before the first row moves.  Nothing is interleaved source by source.
Exponents   MM: p/(p+2) for Gauss and Student's t, p/(p+beta) for GGD; p is the domain (2 by default), R =
            r^(p/2).
Student t   one definition everywhere (bases, activations, weight 1/rt): rt = nu/(nu+2) R^(2/p) + 2/(nu+2)
            P.
GGD         weight (beta/2) |y|^(beta-2) r^(-beta/2); 0 < beta < 2 is all it takes.
Laplace IVA weight 1/rho, rho_nt = (sum_f |y|^2)^(1/2), contrast 2 rho; it has no normalisation.
Gauss IVA   variance_nt = mean_f |y|^2 first, then W with weight 1/variance; its loss keeps that variance,
            so it sees the new W with the old variance.
Loss        divided by the number of frames and by nothing else: (1/T) sum_nft(-log p) - 2 sum_f log|det W|;
            the list starts with the loss before the first iteration.
Power       psi_n = (mean_ft |y|^2)^(1/2); W_n /= psi_n, T_n /= psi_n^p, after W, in every iteration.
IP1         W V_n u = e_n, w_n = u / sqrt(u^H V_n u): row phases are defined, W is comparable as it stands.
IP2         weighted covariances made once (ILRMA) or again before each pair (AuxIVA).  Its own pairs are
            (0,1), (1,2), ..., (N-1,0): the only pair of two sources is visited twice.  Row phases are the
            eigensolver's.
ISS, IPA    hold Y and no W; W is the regression of Y on X.  ISS2 of the classes visits (0,1), (1,2), ...,
            (N-1,0).
IPA         one Newton step by default, which need not have converged; `newton_iter` asks for more.  Inside,
            the secular equation l^2 sum phi |v|^2 / (l - phi)^2 - l + z = 0 is divided by max phi, and v
            with it, which moves the root: with three sources and more the minimum is missed (one sweep over
            random data ends at 9.977, the minimum is 9.905).  With two sources max phi is 1 and nothing
            happens.
Floors      `flooring_fn=None` is the identity everywhere; the classes' default is max(., 1e-10).

So that equations are compared and not choices, here: no floor, no scale restoration, no partitioning, our
pairs handed over as `pair_selector`, IPA's division switched off, and Newton steps until it has converged.
"""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np

SEED, BINS, FRAMES, BASES, STEPS = 20, 9, 24, 2, 8
OUT = Path(__file__).resolve().parents[1] / "tests" / "golden" / "parity.npz"

PAIRS = {2: [(0, 1)], 3: [(0, 1), (1, 2), (2, 0)]}  # every row gets its turn; two sources have one pair
STEER = {2: [(0, 1)], 3: [(0, 1), (2, 0)]}  # ISS2: disjoint pairs, the odd one out goes with source 0

# name: (class, spatial algorithm, its parameters)
CASES = {
    "gauss-ip1": ("GaussILRMA", "IP1", {"normalization": False}),
    "gauss-ip1-power": ("GaussILRMA", "IP1", {"normalization": "power"}),
    "gauss-ip1-amplitude": ("GaussILRMA", "IP1", {"normalization": False, "domain": 1}),
    "gauss-ip2": ("GaussILRMA", "IP2", {"normalization": False}),
    "gauss-iss1": ("GaussILRMA", "ISS1", {"normalization": False}),
    "gauss-iss2": ("GaussILRMA", "ISS2", {"normalization": False}),
    "gauss-ipa": ("GaussILRMA", "IPA", {"normalization": False}),
    "t10-ip1": ("TILRMA", "IP1", {"normalization": False, "dof": 10}),
    "t10-ip1-power": ("TILRMA", "IP1", {"normalization": "power", "dof": 10}),
    "t1-ip1": ("TILRMA", "IP1", {"normalization": False, "dof": 1}),
    "t10-iss1": ("TILRMA", "ISS1", {"normalization": False, "dof": 10}),
    "ggd1-ip1": ("GGDILRMA", "IP1", {"normalization": False, "beta": 1}),
    "ggd1-ip1-power": ("GGDILRMA", "IP1", {"normalization": "power", "beta": 1}),
    "ggd1.5-ip1": ("GGDILRMA", "IP1", {"normalization": False, "beta": 1.5}),
    "ggd1-iss1": ("GGDILRMA", "ISS1", {"normalization": False, "beta": 1}),
    "laplace-ip1": ("AuxLaplaceIVA", "IP1", {}),
    "laplace-ip2": ("AuxLaplaceIVA", "IP2", {}),
    "laplace-iss1": ("AuxLaplaceIVA", "ISS1", {}),
    "laplace-iss2": ("AuxLaplaceIVA", "ISS2", {}),
    "laplace-ipa": ("AuxLaplaceIVA", "IPA", {}),
    "frame-ip1": ("AuxGaussIVA", "IP1", {}),
    "frame-iss1": ("AuxGaussIVA", "ISS1", {}),
}


def mixture(n: int, rng: np.random.Generator) -> np.ndarray:
    """Complex mixture (m, f, t) of mean power 1: heavy-tailed sources, moving loudness, one mixing a bin."""
    loud = rng.gamma(0.7, size=(n, 1, FRAMES)) + 0.05
    colour = rng.gamma(1.0, size=(n, BINS, 1)) + 0.1
    noise = rng.standard_normal((n, BINS, FRAMES)) + 1j * rng.standard_normal((n, BINS, FRAMES))
    source = noise * np.sqrt(loud * colour * rng.exponential(size=(n, BINS, FRAMES)))
    mix = np.eye(n) + 0.5 * (rng.standard_normal((BINS, n, n)) + 1j * rng.standard_normal((BINS, n, n)))
    X = np.einsum("fmn,nft->mft", mix, source)
    return X / np.sqrt(np.mean(np.abs(X) ** 2))


def start(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The start handed to every method: the mixture, identity, and factors from U(0.1, 1)."""
    return {
        "X": mixture(n, rng),
        "W": np.tile(np.eye(n, dtype=complex), (BINS, 1, 1)),
        "T": rng.uniform(0.1, 1, size=(n, BINS, BASES)),
        "V": rng.uniform(0.1, 1, size=(n, BASES, FRAMES)),
    }


def peer(case: str, n: int) -> object:
    """ssspy's method, without floors and without scale restoration."""
    from ssspy.bss import ilrma, iva

    kind, spatial, options = CASES[case]
    module, wanted = (iva, {}) if kind.endswith("IVA") else (ilrma, {"n_basis": BASES})
    wanted |= options
    if spatial in ("IP2", "ISS2"):
        pairs = (PAIRS if spatial == "IP2" else STEER)[n]
        wanted["pair_selector"] = lambda count: iter(pairs)
    if spatial == "IPA":
        wanted["newton_iter"] = 60
    return getattr(module, kind)(
        spatial_algorithm=spatial, flooring_fn=None, scale_restoration=False, record_loss=True, **wanted
    )


def run(case: str, n: int, s: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state after STEPS iterations, and the loss before the first and after each."""
    method = peer(case, n)
    factors = {} if case.split("-")[0] in ("laplace", "frame") else {"basis": s["T"], "activation": s["V"]}
    with warnings.catch_warnings(), unscaled_roots():
        warnings.simplefilter("ignore", UserWarning)  # IPA warns of roots that are not exact to the last bit
        Y = method(s["X"], n_iter=STEPS, demix_filter=s["W"], **factors)
    end = {"W": regression(Y, s["X"]) if method.demix_filter is None else method.demix_filter}
    if factors:
        end |= {"T": method.basis, "V": method.activation}
    return end | {"loss": np.array(method.loss)}


@contextmanager
def unscaled_roots():
    """IPA's root search without the inner rescaling (see the top of this file)."""
    from ssspy.linalg import lqpqm

    search = lqpqm.solve_equation
    lqpqm.solve_equation = lambda *given, **named: search(*given, **(named | {"normalization": False}))
    try:
        yield
    finally:
        lqpqm.solve_equation = search


def regression(Y: np.ndarray, X: np.ndarray) -> np.ndarray:
    """W of a method that keeps Y only: Y = W X is exact, so least squares gives W back."""
    return np.stack([np.linalg.lstsq(X[:, f].T, Y[:, f].T, rcond=None)[0].T for f in range(X.shape[1])])


def comparable(case: str, n: int) -> bool:
    """ssspy weighs again between the pairs of an AuxIVA-IP2 iteration; with one pair there is no between."""
    return case != "laplace-ip2" or n == 2


def facts() -> dict:
    import ssspy

    return {
        "peer": f"ssspy {ssspy.__version__}",
        "numpy": np.__version__,
        "python": sys.version.split()[0],
        "seed": SEED,
        "steps": STEPS,
        "bases": BASES,
        "floor": "none (identity)",
        "W": "(f, n, m), y = W x, rows are w^H",
        "loss": "(1/T) sum_nft(-log p) - 2 sum_f log|det W|; the first entry is before the first iteration",
        "order": "bases, activations, rows of W, normalisation",
        "IPA": "60 Newton steps, the inner rescaling of the secular equation off",
        "pairs": {"IP2": PAIRS, "ISS2": STEER},
        "cases": CASES,
    }


def make() -> None:
    data: dict[str, np.ndarray] = {}
    for n in (2, 3):
        s = start(n, np.random.default_rng([SEED, n]))
        data |= {f"{n}/{name}": value for name, value in s.items()}
        for case in CASES:
            if comparable(case, n):
                data |= {f"{n}/{case}/{name}": value for name, value in run(case, n, s).items()}
    for name, value in data.items():
        if not np.isfinite(value).all():
            raise ValueError(f"{name} is not finite: the fixture would prove nothing")
    np.savez_compressed(OUT, meta=json.dumps(facts()), **data)
    print(f"{OUT}: {len(data)} arrays, {OUT.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    make()
