"""An op: its definition, its kernel, and the choice between them.

The definition is the equation in plain torch: it is differentiable and is the oracle.  The kernel, where there is
one, is registered with `torch.library` and taken when no gradient is wanted and the tensors are on the
CPU; some ops have another one for tensors on an accelerator.  One parametrised test holds every kernel against its
definition.
"""

import warnings
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor

Result = TypeVar("Result")

OPS: dict[str, "Op[Any]"] = {}
"""Every op by name."""

_LIBRARY = torch.library.Library("otowake", "DEF")
# What `torch.library.custom_op` is made of; that one imports torch's compiler at the first call, 1.7 s of every start.

ACCELERATOR = "cuda"
"""The device of the kernels in `ops.gpu`."""
_DTYPES = frozenset({torch.float32, torch.float64, torch.complex64, torch.complex128})


class Op(Generic[Result]):
    """A named operation on tensors; its result is one tensor, or a few.

    Args:
        name: unique; registered as otowake::name.
        definition: the equation in plain torch.
        kernel: the module of `ops.cpu` with a function of the op's name: same signature and result, on tensors that
            need no gradient; None where the definition is as fast.  Imported, with its compiler, at the first call.
        schema: the torch schema of the arguments.
        suits: whether the kernel is the faster one for these arguments.
        gpu: the module of `ops.gpu` with a function of the op's name, for tensors on an accelerator.
    """

    def __init__(
        self,
        name: str,
        definition: Callable[..., Result],
        kernel: str | None,
        schema: str,
        suits: Callable[..., bool] = lambda *_: True,
        gpu: str | None = None,
    ) -> None:
        self.name, self.definition, self.suits = name, definition, suits
        self.kernel: Callable[..., Result] | None = None if kernel is None else _lazily(f"ops.cpu.{kernel}", name)
        self.gpu: Callable[..., Result] | None = None if gpu is None else _lazily(f"ops.gpu.{gpu}", name)
        self._fast = self.kernel
        if self.kernel is not None:
            _LIBRARY.define(name + schema)
            _LIBRARY.impl(name, self.kernel, "CPU")
            torch.library.register_fake(f"otowake::{name}", definition, lib=_LIBRARY)
        OPS[name] = self

    def __call__(self, *args: Tensor) -> Result:
        if self._fast is None or not _suits_kernel(args, "cpu") or not self.suits(*args):
            return self._elsewhere(*args)
        if not all(type(a) is Tensor for a in args):  # those of a tracer; torch's way to the kernel takes longer
            return cast(Result, getattr(torch.ops.otowake, self.name)(*args))
        try:
            return self._fast(*(a.resolve_conj().resolve_neg() for a in args))
        except _compiler_errors() as error:
            warnings.warn(
                f"otowake: the fast kernel {self.name!r} could not be compiled ({type(error).__name__}); going on "
                "with its slower definition. Please report this with your versions of Python, NumPy and Numba.",
                RuntimeWarning,
                stacklevel=2,
            )
            self._fast = None
            return self.definition(*args)

    def _elsewhere(self, *args: Tensor) -> Result:
        """By the accelerator's kernel, or the definition."""
        if self.gpu is None or not _suits_kernel(args, ACCELERATOR):
            return self.definition(*args)
        return self.gpu(*args)


@lru_cache
def constants(*numbers: float) -> Tensor:
    """Numbers as ops take them, made once: they are asked for in every step.  Nobody writes into them."""
    return torch.tensor(numbers, dtype=torch.float64)


def _lazily(module: str, name: str) -> Callable[..., Any]:
    """A function of a module that is imported at the first call."""

    @cache
    def function() -> Callable[..., Any]:
        return cast(Callable[..., Any], getattr(import_module(f"otowake.{module}"), name))

    return lambda *args: function()(*args)


def _suits_kernel(args: tuple[Tensor, ...], device: str) -> bool:
    if not all((a.is_cpu if device == "cpu" else a.device.type == device) and a.dtype in _DTYPES for a in args):
        return False
    return not (torch.is_grad_enabled() and any(a.requires_grad for a in args))


def _compiler_errors() -> tuple[type[Exception], ...]:
    try:
        from numba.core.errors import NumbaError
    except ImportError:
        return (ImportError,)
    return (ImportError, NumbaError, RuntimeError)  # the last is LLVM's
