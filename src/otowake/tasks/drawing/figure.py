"""What all pictures share: paper, places on it in inches, titles, colours, and the file that comes out."""

import re
from os import PathLike
from typing import Any

from otowake.core.files import atomic

DPI = 110
WIDTH = 10.0  # inches
RUNS = 3  # how zlib packs: repeated bytes alone, in a quarter of the time it usually takes for files as small
TEXT, FAINT, LINE = "#222222", "#666666", "#3b528b"
COLOURS = (LINE, "#d1603d", "#2a9d6f", "#8e4b9e", "#b8860b", "#1f8fb3", "#a23b52", "#6b7a2a", "#555555", "#c06fb0")


def new_figure(width: float, height: float) -> Any:
    """A figure of its own: pyplot's global state would leak into a program that uses otowake as a library."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def placed(figure: Any, left: float, bottom: float, width: float, height: float) -> Any:
    """New axes, in inches from the lower left corner."""
    wide, tall = figure.get_size_inches()
    return figure.add_axes((left / wide, bottom / tall, width / wide, height / tall))


def heading(axes: Any, name: str, note: str) -> None:
    """A title on the left, a remark on the right, and the house's small print."""
    axes.set_title(name, loc="left", y=1.0, fontsize=10, fontweight="bold", color=TEXT, pad=4)
    axes.set_title(note, loc="right", y=1.0, fontsize=9, color=FAINT, pad=4)
    axes.tick_params(labelsize=8, colors=TEXT, which="both")
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(9)


def titled(name: str) -> str:
    """A sound's name in a file as a title: part01 is Part 01."""
    return re.sub(r"(\d+)$", r" \1", name).capitalize()


def minus(number: str) -> str:
    """A number with a minus sign in place of a hyphen."""
    return number.replace("-", "\N{MINUS SIGN}")


def save(figure: Any, path: str | PathLike[str]) -> None:
    """As a PNG file, whole or not at all."""
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", pil_kwargs={"compress_level": 1, "compress_type": RUNS})
