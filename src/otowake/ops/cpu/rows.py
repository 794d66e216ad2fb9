"""Frames as kernels like them: some at a time, real and imaginary rows apart, filled up with nothing.

A loop over a row does some tens of numbers at once and what is left over nearly one by one: rows as long as a multiple
of `GRAIN` leave nothing over.
"""

from otowake.ops.cpu.compile import part

GRAIN = 32
"""Rows have a multiple of it."""
FRAMES = 512
"""Of all channels of a bin at a time, at most."""


@part
def at_a_time(frames, most):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """How long a row is: pieces of about the same size, about `most` at most."""
    pieces = (frames + most - 1) // most
    each = (frames + pieces - 1) // pieces
    return (each + GRAIN - 1) // GRAIN * GRAIN


@part
def taken(x, first, row):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """row <- x from `first` on, and 0 behind its end."""
    width = min(len(row), len(x) - first)
    some = x[first : first + width]
    for t in range(width):
        row[t] = some[t]
    for t in range(width, len(row)):
        row[t] = 0


@part
def apart(x, first, re, im):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """re + i im <- the same of complex x."""
    width = min(len(re), len(x) - first)
    some = x[first : first + width]
    for t in range(width):
        re[t], im[t] = some[t].real, some[t].imag
    for t in range(width, len(re)):
        re[t], im[t] = 0, 0


@part
def put(row, x, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """x from `first` on <- row, as far as it goes."""
    width = min(len(row), len(x) - first)
    some = x[first : first + width]
    for t in range(width):
        some[t] = row[t]


@part
def ended(row, x, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """0 in row behind the end of x, whose part from `first` on it holds: there 1 / 0 may have been."""
    for t in range(len(x) - first, len(row)):
        row[t] = 0
