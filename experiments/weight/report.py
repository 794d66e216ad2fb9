"""Chooses on the pairs for choosing, and tells what that is worth on the others: the tables of README.md.

    python experiments/weight/report.py            prints them
    python experiments/weight/report.py --write    into README.md

Rules    a weight fits as long as it and all lighter ones have a misfit of at most `slack` times that without a penalty
         "last": the heaviest that fits;  "mean": the mean of the targets of all that fit, which is that of their masks
Chosen   the slack of most gain on the pairs for choosing with which none loses more than `LOSS` dB, mean of its seeds
"""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from jsonlines import lines  # noqa: E402

SLACKS = tuple(round(1 + 0.02 * n, 2) for n in range(1, 51))
SHOWN = (1.1, 1.2, 1.3, 1.4, 1.6, 2.0)
LOSS = 0.5  # dB
OLD = 1.2  # of "last": what was the command's rule before
HEAD = (
    "| rule | runs | gain, mean | median | worst | lose more than 0.5 dB | of the best weight's gain |\n|" + "---|" * 7
)

Runs = list[dict]
Gains = np.ndarray


def of(runs: Runs, key: str) -> np.ndarray:
    return np.array([one[key] for one in runs])


def fitting(runs: Runs, slack: float) -> np.ndarray:
    """The place of the heaviest weight that fits."""
    misfit = of(runs, "misfit")
    return np.cumprod(misfit <= slack * misfit[:, :1], 1).sum(1) - 1


def last(runs: Runs, slack: float) -> Gains:
    """SDR of the target against no penalty, dB."""
    return of(runs, "sdr")[np.arange(len(runs)), fitting(runs, slack)] - of(runs, "sdr")[:, 0]


def mean(runs: Runs, slack: float) -> Gains:
    return of(runs, "mean_sdr")[np.arange(len(runs)), fitting(runs, slack)] - of(runs, "sdr")[:, 0]


def best(runs: Runs) -> Gains:
    return of(runs, "sdr").max(1) - of(runs, "sdr")[:, 0]


def of_pairs(gains: Gains, runs: Runs) -> Gains:
    """Mean over the seeds of each pair."""
    names = of(runs, "name")
    return np.array([gains[names == name].mean() for name in np.unique(names)])


def chosen(rule: Callable[[Runs, float], Gains], runs: Runs, loss: float = LOSS) -> float:
    tried = {slack: of_pairs(rule(runs, slack), runs) for slack in SLACKS}
    allowed = [slack for slack in SLACKS if tried[slack].min() >= -loss]
    return max(allowed, key=lambda slack: (round(tried[slack].mean(), 3), -slack))


def row(name: str, gains: Gains, runs: Runs) -> str:
    share = gains.mean() / best(runs).mean()
    cells = [f"{len(gains)}", f"{gains.mean():+.2f}", f"{np.median(gains):+.2f}", f"{gains.min():+.2f}"]
    return f"| {name} | {' | '.join(cells)} | {(gains < -LOSS).sum()} | {share:.0%} |"


def choosing(runs: Runs) -> str:
    """Both rules on the pairs for choosing."""
    rows = ["| slack | last: mean | worst | mean: mean | worst |", "|" + "---|" * 5]
    for slack in sorted({*SHOWN, chosen(last, runs), chosen(mean, runs), chosen(mean, runs, np.inf)}):
        gains = [of_pairs(rule(runs, slack), runs) for rule in (last, mean)]
        cells = [f"{f(g):+.2f}" for g in gains for f in (np.mean, np.min)]
        rows.append(f"| {slack:g} | {' | '.join(cells)} |")
    return "\n".join(rows)


def testing(runs: Runs, for_choosing: Runs) -> str:
    """What was chosen, what was before, fixed weights, and the best weight of each pair, on the other pairs."""
    ours, single = chosen(mean, for_choosing), chosen(last, for_choosing)
    bold = chosen(mean, for_choosing, np.inf)
    sdr = of(runs, "sdr")
    rows = [HEAD, row(f"**mean, slack {ours:g}**", mean(runs, ours), runs)]
    rows.append(row(f"last, slack {single:g}", last(runs, single), runs))
    rows.append(row(f"mean, slack {bold:g}: most gain, any loss", mean(runs, bold), runs))
    rows.append(row(f"last, slack {OLD:g}, the rule before", last(runs, OLD), runs))
    for at, weight in enumerate(runs[0]["weights"]):
        if at:
            rows.append(row(f"{weight:g} for all", sdr[:, at] - sdr[:, 0], runs))
    every = of(runs, "mean_sdr")[:, -1] - sdr[:, 0]
    return "\n".join(
        [*rows, row("mean of all six", every, runs), row("best weight of each (oracle)", best(runs), runs)]
    )


def kinds(runs: Runs, for_choosing: Runs) -> str:
    """The chosen rule, and the one before, on each kind of material."""
    ours = chosen(mean, for_choosing)
    rows = ["| material | runs | no penalty | mean | worst | the rest | rule before | worst | best weight |"]
    rows.append("|" + "---|" * 9)
    for kind in dict.fromkeys(of(runs, "kind").tolist()):
        these = [one for one in runs if one["kind"] == kind]
        new, old = mean(these, ours), last(these, OLD)
        rest = of(these, "mean_rest")[np.arange(len(these)), fitting(these, ours)] - of(these, "rest")[:, 0]
        cells = [f"{x:+.2f}" for x in (new.mean(), new.min(), rest.mean(), old.mean(), old.min(), best(these).mean())]
        rows.append(f"| {kind} | {len(these)} | {of(these, 'sdr')[:, 0].mean():.2f} dB | {' | '.join(cells)} |")
    return "\n".join(rows)


def seeds(runs: Runs, for_choosing: Runs) -> str:
    """How far starts differ where both were run."""
    ours = chosen(mean, for_choosing)
    found = {(one["name"], one["seed"]): one for one in runs}
    both = [[found[name, 0], found[name, 1]] for name, seed in found if seed == 1 and (name, 0) in found]
    gains = np.array([mean(pair, ours) for pair in both])
    plain = np.array([of(pair, "sdr")[:, 0] for pair in both])
    apart = np.abs(np.diff([plain, gains], axis=-1))[..., 0]
    rows = ["| seed | pairs | no penalty | gain, mean | worst |", "|---|---|---|---|---|"]
    for n, (before, gain) in enumerate(zip(plain.T, gains.T)):
        rows.append(f"| {n} | {len(both)} | {before.mean():.2f} dB | {gain.mean():+.2f} | {gain.min():+.2f} |")
    told = f"Between the seeds a pair's SDR without a penalty differs by {apart[0].mean():.2f} dB on average"
    return "\n".join([*rows, "", f"{told}, its gain by {apart[1].mean():.2f} dB."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results" / "full.jsonl")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    every = lines(asked.results)
    first, other = ([one for one in every if one["half"] == half] for half in ("development", "test"))
    tables = {"choosing": choosing(first), "testing": testing(other, first)}
    tables |= {"kinds": kinds(other, first), "seeds": seeds(other, first)}
    page = HERE / "README.md"
    text = page.read_text() if asked.write else ""
    for name, table in tables.items():
        print(f"{name}\n{table}\n")
        text = re.sub(
            rf"(<!-- figures: {name} -->\n).*?(<!-- end -->)",
            lambda m, t=table: f"{m[1]}\n{t}\n\n{m[2]}",
            text,
            flags=re.S,
        )
    if asked.write:
        page.write_text(text)


if __name__ == "__main__":
    main()
