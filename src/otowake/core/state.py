"""States are values made of tensors (nested tuples, named or not): to names and back, to a file, bit for bit."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.files import atomic, shown

SCHEMA = "otowake-state-1"


def tensors(state: Any, prefix: str = "") -> dict[str, Tensor]:
    """Every tensor of a state by its dotted name."""
    return dict(_walk(state, prefix))


def _walk(state: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(state, Tensor):
        yield prefix, state
    else:
        for name, part in zip(_names(state), state, strict=True):
            yield from _walk(part, f"{prefix}.{name}" if prefix else name)


def rebuilt(like: Any, named: dict[str, Tensor], prefix: str = "") -> Any:
    """A state of the same form as `like` with the tensors of `named`."""
    if isinstance(like, Tensor):
        return named[prefix]
    parts = (
        rebuilt(part, named, f"{prefix}.{name}" if prefix else name)
        for name, part in zip(_names(like), like, strict=True)
    )
    return type(like)(*parts) if hasattr(like, "_fields") else tuple(parts)


def in_double(state: Any) -> Any:
    """The same numbers in double precision."""
    finer = {torch.float32: torch.float64, torch.complex64: torch.complex128}
    return rebuilt(state, {name: x.to(finer.get(x.dtype, x.dtype)) for name, x in tensors(state).items()})


def _names(state: Any) -> tuple[str, ...]:
    """Fields of a NamedTuple, numbers of a tuple."""
    return getattr(state, "_fields", None) or tuple(map(str, range(len(state))))


def save_state(path: str | Path, state: Any, *, k: int = 0) -> None:
    """Write a state as safetensors: temporary name, fsync, rename.  Complex tensors go as pairs of reals."""
    named = {}
    for name, x in tensors(state).items():
        real = torch.view_as_real(x.resolve_conj()) if x.is_complex() else x
        named[name + (":complex" if x.is_complex() else "")] = real
    save_tensors(path, named, {"schema": SCHEMA, "k": k})


def load_state(path: str | Path, like: Any) -> tuple[int, Any]:
    """(k, state) from a file of `save_state`; `like` is any state of the same method, such as method.init(X).

    Raises:
        OtowakeError: not such a file, of another method or size, or with values that are not finite.
    """
    meta, named = load_tensors(path, SCHEMA, "a saved state")
    k = meta.get("k")
    if not isinstance(k, int):
        raise OtowakeError(f"{path} does not say how many steps its state has behind it: the file is damaged.")
    return k, rebuilt(like, _matched(path, named, tensors(like)))


def save_tensors(path: str | Path, named: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Write tensors and what is to be known about them (JSON-able, with a "schema") as one safetensors file."""
    from safetensors.torch import save_file

    plain = {name: x.detach().cpu().contiguous().clone() for name, x in named.items()}
    with atomic(path) as temporary:
        save_file(plain, temporary, metadata={"otowake": json.dumps(meta)})


def load_tensors(path: str | Path, schema: str, what: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(meta, tensors) from a file of `save_tensors`.

    Args:
        path: the file.
        schema: the only one that is taken.
        what: such as "a saved state": for the sentence that refuses the file.

    Raises:
        OtowakeError: it cannot be read, or has another schema.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            meta = json.loads((file.metadata() or {}).get("otowake", "{}"))
            found = meta.get("schema") if isinstance(meta, dict) else None
            named = {name: file.get_tensor(name) for name in file.keys()} if found == schema else {}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        reason = f"could not be read as {what} ({error}); was it written by otowake?"
        raise OtowakeError(f"{shown(path)} {reason}") from None
    if found != schema:
        raise OtowakeError(f"{shown(path)} is not {what}: it has the schema {found!r}, this version reads {schema!r}.")
    return meta, named


def _matched(path: str | Path, named: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    found = {}
    for name, x in named.items():
        pairs = name.endswith(":complex") and x.is_floating_point() and x.shape[-1:] == (2,)
        x = x.clone()  # the file's own memory lies at multiples of 8 bytes, and linalg crashes on such complex numbers
        found[name.removesuffix(":complex")] = torch.view_as_complex(x) if pairs else x
    for name, x in wanted.items():
        y = found.get(name)
        if y is None or y.shape != x.shape or y.dtype != x.dtype:
            what = "lacks" if y is None else f"has {tuple(y.shape)} {y.dtype} for"
            raise OtowakeError(
                f"{path} {what} {name} {tuple(x.shape)} {x.dtype}; it belongs to another method or mixture."
            )
        if (y.is_floating_point() or y.is_complex()) and not bool(y.isfinite().all()):
            raise OtowakeError(f"{path} holds values in {name} that are not finite: the file is damaged.")
    return {name: found[name].to(x.device) for name, x in wanted.items()}
