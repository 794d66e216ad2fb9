"""From samples to a mixture that methods can work on, and back.

Takes care of what a method should not have to: odd arrays, silence, dead and duplicated channels, too many channels
for the sources asked for, and the scale.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.types import Images, Mixture
from otowake.linalg.safe import DEAD, UNHEARD, mean_eigenvalue
from otowake.recipes.recipe import Takes
from otowake.signal.stft import Stft, bins_first
from otowake.spatial.rank import active_bins, covariance, ranks
from otowake.tasks.limits import free_of_microphones

MAX_CHANNELS = 64
_OFFSET_BINS = 2  # a constant offset of all channels fills these two, with one dimension


@dataclass(frozen=True)
class Prepared:
    """A mixture of unit mean power with its reference microphone first, and the way back.

    Attributes:
        X: *b m' f t, m' <= m channels.
        scale: *b 1 1 1, what X was divided by.
        restore: None, or *b f m m': the channels of the recording from those of X.
        rank: dimensions of the recording; channels: its microphones.
        diagnostics: what was found, JSON-able.  notes: the same in sentences.
    """

    X: Complex[Tensor, "*b mr f t"]
    scale: Float[Tensor, "*b 1 1 1"]
    restore: Complex[Tensor, "*b f m mr"] | None
    rank: int
    channels: int
    diagnostics: dict[str, object]
    notes: tuple[str, ...]

    def back(self, images: Images) -> Images:
        """Images at the channels of X to images at the microphones of the recording, at its scale."""
        if self.restore is not None:
            images = torch.einsum("...fmk,...nkft->...nmft", self.restore.to(images.dtype), images)
        return images * self.scale.unsqueeze(-4)


def check_samples(x: Tensor) -> None:
    """x: *b channels samples, as it should be; else one sentence."""
    if x.ndim < 2:
        raise OtowakeError(
            f"The samples have the shape {tuple(x.shape)}; give (channels, samples), with batch axes in front if any."
        )
    if not x.numel():
        raise OtowakeError(f"The samples have the shape {tuple(x.shape)}, which holds none; give (channels, samples).")
    if not x.is_floating_point():
        raise OtowakeError(f"The samples are {x.dtype}; give floating point, for 16-bit integers x / 32768.")
    channels, samples = x.shape[-2:]
    if channels > MAX_CHANNELS:
        hint = "; is the array transposed? It should be (channels, samples)" if channels > samples else ""
        raise OtowakeError(f"{channels} channels are more than the {MAX_CHANNELS} that are taken{hint}.")
    if not bool(torch.stack(x.aminmax()).isfinite().all()):  # no copy of a long recording
        at = [int(i) for i in (~x.isfinite()).nonzero()[0]]
        raise OtowakeError(
            f"The samples are not finite at channel {at[-2] + 1}, sample {at[-1]}; please repair the recording there."
        )
    if bool((x == 0).all(-1).all(-1).any()):
        raise OtowakeError("The recording is silent: every sample is 0, so there is nothing to separate.")


def check_length(x: Tensor, stft: Stft) -> None:
    """At least one frame; else one sentence."""
    if x.shape[-1] < stft.n_fft:
        raise OtowakeError(
            f"{x.shape[-1]} samples are less than one STFT frame of {stft.n_fft}; try a longer recording or a shorter "
            "frame, such as --stft 512/128."
        )


def spectrogram(x: Float[Tensor, "*b m samples"], stft: Stft) -> tuple[Mixture, Float[Tensor, "*b 1 1 1"]]:
    """The spectrogram at unit mean power, and the scale that was taken out.  A gain of 1e-200 is survived.

    In memory frequency comes before microphones (`bins_first`); one channel after the other, as each takes some copies.
    """
    *batch, m, samples = x.shape
    peak = torch.stack(x.aminmax(dim=-1)).abs().amax((0, -1))[..., None, None]
    X = x.new_empty((*batch, stft.bins, m, stft.frames(samples)), dtype=x.dtype.to_complex())
    for i in range(m):
        X[..., i, :] = stft.forward(x[..., i, :] / peak[..., 0])
    norm = torch.linalg.vector_norm(X, dim=(-3, -2, -1), keepdim=True)
    scale = norm / (stft.bins * m * X.shape[-1]) ** 0.5
    return X.div_(scale).movedim(-2, -3), scale * peak.unsqueeze(-1)


def prepared(x: Float[Tensor, "*b m samples"], stft: Stft, sources: int | None, takes: Takes) -> Prepared:
    """Bring a checked recording to as many channels as can be told apart, or as `sources` for square methods."""
    X, scale = spectrogram(x, stft)
    C = covariance(X)
    channels = X.shape[-3]
    rank, diagnostics, notes = _dimensions(C, x)
    if sources is not None and sources > rank and channels > 1 and takes != "any":
        raise OtowakeError(_too_many(sources, channels, rank, x))
    if channels > 1 and rank == 1:
        raise OtowakeError(_too_many(2, channels, rank, x))
    wanted = min(rank, sources) if takes == "square" and sources is not None else rank
    if wanted == channels:
        return Prepared(X, scale, None, rank, channels, diagnostics, notes)
    down, up = _subspace(C, wanted)
    if rank < channels:
        notes = (*notes, _rank_note(channels, rank, x))
    if wanted < rank:
        notes = (
            *notes,
            f"The {channels} channels were reduced to their {wanted} strongest dimensions a bin (PCA).",
        )
    diagnostics = {**diagnostics, "reduced_to": wanted}
    reduced = bins_first(torch.einsum("...fkm,...mft->...kft", down, X))
    return Prepared(reduced, scale, up, rank, channels, diagnostics, notes)


def _dimensions(C: Tensor, x: Tensor) -> tuple[int, dict[str, object], tuple[str, ...]]:
    """The rank that most of the power has, and which bins fall short of it."""
    rank_of_bin = ranks(C)
    power = torch.where(active_bins(C), mean_eigenvalue(C), 0.0)
    voting = _items(power[..., _OFFSET_BINS:]), _items(rank_of_bin[..., _OFFSET_BINS:])
    per_item = [_weighted_median(r, p) for p, r in zip(*voting, strict=True)]
    if len(set(per_item)) > 1:
        raise OtowakeError(f"The recordings of the batch have different ranks ({per_item}); separate them one by one.")
    rank = per_item[0]
    inactive = ~active_bins(C)
    deficient = ~inactive & (rank_of_bin < rank)
    share = float((power * deficient).sum() / power.sum())
    clipped = _clipped(x)
    diagnostics: dict[str, object] = {
        "channels": x.shape[-2],
        "rank": rank,
        "bins": C.shape[-3],
        "inactive_bins": _listed(inactive),
        "deficient_bins": _listed(deficient),
        "deficient_power": share,
        "clipped_samples": clipped,
    }
    notes = []
    if bool(deficient.any()):
        notes.append(
            f"{int(deficient.sum())} of {C.shape[-3]} bins ({100 * share:.2g} % of the power) hold fewer independent "
            "signals than the rest; they are shared out equally among the sources."
        )
    if clipped:
        notes.append(f"{clipped} samples stand at full scale: the recording is clipped, which limits separation.")
    return rank, diagnostics, tuple(notes)


def _clipped(x: Tensor) -> int:
    """Samples in runs of three or more at the very peak of their channel: what clipping looks like."""
    peak = x.abs().amax(-1, keepdim=True)
    at = (x.abs() >= peak) & (peak > 0)
    if x.shape[-1] < 3:
        return 0
    run = at[..., :-2] & at[..., 1:-1] & at[..., 2:]
    return int(at.sum()) if int(run.sum()) > 2 else 0


def _listed(bins: Tensor) -> list[int]:
    """Indices of bins that hold for any item of a batch."""
    return [int(i) for i in bins.reshape(-1, bins.shape[-1]).any(0).nonzero()[:, 0]]


def _weighted_median(values: Tensor, weights: Tensor) -> int:
    order = values.argsort()
    mass = weights[order].cumsum(0)
    return int(values[order][int((mass < mass[-1] / 2).sum())])


def _subspace(C: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """(down, up): *b f k m and *b f m k with up down = projection on the k strongest directions of each bin.

    The first reduced channel is what the reference microphone hears of that subspace, so that phases stay those of a
    signal from bin to bin.
    """
    E = torch.linalg.eigh(C).eigenvectors[..., -k:]
    u = E[..., 0, :].conj().unsqueeze(-1)  # E^H e_ref
    size = u.norm(dim=-2, keepdim=True)
    eye = torch.eye(k, dtype=C.dtype, device=C.device).expand(*C.shape[:-2], -1, -1)
    heard = size > UNHEARD
    Q = torch.linalg.qr(torch.cat([torch.where(heard, u, eye[..., :1]), eye], -1)).Q[..., :k]
    phase = (Q[..., :, :1].mH @ torch.where(heard, u / size, eye[..., :1]))[..., 0, 0]
    gains = torch.ones(k, dtype=C.dtype, device=C.device).expand(*phase.shape, k).clone()
    gains[..., 0] = phase * torch.where(heard, size, 1.0)[..., 0, 0]
    up = E @ Q / gains.conj().unsqueeze(-2)
    down = (E @ Q).mH * gains.unsqueeze(-1)
    return down, up


def _silent_channels(x: Tensor) -> list[int]:
    """Numbers, from 1, of channels that are constant."""
    level = (x - x.mean(-1, keepdim=True)).abs().amax(-1)
    dead = (level <= DEAD * level.amax(-1, keepdim=True)).reshape(-1, x.shape[-2]).any(0)
    return [int(i) + 1 for i in dead.nonzero()[:, 0]]


def _rank_note(channels: int, rank: int, x: Tensor) -> str:
    dead = _silent_channels(x)
    why = f"channel {', '.join(map(str, dead))} is silent" if dead else "some are copies or sums of others"
    return f"The {channels} channels hold {rank} independent signals ({why}): it was taken as {rank} channels."


def _too_many(sources: int, channels: int, rank: int, x: Tensor) -> str:
    dead = _silent_channels(x)
    if rank == channels:
        return (
            f"{sources} sources cannot be told apart by a demixing method with {channels} microphones; "
            f"ask for {channels} or fewer, or take --method {free_of_microphones()}."
        )
    why = f"channel {', '.join(map(str, dead))} is silent" if dead else "the others are copies or sums of these"
    more = "as good as a mono recording, which takes --method nmf on one channel" if rank == 1 else f"ask for {rank}"
    return f"The {channels} channels hold only {rank} independent signal{'s' * (rank > 1)} ({why}): {more}."


def _items(x: Tensor) -> Tensor:
    """*b f as items f."""
    return x.reshape(-1, x.shape[-1])
