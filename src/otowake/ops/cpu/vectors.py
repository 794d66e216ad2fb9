"""As many numbers at once as a register of the processor holds, as a type of Numba: kernels say what is done together.

A loop over rows is done many numbers at a time only if the compiler can prove that rows do not overlap, that indices
are not negative and that nothing is left over; where it cannot, it says nothing and takes several times as long.

at(row, t), fine(row, t)    the numbers of a row from t on, 0 behind its end; `fine`: made double precision.
                            Of a complex row real and imaginary parts
put(v, row, t)              row <- v from t on, as far as the row goes; of a complex row (re, im)
get(row, t), set(v, row, t) both in rows of whole vectors (`room`): nothing is asked; a row may be finer than v
+ - * /, root(v)            number by number, also with one number for all;  spread(number, row): a vector of it
total(v)                    their sum

One register of 64 bytes is 16 single or 8 double numbers (`count`); narrower processors take two or four.
"""

import operator
from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, overload, register_model, type_callable

from otowake.ops.cpu.compile import ROUNDING, part

_BYTES = 64
_INDEX = ir.IntType(32)


class Vector(types.Type):
    """dtype: of its numbers, float32 or float64."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype, self.count = dtype, _BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Vector({dtype})")


@register_model(Vector)
class _Model(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: Vector) -> None:
        super().__init__(manager, fe_type, _llvm(fe_type))


def _llvm(v: Vector, times: int = 1) -> ir.VectorType:
    return ir.VectorType(ir.FloatType() if v.dtype == types.float32 else ir.DoubleType(), times * v.count)


# ---- arithmetic -------------------------------------------------------------------------------------------------


def _arithmetic(function: Callable[..., Any], instruction: str) -> None:
    @type_callable(function)
    def _typed(context: Any) -> Callable[..., Any]:
        def typer(a: types.Type, b: types.Type) -> types.Type | None:
            if isinstance(a, Vector):
                return a if b == a or isinstance(b, types.Number) else None
            return b if isinstance(b, Vector) and isinstance(a, types.Number) else None

        return typer

    @lower_builtin(function, Vector, Vector)
    @lower_builtin(function, Vector, types.Number)
    @lower_builtin(function, types.Number, Vector)
    def _lowered(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        v = signature.return_type
        both = (
            x if isinstance(kind, Vector) else _spread(builder, context.cast(builder, x, kind, v.dtype), v)
            for x, kind in zip(args, signature.args)
        )
        return getattr(builder, instruction)(*both, flags=ROUNDING)


for _function, _in_place, _instruction in (
    (operator.add, operator.iadd, "fadd"),
    (operator.sub, operator.isub, "fsub"),
    (operator.mul, operator.imul, "fmul"),
    (operator.truediv, operator.itruediv, "fdiv"),
):
    _arithmetic(_function, _instruction)
    _arithmetic(_in_place, _instruction)


def _spread(builder: Any, number: Any, v: Vector, kind: ir.VectorType | None = None) -> Any:
    kind = kind or _llvm(v)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), number, _INDEX(0))
    return _shuffled(builder, one, [0] * kind.count)


def _shuffled(builder: Any, x: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(x, x, ir.Constant(ir.VectorType(_INDEX, len(order)), order))


def _llvm_function(builder: Any, name: str, result: Any, *args: Any) -> Any:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, args), name)


def _suffix(kind: ir.VectorType) -> str:
    return f"v{kind.count}f{32 if isinstance(kind.element, ir.FloatType) else 64}"


@intrinsic
def spread(typing, number, like):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """One number in every place, of the precision of a row."""
    v = Vector(like.dtype)

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return _spread(builder, context.cast(builder, args[0], signature.args[0], v.dtype), v)

    return v(number, like), generate


@intrinsic
def root(typing, v):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The square roots."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        kind = _llvm(signature.args[0])
        return builder.call(_llvm_function(builder, f"llvm.sqrt.{_suffix(kind)}", kind, kind), args)

    return v(v), generate


@intrinsic
def total(typing, v):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The sum of the numbers."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        kind = _llvm(signature.args[0])
        name = f"llvm.vector.reduce.fadd.{_suffix(kind)}"
        added = _llvm_function(builder, name, kind.element, kind.element, kind)
        return builder.call(added, [ir.Constant(kind.element, -0.0), *args], fastmath=ROUNDING)

    return v.dtype(v), generate


# ---- rows -------------------------------------------------------------------------------------------------------


def count(row):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """How many numbers of a row's precision a vector has."""
    raise NotImplementedError


@overload(count, inline="always")
def _count_of(row):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    number = Vector(_real(row.dtype)).count
    return lambda row: number


