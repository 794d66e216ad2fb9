"""Iterations in fewer pieces: the same steps, with less of the size of the spectrogram written and read in between.

compiled(method)    the method, and all that it is made of, with the steps that there are kernels for:
                    NMF under demixing by IP1 (ILRMA, consistent ILRMA) and its cost make neither v nor r nor weights
                    for all frames

A step that is not one of these is done as it is written.  `tests/laws` holds both to one result.
"""

from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

from otowake.core.method import Method
from otowake.core.separator import Separator, SeparatorState, Whole
from otowake.core.types import Cost, Mixture
from otowake.ops import constants, demixed_step, ip1_sweep, modelled_cost, modelled_covariance
from otowake.source.nmf import Nmf
from otowake.spatial.consistent import Consistent
from otowake.spatial.demix import ip1
from otowake.spatial.determined import Determined, demixed_by, volume


def compiled(method: Method) -> Method:
    """The same method; its steps are done in fewer pieces where they can be."""
    return cast(Method, _with_kernels(method))


def _with_kernels(part: Any) -> Any:
    """Of a method, of methods in a tuple, and of what they are made of; the same object where nothing changes."""
    if type(part) is tuple:
        each = tuple(map(_with_kernels, part))
        return part if all(a is b for a, b in zip(part, each)) else each
    if isinstance(part, Separator):
        return replace(part, whole=Whole(stepped, costing)) if _suits(part) else part
    if not is_dataclass(part) or isinstance(part, type):
        return part
    held = {field.name: getattr(part, field.name) for field in fields(part) if field.init}
    found = {name: _with_kernels(value) for name, value in held.items()}
    changed = {name: value for name, value in found.items() if value is not held[name]}
    return replace(part, **changed) if changed else part


def _suits(method: Separator) -> bool:
    spatial = _determined(method.spatial)
    if spatial is None or not isinstance(method.source, Nmf) or method.source.domain != 2:
        return False
    return spatial.demix is ip1 and not spatial.density.axes and spatial.density.degree == 2


def _determined(spatial: Any) -> Determined | None:
    if isinstance(spatial, Consistent):
        return spatial.spatial
    return spatial if isinstance(spatial, Determined) else None


def stepped(method: Separator, X: Mixture, s: SeparatorState) -> SeparatorState:
    """One step, powers, scales and weights made where they are summed; as it is written where that has no kernel."""
    z, p = s
    spatial, source = cast(Determined, _determined(method.spatial)), cast(Nmf, method.source)
    slope = spatial.density.slope(z.e)
    as_demixed = spatial is method.spatial
    if not (modelled_covariance.suits(X, p.W, *z, slope) and (as_demixed or slope[2] == 0)):
        return method.written(X, s)
    if source.plain and as_demixed:
        B, H, W = demixed_step(X, p.W, *z, constants(spatial.density.split(z.e).exponent()), slope)
        z = source.with_factors(z, B, H)
    else:
        z = source.update(z, method.spatial.split(method.spatial.observe(X, p), p))
        W = ip1_sweep(modelled_covariance(X, p.W, *z, slope), p.W)
    return method.scaled(X, z, demixed_by(p, W))


def costing(method: Separator, X: Mixture, s: SeparatorState) -> Cost:
    """The cost, powers and scales made where they are added up."""
    z, p = s
    slope = cast(Determined, _determined(method.spatial)).density.slope(z.e)
    if not modelled_cost.suits(X, p.W, *z, slope):
        return method.written_cost(X, s)
    return modelled_cost(X, p.W, *z, slope) + volume(p.W, X.shape[-1]) + method.source.penalty(z)
