"""Strings to parts and back: the one schema that the command line and files share.

Nowhere else does a string choose a part.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_type_hints

from otowake.core.errors import OtowakeError
from otowake.core.method import Divergence
from otowake.core.wrap import Groups
from otowake.divergence.alphabeta import AlphaBeta, DualIs, Hellinger
from otowake.divergence.beta import Beta
from otowake.divergence.bregman import DualKl
from otowake.divergence.density import GGD, Cauchy, Density, Gauss, Laplace, StudentT
from otowake.divergence.heavy import HeavyT, students_t
from otowake.divergence.sum import Sum
from otowake.mixture import WEIGHTS, Weights
from otowake.opening import OPENINGS, Opening
from otowake.proximal import Admm, Pds, Splitting
from otowake.recipes import RECIPES, Recipe
from otowake.signal.filters import OUTPUTS, Output
from otowake.signal.stft import Stft
from otowake.source.mask import DRAWN
from otowake.source.shrink import Shrink, Shrinks, Weighted
from otowake.source.start import STARTS, Start, Values
from otowake.source.step import RULES, Rule
from otowake.spatial.demix import DEMIXES, Demix

GIVEN = ("sources", "stft")
"""Parameters of recipes that follow from the recording and from options of their own."""


class Parameter(NamedTuple):
    """A setting of a recipe, in words."""

    name: str
    type_text: str
    default_text: str
    meaning: str


def recipe(name: str) -> Recipe:
    """The recipe of that name, or one sentence that names all of them."""
    if name not in RECIPES:
        raise OtowakeError(f"There is no method {name!r}; there are: {', '.join(RECIPES)}.")
    return RECIPES[name]


def describe(chosen: Recipe) -> list[Parameter]:
    """The settings of a recipe with their defaults and meanings, from its signature and docstring."""
    meanings = _meanings(chosen.build)
    return [
        Parameter(name, _KINDS[_kind(chosen, name)].words, show(p.default), meanings.get(name, ""))
        for name, p in inspect.signature(chosen.build).parameters.items()
        if name not in GIVEN
    ]


def parse_settings(chosen: Recipe, settings: Mapping[str, str]) -> dict[str, Any]:
    """Typed values from `--set key=value` strings.

    Raises:
        OtowakeError: an unknown key or a value that does not fit; the sentence names what is allowed.
    """
    allowed = [p.name for p in describe(chosen)]
    values = {}
    for key, text in settings.items():
        if key not in allowed:
            raise OtowakeError(f"{chosen.name} has no setting {key!r}; it has: {', '.join(allowed) or 'none'}.")
        kind = _KINDS[_kind(chosen, key)]
        try:
            values[key] = kind.read(text)
        except (ValueError, KeyError, TypeError):
            raise OtowakeError(f"{key}={text}: {chosen.name} takes {kind.words} there.") from None
    return values


def show(value: Any) -> str:
    """A part or number as the string that `parse_settings` reads."""
    if isinstance(value, Sum):
        return "+".join(map(show, value.parts))
    if isinstance(value, tuple):
        numbers = all(isinstance(one, int) for one in value)
        return ",".join(str(one + 1) for one in value) or "auto" if numbers else "+".join(map(show, value))
    if isinstance(value, Values):
        return "values"
    for name, part in {**DEMIXES, **RULES, **STARTS, **OPENINGS, **WEIGHTS, **OUTPUTS, **_PLAIN}.items():
        if part is value or (part == value and name in _PLAIN):
            return name
    if isinstance(value, StudentT | HeavyT):
        return "cauchy" if value.nu == 1 else f"t:{value.nu:g}"
    if isinstance(value, GGD):
        return f"ggd:{value.shape:g}"
    if isinstance(value, Beta):
        return f"beta:{value.b:g}"
    if isinstance(value, AlphaBeta):
        return f"ab:{value.a:g},{value.b:g}"
    if isinstance(value, Gauss | Laplace):
        return type(value).__name__.lower()
    if isinstance(value, Stft):
        return f"{value.n_fft}/{value.hop}"
    if isinstance(value, Pds):
        return _numbered("pds", value.relax, Pds().relax)
    if isinstance(value, Admm):
        return _numbered("admm", value.rho, Admm().rho)
    for name, part in DRAWN.items():
        if type(part) is type(value):
            return _numbered(name, value.weight, Weighted().weight) if isinstance(value, Weighted) else name
    return f"{value:g}" if isinstance(value, float) else str(value)


def parse_stft(text: str) -> Stft:
    """'2048/512' as a transform."""
    match = re.fullmatch(r"\s*(\d{1,7})\s*/\s*(\d{1,7})\s*", text)
    if not match:
        raise OtowakeError(f"STFT {text!r} was not understood: write frame/hop in samples, such as 4096/1024.")
    return Stft(int(match[1]), int(match[2]))


def _density(text: str) -> Density:
    name, _, number = text.strip().lower().partition(":")
    if name in ("t", "ggd"):
        return StudentT(float(number or 30)) if name == "t" else GGD(float(number or 1))
    if number:
        raise ValueError(text)
    return {"gauss": Gauss, "laplace": Laplace, "cauchy": Cauchy}[name]()


_PLAIN: dict[str, Divergence] = {
    "is": Beta(0.0),
    "kl": Beta(1.0),
    "euclid": Beta(2.0),
    "frobenius": Beta(2.0),
    "hellinger": Hellinger(),
    "dual-kl": DualKl(),
    "dual-is": DualIs(),
}
"""Divergences without a number; of two names for one, the first is the usual one."""


def _divergence(text: str) -> Divergence:
    text = text.strip().lower()
    name, _, numbers = text.partition(":")
    if "+" in text:
        return Sum(tuple(map(_divergence, text.split("+"))))
    if text in _PLAIN:
        return _PLAIN[text]
    if name == "beta":
        return Beta(float(numbers))
    if name == "ab":
        a, b = numbers.split(",")
        return AlphaBeta(float(a), float(b))
    density = _density(text)
    return students_t(density.nu) if isinstance(density, StudentT) else density


def _groups(text: str) -> Groups:
    return () if text.strip().lower() == "auto" else tuple(int(number) - 1 for number in text.split(","))


def _numbered(name: str, number: float, usual: float) -> str:
    return name if number == usual else f"{name}:{number:g}"


def _shrinks(text: str) -> Shrinks:
    return tuple(map(_shrink, text.strip().lower().split("+")))


def _shrink(text: str) -> Shrink:
    name, _, weight = text.partition(":")
    part = DRAWN[name]
    return type(part)(weight=float(weight)) if weight else part  # type: ignore[call-arg]


def _splitting(text: str) -> Splitting:
    name, _, number = text.strip().lower().partition(":")
    if name == "pds":
        return Pds(float(number or Pds().relax))
    return {"admm": Admm}[name](float(number or Admm().rho))


def _whole(text: str) -> int:
    return int(text.strip())


class _Kind(NamedTuple):
    words: str
    read: Callable[[str], Any]


def _among(parts: Mapping[str, Any]) -> _Kind:
    """One of a registry, by name."""
    return _Kind((" or " if len(parts) == 2 else ", ").join(parts), lambda text: parts[text.strip().lower()])


_KINDS: dict[Any, _Kind] = {
    int: _Kind("a whole number", _whole),
    float: _Kind("a number", float),
    Density: _Kind("gauss, laplace, cauchy, t:NU or ggd:SHAPE", _density),
    Divergence: _Kind(
        "is, kl, euclid, beta:B, ab:A,B, hellinger, dual-kl, dual-is, gauss, laplace, cauchy, t:NU or ggd:SHAPE, or a "
        "sum such as is+kl",
        _divergence,
    ),
    Rule: _among(RULES),
    Start: _among(STARTS),
    Shrinks: _Kind(f"{', '.join(DRAWN)}, or a sum such as group+low-rank", _shrinks),
    Groups: _Kind("auto, or a number from 1 for each output, such as 1,2,1,2", _groups),
    Splitting: _Kind("pds, pds:RELAX, admm or admm:RHO", _splitting),
    Opening: _among(OPENINGS),
    Demix: _among(DEMIXES),
    Weights: _among(WEIGHTS),
    Output: _among(OUTPUTS),
}


def _kind(chosen: Recipe, name: str) -> Any:
    return get_type_hints(chosen.build)[name]


def _meanings(build: Callable[..., Any]) -> dict[str, str]:
    """The lines under Args: of a docstring."""
    doc = inspect.getdoc(build) or ""
    _, _, args = doc.partition("Args:")
    found = re.findall(r"^\s+(\w+): (.+(?:\n\s{8,}.+)*)", args, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
