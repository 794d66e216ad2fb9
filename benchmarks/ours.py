"""Our methods as contenders, in the form of `peers.py`: method objects and their `step`, as the command runs them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from contests import Case
from nmf import divergence_of
from peers import Made, Run
from scene import SEED


def mixture(case: Case, d: dict, dtype: str) -> Any:
    """X as the front door lays it out; items of a batch are the same mixture, each with a copy of its own."""
    import torch

    from otowake.signal.stft import bins_first

    X = torch.from_numpy(d["X"]).to(getattr(torch, dtype))
    return bins_first(torch.stack([X] * case.batch) if case.batch else X)


def given(d: dict, name: str, like: Any) -> Any:
    """A part of the start in the precision, and with the batch axis, of a tensor."""
    import torch

    return torch.from_numpy(d[name]).to(like.dtype).expand_as(like).clone()


def stepped(method: Any, X: Any, s: Any, n: int) -> Any:
    for _ in range(n):
        s = method.step(X, s)
    return s


def demixing(case: Case, d: dict, dtype: str) -> Run:
    from otowake.core.separator import Separator
    from otowake.divergence.density import Gauss, Laplace, Pooled
    from otowake.fused import compiled
    from otowake.source.flat import Flat
    from otowake.source.nmf import Nmf
    from otowake.spatial.demix.ip import ip1
    from otowake.spatial.determined import Determined

    X, iva = mixture(case, d, dtype), case.method == "auxiva"
    source = Flat() if iva else Nmf(case.bases)
    method = compiled(Separator(source, Determined(ip1, Pooled(Laplace()) if iva else Gauss())))

    def run(n: int) -> np.ndarray:
        s = method.init(X, seed=SEED)
        if not iva:
            s = s._replace(z=s.z._replace(B=given(d, "T", s.z.B), H=given(d, "V", s.z.H)))
        W = stepped(method, X, s, n).p.W.numpy()
        return (W[(0,) * bool(case.batch)] @ d["X"].transpose(1, 0, 2)).transpose(1, 0, 2)

    return run


def overlapping(case: Case, d: dict, dtype: str, order: str = "") -> Run:
    """FastMNMF2 and MNMF without the start of their recipes.  order: "simultaneous" is that of pyroomacoustics."""
    import torch

    from otowake.core.separator import Separator
    from otowake.source.nmf import Nmf
    from otowake.spatial.fullrank import FullRank
    from otowake.spatial.jointdiag import JointDiag
    from otowake.spatial.shares import all_bins

    X, n_sources = mixture(case, d, dtype), case.scene.sources
    joint = case.method == "fastmnmf2"
    spatial = JointDiag(n_sources, shares=all_bins) if joint else FullRank(n_sources)
    method = Separator(Nmf(case.bases), spatial)
    stepping = Simultaneous(method) if order else method

    def run(n: int) -> np.ndarray:
        s = method.init(X, seed=SEED)
        z = s.z._replace(B=given(d, "T", s.z.B), H=given(d, "V", s.z.H))
        if joint:
            p = s.p._replace(G=torch.from_numpy(d["G"])[:, None].to(s.p.G))
        else:
            eye = torch.eye(case.scene.mics, dtype=s.p.S.dtype) / case.scene.mics
            p = s.p._replace(S=eye.expand_as(s.p.S).clone())
        s = stepped(stepping, X, s._replace(z=z, p=p), n)
        return method.estimate(X, s).numpy()

    return run


class Simultaneous(NamedTuple):
    """The step of a separator whose activations move by the halves that its bases moved by (pyroomacoustics)."""

    method: Any

    def step(self, X: Any, s: Any) -> Any:
        from otowake.linalg.safe import divide, rooted
        from otowake.ops.factored import products

        source, spatial = self.method.source, self.method.spatial
        o = spatial.observe(X, s.p)
        halves, B = spatial.split(o, s.p)(source.psd(s.z)), s.z.B
        z = s.z._replace(B=B * rooted(divide(*products(*halves, *s.z[:2], True)), 0.5))
        z = z._replace(H=z.H * rooted(divide(*products(*halves, *z[:2], False)), 0.5))
        p, g = spatial.gauge(spatial.update(X, s.p, o, source.psd(z)))
        return s._replace(z=source.rescale(z, g), p=p)


def directions(case: Case, d: dict, dtype: str) -> Run:
    import torch

    from otowake.mixture.angular import AngularMixture, AngularState

    X, mics = mixture(case, d, dtype), case.scene.mics
    method = AngularMixture(case.scene.sources)

    def run(n: int) -> tuple[np.ndarray, float]:
        weights = torch.from_numpy(d["weights"]).to(X.real.dtype)
        gamma = weights[..., None].expand(*weights.shape, X.shape[-1])
        R = torch.from_numpy(mics * d["covariances"]).movedim(0, 1).to(X.dtype).contiguous()
        s = stepped(method, X, AngularState(gamma, R), n)
        return method.e_step(X, s)[0].numpy(), float(method.cost(X, s)) / X.shape[-1]

    return run


def factors(case: Case, d: dict, dtype: str) -> Run:
    import torch

    from otowake.core.separator import Separator
    from otowake.source.nmf import Nmf, NmfState
    from otowake.spatial.observed import Observed

    method = Separator(Nmf(case.bases), Observed(divergence_of(case.cost), 1))
    X = torch.from_numpy(d["V"]).sqrt()[None]

    def run(n: int) -> tuple[np.ndarray, np.ndarray]:
        s = method.init(X, 0)
        z = NmfState(given(d, "T", s.z.B), given(d, "H", s.z.H), s.z.e)
        split = method.spatial.split(method.spatial.observe(X, s.p), s.p)
        for _ in range(n):
            z = method.source.update(z, split)
        return z.B[0].numpy(), z.H[0].numpy()

    return run


OURS: dict[str, Made] = {
    "auxiva": demixing,
    "ilrma": demixing,
    "fastmnmf2": overlapping,
    "mnmf": overlapping,
    "cacgmm": directions,
    "nmf": factors,
}
"""By method."""
