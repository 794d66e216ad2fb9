"""The figures of README.md and of the guide's page on quality, from the results.

    python experiments/quality/report.py            prints them
    python experiments/quality/report.py --write    puts them between the marks of both pages

A mark is a line  <!-- figures: NAME -->  and ends with  <!-- end -->.
"""

import argparse
import re
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
from experiments.quality.score import BASES, Key, Runs, collected, lines, markdown, table

HERE = Path(__file__).resolve().parent
RESULTS = tuple(sorted((HERE / "results").glob("[!m]*.jsonl")))
MORE = tuple(sorted((HERE / "results").glob("more*.jsonl")))
PAGES = (HERE / "README.md", HERE.parents[1] / "docs" / "guide" / "quality.md")
KINDS = tuple(kind for kind in BASES if kind != "more2")
LONG, SHORT, USED = "4096/1024", "2048/512", "6144/1536"  # USED: by default
DEFAULT = "otowake default"
PAIRS = [
    (stft, f"otowake {ours}", stft, f"{peer} {theirs}")
    for stft in (LONG, SHORT)
    for ours, theirs in (("auxiva", "auxiva"), ("ilrma", "ilrma"), ("consistent", "ilrma"))
    for peer in ("pra", "ssspy")
]
PAIRS += [(LONG, f"otowake ilrma {kind}", LONG, f"ssspy ilrma {kind}") for kind in ("t:5", "ggd:1.5")]
PAIRS += [(USED, DEFAULT, LONG, f"{who} auxiva") for who in ("otowake", "pra", "ssspy")]
GUIDE = (
    ("otowake.separate, nothing named", USED, DEFAULT),
    ("the same without masks, start=cold", USED, "otowake default cold"),
    ("consistent_ilrma, start=cold, 10 bases for music, STFT 8192/2048", "8192/2048", "otowake consistent cold"),
    ("consistent_ilrma, start=auxiva, 10 bases for music", LONG, "otowake consistent"),
    ("ilrma, start=cold, 10 bases for music", LONG, "otowake ilrma"),
    ("auxiva", LONG, "otowake auxiva"),
    ("auxiva, density gauss", LONG, "otowake auxiva gauss"),
    ("consistent_ilrma, start=auxiva, STFT 2048/512", SHORT, "otowake consistent"),
    ("ilrma, start=cold, STFT 2048/512", SHORT, "otowake ilrma"),
    ("auxiva, STFT 2048/512", SHORT, "otowake auxiva"),
    ("pyroomacoustics ILRMA", LONG, "pra ilrma"),
    ("ssspy ILRMA", LONG, "ssspy ilrma"),
    ("pyroomacoustics AuxIVA", LONG, "pra auxiva"),
    ("ssspy AuxIVA", LONG, "ssspy auxiva"),
)


def versus() -> str:
    """Ours minus theirs, mixture by mixture (medians over seeds): a median for each kind, then over all."""
    found = {key[:2]: _by_mixture(runs) for key, runs in collected(RESULTS).items() if key[2] == _steps(key)}
    rows = [("STFT", "otowake", "STFT", "peer", *KINDS, "median", "mean, its error", "better in")]
    for pair in PAIRS:
        if pair[:2] in found and pair[2:] in found:
            rows.append((*pair, *_differences(found[pair[:2]], found[pair[2:]])))
    return markdown(rows)


def _steps(key: Key) -> int:
    if key[1] in (DEFAULT, f"{DEFAULT} cold", "otowake consistent"):
        return 60
    return 50 if "auxiva" in key[1] else 100


def _by_mixture(runs: Runs) -> dict[Key, float]:
    return {(kind, name): statistics.median(v) for kind in KINDS for name, v in runs.get(kind, {}).items()}


def _differences(ours: dict[Key, float], theirs: dict[Key, float]) -> Iterator[str]:
    gains = {key: ours[key] - theirs[key] for key in ours if key in theirs}
    for kind in KINDS:
        of_kind = [gain for key, gain in gains.items() if key[0] == kind]
        yield f"{statistics.median(of_kind):+.2f}" if of_kind else "-"
    every = list(gains.values())
    yield f"{statistics.median(every):+.2f}"
    error = statistics.stdev(every) / len(every) ** 0.5 if len(every) > 1 else 0.0
    yield f"{statistics.mean(every):+.2f} ± {error:.2f}"
    yield f"{sum(gain > 0 for gain in every)} of {len(every)}"


def guide() -> str:
    """The short table of the guide: rows in words, one a choice."""
    found = {key[:2]: runs for key, runs in collected(RESULTS).items() if key[2] == _steps(key)}
    spent = _seconds()
    rows = [("what", *KINDS, "all", "seconds")]
    for words, stft, method in GUIDE:
        if (stft, method) in found:
            scores = _by_mixture(found[stft, method])
            of_kinds = [[value for key, value in scores.items() if key[0] == kind] for kind in KINDS]
            cells = [f"{statistics.median(v):.1f}" if v else "-" for v in (*of_kinds, list(scores.values()))]
            rows.append((words, *cells, f"{spent[stft, method]:.1f}"))
    return markdown(rows)


def _seconds() -> dict[Key, float]:
    """Median seconds of one core for a mixture of two sources."""
    times: dict[Key, list[float]] = {}
    for line in (line for path in RESULTS for line in lines(path)):
        key = (f"{line['n_fft']}/{line['hop']}", line["method"], line["iterations"])
        if "cpu_s" in line and line["kind"].endswith("2") and line["iterations"] == _steps(key):
            times.setdefault(key[:2], []).append(line["cpu_s"])
    return {key: statistics.median(value) for key, value in times.items()}


FIGURES = {
    "table": lambda: table(RESULTS, KINDS),
    "versus": versus,
    "more": lambda: table(MORE),
    "guide": guide,
}


def filled(text: str, figures: Mapping[str, Callable[[], str]]) -> str:
    """A page with its figures between its marks."""
    mark = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)
    return mark.sub(lambda m: f"{m[1]}\n{figures[m[2]]()}\n\n{m[3]}", text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints the figures of the quality comparison.")
    parser.add_argument("--write", action="store_true", help="put them into the pages")
    if parser.parse_args().write:
        for page in PAGES:
            page.write_text(filled(page.read_text(encoding="utf-8"), FIGURES), encoding="utf-8")
    else:
        print("\n\n".join(make() for make in FIGURES.values()))


if __name__ == "__main__":
    main()
