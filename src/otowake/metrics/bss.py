"""SDR, SIR, SAR (BSS eval version 3) and SI-SDR.

For a reference s_i among the references s_1 ... s_n and an estimate e:

    e_target = P_i e         P_i: onto the span of s_i and its delays by 1 ... taps-1 samples
    e_interf = P e - P_i e   P:   onto the span of all references and their delays
    e_artif  = e - P e

    SDR = |e_target|² / |e_interf + e_artif|²     SIR = |e_target|² / |e_interf|²
    SAR = |e_target + e_interf|² / |e_artif|²     all in dB, 10 log10
    SI-SDR = |a s_i|² / |e - a s_i|²,   a = <e, s_i> / |s_i|²   (one tap, the mean is not removed)

With c_i = |P_i e|² / |e|² and c = |P e|² / |e|² the first three are functions of two numbers:
SDR = c_i / (1 - c_i), SIR = (c_i/c) / (1 - c_i/c), SAR = c / (1 - c).

Source: Vincent, Gribonval and Févotte 2006 (the definitions; version 3 allows 512 taps); Le Roux, Wisdom,
Erdogan and Hershey 2019 (SI-SDR); Scheibler 2022 (c_i and c by FFT and Toeplitz systems, in a library).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from otowake.core.errors import OtowakeError

TAPS = 512  # what BSS eval version 3 allows a reference to be filtered by, at any sample rate
_LOADS = (None, 1e-12, 1e-10, 1e-8)  # added to the unit diagonal when the references leave it singular
_SAME = 1e-10  # 1 - cosine² below this: two references are one signal, scaled
_ROUNDING = 1e-6  # how far beyond 0 ... 1 a squared cosine may land by rounding
_TOP = 140.0  # dB
_BOTTOM = -300.0  # dB; what -inf counts as when estimates are assigned


class Scores(NamedTuple):
    """Four measures in dB, arrays of one shape.

    At most 140 dB, where the rounding of float64 begins to decide, except that SIR without interferers is
    +inf; -inf means nothing of the reference.
    """

    sdr: np.ndarray
    sir: np.ndarray
    sar: np.ndarray
    si_sdr: np.ndarray

    def pick(self, rows: np.ndarray, columns: np.ndarray) -> "Scores":
        """The entries at (rows[i], columns[i])."""
        return Scores(*(measure[rows, columns] for measure in self))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The scores of the estimates matched with n references; all in dB, one entry a reference.

    Args:
        sdr, sir, sar, si_sdr: the measures of the matched estimates.
        permutation: the index of the estimate matched with each reference.
        mixture: the same measures of the mixture, taken as an estimate of each reference; None without one.
    """

    sdr: Float[np.ndarray, "n"]
    sir: Float[np.ndarray, "n"]
    sar: Float[np.ndarray, "n"]
    si_sdr: Float[np.ndarray, "n"]
    permutation: Int[np.ndarray, "n"]
    mixture: Scores | None = None

    @property
    def sdr_improvement(self) -> Float[np.ndarray, "n"] | None:
        """SDR minus the mixture's SDR, dB."""
        return None if self.mixture is None else _gain(self.sdr, self.mixture.sdr)

    @property
    def sir_improvement(self) -> Float[np.ndarray, "n"] | None:
        """SIR minus the mixture's SIR, dB."""
        return None if self.mixture is None else _gain(self.sir, self.mixture.sir)

    @property
    def si_sdr_improvement(self) -> Float[np.ndarray, "n"] | None:
        """SI-SDR minus the mixture's SI-SDR, dB."""
        return None if self.mixture is None else _gain(self.si_sdr, self.mixture.si_sdr)


def evaluate(
    references: Float[np.ndarray, "n samples"],
    estimates: Float[np.ndarray, "m samples"],
    mixture: Float[np.ndarray, "samples"] | None = None,
    *,
    taps: int = TAPS,
) -> Evaluation:
    """Match estimates with references and measure them.

    The matching maximises the sum of the SIR, as BSS eval does, so that numbers can be compared with
    published ones; with a single reference, where SIR says nothing, it maximises SDR.  Left-over estimates
    are ignored.  A silent estimate scores -inf in everything and is matched last; with one reference there
    is no interference and SIR is +inf.  Never NaN.

    Args:
        references: the true sources, (n, samples) or (samples,).
        estimates: at least n of them, (m, samples) or (samples,), in any order and at any scale.
        mixture: what was separated, (samples,), for the improvements.
        taps: the length of the filter a reference may have passed through, samples.

    Errors: `OtowakeError` for fewer estimates than references, different lengths, values that are not
    finite, a silent reference or mixture, references that are one signal, and signals shorter than `taps`.
    """
    s = _signals(references, "reference")
    e = _signals(estimates, "estimate")
    _check(s, e, taps)
    candidates = e
    if mixture is not None:
        x = _signals(mixture, "mixture")
        _check_mixture(s, x)
        candidates = np.concatenate([e, x])
    scores = _scores(s, candidates, taps)
    rows = np.arange(len(s))
    match = _assigned((scores.sir if len(s) > 1 else scores.sdr)[:, : len(e)])
    mixed = None if mixture is None else scores.pick(rows, np.full(len(s), len(e)))
    return Evaluation(*scores.pick(rows, match), match, mixed)


