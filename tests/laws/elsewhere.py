"""A pretended device: tensors that live elsewhere and refuse what CUDA would refuse, on a machine without one.

`with Elsewhere() as there:` tensors moved with `.to(there.device)`, and all that is made from them, count as being
there.  Their numbers are ordinary CPU tensors, so what is computed can be compared.  Refused are

- an operation on such a tensor and an ordinary one of one axis or more (CUDA takes numbers and indices from the CPU);
- `.numpy()` of one, and random numbers there from a generator of the CPU;
- while `there.unbroken` is true: whatever would make CUDA's host wait (`.item()`, truth, copies, unknown sizes, checks
  of matrices), so that a step could not be captured as a graph.

The device is called "meta", which torch lets every machine name.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

WAITS = {
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "equal",
    "_unique2",
    "unique_dim",
    "unique_consecutive",
    "repeat_interleave",
    "_linalg_check_errors",
    "_linalg_eigh",
    "_linalg_svd",
    "linalg_eig",
    "linalg_lstsq",
    "linalg_cholesky",
    "linalg_inv",
}
"""Operations after which the host knows a number of the device."""
JOINS = {"cat", "stack"}
"""Operations that take no number from the CPU either."""
INDEXED = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}


class Refused(Exception):
    """What CUDA would not do, or not without waiting."""


class There(Tensor):
    """A tensor elsewhere; `here` are its numbers."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> "There":
        here = here.detach().resolve_conj().resolve_neg()
        x = Tensor._make_wrapper_subclass(
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device="meta",
        )
        x.here = here
        return x

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise Refused(f"{func}: outside of Elsewhere")

    def numpy(self, **_: Any) -> Any:
        raise Refused(".numpy() of a tensor elsewhere: .cpu() first")

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __repr__(self, **_: Any) -> str:
        return f"There(shape={tuple(self.shape)}, dtype={self.dtype})"


class _Numbers(TorchFunctionMode):
    """Python's numbers on their way elsewhere: torch itself would leave them out, as a meta tensor holds none."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and torch.device(kwargs.get("device") or "cpu").type == "meta":
            return func(*args, **{**kwargs, "device": "cpu"}).to("meta")
        if func is Tensor.new_tensor and _is(args[0], There) and kwargs.get("device") is None:
            return torch.tensor(args[1], dtype=kwargs.get("dtype", args[0].dtype)).to("meta")
        if func in (Tensor.__getitem__, Tensor.__setitem__) and _is(args[0], There):
            at = args[1] if isinstance(args[1], tuple) else (args[1],)
            at = tuple(torch.tensor(i).to("meta") if isinstance(i, list) else i for i in at)
            args = (args[0], at, *args[2:])
        return func(*args, **kwargs)


class Elsewhere(TorchDispatchMode):
    """The pretended device, while it is there."""

    device = torch.device("meta")
    unbroken = False

    def __enter__(self) -> "Elsewhere":
        self._numbers = _Numbers()
        self._numbers.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._numbers.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name, tensors = func.overloadpacket.__name__, [*_tensors(args), *_tensors(kwargs.values())]
        any_there, asked = any(_is(x, There) for x in tensors), kwargs.get("device")
        to = any_there if asked is None else torch.device(asked).type == "meta"
        if "device" in kwargs:
            kwargs["device"] = torch.device("cpu") if asked is not None else None
        if any_there:
            self._check(func, name, args, tensors)
        elif name == "copy_" or (to and tensors and name == "_to_copy"):
            self._wait(f"{name} from the CPU")
        if to and kwargs.get("generator") is not None:
            raise Refused(f"{name}: a generator of the CPU")
        if any_there and not to:
            self._wait(f"{name} to the CPU")
        result = func(*_each(args, _here), **{key: _each(x, _here) for key, x in kwargs.items()})
        if _writes(func) and isinstance(result, Tensor):
            return args[0]  # the same tensor, wherever it is
        return _each(result, There) if to else result

    def _check(self, func: Any, name: str, args: Any, tensors: list[Tensor]) -> None:
        if name in WAITS:
            self._wait(name)
        if name in INDEXED:
            picked = [x for x in args[1] if x is not None]
            if any(_is(x, There) for x in picked) and not _is(args[0], There):
                raise Refused(f"{name}: indices elsewhere of a tensor of the CPU")
            if any(x.dtype == torch.bool or not _is(x, There) for x in picked):
                self._wait(f"{name} by a mask or by indices of the CPU")
            tensors = [args[0], *(args[2:3])]
        if name == "copy_":
            if not all(_is(x, There) for x in tensors):
                self._wait("copy_ between devices")
            return
        ordinary = [x for x in tensors if not _is(x, There)]
        if any(x.ndim > 0 or name in JOINS for x in ordinary) or (
            ordinary and _writes(func) and ordinary[0] is args[0]
        ):
            shapes = [("there " if _is(x, There) else "CPU ") + str(tuple(x.shape)) for x in tensors]
            raise Refused(f"{func}: tensors of two devices, {', '.join(shapes)}")

    def _wait(self, what: str) -> None:
        if self.unbroken:
            raise Refused(f"{what}: the host would wait for the device")


def _is(x: Any, kind: type) -> bool:
    return isinstance(x, kind)


def _here(x: Tensor) -> Tensor:
    return x.here if isinstance(x, There) else x


def _tensors(x: Any) -> Iterator[Tensor]:
    for one in x:
        if isinstance(one, Tensor):
            yield one
        elif isinstance(one, list | tuple):
            yield from _tensors(one)


def _each(x: Any, of: Callable[[Tensor], Tensor]) -> Any:
    """x, its tensors replaced."""
    if isinstance(x, Tensor):
        return of(x)
    return type(x)(_each(one, of) for one in x) if type(x) in (list, tuple) else x


@lru_cache(None)
def _writes(func: Any) -> bool:
    first = func._schema.arguments[0] if func._schema.arguments else None
    return first is not None and first.alias_info is not None and first.alias_info.is_write
