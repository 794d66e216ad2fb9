"""Spectra that were learned from examples of a sound: a value, and a file that holds it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.files import shown
from otowake.core.state import load_tensors, save_tensors
from otowake.signal.stft import Stft
from otowake.version import __version__

SCHEMA = "otowake-bases-1"
DIVERGENCE = "kl"  # of amplitudes: what spectra are learned with, and sounds extracted with


@dataclass(frozen=True, eq=False)
class Bases:
    """Spectra of one kind of sound.

    Attributes:
        B: f k, amplitudes of bins, with the sizes that learning gave them: the units of a spectrogram of mean 1.
        rate: samples a second of what they were learned from.
        stft: the transform whose bins these are.
        examples: their names.
        settings: what they were learned with, JSON-able.
        notes: what a person should know, in sentences; not kept in the file.
        around: f k, of spectra that are frames of the examples: the root of the mean power of the frames around each.
    """

    B: Float[Tensor, "f k"]
    rate: int
    stft: Stft
    examples: tuple[str, ...] = ()
    settings: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    around: Float[Tensor, "f k"] | None = None

    def __post_init__(self) -> None:
        B = self.B
        if B.ndim != 2 or B.shape[0] != self.stft.bins or not 1 <= B.shape[1] <= 10_000:
            raise OtowakeError(
                f"Bases of the shape {tuple(B.shape)} do not fit an STFT of {self.stft.n_fft}, which has "
                f"{self.stft.bins} bins; learn them with it."
            )
        if not B.is_floating_point() or not bool((B >= 0).all() & B.isfinite().all() & (B.sum(0) > 0).all()):
            raise OtowakeError("Bases are finite, 0 or more, and none of them zero everywhere; learn them anew.")
        if self.around is not None and (self.around.shape != B.shape or not bool(self.around.isfinite().all())):
            raise OtowakeError("What is around each spectrum does not fit the spectra; learn them anew.")
        if type(self.rate) is not int or not 1_000 <= self.rate <= 768_000:
            raise OtowakeError(f"Bases at a rate of {self.rate} Hz: it should be a whole number of 1000 to 768000.")

    def report(self) -> dict[str, Any]:
        """All but the numbers themselves, JSON-able."""
        return {
            "bases": self.B.shape[1],
            "rate": self.rate,
            "stft": f"{self.stft.n_fft}/{self.stft.hop}",
            "divergence": DIVERGENCE,
            "examples": list(self.examples),
            "settings": self.settings or {},
        }


def save_bases(path: str | Path, bases: Bases) -> None:
    """Write the bases as one safetensors file, whole or not at all."""
    meta = {
        "schema": SCHEMA,
        "n_fft": bases.stft.n_fft,
        "hop": bases.stft.hop,
        **bases.report(),
        "otowake": __version__,
    }
    named = {"B": bases.B} if bases.around is None else {"B": bases.B, "around": bases.around}
    save_tensors(path, {name: x.to(torch.float64) for name, x in named.items()}, meta)


def load_bases(path: str | Path) -> Bases:
    """Read a file of `save_bases`.

    Raises:
        OtowakeError: it is missing, not such a file, or damaged.
    """
    meta, named = load_tensors(path, SCHEMA, "a file of bases")
    try:
        stft = Stft(_whole(meta, "n_fft"), _whole(meta, "hop"))
        examples = tuple(str(name) for name in meta["examples"])
        if meta["divergence"] != DIVERGENCE:
            raise OtowakeError(f"it was learned with the divergence {meta['divergence']!r}, not {DIVERGENCE}.")
        settings = dict(meta["settings"])
        return Bases(named["B"], _whole(meta, "rate"), stft, examples, settings, around=named.get("around"))
    except (KeyError, TypeError, ValueError, OtowakeError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise OtowakeError(f"{shown(path)} is damaged ({why.rstrip('.')}); learn it anew.") from None


def _whole(meta: dict[str, Any], name: str) -> int:
    if type(meta[name]) is not int:
        raise TypeError(f"{name} is {meta[name]!r}")
    return meta[name]
