"""What a person sees of a separation: a bar while it runs, a few lines when it is done."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from otowake.core.files import shown

if TYPE_CHECKING:
    from otowake.tasks.door import Progress

log = logging.getLogger("otowake")


@contextmanager
def progress(name: str, show: bool) -> "Iterator[Callable[[Progress], None]]":
    """Gives a function to call with each iteration; if `show`, a bar on stderr follows it."""
    if not show:
        yield _logged
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[state]}", markup=False),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(shown(name), total=None, state="preparing")

        def follow(tick: "Any") -> None:
            cost = "" if tick.cost is None else f", cost {tick.cost:.6g}"
            state = f"{tick.phase} {tick.iteration}/{tick.total}{cost}"
            bar.update(task, completed=tick.iteration, total=tick.total, state=state)

        yield follow


def _logged(tick: "Progress") -> None:
    cost = "" if tick.cost is None else f", cost {tick.cost:.8g}"
    log.info("%s: %d of %d%s, %.2f s", tick.phase, tick.iteration, tick.total, cost, tick.seconds)


def paths(report: dict[str, Any]) -> str:
    """For a pipe: the files, one a line."""
    return "\n".join(report["files"])


def summary(report: dict[str, Any]) -> str:
    """For a terminal: how it was separated, what to know about it, and the files."""
    end = "converged" if report["converged"] else "stopped before it converged"
    many = "iteration" if report["iterations"] == 1 else "iterations"
    lines = [
        f"{report['method']}: {report['why']}",
        f"{report['iterations']} {many} in {report['seconds']:.1f} s, {end}",
        *(f"Note: {note}" for note in report["notes"]),
        *(f"  {shown(file)}" for file in report["files"]),
    ]
    return "\n".join(lines)
