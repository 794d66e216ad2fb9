"""As many numbers at once as a register of the processor holds, as a type of Numba: kernels say what is done together.

A loop over rows is done many numbers at a time only if the compiler can prove that rows do not overlap, that indices
are not negative and that nothing is left over; where it cannot, it says nothing and takes several times as long.

+ - * /, root(v), split(v)  number by number, also with one number for all;  spread(number, row): a vector of it
over(a, b, x, y)            x where a > b, else y;  total(v): the sum of the numbers
In and out of memory: `registers.py`.

A register of 64 bytes holds 16 single or 8 double numbers; one of 32 half as many.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from otowake.ops.cpu.compile import ROUNDING, WIDE

BYTES = 64 if WIDE else 32
INDEX = ir.IntType(32)


class Vector(types.Type):
    """dtype: of its numbers, float32 or float64."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype, self.count = dtype, BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Vector({dtype})")


@register_model(Vector)
class _Model(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: Vector) -> None:
        super().__init__(manager, fe_type, llvm_of(fe_type))


def llvm_of(v: Vector, times: int = 1) -> ir.VectorType:
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
            x if isinstance(kind, Vector) else spread_over(builder, context.cast(builder, x, kind, v.dtype), v)
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


def spread_over(builder: Any, number: Any, v: Vector, kind: ir.VectorType | None = None) -> Any:
    kind = kind or llvm_of(v)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), number, INDEX(0))
    return shuffled(builder, one, [0] * kind.count)


def shuffled(builder: Any, x: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(x, x, ir.Constant(ir.VectorType(INDEX, len(order)), order))


def llvm_function(builder: Any, name: str, result: Any, *args: Any) -> Any:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, args), name)


def suffix(kind: ir.VectorType) -> str:
    return f"v{kind.count}f{32 if isinstance(kind.element, ir.FloatType) else 64}"


@intrinsic
def spread(typing, number, like):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """One number in every place, of the precision of a row."""
    v = Vector(like.dtype)

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return spread_over(builder, context.cast(builder, args[0], signature.args[0], v.dtype), v)

    return v(number, like), generate


@intrinsic
def root(typing, v):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The square roots."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        kind = llvm_of(signature.args[0])
        return builder.call(llvm_function(builder, f"llvm.sqrt.{suffix(kind)}", kind, kind), args)

    return v(v), generate


@intrinsic
def over(typing, a, b, x, y):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """x where a > b, else y; b may be one number."""
    v = a

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        left, right, x, y = args
        if not isinstance(b, Vector):
            right = spread_over(builder, context.cast(builder, right, b, v.dtype), v)
        return builder.select(builder.fcmp_ordered(">", left, right), x, y)

    return v(a, b, x, y), generate


@intrinsic
def total(typing, v):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The sum of the numbers."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        kind = llvm_of(signature.args[0])
        name = f"llvm.vector.reduce.fadd.{suffix(kind)}"
        added = llvm_function(builder, name, kind.element, kind.element, kind)
        return builder.call(added, [ir.Constant(kind.element, -0.0), *args], fastmath=ROUNDING)

    return v.dtype(v), generate


@intrinsic
def split(typing, v):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Positive double numbers as a factor, from 1 to 2, and a power of 2."""
    both = types.UniTuple(v, 2)

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        kind, bits = llvm_of(v), ir.VectorType(ir.IntType(64), v.count)

        def every(number: int) -> Any:
            return ir.Constant(bits, [number] * v.count)

        x = builder.bitcast(args[0], bits)
        factor = builder.or_(builder.and_(x, every(2**52 - 1)), every(1023 << 52))
        power = builder.or_(builder.lshr(x, every(52)), every(1075 << 52))  # as the last digits of 2^52 and more
        power = builder.fsub(builder.bitcast(power, kind), ir.Constant(kind, [2.0**52 + 1023] * v.count))
        return context.make_tuple(builder, both, [builder.bitcast(factor, kind), power])

    return both(v), generate
