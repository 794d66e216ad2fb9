"""Every kernel is its definition: all dtypes, layouts and shapes; and what happens when it cannot be compiled or kept.

The arguments of an op are made by its name in `ARGUMENTS`; an op that is missing there fails a test.
"""

import hashlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from numba.core.errors import TypingError
from torch import Tensor

from otowake.ops import OPS, Op

HERE = Path(__file__).parent
KERNELS = sorted(name for name, op in OPS.items() if op.kernel is not None)


class Problem(NamedTuple):
    """Sizes of a problem; `wide`: axes that may be one are full; `g`: the power of the slope."""

    batch: tuple[int, ...] = ()
    mics: int = 3
    sources: int = 2
    bins: int = 5
    frames: int = 11
    bases: int = 2
    wide: bool = True
    single: bool = False
    g: float = -1.0


# ---- arguments --------------------------------------------------------------------------------------------------


class Maker:
    """Random tensors in the precision of a problem, the same for the same problem."""

    def __init__(self, problem: Problem) -> None:
        self.p = problem
        self.generator = torch.Generator().manual_seed(7)

    def normal(self, *shape: int) -> Tensor:
        """Complex, unit variance."""
        x = torch.randn(*self.p.batch, *shape, dtype=torch.complex128, generator=self.generator)
        return x.to(torch.complex64) if self.p.single else x

    def positive(self, *shape: int) -> Tensor:
        """U(0.2, 1.2)."""
        x = torch.rand(*self.p.batch, *shape, dtype=torch.float64, generator=self.generator) + 0.2
        return x.float() if self.p.single else x

    def slope(self) -> Tensor:
        return torch.tensor([1.7, 0.3, self.p.g], dtype=torch.float64)

    def demixer(self, rows: int, mics: int) -> Tensor:
        """Well conditioned."""
        return self.normal(self.p.bins, rows, mics) / 4 + torch.eye(rows, mics)


def _covariance(p: Problem) -> tuple[Tensor, ...]:
    make = Maker(p)
    return make.normal(p.mics, p.bins, p.frames), make.positive(p.sources, p.bins if p.wide else 1, p.frames)


def _demix(p: Problem) -> tuple[Tensor, ...]:
    make = Maker(p)
    return make.normal(p.mics, p.bins, p.frames), make.demixer(p.sources, p.mics)


def _duals(p: Problem, count: int) -> list[Tensor]:
    """Of two penalties, or one."""
    make = Maker(p)
    return [make.normal(2 if p.wide else 1, p.sources, p.bins, p.frames) for _ in range(count)]


def _frames(p: Problem) -> tuple[Tensor, ...]:
    make, blocks, hop = Maker(p), p.sources, 8 * p.bases + 3
    window, whole = (make.positive(n)[(0,) * len(p.batch)] for n in (blocks * hop, hop))
    return make.positive(p.sources, blocks + p.frames, blocks * hop), window, whole


def _spectra(p: Problem) -> tuple[Tensor, ...]:
    return (Maker(p).normal(p.sources, p.frames, p.bins).mT,)


def _radius(p: Problem) -> tuple[Tensor, ...]:
    make = Maker(p)
    return make.normal(p.mics, p.bins, p.frames), make.normal(p.bins, p.sources, p.mics, p.mics)


def _angular(p: Problem) -> tuple[Tensor, ...]:
    make = Maker(p)
    X, W = make.normal(p.mics, p.bins, p.frames), make.normal(p.bins, p.sources, p.mics, p.mics)
    X[..., 0, :1] = 0  # without sound
    pi = make.positive(p.sources, *((p.bins, 1) if p.wide else (1, p.frames)))
    return X, W, pi, -2 * make.positive(p.bins, p.sources), make.positive(p.bins, p.sources) / 100


def _ip1(p: Problem) -> tuple[Tensor, ...]:
    make = Maker(p)
    Z = make.normal(p.bins, p.mics, p.mics, 3 * p.mics)
    V = Z @ Z.mH
    return (V + V.mH) / 2, make.demixer(p.mics, p.mics)


