"""The problems and the methods that the laws are tried with.

Everything is made from the registries: a density, update of W, divergence, source model or recipe that is listed there
is in every list of this file.
"""

import inspect
from typing import Any, NamedTuple, get_type_hints

import torch

from otowake import opening
from otowake.core.errors import OtowakeError
from otowake.core.method import Divergence, Method
from otowake.core.separator import Separator
from otowake.core.wrap import Warm
from otowake.divergence import DIVERGENCES
from otowake.divergence.density import DENSITIES, Density, Pooled
from otowake.mixture import WEIGHTS, Weights
from otowake.opening import OPENINGS, Opening
from otowake.proximal import Admm, Pds, Splitting
from otowake.recipes import RECIPES
from otowake.signal.filters import OUTPUTS, Output
from otowake.signal.stft import Stft
from otowake.source import SOURCES
from otowake.source.mask import DRAWN
from otowake.source.shrink import Group, LowRank, Shrinks
from otowake.source.start import STARTS, Start
from otowake.source.step import RULES, Rule
from otowake.spatial.demix import DEMIXES, GIP, Demix
from otowake.spatial.determined import Determined

STFT = Stft(16, 4)
"""Nine bins: the transform that `Consistent` is told of."""

EVERY_DEMIX: dict[str, Demix] = {**DEMIXES, "gip": GIP(4.0)}

ALL_DENSITIES: dict[str, Density] = {
    **DENSITIES,
    **{f"pooled-{name}": Pooled(d) for name, d in DENSITIES.items() if d.degree == 2},
}
"""Every density, and pooled over frequency where it can be."""


class Case(NamedTuple):
    """A method with the number of microphones that it is tried with."""

    method: Method
    mics: int


# ---- problems ---------------------------------------------------------------------------------------------------


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(g: torch.Generator, *shape: int) -> torch.Tensor:
    """Complex, unit variance, double precision."""
    return torch.randn(*shape, dtype=torch.complex128, generator=g)


def powers(g: torch.Generator, sources: int, bins: int, frames: int, components: int = 2) -> torch.Tensor:
    """n f t: random spectra that come and go smoothly, of rank `components`."""
    spectra = torch.rand(sources, bins, components, dtype=torch.float64, generator=g) ** 2 + 0.01
    noise = torch.randn(sources, components, frames + 8, dtype=torch.float64, generator=g)
    smooth = noise.unfold(-1, 9, 1).mean(-1) * 3
    return spectra @ torch.exp(1.5 * smooth)


def mixing(g: torch.Generator, bins: int, mics: int, sources: int) -> torch.Tensor:
    """f m n: random matrices whose condition number is 3; for more sources than microphones, rows of such."""
    rows = max(mics, sources) if mics > 1 else 1
    U = torch.linalg.qr(normal(g, bins, rows, sources)).Q[:, :mics]
    V = torch.linalg.qr(normal(g, bins, sources, sources)).Q
    return (U * torch.linspace(1, 3, sources, dtype=torch.float64)) @ V


def mixture(seed: int, mics: int = 3, bins: int = 9, frames: int = 60, sources: int | None = None) -> torch.Tensor:
    """m f t of unit mean power: Gaussian noise in smooth random powers, mixed bin by bin, and a little sensor noise."""
    g, n = generator(seed), mics if sources is None else sources
    S = normal(g, n, bins, frames) * powers(g, n, bins, frames).sqrt()
    X = torch.einsum("fmn,nft->mft", mixing(g, bins, mics, n), S)
    X = X + 0.01 * X.abs().square().mean().sqrt() * normal(g, mics, bins, frames)
    return X / X.abs().square().mean().sqrt()


def problem(case: Case, seed: int, **sizes: int) -> torch.Tensor:
    """A mixture for a case: of two sources in one channel, of three in two, else of as many as microphones."""
    return mixture(seed, case.mics, **{"sources": {1: 2, 2: 3}.get(case.mics, case.mics), **sizes})


# ---- methods ----------------------------------------------------------------------------------------------------

