"""A recording taken apart without knowing what is in it: components that repeat, or groups of them.

result = parts(x, rate, 20)           x: (channels, samples)
result.sounds.sum(0)                  is x

Model    v_ft ~ sum_k b_fk h_kt of |x|^power, |x|² being the mean of the channels' powers
Sounds   each component's, or each group's, share of the model as a mask: sounds.py

Source   Smaragdis & Brown 2003; Virtanen 2007; the choices: docs/decisions/0011-parts.md
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator
from otowake.divergence.beta import Beta
from otowake.signal.stft import Stft
from otowake.source.nmf import Nmf, NmfState
from otowake.source.plsa import shares
from otowake.spatial.observed import Observed
from otowake.spec import show
from otowake.tasks.choice import default_stft
from otowake.tasks.door import Result, Run, Watch, as_stft, check_request, like, tensor, watched
from otowake.tasks.grouping import by_shape, by_timbre
from otowake.tasks.prepare import check_length, check_samples
from otowake.tasks.sounds import FRAMES, Sounds, blocks, compact, joined

Group = int | Literal["harmonic-percussive"] | None
HARMONIC_PERCUSSIVE = "harmonic-percussive"
COSTS = {"kl": (1.0, 1.0), "euclid": (2.0, 1.0), "is": (0.0, 2.0)}
"""Name: (b of the beta divergence, power of |x| that is explained)."""
COMPONENTS = 20
ITERATIONS = 200
FRAME = 0.093  # seconds: 4096 samples at 44.1 kHz
OVERLAP = 2  # the hop is a half of the frame


class Component(NamedTuple):
    """One pattern: whose it is, its share of the recording's energy, when it sounds first, its loudest frequency."""

    sound: int  # from 1
    share: float
    onset: float | None  # seconds, of the first frame above a tenth of its loudest; None if it is silent
    peak: float | None  # hertz


@dataclass(frozen=True, kw_only=True)
class Parts(Result):
    """What came out, the loudest first.

    Attributes:
        sounds: n channels samples, of the kind and dtype that came in; they add up to the recording.  Made at the first
            look.
        each: the same, one at a time, made anew at each look: twenty of a long recording would fill the memory.
        names: of the sounds: part01, part02, ...; or harmonic, percussive.
        components: of each component, what is known of it; its number is its place, from 1.
        rate: samples a second.
        method, why: what was explained how, and how components were grouped.
        settings: every parameter in effect, JSON-able.
        costs: before the first and after each iteration, in nats.
        converged: whether the last tenth of the iterations brought less than 1 % of the descent.
        iterations, seconds: how many and how long.
        diagnostics: the components, JSON-able.
        notes: what a person should know, in sentences.
        spectra: f k, each adding up to 1;  activations: k t;  their product explains |x|^power.
        stft: whose bins and frames these are.
    """

    each: Sounds = field(repr=False)
    names: list[str]
    components: list[Component]
    spectra: Any = field(repr=False)
    activations: Any = field(repr=False)
    stft: Stft = field(repr=False)

    @cached_property
    def sounds(self) -> Any:
        return self.each.all()

    def draw(self, path: str | PathLike[str]) -> None:
        """Spectra and activations as a PNG file, groups in colours."""
        from otowake.tasks.drawing.factors import factors
        from otowake.tasks.drawing.figure import titled

        grouped = self.settings["group"] is not None
        titles = [titled(name) for name in self.names]
        factors(
            path, torch.as_tensor(self.spectra).numpy(), torch.as_tensor(self.activations).numpy(), self.stft,
            self.each.shape[-1], self.rate, groups=[c.sound - 1 for c in self.components] if grouped else (),
            names=titles if grouped else (),
        )  # fmt: skip