def _signals(x: np.ndarray, what: str) -> Float[np.ndarray, "n samples"]:
    """As float64 (n, samples), each divided by its peak: the measures ignore scale, underflow does not."""
    x = np.asarray(x)
    if x.dtype.kind not in "fiu" or x.ndim not in (1, 2) or not x.size:
        raise OtowakeError(f"The {what}: {x.dtype} of shape {x.shape}; give real numbers, (signals, samples).")
    x = np.atleast_2d(x).astype(np.float64)
    if not np.isfinite(x).all():
        row, sample = np.argwhere(~np.isfinite(x))[0]
        raise OtowakeError(f"The {what} {row} has {x[row, sample]} at sample {sample}; repair or cut that place.")
    peak = np.abs(x).max(axis=-1, keepdims=True)
    return np.divide(x, peak, out=np.zeros_like(x), where=peak > 0)


def _check(s: np.ndarray, e: np.ndarray, taps: int) -> None:
    if len(e) < len(s):
        raise OtowakeError(f"{len(s)} references but {len(e)} estimates; give at least one estimate a reference.")
    if s.shape[1] != e.shape[1]:
        lengths = f"The references have {s.shape[1]} samples and the estimates {e.shape[1]}"
        raise OtowakeError(f"{lengths}; cut them to the same start and length.")
    if s.shape[1] < taps:
        sentence = f"The signals have {s.shape[1]} samples, fewer than the {taps} taps of BSS eval's filter"
        raise OtowakeError(f"{sentence}; give longer ones or fewer taps.")
    if (silent := np.flatnonzero(~s.any(axis=1))).size:
        raise OtowakeError(f"The reference {silent[0]} is silent, and nothing can resemble silence; leave it out.")
    energy = np.einsum("is,is->i", s, s)
    cosine = np.einsum("is,js->ij", s, s) ** 2 / np.outer(energy, energy)
    if (same := np.argwhere(np.triu(1 - cosine < _SAME, 1))).size:
        i, j = same[0]
        raise OtowakeError(f"The references {i} and {j} are the same signal; give each true source once.")


def _check_mixture(s: np.ndarray, x: np.ndarray) -> None:
    if x.shape != (1, s.shape[1]):
        sentence = f"The mixture has shape {x.shape} and the references have {s.shape[1]} samples"
        raise OtowakeError(f"{sentence}; give one channel of the same length.")
    if not x.any():
        raise OtowakeError("The mixture is silent; give the recording that was separated, or none.")


def _scores(s: np.ndarray, e: np.ndarray, taps: int) -> Scores:
    """Every estimate against every reference, dB, (n, m)."""
    one, all_ = _cosines(s, e, taps)
    sir = np.full_like(one, np.inf) if len(s) == 1 else _db(np.divide(one, all_, where=all_ > 0, out=0 * one))
    sir = np.where(e.any(axis=1), sir, -np.inf)
    return Scores(_db(one), sir, _db(all_), _si_sdr(s, e))


def _cosines(s: np.ndarray, e: np.ndarray, taps: int) -> tuple[np.ndarray, np.ndarray]:
    """c_i and c, both (n, m).  References of little bandwidth make the systems singular: load them."""
    import torch
    from fast_bss_eval.torch import square_cosine_metrics

    for load in _LOADS:
        try:
            pair = square_cosine_metrics(torch.from_numpy(s), torch.from_numpy(e), taps, load_diag=load)
        except torch.linalg.LinAlgError:
            continue
        one, all_ = (np.asarray(c) for c in pair)
        if np.all((one > -_ROUNDING) & (one < all_ + _ROUNDING) & (all_ < 1 + _ROUNDING)):  # false for NaN
            all_ = all_.clip(0, 1)
            return one.clip(0, all_), all_
    raise OtowakeError("The references depend on each other too much to be told apart; check that all differ.")


def _si_sdr(s: np.ndarray, e: np.ndarray) -> np.ndarray:
    gain = np.einsum("is,js->ij", s, e) / np.einsum("is,is->i", s, s)[:, None]
    target = gain**2 * np.einsum("is,is->i", s, s)[:, None]
    rest = np.array([[np.sum((ej - a * si) ** 2) for a, ej in zip(row, e)] for row, si in zip(gain, s)])
    return _ratio_db(target, rest)


def _db(c: np.ndarray) -> np.ndarray:
    """10 log10 of c / (1 - c)."""
    return _ratio_db(c, 1 - c)


def _ratio_db(target: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """10 log10 of target / rest, at most 140; no target is -inf, also when there is no rest."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 10 * (np.log10(target) - np.log10(rest))
    return np.where(target > 0, np.minimum(ratio, _TOP), -np.inf)


def _assigned(score: np.ndarray) -> Int[np.ndarray, "n"]:
    """The column for each row that makes the sum largest."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(score.clip(min=_BOTTOM), maximize=True)[1]


def _gain(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The difference, 0 where both are the same infinity."""
    with np.errstate(invalid="ignore"):
        return np.where(after == before, 0.0, after - before)