_BY_TYPE: dict[Any, dict[str, Any]] = {
    Density: dict(DENSITIES),
    Demix: dict(DEMIXES),
    Divergence: {**DIVERGENCES, **DENSITIES},
    Rule: dict(RULES),
    Start: dict(STARTS),
    Shrinks: {**{name: (part,) for name, part in DRAWN.items()}, "group+low-rank": (Group(), LowRank())},
    Splitting: {"pds:0.7": Pds(0.7), "admm": Admm(), "admm:2": Admm(2.0)},
    Opening: dict(OPENINGS),
    Weights: dict(WEIGHTS),
    Output: dict(OUTPUTS),
}
_BY_NAME: dict[str, dict[str, Any]] = {
    "power": {"1": 1.0},
    "bases": {"3": 3},
    "domain": {"1": 1.0, "0.5": 0.5},
    "shared": {"5": 5},
    "sparsity": {"0": 0.0, "0.1": 0.1, "30": 30.0},
    "relevance": {"0.1": 0.1},
    "shape": {"0.3": 0.3, "1": 1.0, "2": 2.0},
    "alpha": {"0": 0.0, "2.5": 2.5},
    "target": {"3": 3},
    "spread": {"0": 0.0, "0.3": 0.3},
    "prior": {"0": 0.0, "20": 20.0},
}
_ALWAYS: dict[str, Any] = {"sources": 2, "stft": STFT, "warm": 5, "align": 4}
_MICS = {"one": 1, "square": 3, "more": 4, "any": 3}
_FEW = 3
"""Steps of openings: the laws do not need good ones."""


def _recipes() -> dict[str, Case]:
    """Every recipe with its defaults, and with one setting changed at a time."""
    found = {}
    for recipe in RECIPES.values():
        parameters, hints = inspect.signature(recipe.build).parameters, get_type_hints(recipe.build)
        given = {
            name: value for name, value in _ALWAYS.items() if name in parameters and hints[name] not in (Start, Opening)
        }
        found[recipe.name] = Case(recipe.build(**given), _MICS[recipe.takes])
        if recipe.takes == "any" and "sources" in given:
            found[f"{recipe.name}-sources=3"] = Case(recipe.build(**{**given, "sources": 3}), 2)
        for name in parameters:
            for label, value in {**_BY_TYPE.get(hints[name], {}), **_BY_NAME.get(name, {})}.items():
                try:
                    method = recipe.build(**{**given, name: value})
                except OtowakeError:
                    continue  # test_pairings holds that what is refused here should be
                found[f"{recipe.name}-{name}={label}"] = Case(method, _MICS[recipe.takes])
    return found


def fitting(density: Density) -> dict[str, Demix]:
    """The updates of W that a density can have."""
    return {"gip": GIP(density.degree)} if density.degree > 2 else dict(DEMIXES)


def _pairings() -> dict[str, Case]:
    """Every source model with every density with every update of W."""
    return {
        f"{source}-{density}-{demix}": Case(Separator(SOURCES[source], Determined(update, ALL_DENSITIES[density])), 3)
        for source in SOURCES
        for density in ALL_DENSITIES
        for demix, update in fitting(ALL_DENSITIES[density]).items()
    }


_usual, opening.STEPS = opening.STEPS, _FEW
RECIPE_CASES = _recipes()
opening.STEPS = _usual
PAIRINGS = _pairings()
PLAIN = {name: case for name, case in RECIPE_CASES.items() if name in RECIPES}
"""Recipes as they are, for laws that do not depend on the parts."""


def asked(name: str) -> int:
    """How many sources a recipe is asked for at the door."""
    return 1 if name == "rcscme" else 2


def ran(method: Method, X: torch.Tensor, steps: int, state: Any = None, seed: int = 0) -> Any:
    """The state after some steps."""
    s = method.init(X, seed) if state is None else state
    for _ in range(steps):
        s = method.step(X, s)
    return s


def warmed(method: Method, X: torch.Tensor, steps: int = 3) -> Any:
    """A state a few steps from the start, as every law but descent wants it: the start itself is too regular."""
    return ran(method, X, steps + (method.length if isinstance(method, Warm) else 0))
