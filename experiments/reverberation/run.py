"""How well `otowake.signal.reverberation` tells the reverberation time of a recording.

    python experiments/reverberation/run.py [--audio FOLDER] [--half 1] [--pairs]

Prints tables in Markdown: half 1, true and estimated times; with --pairs, every pair of a fall and a share by itself.
"""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from scenes import ASKED, RATE, Scene, scenes

from mixtures import audio_folder  # isort: skip  # experiments/quality, found by scenes

from otowake.signal import reverberation as module

Change = Callable[[np.ndarray], np.ndarray]
PAIRS = [(fall, share) for fall in (30.0, 25.0, 20.0, 16.0) for share in (0.01, 0.02, 0.05)]


def noisy(snr: float) -> Change:
    """White noise so many dB below the recording, always the same."""

    def change(x: np.ndarray) -> np.ndarray:
        return x + np.random.default_rng(0).standard_normal(x.shape) * x.std() * 10 ** (-snr / 20)

    return change


def cut(seconds: float) -> Change:
    return lambda x: x[:, RATE : RATE + round(seconds * RATE)]


CHANGES: dict[str, Change] = {
    "as it is, 10 s": lambda x: x, "one channel": lambda x: x[:1], "5 s of it": cut(5), "3 s of it": cut(3),
    "noise at -30 dB": noisy(30), "noise at -20 dB": noisy(20),
}  # fmt: skip


def estimates(made: Iterable[Scene], change: Change) -> list[tuple[Scene, float | None]]:
    answers = [(one, module.reverberation(torch.from_numpy(change(one.samples)), RATE)) for one in made]
    return [(one, None if found is None else found.seconds) for one, found in answers]


def main() -> None:
    parser = argparse.ArgumentParser(description="How well reverberation times are told.")
    parser.add_argument("--audio", type=Path, default=audio_folder(), help="folder of the recordings")
    parser.add_argument("--half", type=int, choices=(0, 1), default=1, help="0: for choosing, 1: for reporting")
    parser.add_argument("--pairs", action="store_true", help="each pair of a fall and a share by itself")
    asked = parser.parse_args()
    made = list(scenes(asked.audio, asked.half))
    if asked.pairs:
        each_pair(made)
    else:
        by_room(estimates(made, CHANGES["as it is, 10 s"]))
        by_change(made)


# ---- tables -----------------------------------------------------------------------------------------------


def by_room(found: list[tuple[Scene, float | None]]) -> None:
    print("| kind | true | estimated: median | quartiles | none |\n|---|---|---|---|---|")
    for kind, asked in [(kind, asked) for kind in ("speech", "music") for asked in ASKED] + [("office", None)]:
        of = [(one, time) for one, time in found if one.kind == kind and one.asked == asked]
        times = [time for _, time in of if time is not None]
        true = np.mean([one.seconds for one, _ in of])
        low, middle, high = np.quantile(times, [0.25, 0.5, 0.75])
        print(f"| {kind} | {true:.2f} | {middle:.2f} | {low:.2f} to {high:.2f} | {len(of) - len(times)} of {len(of)} |")


def by_change(made: list[Scene]) -> None:
    kinds = ("speech", "music", "office")
    print(f"\n| | {' | '.join(kinds)} |\n|---|---|---|---|")
    for name, change in CHANGES.items():
        found = estimates(made, change)
        print(f"| {name} | {' | '.join(_errors(found, kind) for kind in kinds)} |")


def each_pair(made: list[Scene]) -> None:
    usual = module.FALLS
    print("| fall | share | speech | music | office |\n|---|---|---|---|---|")
    for pair in PAIRS:
        module.FALLS = (pair,)
        found = estimates(made, CHANGES["as it is, 10 s"])
        cells = " | ".join(_errors(found, kind) for kind in ("speech", "music", "office"))
        print(f"| {pair[0]:g} dB | {pair[1]:.0%} | {cells} |")
    module.FALLS = usual


def _errors(found: list[tuple[Scene, float | None]], kind: str) -> str:
    """Median of estimated / true, the half of them in the middle, and how often there was no estimate."""
    of = [(one.seconds, time) for one, time in found if one.kind == kind]
    ratio = [time / true for true, time in of if time is not None]
    if not ratio:
        return f"none of {len(of)}"
    low, middle, high = np.quantile(ratio, [0.25, 0.5, 0.75])
    return f"{middle:.2f} ({low:.2f} to {high:.2f}), none {len(of) - len(ratio)} of {len(of)}"


if __name__ == "__main__":
    main()
