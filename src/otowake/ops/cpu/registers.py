"""Vectors (`vectors.py`) out of and into rows of memory, whose numbers lie one after the other.

at(row, t), fine(row, t)      the numbers of a row from t on, 0 behind its end; `fine`: made double precision
filled, finely_filled         the same, and 1 behind the end.  Of a complex row real and imaginary parts
put(v, row, t)                row <- v from t on, as far as the row goes; of a complex row (re, im); it may be coarser
get(row, t), set(v, row, t)   both in rows of whole vectors (`room`): nothing is asked; a row may be finer than v
count(row)                    how many numbers a vector of its precision has
"""

from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from otowake.ops.cpu.arrays import padded
from otowake.ops.cpu.compile import part
from otowake.ops.cpu.vectors import INDEX, Vector, llvm_function, llvm_of, shuffled, spread_over, suffix


def _real(dtype: types.Type) -> types.Float:
    return cast(types.Float, dtype.underlying_float if isinstance(dtype, types.Complex) else dtype)


@intrinsic
def count(typing, row):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """How many numbers of a row's precision a vector has."""
    number = Vector(_real(row.dtype)).count

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return context.get_constant(types.intp, number)

    return types.intp(row), generate


def _place(context: Any, builder: Any, kind: types.Array, row: Any, t: Any, v: ir.VectorType) -> Any:
    data = context.make_array(kind)(context, builder, row).data
    return builder.bitcast(builder.gep(data, [t]), v.as_pointer())


def _left(context: Any, builder: Any, kind: types.Array, row: Any, t: Any) -> Any:
    """How many numbers of the row there are from t on."""
    return builder.sub(builder.extract_value(context.make_array(kind)(context, builder, row).shape, 0), t)


def _mask(builder: Any, left: Any, v: Vector, times: int = 1) -> Any:
    """The first `left` places, `times` for each number."""
    places = ir.VectorType(INDEX, times * v.count)
    left = builder.mul(builder.trunc(left, INDEX), INDEX(times))
    return builder.icmp_signed(
        "<", ir.Constant(places, list(range(places.count))), spread_over(builder, left, v, places)
    )


def _loaded(context: Any, builder: Any, kind: types.Array, row: Any, t: Any, v: Vector, fill: float) -> Any:
    """As many numbers as v has, in the row's precision: whole vectors as they are, `fill` behind the row's end."""
    number, times = _real(kind.dtype), 2 if isinstance(kind.dtype, types.Complex) else 1
    many, size = ir.VectorType(context.get_value_type(number), times * v.count), number.bitwidth // 8
    left, place = _left(context, builder, kind, row, t), _place(context, builder, kind, row, t, many)
    with builder.if_else(builder.icmp_signed(">=", left, left.type(v.count)), likely=True) as (there, behind):
        with there:
            plain, before = builder.load(place, align=size), builder.block
        with behind:
            mask, name = _mask(builder, left, v, times), f"llvm.masked.load.{suffix(many)}.p0"
            none = ir.Constant(many, [fill] * many.count)
            load = llvm_function(builder, name, many, many.as_pointer(), INDEX, mask.type, many)
            masked, after = builder.call(load, [place, INDEX(size), mask, none]), builder.block
    found = builder.phi(many)
    found.add_incoming(plain, before)
    found.add_incoming(masked, after)
    return found


def _reader(v: Vector, row: types.Array, fill: float = 0.0) -> Any:
    """Signature and code of what reads v, or two of it, from a row that may be coarser."""
    complex_row = isinstance(row.dtype, types.Complex)
    result = types.UniTuple(v, 2) if complex_row else v

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        found = _loaded(context, builder, row, *args, v, fill)
        halves = [shuffled(builder, found, list(range(i, 2 * v.count, 2))) for i in (0, 1)] if complex_row else [found]
        if _real(row.dtype) != v.dtype:
            halves = [builder.fpext(half, llvm_of(v)) for half in halves]
        return context.make_tuple(builder, result, halves) if complex_row else halves[0]

    return result(row, types.intp), generate


@intrinsic
def at(typing, row, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The numbers of a row from t on, 0 behind its end; of a complex row real and imaginary parts."""
    return _reader(Vector(_real(row.dtype)), row)


@intrinsic
def fine(typing, row, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The same in double precision, which are fewer numbers of a single row."""
    return _reader(Vector(types.float64), row)


@intrinsic
def filled(typing, row, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """`at`, and 1 behind the end: what is divided by."""
    return _reader(Vector(_real(row.dtype)), row, 1.0)


@intrinsic
def finely_filled(typing, row, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """`fine`, and 1 behind the end."""
    return _reader(Vector(types.float64), row, 1.0)


@intrinsic
def put(typing, v, row, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """row <- v from t on, as far as the row goes; (re, im) where it is complex; it may be coarser than v."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        v, kind, _ = signature.args
        x, row, t = args
        one, times = (v.dtype, 2) if isinstance(v, types.UniTuple) else (v, 1)
        if times == 2:
            turns = [i + half * one.count for i in range(one.count) for half in (0, 1)]
            order = ir.Constant(ir.VectorType(INDEX, len(turns)), turns)
            x = builder.shuffle_vector(*cgutils.unpack_tuple(builder, x), order)
        number = _real(kind.dtype)
        many, size = ir.VectorType(context.get_value_type(number), times * one.count), number.bitwidth // 8
        x = x if number == one.dtype else builder.fptrunc(x, many)
        left, place = _left(context, builder, kind, row, t), _place(context, builder, kind, row, t, many)
        with builder.if_else(builder.icmp_signed(">=", left, left.type(one.count)), likely=True) as (there, behind):
            with there:
                builder.store(x, place, align=size)
            with behind:
                mask = _mask(builder, left, one, times)
                name = f"llvm.masked.store.{suffix(many)}.p0"
                store = llvm_function(builder, name, ir.VoidType(), many, many.as_pointer(), INDEX, mask.type)
                builder.call(store, [x, place, INDEX(size), mask])
        return context.get_dummy_value()

    return types.void(v, row, types.intp), generate


@intrinsic
def get(typing, row, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The numbers of a row of whole vectors from t on."""
    v = Vector(row.dtype)

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        place = _place(context, builder, signature.args[0], *args, llvm_of(v))
        return builder.load(place, align=v.dtype.bitwidth // 8)

    return v(row, types.intp), generate


@intrinsic
def set(typing, v, row, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """A row of whole vectors <- v from t on, made finer where the row is."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        v, kind, _ = signature.args
        x, row, t = args
        many = ir.VectorType(context.get_value_type(kind.dtype), v.count)
        x = x if kind.dtype == v.dtype else builder.fpext(x, many)
        builder.store(x, _place(context, builder, kind, row, t, many), align=kind.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(v, row, types.intp), generate


# ---- some frames of a bin ---------------------------------------------------------------------------------------

FRAMES = 512
"""Of all channels of a bin at a time, at most; whole vectors."""

room = part(padded)
"""`padded`, in kernels."""


@part
def apart(X, first, x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """x (m 2 frames) <- the parts of X (m frames) from `first` on, 0 behind its end."""
    for m in range(len(x)):
        for t in range(0, x.shape[2], count(X)):
            re, im = at(X[m], first + t)
            set(re, x[m, 0], t)
            set(im, x[m, 1], t)