def _fused(p: Problem) -> tuple[Tensor, ...]:
    _, *model = _ratio(p)
    return *_demix(p), *model


def _demixed_step(p: Problem) -> tuple[Tensor, ...]:
    p = p._replace(sources=p.mics, frames=max(p.frames, 3 * p.mics))  # enough for covariances of full rank
    (X, W), (_, *model) = _demix(p), _moved(p)
    return X, W.to(torch.complex128), *model


def _square(p: Problem) -> tuple[Tensor, ...]:
    return (Maker(p).demixer(p.mics, p.mics).to(torch.complex128),)


def _unit_rows(p: Problem) -> tuple[Tensor, ...]:
    Z = Maker(p).normal(p.bins, p.mics, 3 * p.mics)
    return Maker(p).demixer(p.sources, p.mics), Z @ Z.mH


def _iss1(p: Problem) -> tuple[Tensor, ...]:
    make, n = Maker(p), min(p.mics, p.frames)  # fewer frames than sources: the last ones would be rounding errors
    weights = make.positive(n, p.bins if p.wide else 1, p.frames)
    return make.normal(n, p.bins, p.frames), make.demixer(n, n), weights


def _factor(p: Problem) -> tuple[Tensor, ...]:
    make = Maker(p)
    return (
        *(make.positive(p.sources, p.bins, p.frames) for _ in range(2)),
        make.positive(p.sources, p.bases, p.frames),
    )


def _ratio(p: Problem) -> tuple[Tensor, ...]:
    make = Maker(p)
    v, B = make.positive(p.sources, p.bins, p.frames), make.positive(p.sources, p.bins, p.bases)
    H, e = make.positive(p.sources, p.bases, p.frames), make.positive(p.sources, p.bins if p.wide else 1, 1)
    return v, B, H, e, make.slope()


def _moved(p: Problem) -> tuple[Tensor, ...]:
    *factors, slope = _ratio(p)
    return *factors, torch.tensor([0.5], dtype=torch.float64), slope


def _weight(p: Problem) -> tuple[Tensor, ...]:
    make = Maker(p)
    return make.positive(p.sources, p.bins, p.frames), make.positive(p.sources, p.bins, p.frames), make.slope()


def _factored(p: Problem) -> tuple[Tensor, ...]:
    make = Maker(p)
    v, B = make.positive(p.bins, p.frames), make.positive(p.bins, p.bases)
    return v, B, make.positive(p.bases, p.frames), make.positive(p.bins if p.wide else 1, 1), make.slope()


def _factored_moved(p: Problem) -> tuple[Tensor, ...]:
    return *_factored(p), torch.tensor([0.5], dtype=torch.float64)


def _joint(p: Problem) -> tuple[Tensor, ...]:
    _, B, H, e, slope = _ratio(p)
    return Maker(p).positive(p.mics, p.bins, p.frames), B, H, e, *_shares(p), slope


def _levels(p: Problem) -> tuple[Tensor, ...]:
    make = Maker(p)
    v, r = make.positive(p.mics, p.bins, p.frames), make.positive(p.sources, p.bins, p.frames)
    return v, r, *_shares(p), make.slope()


def _shares(p: Problem) -> tuple[Tensor, Tensor]:
    make = Maker(p)
    return make.positive(p.sources, p.bins if p.wide else 1, p.mics), make.positive(p.mics, 1, 1)


def _full(p: Problem) -> tuple[Tensor, ...]:
    make = Maker(p)
    Z = make.normal(p.sources, p.bins, p.mics, p.mics)
    r = make.positive(p.sources, p.bins if p.wide else 1, p.frames)
    return make.normal(p.mics, p.bins, p.frames), Z @ Z.mH, r, make.positive(p.bins, 1), make.slope()


