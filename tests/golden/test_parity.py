"""Our methods and ssspy's, from the same start, end in the same place.

`parity.npz` holds eight iterations of ssspy 0.2.0 (an independent implementation) without any floor, written
by `benchmarks/make_parity.py`, whose first lines say what ssspy does.  Ours runs here without floors too.
Our gauge gives every source unit power, so both ends are brought to it; the cost does not feel it.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from otowake.core.separator import Separator, SeparatorState
from otowake.divergence.density import GGD, Density, Gauss, Laplace, Pooled, StudentT
from otowake.source.flat import Flat
from otowake.source.frame import Frame
from otowake.source.nmf import Nmf, NmfState
from otowake.spatial.demix import DEMIXES
from otowake.spatial.determined import Determined

FIXTURE = dict(np.load(Path(__file__).with_name("parity.npz")))
FACTS = json.loads(str(FIXTURE["meta"]))
ENDS = sorted(key.removesuffix("/W") for key in FIXTURE if key.count("/") == 2 and key.endswith("/W"))
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def domain(case: str) -> float:
    return 1.0 if case.endswith("amplitude") else 2.0


def method(case: str) -> Separator:
    """Ours, from the name of the case: density, update of W, domain."""
    name, update = case.split("-")[:2]
    demix = DEMIXES[update]
    if name == "laplace":
        return Separator(Flat(), Determined(demix, Pooled(Laplace())))
    if name == "frame":
        return Separator(Frame(), Determined(demix, Pooled(Gauss())))
    return Separator(Nmf(FACTS["bases"], domain(case)), Determined(demix, density(name)))


def density(name: str) -> Density:
    if name == "gauss":
        return Gauss()
    return GGD(float(name[3:])) if name.startswith("ggd") else StudentT(float(name[1:]))


def start(ours: Separator, X: torch.Tensor, given: dict[str, np.ndarray]) -> SeparatorState:
    """The fixture's start, without a floor."""
    s = ours.init(X)
    W = torch.from_numpy(given["W"])
    if isinstance(s.z, NmfState):
        z = NmfState(torch.from_numpy(given["T"]), torch.from_numpy(given["V"]), torch.zeros_like(s.z.e))
    else:
        z = s.z._replace(e=torch.zeros_like(s.z.e)) if hasattr(s.z, "e") else s.z
    return SeparatorState(z, s.p._replace(W=W))


def unit_power(W: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(W whose outputs have mean power 1 and whose diagonals are positive, the gains psi taken out).

    IP2 and ISS2 leave the phases of rows to an eigensolver; no other method needs the diagonals.
    """
    psi = np.sqrt(np.mean(np.abs(np.einsum("fnm,mft->nft", W, X)) ** 2, axis=(1, 2)))
    turn = np.diagonal(W, axis1=1, axis2=2)[..., None]
    return W / psi[:, None] * turn.conj() / np.abs(turn), psi


@cache
def finished(end: str) -> tuple:
    """(ours after the fixture's iterations, our costs, ssspy's end, X, the case's name)."""
    mics, case = end.split("/")
    given = {name: FIXTURE[f"{mics}/{name}"] for name in "XWTV"}
    theirs = {name: FIXTURE.get(f"{end}/{name}") for name in ("W", "T", "V", "loss")}
    X, ours = torch.from_numpy(given["X"]), method(case)
    s = start(ours, X, given)
    costs = [ours.cost(X, s)]
    for _ in range(FACTS["steps"]):
        s = ours.step(X, s)
        costs.append(ours.cost(X, s))
    return s, np.array(costs) / X.shape[-1], theirs, given["X"], case


@pytest.fixture(params=ENDS)
def pair(request, monkeypatch):
    monkeypatch.setattr("otowake.divergence.density.radius_floor", lambda q: 0.0)  # ssspy rounds no cusp
    return finished(request.param)


def test_costs_are_ssspys_losses(pair):
    _, costs, theirs, _, case = pair
    first = 1 if case.startswith("frame") else 0  # its variance starts at 1 there; both forget their start at once
    assert_allclose(costs[first:], theirs["loss"][first:], **CLOSE)


def test_demixing_matrices_are_ssspys(pair):
    s, _, theirs, X, _ = pair
    assert_allclose(unit_power(s.p.W.numpy(), X)[0], unit_power(theirs["W"], X)[0], **CLOSE)


def test_factors_are_ssspys(pair):
    s, _, theirs, X, case = pair
    if theirs["T"] is None:
        return
    psi = unit_power(theirs["W"], X)[1]
    assert_allclose(s.z.B.numpy(), theirs["T"] / psi[:, None, None] ** domain(case), **CLOSE)
    assert_allclose(s.z.H.numpy(), theirs["V"], **CLOSE)


def test_the_gauge_is_ssspys_power_normalisation():
    """With its power normalisation on, nothing has to be brought to unit power."""
    for end in (e for e in ENDS if e.endswith("power")):
        X, W = FIXTURE[f"{end[0]}/X"], FIXTURE[f"{end}/W"]
        assert_allclose(unit_power(W, X)[1], 1, rtol=1e-12)


def test_the_fixture_is_what_it_says():
    assert FACTS["peer"] == "ssspy 0.2.0"
    assert len(ENDS) == 2 * len(FACTS["cases"]) - 1  # AuxIVA-IP2 is compared with two sources only
