"""The cost's way down over the iterations."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from otowake.tasks.drawing.figure import LINE, TEXT, heading, minus, new_figure, save

RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def cost_curve(path: str | PathLike[str], costs: Sequence[float], *, method: str = "") -> None:
    """Draws the cost over the iterations as a PNG file.

    Args:
        path: the PNG file; it appears whole or not at all.
        costs: before the first and after each iteration, in nats; what is not finite is left out.
        method: its name, for the title.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib.ticker import MaxNLocator

    k, y = np.arange(len(costs)), np.asarray(costs, dtype=float)
    k, y = k[np.isfinite(y)], y[np.isfinite(y)]
    y, unit = _thousands(y)
    figure = new_figure(6.8, 3.4)
    axes = figure.add_axes((0.125, 0.15, 0.85, 0.75))
    axes.plot(k, y, color=LINE, linewidth=1.6, marker="o", markersize=3 if len(k) <= 60 else 0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_xlabel("Iteration", color=TEXT)
    axes.set_ylabel(f"Cost ({unit})", color=TEXT)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    heading(axes, f"Cost of {method}" if method else "Cost", _descent(k, y))
    save(figure, path)


def _thousands(y: Any) -> tuple[Any, str]:
    """The numbers in a unit that keeps them below a thousand, and its name."""
    loudest = float(np.max(np.abs(y), initial=0.0))
    power = 3 * int(np.log10(loudest) // 3) if loudest >= 1000.0 else 0
    return (y / 10.0**power, f"10{str(power).translate(RAISED)} nats") if power else (y, "nats")


def _descent(k: Any, y: Any) -> str:
    if len(y) < 2:
        return ""
    first, last = (minus(f"{value:#.5g}") for value in y[[0, -1]])
    return f"from {first} to {last} in {k[-1]} iteration{'s' if k[-1] != 1 else ''}"
