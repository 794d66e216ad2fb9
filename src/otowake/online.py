"""Nonnegative matrix factorisation of what never fits into memory: bases from one block of frames after another.

Model    as `Nmf`; the frames come in blocks, each of which is seen and forgotten
Block    H of the block is fitted with B as it is;  then  neg, pos of B (`Nmf.bound`) are added to those of before,
         neg <- a neg + neg_new,  pos <- a pos + pos_new,  and  B <- B q(neg, pos)  by the rule of all NMF
Forget   a = exp(-T / memory)  for a block of T frames: old halves, made with poorer bases, hold the new ones back
Carried  both are halves of a bound in the change from B.  When B moves by q they are made those of the new B:
         neg <- neg q^(low - 1),  pos <- pos q^(high - 1),  quad <- quad q;  log form:  change <- change - weight log q
Cost     of the block that is asked about, with H fitted to it

Source   Mairal, Bach, Ponce, Sapiro 2010 (adding up surrogates); Lefevre, Bach, Fevotte 2011 (multiplicative, for
         Itakura-Saito); the form for any divergence, rule and penalty: docs/papers/online_nmf.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.method import Split
from otowake.core.separator import Separator, SeparatorState
from otowake.core.types import Cost, Images, Mixture, Spec
from otowake.linalg.safe import bases_floor, divide
from otowake.source.nmf import Nmf, NmfState, normalised
from otowake.source.step import Bound
from otowake.spatial.masked import Masked
from otowake.spatial.observed import Observed

Half = Float[Tensor, "*b n f k"]


class Sums(NamedTuple):
    """What blocks say of B: a bound of all their costs in the change of B."""

    neg: Half
    pos: Half
    quad: Half


class OnlineState(NamedTuple):
    """B, e: as in `NmfState`;  neg, pos, quad: what all blocks say of B;  k: how many these were."""

    B: Half
    e: Float[Tensor, "*b n #f 1"]
    neg: Half
    pos: Half
    quad: Half
    k: Int[Tensor, ""]


@dataclass(frozen=True)
class Online:
    """A factorisation of one channel whose every step may be given another block of frames.

    Args:
        source: rule, penalties, bases to begin with or kept: as for `Separator`; a penalty counts once for each block.
        spatial: the divergence.
        memory: after so many frames more, a frame counts 1/e; inf: all alike, 0: the last block alone.  Short at first,
            long at the end is best: states go on under any memory.
        gains: updates of H in each round.
        rounds: how often H and B are updated in turn for one block.
    """

    source: Nmf
    spatial: Observed | Masked
    memory: float = math.inf
    gains: int = 5
    rounds: int = 4
    proved = False

    def __post_init__(self) -> None:
        if not self.memory >= 0 or self.gains < 1 or self.rounds < 1:
            raise OtowakeError(
                f"Online: memory is 0 or more, gains and rounds are 1 or more; got {self.memory:g}, {self.gains} and "
                f"{self.rounds}."
            )

    @property
    def method(self) -> Separator:
        """The same in one piece."""
        return Separator(self.source, self.spatial)

    def epoch(self, s: OnlineState) -> int:
        """Every block is one."""
        return int(s.k)

    def init(self, X: Mixture, seed: int = 0) -> OnlineState:
        """X: a block; only its size counts where `start` is random."""
        _check(X, 0)
        return begun(self.method.init(X, seed).z)

    def step(self, X: Mixture, s: OnlineState) -> OnlineState:
        """The state after this block; one that is silent says nothing of B."""
        _check(X, int(s.k))
        (z, _), split = self._begun(X, s)
        weight = math.exp(-X.shape[-1] / self.memory) if self.memory else 0.0
        past = total = Sums(s.neg * weight, s.pos * weight, s.quad * weight)
        for _ in range(self.rounds):
            z = self._fitted(z, split)
            bound = self._bound(z, split)
            total = _added(past, bound)
            q = self._change(bound, total, z.B)
            z, size = self._moved(z, q)
            past, total = (_carried(sums, q, size, bound) for sums in (past, total))
        heard = (X != 0).any(-1).any(-1).any(-1)[..., None, None, None]
        pairs = zip((z.B, *total), (s.B, *s[2:5]), strict=True)
        B, neg, pos, quad = (torch.where(heard, new, old) for new, old in pairs)
        return OnlineState(B, s.e, neg, pos, quad, s.k + 1)

    def seen(self, X: Mixture, z: NmfState) -> OnlineState:
        """The state that goes on from a factorisation of X in one piece."""
        p = self.spatial.init(X, 0)
        split = self.spatial.split(self.spatial.observe(X, p), p)
        s = begun(z)
        neg, pos, quad = _added(Sums(*s[2:5]), self._bound(z, split))
        return OnlineState(z.B, z.e, neg, pos, quad, s.k + 1)

    def fitted(self, X: Mixture, s: OnlineState) -> SeparatorState:
        """The state of `method` for this block: B as it is, H fitted to it."""
        start, split = self._begun(X, s)
        z = start.z
        for _ in range(self.rounds):
            z = self._fitted(z, split)
        return SeparatorState(z, start.p)

    def cost(self, X: Mixture, s: OnlineState) -> Cost:
        return self.method.cost(X, self.fitted(X, s))

    def images(self, X: Mixture, s: OnlineState, microphones: Sequence[int]) -> Images:
        return self.method.images(X, self.fitted(X, s), microphones)

    def estimate(self, X: Mixture, s: OnlineState) -> Spec:
        return self.method.estimate(X, self.fitted(X, s))

    def _begun(self, X: Mixture, s: OnlineState) -> tuple[SeparatorState, Split]:
        """The same gain for all bases, as loud as each frame."""
        p = self.spatial.init(X, 0)
        o = self.spatial.observe(X, p)
        level = (o ** (self.source.domain / 2)).mean(-2, keepdim=True)
        H = divide(level, s.B.mean(-2).sum((-2, -1))[..., None, None, None])
        H = H.expand(*s.B.shape[:-2], s.B.shape[-1], -1).clone()
        return SeparatorState(NmfState(s.B, H, s.e), p), self.spatial.split(o, p)

    def _fitted(self, z: NmfState, split: Split) -> NmfState:
        for _ in range(self.gains):
            z = self.source.gains_updated(z, split)
        return z

    def _bound(self, z: NmfState, split: Split) -> Bound:
        """Of this block, in the change of B; the log form has both powers at 1."""
        if split.entropic is None:
            return self.source.bound(z, split, bases=True)
        return Bound(*self.source.entropic(z, split, bases=True), None, 1.0, 1.0)

    def _change(self, bound: Bound, sums: Sums, B: Tensor) -> Tensor:
        """q of B: what is above zero stays so, and what is frozen stays."""
        if bound.low == bound.high:
            q = torch.exp(divide(sums.neg, sums.pos))
        else:
            quad = None if bound.quad is None else sums.quad
            q = self.source.rule(bound._replace(neg=sums.neg, pos=sums.pos, quad=quad))
        q = torch.where(B > 0, divide(torch.maximum(B * q, bases_floor(B)), B), torch.ones_like(B))
        frozen = self.source.frozen(B)
        return q if frozen is None else torch.where(frozen, torch.ones_like(q), q)

    def _moved(self, z: NmfState, q: Tensor) -> tuple[NmfState, Tensor | float]:
        """B q, and what the norm makes H louder by."""
        z, norm = z._replace(B=z.B * q), self.source.norm
        if norm is None:
            return z, 1.0
        unit = normalised(z, norm)
        return unit, divide(z.B.sum(-2, keepdim=True), unit.B.sum(-2, keepdim=True))


def begun(z: NmfState) -> OnlineState:
    """Nothing seen yet."""
    none = torch.zeros_like(z.B)
    return OnlineState(z.B, z.e, none, none, none, torch.tensor(0))


def memory_of(share: float, frames: int) -> float:
    """The memory in which blocks of so many frames count `share` (0 to 1) when another one has come."""
    if share in (0, 1):
        return math.inf if share else 0.0
    return -frames / math.log(share)


def _added(past: Sums, new: Bound) -> Sums:
    return Sums(past.neg + new.neg, past.pos + new.pos, past.quad if new.quad is None else past.quad + new.quad)


def _carried(sums: Sums, q: Tensor, size: Tensor | float, bound: Bound) -> Sums:
    """The same bound in the change from B q, H being `size` times what it was."""
    neg, pos, quad = sums
    if bound.low == bound.high:
        return Sums(neg - pos * torch.log(q), pos, quad)
    return Sums(neg * q ** (bound.low - 1) * size, pos * q ** (bound.high - 1) * size, quad * q * size)


def _check(X: Mixture, k: int) -> None:
    """Blocks come from outside: refuse what is not finite, with its place."""
    if not bool(X.isfinite().all()):
        *_, f, t = (int(i) for i in (~X.isfinite()).nonzero()[0])
        raise OtowakeError(f"Block {k + 1} is not finite at bin {f}, frame {t} (from 0); repair the recording there.")