ARGUMENTS: dict[str, Callable[[Problem], tuple[Tensor, ...]]] = {
    "abs2_by_bin": _spectra,
    "angular_posterior": _angular,
    "weighted_covariance": _covariance,
    "demixed": _demix,
    "demixed_by_frame": _demix,
    "demixed_power": _demix,
    "demixed_radius": _radius,
    "demixed_step": _demixed_step,
    "ip1_sweep": _ip1,
    "ip2_sweep": _ip1,
    "iss1_sweep": _iss1,
    "dual_ahead": lambda p: (*_demix(p), *_duals(p, 1)),
    "dual_pull": lambda p: (_demix(p)[0], *_duals(p, 1)),
    "dual_step": lambda p: (*_demix(p), *_duals(p, 3), torch.tensor([0.9], dtype=torch.float64)),
    "factor_ratio": _factor,
    "bases_ratio": _ratio,
    "gains_ratio": _ratio,
    "factors_moved": _moved,
    "slope_cost": _weight,
    "slope_weight": _weight,
    "factored_bases": _factored,
    "factored_activations": _factored,
    "factored_moved": _factored_moved,
    "frame_sizes": lambda p: (Maker(p).normal(p.sources, p.bins, p.frames),),
    "full_halves": _full,
    "full_turned": _full,
    "joint_bases": _joint,
    "joint_activations": _joint,
    "joint_shares": _levels,
    "joint_weight": _levels,
    "log_det_prox": lambda p: (Maker(p).demixer(p.mics, p.mics), torch.tensor([0.7], dtype=torch.float64)),
    "inverse": _square,
    "log_abs_det": _square,
    "modelled_cost": _fused,
    "modelled_covariance": _fused,
    "reframed": _frames,
    "unit_rows": _unit_rows,
}
SLOPED = [name for name in ARGUMENTS if ARGUMENTS[name](Problem())[-1].shape == (3,)]
"""Ops whose last argument is the slope."""

PROBLEMS = {
    "plain": Problem(),
    "broadcast": Problem(wide=False),
    "one-frame": Problem(frames=1),
    "one-source": Problem(mics=1, sources=1),
    "one-bin": Problem(bins=1),
    "one-of-all": Problem(mics=1, sources=1, bins=1, frames=1, bases=1),
    "more": Problem(mics=5, sources=5, bins=3, frames=37, bases=16),
    "long": Problem(bins=2, frames=300),
    "tiles": Problem(bins=61, frames=131, bases=13),
    "batch": Problem(batch=(3,)),
    "batch-one": Problem(batch=(1,), wide=False),
    "batches": Problem(batch=(2, 3), wide=False),
}


def every_slope(name: str, problem: Problem) -> list[Problem]:
    """The problem with each power that a kernel has its own formula for."""
    return [problem._replace(g=g) for g in (0.0, -1.0, -0.5)] if name in SLOPED else [problem]


# ---- layouts ----------------------------------------------------------------------------------------------------


def transposed(x: Tensor) -> Tensor:
    return x.mT.contiguous().mT if x.ndim > 1 else x


def rolled(x: Tensor) -> Tensor:
    """The first axis runs fastest in memory."""
    return x.movedim(0, -1).contiguous().movedim(-1, 0)


def sliced(x: Tensor) -> Tensor:
    """Every second number of a larger tensor along every axis; what lies between is not a number."""
    large = torch.full([2 * n + 1 for n in x.shape], torch.nan, dtype=x.dtype)
    view = large[tuple(slice(1, None, 2) for _ in x.shape)]
    view.copy_(x)
    return view


def conjugated(x: Tensor) -> Tensor:
    """Conjugate bit on what is complex."""
    return x.conj().resolve_conj().conj() if x.is_complex() else x


def negated(x: Tensor) -> Tensor:
    """Negative bit on what is real: the imaginary part of a conjugate."""
    return x if x.is_complex() else torch.complex(torch.zeros_like(x), -x).conj().imag


LAYOUTS = {f.__name__: f for f in (transposed, rolled, sliced, conjugated, negated)}


# ---- tools ------------------------------------------------------------------------------------------------------