def parts(
    x: Any,
    rate: int,
    components: int = COMPONENTS,
    *,
    group: Group = None,
    divergence: Literal["kl", "is", "euclid"] = "kl",
    iterations: int = ITERATIONS,
    seed: int = 0,
    stft: str | Stft | None = None,
    watch: Watch | None = None,
) -> Parts:
    """Take a recording apart into components, or into groups of them.

    Args:
        x: (channels, samples) floating point, NumPy or torch.  Never modified.
        rate: samples a second.
        components: how many; about as many as there are notes, chords or kinds of hits.
        group: None: each component is a sound; a number: they are put together by timbre into so many sounds;
            "harmonic-percussive": into what is held and what is struck.
        divergence: "kl" of amplitudes; "euclid" of amplitudes, for the loudest; "is" of powers, for the faintest, too.
        iterations: how many.
        seed: of the random start; the same seed gives the same sounds.
        stft: "frame/hop" in samples; by default about 93 ms, and a hop of half of it.
        watch: called after each iteration; an exception that it raises stops the work and is passed on.

    Raises:
        OtowakeError: one sentence: what came, where, what to try.
    """
    began = time.perf_counter()
    samples = tensor(x)
    check_samples(samples)
    check_request(rate, iterations)
    frames = as_stft(stft) or default_stft(rate, FRAME, samples.shape[-1], OVERLAP)
    _check_wishes(samples, components, group, divergence, frames)
    check_length(samples, frames)
    samples = compact(samples)  # kept for the sounds, whatever becomes of x
    peak = torch.stack(samples.aminmax()).abs().amax().double()
    a = _amplitudes(_powers(samples, peak, frames), (frames.bins, frames.frames(samples.shape[-1])))
    run = _explained(a, components, divergence, iterations, seed, watch)
    z, energy = _loudest_first(_powers(samples, peak, frames), run.state.z)
    of = _grouped(z, COSTS[divergence][1], group, frames, rate)
    of = _numbered(of, energy) if group != HARMONIC_PERCUSSIVE else of
    names = _names(group, max(of) + 1)
    found = _described(z, energy, of, frames, rate)
    p = shares(z)
    return Parts(
        each=Sounds(samples, peak, frames, z, tuple(of), len(names), like(torch.empty(0), x)),
        names=names,
        components=found,
        rate=rate,
        method=f"NMF ({divergence})",
        why=_why(components, group),
        settings={
            "components": components,
            "group": group,
            "divergence": divergence,
            "iterations": iterations,
            "seed": seed,
            "stft": show(frames),
        },
        diagnostics={"components": [one._asdict() for one in found]},
        notes=[*_empty(found, names), *run.notes()],
        spectra=like(p.f[0], x),
        activations=like(z.H[0] * z.B[0].sum(0).unsqueeze(-1), x),
        stft=frames,
        **run.told(began, iterations),
    )


def _check_wishes(x: Tensor, components: int, group: Group, divergence: str, stft: Stft) -> None:
    if x.ndim != 2:
        raise OtowakeError(f"The samples have the shape {tuple(x.shape)}; give (channels, samples).")
    if divergence not in COSTS:
        raise OtowakeError(f"There is no divergence {divergence!r} here: use {', '.join(COSTS)}.")
    most = min(stft.frames(x.shape[-1]), stft.bins)
    if not 1 <= components <= most:
        raise OtowakeError(
            f"{components} components cannot be found in {stft.frames(x.shape[-1])} frames of {stft.bins} bins; ask "
            f"for 1 to {most}, or give an STFT with a smaller hop than {show(stft)}."
        )
    if isinstance(group, str) and group != HARMONIC_PERCUSSIVE:
        raise OtowakeError(f"The group {group!r} was not understood: give a number, or {HARMONIC_PERCUSSIVE}.")
    if isinstance(group, int) and not 1 <= group <= components:
        raise OtowakeError(f"{components} components cannot be put into {group} groups; ask for 1 to {components}.")
    if group == HARMONIC_PERCUSSIVE and components < 2:
        raise OtowakeError("One component cannot be both harmonic and percussive; ask for 2 or more, 40 are usual.")