def _real(dtype: types.Type) -> types.Float:
    return cast(types.Float, dtype.underlying_float if isinstance(dtype, types.Complex) else dtype)


def _place(context: Any, builder: Any, kind: types.Array, row: Any, t: Any, v: ir.VectorType) -> Any:
    data = context.make_array(kind)(context, builder, row).data
    return builder.bitcast(builder.gep(data, [t]), v.as_pointer())


def _left(context: Any, builder: Any, kind: types.Array, row: Any, t: Any) -> Any:
    """How many numbers of the row there are from t on."""
    return builder.sub(builder.extract_value(context.make_array(kind)(context, builder, row).shape, 0), t)


def _mask(builder: Any, left: Any, v: Vector, times: int = 1) -> Any:
    """The first `left` places, `times` for each number."""
    places = ir.VectorType(_INDEX, times * v.count)
    left = builder.mul(builder.trunc(left, _INDEX), _INDEX(times))
    return builder.icmp_signed("<", ir.Constant(places, list(range(places.count))), _spread(builder, left, v, places))


def _loaded(context: Any, builder: Any, kind: types.Array, row: Any, t: Any, v: Vector) -> Any:
    """As many numbers as v has, in the row's precision: whole vectors as they are, 0 behind the end of the row."""
    number, times = _real(kind.dtype), 2 if isinstance(kind.dtype, types.Complex) else 1
    many, size = ir.VectorType(context.get_value_type(number), times * v.count), number.bitwidth // 8
    left, place = _left(context, builder, kind, row, t), _place(context, builder, kind, row, t, many)
    with builder.if_else(builder.icmp_signed(">=", left, left.type(v.count)), likely=True) as (there, behind):
        with there:
            plain, before = builder.load(place, align=size), builder.block
        with behind:
            mask, name = _mask(builder, left, v, times), f"llvm.masked.load.{_suffix(many)}.p0"
            load = _llvm_function(builder, name, many, many.as_pointer(), _INDEX, mask.type, many)
            masked, after = builder.call(load, [place, _INDEX(size), mask, ir.Constant(many, None)]), builder.block
    found = builder.phi(many)
    found.add_incoming(plain, before)
    found.add_incoming(masked, after)
    return found


def _reader(v: Vector, row: types.Array) -> Any:
    """Signature and code of what reads v, or two of it, from a row that may be coarser."""
    complex_row = isinstance(row.dtype, types.Complex)
    result = types.UniTuple(v, 2) if complex_row else v

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        found = _loaded(context, builder, row, *args, v)
        halves = [_shuffled(builder, found, list(range(i, 2 * v.count, 2))) for i in (0, 1)] if complex_row else [found]
        if _real(row.dtype) != v.dtype:
            halves = [builder.fpext(half, _llvm(v)) for half in halves]
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
def put(typing, v, row, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """row <- v from t on, as far as the row goes; real and imaginary parts where it is complex."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        v, kind, _ = signature.args
        x, row, t = args
        one, times = (v.dtype, 2) if isinstance(v, types.UniTuple) else (v, 1)
        if times == 2:
            turns = [i + half * one.count for i in range(one.count) for half in (0, 1)]
            re, im = cgutils.unpack_tuple(builder, x)
            x = builder.shuffle_vector(re, im, ir.Constant(ir.VectorType(_INDEX, len(turns)), turns))
        many, size = _llvm(one, times), one.dtype.bitwidth // 8
        left, place = _left(context, builder, kind, row, t), _place(context, builder, kind, row, t, many)
        with builder.if_else(builder.icmp_signed(">=", left, left.type(one.count)), likely=True) as (there, behind):
            with there:
                builder.store(x, place, align=size)
            with behind:
                mask = _mask(builder, left, one, times)
                name = f"llvm.masked.store.{_suffix(many)}.p0"
                store = _llvm_function(builder, name, ir.VoidType(), many, many.as_pointer(), _INDEX, mask.type)
                builder.call(store, [x, place, _INDEX(size), mask])
        return context.get_dummy_value()

    return types.void(v, row, types.intp), generate


@intrinsic
def get(typing, row, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The numbers of a row of whole vectors from t on."""
    v = Vector(row.dtype)

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        place = _place(context, builder, signature.args[0], *args, _llvm(v))
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


_WHOLE = 16


@part
def room(frames):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Numbers of a row of whole vectors."""
    return (frames + _WHOLE - 1) // _WHOLE * _WHOLE


@part
def apart(X, first, x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """x (m 2 frames) <- the parts of X (m frames) from `first` on, 0 behind its end."""
    for m in range(len(x)):
        for t in range(0, x.shape[2], count(X)):
            re, im = at(X[m], first + t)
            set(re, x[m, 0], t)
            set(im, x[m, 1], t)
