"""Demixing, y_ft = W_f x_ft, and the powers v = |y|^2."""

from torch import Tensor

from otowake.ops.registry import Op


def definition(X: Tensor, W: Tensor) -> Tensor:
    return (W @ X.movedim(-2, -3)).movedim(-2, -3)


def _kernel(X: Tensor, W: Tensor) -> Tensor:
    from otowake.ops.cpu.demix import demixed

    return demixed(X, W)


demixed = Op("demixed", definition, _kernel, "(Tensor X, Tensor W) -> Tensor")
"""(X: *b m f t, W: *b f n m) -> Y: *b n f t."""


def abs2_definition(Y: Tensor) -> Tensor:
    return Y.real.square() + Y.imag.square()


def _abs2_kernel(Y: Tensor) -> Tensor:
    from otowake.ops.cpu.demix import abs2

    return abs2(Y)


abs2 = Op("abs2", abs2_definition, _abs2_kernel, "(Tensor Y) -> Tensor")
"""Y: complex, any shape -> |Y|^2, real.  Half the time of squaring the parts one after the other."""