class Spy:
    """Counts the calls of an op's kernel."""

    def __init__(self, op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls, self.fast = 0, op._fast
        monkeypatch.setattr(op, "_fast", self)

    def __call__(self, *args: Tensor) -> Tensor:
        self.calls += 1
        return self.fast(*args)


def each(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The tensors of a result."""
    return (result,) if isinstance(result, Tensor) else tuple(result)


def assert_close(found: Any, wanted: Any, args: tuple[Tensor, ...] = ()) -> None:
    """Same kind, and the largest difference is rounding, of the coarsest number that there is, beside the largest."""
    for a, b in zip(each(found), each(wanted), strict=True):
        _assert_one_close(a, b, args)


def _assert_one_close(found: Tensor, wanted: Tensor, args: tuple[Tensor, ...]) -> None:
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    coarse = any(x.dtype in (torch.float32, torch.complex64) for x in (wanted, *args))
    tolerance = 1e-4 if coarse else 1e-12
    assert bool(wanted.isfinite().all())
    assert float((found - wanted).abs().max()) <= tolerance * float(wanted.abs().max())


def bits(result: Tensor | tuple[Tensor, ...]) -> bytes:
    return b"".join(x.resolve_conj().resolve_neg().contiguous().numpy().tobytes() for x in each(result))


# ---- the laws ---------------------------------------------------------------------------------------------------


def test_every_op_has_its_arguments():
    assert set(ARGUMENTS) == set(OPS)
    assert KERNELS


@pytest.mark.parametrize("single", [False, True], ids=["double", "single"])
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", KERNELS)
def test_kernel_is_its_definition(name, problem, single, monkeypatch):
    op = OPS[name]
    spy = Spy(op, monkeypatch)
    variants = every_slope(name, PROBLEMS[problem]._replace(single=single))
    for variant in variants:
        args = ARGUMENTS[name](variant)
        assert_close(op(*args), op.definition(*args), args)
    assert spy.calls == len(variants), "the kernel was not taken"


@pytest.mark.parametrize("single", [False, True], ids=["double", "single"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", KERNELS)
def test_layout_in_memory_does_not_matter(name, layout, single, monkeypatch):
    op = OPS[name]
    spy = Spy(op, monkeypatch)
    plain = ARGUMENTS[name](Problem(batch=(2,), single=single))
    wanted = op(*plain)
    everything = tuple(LAYOUTS[layout](x) for x in plain)
    one_at_a_time = [(*plain[:i], everything[i], *plain[i + 1 :]) for i in range(len(plain))]
    for args in (everything, *one_at_a_time):
        assert all(torch.equal(a, b) for a, b in zip(args, plain))
        assert bits(op(*args)) == bits(wanted)
        assert bits(getattr(torch.ops.otowake, name)(*args)) == bits(wanted)
    assert spy.calls == len(plain) + 2


def test_layouts_are_what_they_say():
    x, z = torch.rand(2, 3, 4), torch.rand(2, 3, 4, dtype=torch.complex64)
    assert negated(x).is_neg()
    assert conjugated(z).is_conj()
    assert not any(f(z).is_contiguous() for f in (transposed, rolled, sliced))


@pytest.mark.parametrize("name", KERNELS)
def test_items_of_a_batch_do_not_meet(name):
    op = OPS[name]
    args = ARGUMENTS[name](Problem(batch=(2, 3)))
    batched = [x.ndim > 1 for x in args]
    whole = op(*args)
    for i in range(2):
        for j in range(3):
            item = op(*(x[i, j] if b else x for x, b in zip(args, batched)))
            assert bits(tuple(x[i, j] for x in each(whole))) == bits(item)


@pytest.mark.parametrize("name", KERNELS)
def test_a_batch_of_one_mixture_without_copies(name):
    """Stride 0 along the batch: several starts on one mixture."""
    op, args = OPS[name], ARGUMENTS[name](Problem())
    repeated = op(*(x.expand(4, *x.shape) if x.ndim > 1 else x for x in args))
    assert all(bits(tuple(x[i] for x in each(repeated))) == bits(op(*args)) for i in range(4))


@pytest.mark.parametrize("name", KERNELS)
def test_inputs_are_not_modified(name):
    op = OPS[name]
    for problem in (Problem(), Problem(batch=(2,), wide=False)):
        args = ARGUMENTS[name](problem)
        before, versions = [bits(x) for x in args], [x._version for x in args]
        for result in each(op(*args)):
            result.zero_()  # nor is the result a view of them
        assert [bits(x) for x in args] == before
        assert [x._version for x in args] == versions


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_is_registered_with_torch(name):
    registered = getattr(torch.ops.otowake, name)
    schema = registered.default._schema
    args = ARGUMENTS[name](Problem())
    assert len(schema.arguments) == len(args)
    assert not schema.is_mutable
    assert bits(registered(*args)) == bits(OPS[name].kernel(*args))


@pytest.mark.parametrize("name", sorted(OPS))
def test_gradients_go_through_the_definition(name, monkeypatch):
    op = OPS[name]
    spy = Spy(op, monkeypatch) if op.kernel is not None else None
    sizes = Problem(mics=2, sources=2, bins=2, frames=5)
    for problem in every_slope(name, sizes):
        plain = ARGUMENTS[name](problem)
        wanting = [i for i in range(len(plain)) if plain[i].ndim > 1]
        for i in wanting:
            args = [x.clone().requires_grad_(j == i) for j, x in enumerate(plain)]
            for result, wanted in zip(each(op(*args)), each(op.definition(*args)), strict=True):
                assert result.requires_grad == wanted.requires_grad  # Gauss weights do not depend on v
                assert bits(result.detach()) == bits(wanted.detach())
        args = [x.clone().requires_grad_(i in wanting) for i, x in enumerate(plain)]
        assert all(x.grad_fn is not None for x in each(op(*args)))
        assert torch.autograd.gradcheck(op.__call__, args, fast_mode=True)
    if spy is not None:
        assert spy.calls == 0
        with torch.no_grad():
            op(*args)
        assert spy.calls == 1, "where no gradient is wanted the kernel runs"


@pytest.mark.parametrize("name", [name for name in SLOPED if name in KERNELS])
def test_powers_without_a_formula_of_their_own_go_to_the_definition(name, monkeypatch):
    op = OPS[name]
    spy = Spy(op, monkeypatch)
    for g in (-0.25, 1.0):
        args = ARGUMENTS[name](Problem(g=g))
        assert bits(op(*args)) == bits(op.definition(*args))
    assert spy.calls == 0


@pytest.mark.parametrize(
    "name", ["bases_ratio", "gains_ratio", "factors_moved", "demixed_step", "modelled_covariance", "modelled_cost"]
)
def test_many_bases_go_to_the_definition(name, monkeypatch):
    op = OPS[name]
    spy = Spy(op, monkeypatch)
    args = ARGUMENTS[name](Problem(bases=17))
    assert bits(op(*args)) == bits(op.definition(*args))
    assert spy.calls == 0


# ---- when something is missing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [TypingError("no such thing"), RuntimeError("LLVM IR parsing error")], ids=repr)
@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_that_cannot_be_compiled_warns_once(name, error, monkeypatch):
    def broken(*args: Tensor) -> Tensor:
        raise error

    op, args = OPS[name], ARGUMENTS[name](Problem())
    monkeypatch.setattr(op, "_fast", broken)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = [op(*args) for _ in range(3)]
    assert [w.category for w in caught] == [RuntimeWarning]
    assert name in str(caught[0].message)
    assert type(error).__name__ in str(caught[0].message)
    assert caught[0].filename == __file__, "the warning points at the caller"
    assert all(bits(result) == bits(op.definition(*args)) for result in results)


def test_other_errors_of_a_kernel_are_not_hidden(monkeypatch):
    def broken(*args: Tensor) -> Tensor:
        raise ZeroDivisionError

    op = OPS["demixed"]
    monkeypatch.setattr(op, "_fast", broken)
    with pytest.raises(ZeroDivisionError):
        op(*ARGUMENTS["demixed"](Problem()))


def _child(code: str, **environment: str) -> str:
    """What a process of its own prints; it can import this file."""
    run = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
        cwd=HERE,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


FULL_DISK = """
import resource
if {full}:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
import torch
from otowake.ops import slope_weight
from otowake.ops.cpu.ratio import _weight
v, r = torch.rand(2, 3, 4, 5, dtype=torch.float64) + 0.1
slope = torch.tensor([1.7, 0.3, -1.0], dtype=torch.float64)
torch.testing.assert_close(slope_weight(v, r, slope), slope_weight.definition(v, r, slope), rtol=1e-12, atol=0)
print(len(_weight.signatures))
"""


def test_a_full_disk_costs_only_the_compile_time(tmp_path):
    pytest.importorskip("resource", reason="limits of file sizes exist on Unix only")
    for full in (True, False):  # what the first process left behind does not disturb the second
        code = FULL_DISK.format(full=full)
        out = _child(code, NUMBA_CACHE_DIR=str(tmp_path), PYTHONDONTWRITEBYTECODE="1")
        assert out.strip() == "1", "the kernel was not compiled"
        assert bool([*tmp_path.rglob("*.kernel")]) != full


def digests() -> dict[str, str]:
    """Bits of every kernel on a problem large enough to be split, at edges that are no multiple of anything."""
    problem = Problem(bins=131, frames=133, sources=3)
    found = {}
    for name in KERNELS:
        results = [OPS[name].kernel(*ARGUMENTS[name](variant)) for variant in every_slope(name, problem)]
        found[name] = hashlib.sha256(b"".join(bits(result) for result in results)).hexdigest()
    return found


THREADS = """
import json, torch
from test_ops import digests
from otowake.ops.cpu.threads import _pool
found = []
for threads, pools in ((1, 0), (2, 1)):
    torch.set_num_threads(threads)
    found.append(digests())
    assert _pool.cache_info().currsize == pools, "the work was not split as it should be"
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def with_one_and_two_threads() -> list[dict[str, str]]:
    return json.loads(_child(THREADS))


@pytest.mark.parametrize("name", KERNELS)
def test_the_number_of_threads_does_not_change_bits(name, with_one_and_two_threads):
    one, two = with_one_and_two_threads
    assert one[name] == two[name]


WHOLE = (
    Problem(bins=75, frames=13, bases=16),
    Problem(bins=30, frames=1050),
    Problem(batch=(2,), wide=False),
)
"""More rows or frames than the kernel takes at a time, more bases than frames, little of everything."""


def _powers(name: str) -> list[tuple[Tensor, ...]]:
    """What an op takes behind the cost."""
    return [(torch.tensor([x], dtype=torch.float64),) for x in (1.0, 0.5, 0.4)] if name == "factored_moved" else [()]


@pytest.mark.parametrize("single", [False, True], ids=["double", "single"])
@pytest.mark.parametrize("b", [1.0, 2.0, 0.5, -1.0, 3.0])
@pytest.mark.parametrize("name", ["factored_bases", "factored_activations", "factored_moved"])
def test_factored_halves_and_updates_of_beta_divergences(name, b, single):
    """One number instead of three."""
    for problem in WHOLE:
        args = (*_factored(problem._replace(single=single))[:4], torch.tensor([b], dtype=torch.float64))
        for more in _powers(name):
            assert_close(OPS[name](*args, *more), OPS[name].definition(*args, *more))


@pytest.mark.parametrize("cost", [[1.0], [2.0], [1.0, 0.0, 0.0], [0.7, 0.1, -0.5], [0.7, 0.1, -1.0]], ids=str)
@pytest.mark.parametrize("name", ["factored_bases", "factored_activations", "factored_moved"])
def test_factored_halves_above_a_floor_of_each_bin(name, cost):
    """What other sources explain (`Stack`); the same v for every item of a batch, which is not copied."""
    problem = Problem(bins=75, frames=13, batch=(2,))
    v, B, H, *_ = _factored(problem)
    e = Maker(problem).positive(problem.bins, problem.frames)
    args = (v[:1].expand(2, -1, -1), B, H, e, torch.tensor(cost, dtype=torch.float64))
    for more in _powers(name):
        assert_close(OPS[name](*args, *more), OPS[name].definition(*args, *more))
