"""Products of a matrix with one that has few rows or columns, as in NMF: all sums of a tile stay in registers.

Libraries of linear algebra copy both factors before they multiply, which pays where each number is used hundreds of
times; here it is some tens of times, and they take half as long again.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from otowake.ops.cpu.compile import ROUNDING, WIDE, kernel
from otowake.ops.cpu.registers import count
from otowake.ops.cpu.vectors import BYTES, Vector, llvm_of, spread_over

TALL, FLAT = ((12, 2), (6, 4)) if WIDE else ((6, 2), (6, 2))
"""Rows and vectors of a tile: its sums, a row of vectors and one number fill the registers."""
_BYTE = ir.IntType(8)


class _Matrix:
    """Of two axes, in code that is being made: where its numbers lie."""

    def __init__(self, context: Any, builder: Any, kind: types.Array, x: Any) -> None:
        array = context.make_array(kind)(context, builder, x)
        self.builder, self.data = builder, builder.bitcast(array.data, _BYTE.as_pointer())
        self.rows = cgutils.unpack_tuple(builder, array.shape, 2)[0]
        self.strides = cgutils.unpack_tuple(builder, array.strides, 2)

    def row(self, i: Any) -> Any:
        """Bytes before it."""
        return self.builder.mul(i, self.strides[0])

    def at(self, offset: Any, kind: Any) -> Any:
        """A pointer to what lies so many bytes from the beginning."""
        return self.builder.bitcast(self.builder.gep(self.data, [offset]), kind.as_pointer())


def _tile(rows: int, vectors: int) -> Callable[..., None]:
    """out[a .. a + rows, b .. b + vectors] <- sum_s L[a.., s] R[s, b..], or add that; rows of R and of out are
    contiguous."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        L, R, out = (_Matrix(context, builder, kind, x) for kind, x in zip(signature.args[:3], args))
        dtype, number = signature.args[1].dtype, args[3].type
        kind, size = llvm_of(Vector(dtype)), dtype.bitwidth // 8
        first = builder.mul(args[4], number(size))
        places = [builder.add(first, number(v * BYTES)) for v in range(vectors)]
        each = [builder.add(args[3], number(i)) for i in range(rows)]
        left = [L.row(i) for i in each]
        to = [[out.at(builder.add(out.row(i), place), kind) for place in places] for i in each]
        sums = [[cgutils.alloca_once_value(builder, ir.Constant(kind, None)) for _ in places] for _ in each]
        with builder.if_then(args[5]):
            for row, held_row in zip(to, sums):
                for place, held in zip(row, held_row):
                    builder.store(builder.load(place, align=size), held)
        with cgutils.for_range(builder, R.rows) as loop:
            along, across = R.row(loop.index), builder.mul(loop.index, L.strides[1])
            right = [builder.load(R.at(builder.add(along, place), kind), align=size) for place in places]
            for offset, row in zip(left, sums):
                one = builder.load(L.at(builder.add(offset, across), kind.element))
                spread = spread_over(builder, one, Vector(dtype))
                for x, held in zip(right, row):
                    product = builder.fmul(spread, x, flags=ROUNDING)
                    builder.store(builder.fadd(builder.load(held), product, flags=ROUNDING), held)
        for row, held_row in zip(to, sums):
            for place, held in zip(row, held_row):
                builder.store(builder.load(held), place, align=size)
        return context.get_dummy_value()

    @intrinsic
    def tile(typing, L, R, out, a, b, add):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return types.void(L, R, out, types.intp, types.intp, types.boolean), generate

    return tile  # type: ignore[no-any-return]


_tall, _slim, _flat, _thin = _tile(*TALL), _tile(TALL[0], 1), _tile(*FLAT), _tile(FLAT[0], 1)


@kernel
def tall_product(L, R, out, add):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """out <- L R, or out + L R: out has few columns, which are whole vectors, and rows of whole tiles."""
    step = count(R)
    for b in range(0, out.shape[1], TALL[1] * step):
        for a in range(0, out.shape[0], TALL[0]):
            if out.shape[1] - b < TALL[1] * step:
                _slim(L, R, out, a, b, add)
            else:
                _tall(L, R, out, a, b, add)


@kernel
def flat_product(L, R, out, add):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The same where out has few rows."""
    step = count(R)
    whole = out.shape[1] // (FLAT[1] * step) * (FLAT[1] * step)
    for b in range(0, whole, FLAT[1] * step):
        for a in range(0, out.shape[0], FLAT[0]):
            _flat(L, R, out, a, b, add)
    for b in range(whole, out.shape[1], step):
        for a in range(0, out.shape[0], FLAT[0]):
            _thin(L, R, out, a, b, add)
