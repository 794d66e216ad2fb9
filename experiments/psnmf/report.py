"""The figures of README.md, from the results.

    python experiments/psnmf/report.py            prints them
    python experiments/psnmf/report.py --write    puts them between the marks of README.md, and draws curves.png

A mark is a line  <!-- figures: NAME -->  and ends with  <!-- end -->.
"""

import argparse
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from protocol import RANGE, songs
from run import lines

HERE = Path(__file__).resolve().parent
PAGE = HERE / "README.md"
PUBLISHED = {"snmf": "6.09 / 5.73", "orthogonal": "8.51 / 7.91", "cosine": "8.73 / 8.22"}
NAMES = {"snmf": "SNMF", "orthogonal": "orthogonal", "cosine": "cosine"}
WAYS = {"mask": "mask FG/(FG+HU)", "phase": "FG, phase of the mixture"}
Found = dict[str, dict[str, dict[str, Any]]]


def collected(path: Path) -> Found:
    """method -> song -> line: songs that every method has, at the first line's sweeps and weights."""
    every = lines(path)
    found: Found = {kind: {line["song"]: line for line in every if line["method"] == kind} for kind in RANGE}
    whole = set.intersection(*(set(of_kind) for of_kind in found.values()))
    order = [song.name for song in songs() if song.name in whole]
    return {kind: {name: of_kind[name] for name in order} for kind, of_kind in found.items()}


def scores(of_kind: dict[str, dict[str, Any]], way: str) -> np.ndarray:
    """(songs, weights) SDR in dB; a weight at which the numbers gave out counts as nothing of the target."""
    return np.nan_to_num(np.array([line[way] for line in of_kind.values()], dtype=float), nan=-300.0, neginf=-300.0)


def best(found: Found) -> str:
    """The published table: the best weight of each song, known from the reference."""
    rows = [("method", *(f"{words}: average / median" for words in WAYS.values()), "published")]
    for kind, of_kind in found.items():
        tops = [scores(of_kind, way).max(1) for way in WAYS]
        rows.append((NAMES[kind], *(_pair(top) for top in tops), PUBLISHED[kind]))
    one = next(iter(found["cosine"].values()))
    what = f"{len(found['snmf'])} songs of 90, {one['weights']} weights, {one['sweeps']} sweeps."
    return f"{what}\n\n{markdown(rows)}"


def fixed(found: Found) -> str:
    """One weight for all songs, each song's chosen by the others: nobody needs its reference."""
    rows = [("method", *(f"{words}: average / median" for words in WAYS.values()), "weight")]
    for kind, of_kind in found.items():
        cells = []
        for way in WAYS:
            each = scores(of_kind, way)
            chosen = [int(np.argmax(np.delete(each, i, 0).mean(0))) if len(each) > 1 else 0 for i in range(len(each))]
            cells.append(_pair(each[np.arange(len(each)), chosen]))
        weights = next(iter(of_kind.values()))["mu"]
        rows.append((NAMES[kind], *cells, f"{weights[int(np.argmax(scores(of_kind, 'mask').mean(0)))]:.3g}"))
    return markdown(rows)


def weights(found: Found) -> str:
    """Where the best weights lie, how wide the hump is, and whose is the better song by song."""
    rows = [("method", "log10 of the best weight: 5 / 25 / 50 / 75 / 95 %", "decades within 1 dB of the best (median)")]
    for kind in ("orthogonal", "cosine"):
        of_kind, each = found[kind], scores(found[kind], "mask")
        exponents = np.log10(next(iter(of_kind.values()))["mu"])
        where = np.percentile(exponents[each.argmax(1)], (5, 25, 50, 75, 95))
        wide = (each > each.max(1, keepdims=True) - 1).sum(1) * (exponents[1] - exponents[0])
        rows.append((NAMES[kind], " / ".join(f"{x:.1f}" for x in where), f"{np.median(wide):.1f}"))
    tops = {kind: scores(found[kind], "mask").max(1) for kind in found}
    ahead = [
        f"{NAMES[a]} is ahead of {NAMES[b]} on {(tops[a] > tops[b]).mean():.0%} of the songs, "
        f"by {(tops[a] - tops[b]).mean():+.2f} dB on average"
        for a, b in (("cosine", "orthogonal"), ("cosine", "snmf"), ("orthogonal", "snmf"))
    ]
    return markdown(rows) + "\n\n" + "\n".join(f"- {line}" for line in ahead)


def sweeps(found: Found) -> str:
    """SNMF as it goes on."""
    after = [line["after"] for line in found["snmf"].values()]
    rows = [("sweeps", *after[0])]
    rows.append(("average", *(f"{statistics.mean(a[k] for a in after):.2f}" for k in after[0])))
    rows.append(("median", *(f"{statistics.median(a[k] for a in after):.2f}" for k in after[0])))
    return markdown(rows)


def _pair(x: np.ndarray) -> str:
    return f"{x.mean():.2f} / {np.median(x):.2f}"


def markdown(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    padded = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(f"| {row} |" for row in (padded[0], " | ".join("-" * width for width in widths), *padded[1:]))


def draw(found: Found, path: Path) -> None:
    """SDR over the weight, for the first three songs of the experiment's order."""
    from matplotlib.figure import Figure

    names = list(found["snmf"])[:3]
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    for axis, name in zip(np.atleast_1d(figure.subplots(1, len(names), sharey=True)), names, strict=True):
        for kind, colour in (("orthogonal", "tab:blue"), ("cosine", "tab:red")):
            line = found[kind][name]
            axis.semilogx(line["mu"], line["mask"], color=colour, label=NAMES[kind])
            axis.semilogx(line["mu"], line["phase"], color=colour, lw=0.8, ls=":")
        axis.axhline(found["snmf"][name]["mask"][0], color="0.4", ls="--", label=NAMES["snmf"])
        axis.set(title="{} in {}".format(*_words(name)), xlabel="weight")
    figure.axes[0].set_ylabel("SDR of the target, dB")
    figure.axes[-1].legend(frameon=False)
    figure.savefig(path, dpi=110, metadata={"Software": ""})


def _words(name: str) -> tuple[str, str]:
    target, other = name.split("+")
    return target, f"{target} + {other}"


FIGURES: dict[str, Callable[[Found], str]] = {"best": best, "fixed": fixed, "weights": weights, "sweeps": sweeps}


def filled(text: str, found: Found) -> str:
    """A page with its figures between its marks."""
    mark = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)
    return mark.sub(lambda m: f"{m[1]}\n{FIGURES[m[2]](found)}\n\n{m[3]}", text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints the figures of the experiment.")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "full.jsonl")
    parser.add_argument("--write", action="store_true", help="put them into README.md and draw curves.png")
    args = parser.parse_args()
    found = collected(args.results)
    if not found["snmf"]:
        raise SystemExit(f"{args.results} holds no song that every method has separated; run run.py first.")
    if args.write:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
        draw(found, HERE / "curves.png")
    for name, figure in FIGURES.items():
        print(f"{name}\n\n{figure(found)}\n")


if __name__ == "__main__":
    main()