def _powers(samples: Tensor, peak: Tensor, stft: Stft) -> Iterator[Float[Tensor, "f _"]]:
    return (X.abs().square().mean(0) for X in blocks(samples, peak, stft))


def _amplitudes(powers: Iterable[Float[Tensor, "f _"]], shape: tuple[int, int]) -> Float[Tensor, "f t"]:
    """Of mean power 1."""
    v = joined(powers, shape)
    return v.sqrt().div_(v.mean().sqrt()).to(torch.float32)


def _explained(
    a: Float[Tensor, "f t"], components: int, divergence: str, iterations: int, seed: int, watch: Watch | None
) -> Run:
    b, power = COSTS[divergence]
    method = Separator(Nmf(components, norm=1), Observed(Beta(b), power_of_v=power))
    return watched(method, a.unsqueeze(0), seed, iterations, watch, "taking apart")


def _loudest_first(powers: Iterable[Float[Tensor, "f _"]], z: NmfState) -> tuple[NmfState, Float[Tensor, " k"]]:
    """The state in double precision, and each component's share of the energy: sum_ft v b h / r."""
    B, H, e = (part.double() for part in z)
    energy, whole = torch.zeros(B.shape[-1], dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for v, h in zip(powers, H[0].split(FRAMES, -1), strict=True):
        energy += ((v / (B[0] @ h + e[0])) @ h.mT * B[0]).sum(0)
        whole += v.sum()
    order = energy.argsort(descending=True, stable=True)
    return NmfState(B[..., order], H[..., order, :], e), energy[order] / whole


def _grouped(z: NmfState, power: float, group: Group, stft: Stft, rate: int) -> list[int]:
    """The group of each component, from 0, by its amplitudes whatever was explained."""
    if group is None:
        return list(range(z.B.shape[-1]))
    z = z._replace(B=z.B ** (1 / power), H=z.H ** (1 / power))
    if group == HARMONIC_PERCUSSIVE:
        return by_shape(z, stft, rate)
    return by_timbre(z.B[0], int(group), stft, rate)


def _numbered(of: Sequence[int], energy: Tensor) -> list[int]:
    """The same groups, the loudest first."""
    loud = torch.zeros(max(of) + 1, dtype=energy.dtype).index_add_(0, torch.tensor(of), energy)
    return loud.argsort(descending=True, stable=True).argsort()[torch.tensor(of)].tolist()


def _described(z: NmfState, energy: Tensor, of: Sequence[int], stft: Stft, rate: int) -> list[Component]:
    B, H = z.B[0], z.H[0]
    found = []
    for k, sound in enumerate(of):
        if not bool(energy[k] > 0):
            found.append(Component(sound + 1, 0.0, None, None))
            continue
        first = int((H[k] > H[k].max() / 10).nonzero()[0, 0])
        onset = max(0.0, ((first + 1) * stft.hop - stft.n_fft / 2) / rate)
        found.append(Component(sound + 1, float(energy[k]), onset, float(B[:, k].argmax()) * rate / stft.n_fft))
    return found


def _names(group: Group, sounds: int) -> list[str]:
    if group == HARMONIC_PERCUSSIVE:
        return ["harmonic", "percussive"]
    return [f"part{n:0{max(2, len(str(sounds)))}d}" for n in range(1, sounds + 1)]


def _why(components: int, group: Group) -> str:
    many = f"{components} component{'s' if components > 1 else ''}"
    if group is None:
        return f"{many}, each a sound of its own"
    if group == HARMONIC_PERCUSSIVE:
        return f"{many}, put together by shape: held or struck"
    return f"{many}, put together by timbre into {group}"


def _empty(found: Sequence[Component], names: Sequence[str]) -> Iterator[str]:
    silent = sum(one.share == 0 for one in found)
    if silent:
        yield f"{silent} of the {len(found)} components stayed silent; fewer would do."
    for number, name in enumerate(names, start=1):
        if all(one.sound != number for one in found):
            yield f"No component was {name}, so that sound is silent."
