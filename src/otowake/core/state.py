"""States are values made of tensors (nested tuples, named or not): to names and back, to a file, bit for bit."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.files import atomic

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


def _names(state: Any) -> tuple[str, ...]:
    """Fields of a NamedTuple, numbers of a tuple."""
    return getattr(state, "_fields", None) or tuple(map(str, range(len(state))))


def save_state(path: str | Path, state: Any, *, k: int = 0) -> None:
    """Write a state as safetensors: temporary name, fsync, rename.  Complex tensors go as pairs of reals."""
    from safetensors.torch import save_file

    named = {}
    for name, x in tensors(state).items():
        real = torch.view_as_real(x.resolve_conj()) if x.is_complex() else x
        named[name + (":complex" if x.is_complex() else "")] = real.detach().cpu().contiguous().clone()
    with atomic(path) as temporary:
        save_file(named, temporary, metadata={"otowake": json.dumps({"schema": SCHEMA, "k": k})})


def load_state(path: str | Path, like: Any) -> tuple[int, Any]:
    """(k, state) from a file of `save_state`; `like` is any state of the same method, such as method.init(X).

    Raises:
        OtowakeError: not such a file, of another method or size, or with values that are not finite.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            meta = json.loads((file.metadata() or {}).get("otowake", "{}"))
            schema = meta.get("schema") if isinstance(meta, dict) else None
            k = int(meta["k"]) if schema == SCHEMA else 0
            named = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise OtowakeError(f"{path} could not be read as a saved state ({error}); was it written by otowake?") from None
    if schema != SCHEMA:
        raise OtowakeError(f"{path} has the schema {schema!r}, this version reads {SCHEMA!r}.")
    return k, rebuilt(like, _matched(path, named, tensors(like)))


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
