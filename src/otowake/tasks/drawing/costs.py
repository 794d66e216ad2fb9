"""The cost's way down over the iterations, and how far from rest a method is, if it can tell."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from otowake.tasks.drawing.figure import COLOURS, FAINT, LINE, TEXT, heading, minus, new_figure, placed, save

RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
WIDE, PANEL, GAP = 6.8, 2.55, 0.55  # inches
LEFT, RIGHT, TOP, BOTTOM = 0.85, 0.15, 0.34, 0.51  # inches


def cost_curve(
    path: str | PathLike[str],
    costs: Sequence[float],
    *,
    method: str = "",
    residuals: Mapping[str, Sequence[float]] | None = None,
    tolerance: float = 0.0,
) -> None:
    """Draws the cost over the iterations as a PNG file, and below it the residuals, if there are any.

    Args:
        path: the PNG file; it appears whole or not at all.
        costs: before the first and after each iteration, in nats; what is not finite is left out.  Where they are no
            more than the largest residual, as with masks, which have no cost, they are not drawn.
        method: its name, for the title.
        residuals: by name, after each iteration.
        tolerance: the method is at rest where all residuals are below.

    Raises:
        OSError: the file cannot be written.
    """
    gaps = {name: np.asarray(gap, dtype=float) for name, gap in (residuals or {}).items() if len(gap)}
    y = np.asarray(costs, dtype=float)
    alone = bool(gaps) and len(y) == 1 + len(next(iter(gaps.values()))) and _same(y[1:], np.max([*gaps.values()], 0))
    panels = 1 if alone or not gaps else 2
    figure = new_figure(WIDE, TOP + panels * (PANEL + GAP) - GAP + BOTTOM)
    tops = [BOTTOM + k * (PANEL + GAP) for k in reversed(range(panels))]
    axes = [placed(figure, LEFT, bottom, WIDE - LEFT - RIGHT, PANEL) for bottom in tops]
    if not alone:
        _cost(axes[0], y, method)
    if gaps:
        _residuals(axes[-1], gaps, tolerance, f"Residuals of {method}" if method else "Residuals")
    for one in axes:
        _plain(one)
    axes[-1].set_xlabel("Iteration", color=TEXT)
    save(figure, path)


def _same(a: Any, b: Any) -> bool:
    return np.allclose(a, b, rtol=1e-6, equal_nan=True)


def _cost(axes: Any, y: Any, method: str) -> None:
    k = np.arange(len(y))
    k, y = k[np.isfinite(y)], y[np.isfinite(y)]
    y, unit = _thousands(y)
    axes.plot(k, y, color=LINE, linewidth=1.6, marker="o", markersize=3 if len(k) <= 60 else 0)
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_ylabel(f"Cost ({unit})", color=TEXT)
    heading(axes, f"Cost of {method}" if method else "Cost", _descent(k, y))


def _residuals(axes: Any, gaps: Mapping[str, Any], tolerance: float, title: str) -> None:
    rest = [gap[-1] < tolerance for gap in gaps.values()]
    for (name, gap), colour in zip(gaps.items(), COLOURS):
        k = np.flatnonzero(np.isfinite(gap) & (gap > 0))
        axes.plot(k + 1, gap[k], color=colour, linewidth=1.6, label=name.removesuffix("_residual"))
    axes.set_yscale("log")
    if tolerance > 0:
        axes.axhline(tolerance, color=FAINT, linewidth=1, linestyle="--", label=f"at rest below {tolerance:g}")
    axes.set_ylabel("Residual (share of what it compares)", color=TEXT)
    axes.legend(fontsize=8, frameon=False, labelcolor=TEXT)
    iterations = max(map(len, gaps.values()))
    heading(axes, title, f"{'at rest' if all(rest) else 'not at rest'} after {_counted(iterations)}")


def _plain(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _thousands(y: Any) -> tuple[Any, str]:
    """The numbers in a unit that keeps them below a thousand, and its name."""
    loudest = float(np.max(np.abs(y), initial=0.0))
    power = 3 * int(np.log10(loudest) // 3) if loudest >= 1000.0 else 0
    return (y / 10.0**power, f"10{str(power).translate(RAISED)} nats") if power else (y, "nats")


def _descent(k: Any, y: Any) -> str:
    if len(y) < 2:
        return ""
    first, last = (minus(f"{value:#.5g}") for value in y[[0, -1]])
    return f"from {first} to {last} in {_counted(k[-1])}"


def _counted(iterations: int) -> str:
    return f"{iterations} iteration{'s' if iterations != 1 else ''}"
