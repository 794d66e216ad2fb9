"""Brings recordings down to 8 kHz and back up again; one line of JSON a recording and variant.

    python experiments/extension/run.py               everything, into results/full.jsonl
    python experiments/extension/run.py --quick       one recording of each kind
    python experiments/extension/run.py --table       the table of what is there, for README.md
    python experiments/extension/run.py --possible    what speech would come to if parts of the truth were known

What the file has already is not run again: stop and start at will.  Recordings: README.md.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import otowake
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft
from otowake.tasks import exemplars as frames
from otowake.tasks import extend as task
from otowake.tasks import lost, teach

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("OTOWAKE_AUDIO", HERE.parents[2] / "shared" / "audio"))
LOW, CUT = 8000, 4000
FLOORS = (-60, -80, -100)  # dB of the truth's loudest bin
INSTRUMENTS = ("bassoon", "cello", "clarinet", "flute", "harpsichord", "horn", "oboe", "piano", "trombone")
INSTRUMENTS += ("trumpet", "violin")
SPEAKERS = ("F_1998", "F_3080", "M_1688", "M_2033")
TRAINED = (0, 1, 2, 3, 4)  # utterances; the others are extended
COMPARED = {  # the recordings that variants are compared on
    "speech, same talker": ("3080-5032-0005", "1688-142285-0005"),
    "music to 44100 Hz": ("oboe", "piano"),
}
PIECE = ("oboe", "flute", "piano", "bassoon")
WIDER = {16_000: "768/384", 44_100: "2048/1024"}
OTHER = {16_000: "768/384", 44_100: "1536/768"}


@dataclass(frozen=True)
class Case:
    """A recording, what it is learned from, and the rate it comes back to."""

    kind: str
    name: str
    examples: tuple[Path, ...]
    truth: tuple[Path, ...]  # added up
    rate: int


@dataclass(frozen=True)
class Variant:
    """What differs from the command's own choice.  constants: of the modules of tasks/."""

    constants: tuple[tuple[Any, str, Any], ...] = ()
    exemplars: int = 500
    learned: int | None = None  # spectra of `learn` in place of exemplars
    stft: dict[int, str] | None = None  # at a rate
    iterations: int = 100


VARIANTS = {
    "as it is": Variant(),
    "untaught": Variant(((lost, "FEWEST", 10_001),)),
    "untaught, 768/384 at 16 kHz, silence left out": Variant(
        ((lost, "FEWEST", 10_001), (frames, "SILENT", 1e-3)), stft=WIDER
    ),
    "768/384 at 16 kHz, 1536/768 at 44.1 kHz": Variant(stft=OTHER),
    "blind to what is around": Variant(((teach, "WEIGHT", 0.0),)),
    "silence left out": Variant(((frames, "SILENT", 1e-3),)),
    "learned 27": Variant(learned=27),
    "p = 1": Variant(((lost, "DOMAIN", 1.0),)),
    "p = 2": Variant(((lost, "DOMAIN", 2.0),)),
    "p = 0.25": Variant(((lost, "DOMAIN", 0.25),)),
    "Itakura-Saito": Variant(((lost, "Beta", lambda _: task_beta(0.0)),)),
    "125 exemplars": Variant(exemplars=125),
    "1000 exemplars": Variant(exemplars=1000),
    "30 iterations": Variant(iterations=30),
    "300 iterations": Variant(iterations=300),
    "only the mean is taught": Variant(((teach, "regressed", lambda X, D, x: D.mean(0).expand(len(x), -1)),)),
    "levels as they come": Variant(((lost, "LEVEL", (1.0, 1.0)),)),
    "no rounds of phases": Variant(((task, "ROUNDS", 0),)),
    "random phases, no rounds": Variant(
        ((task, "rectified", lambda x, stft: scattered(x, stft)), (task, "ROUNDS", 0)),
    ),
    "random phases": Variant(((task, "rectified", lambda x, stft: scattered(x, stft)),)),
}
task_beta = lost.Beta


def scattered(x: torch.Tensor, stft: Stft) -> torch.Tensor:
    """Random phases."""
    shape = stft.forward(x).shape
    turn = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.polar(torch.ones_like(turn), 2 * torch.pi * turn)


# ---- cases -------------------------------------------------------------------------------------------------


def cases(audio: Path) -> Iterator[Case]:
    """Every recording, the kinds in turn."""
    music, multi = audio / "music_gm", audio / "speech_libri_multi"
    others = tuple(sorted((audio / "speech_libri").glob("*.flac")))[::3]  # 8 of 24 speakers
    for at in range(5):
        for who in SPEAKERS:
            spoken = sorted((multi / who).glob("*.flac"))
            truth = next(u for n, u in enumerate(u for i, u in enumerate(spoken) if i not in TRAINED) if n == at)
            yield Case("speech, same talker", truth.stem, tuple(spoken[i] for i in TRAINED), (truth,), 16_000)
            yield Case("speech, other talkers", truth.stem, others, (truth,), 16_000)
    for name in INSTRUMENTS:
        scale, part = (music / f"fluid_{name}{ending}.flac" for ending in ("_scale", ""))
        for rate in (44_100, 16_000):
            yield Case(f"music to {rate} Hz", name, (scale,), (part,), rate)
    scales, parts = (tuple(music / f"fluid_{name}{ending}.flac" for name in PIECE) for ending in ("_scale", ""))
    for rate in (44_100, 16_000):
        yield Case(f"piece of four parts to {rate} Hz", "piece", scales, parts, rate)


def sound(path: Path, rate: int) -> np.ndarray:
    one = otowake.read(path)
    return resampled(one.samples[:1], one.rate, rate)


# ---- scores ------------------------------------------------------------------------------------------------


def magnitudes(x: np.ndarray, rate: int) -> torch.Tensor:
    """32 ms at 16 kHz, 46 ms at 44.1 kHz; hop a quarter."""
    n_fft = 512 if rate <= 16_000 else 2048
    return Stft(n_fft, n_fft // 4).forward(torch.from_numpy(np.ascontiguousarray(x))).abs()


def distances(truth: np.ndarray, found: np.ndarray, rate: int) -> list[float]:
    """LSD in dB from the cut on, for each floor."""
    a, b = magnitudes(truth, rate), magnitudes(found, rate)
    power = a.square().sum(0)
    live = power > 1e-5 * power.max()
    high = torch.arange(len(a)) * (rate / 2 / (len(a) - 1)) >= CUT
    scores = []
    for floor in FLOORS:
        least = a.max() * 10 ** (floor / 20)
        d = 20 * torch.log10(a.clamp_min(least) / b.clamp_min(least))[high][:, live]
        scores.append(round(float(d.square().mean(0).sqrt().mean()), 3))
    return scores


def high(x: np.ndarray, rate: int, low: bool = False) -> np.ndarray:
    """What lies above the cut, or below 0.9 of it."""
    X = np.fft.rfft(x)
    f = np.fft.rfftfreq(x.shape[-1], 1 / rate)
    X[(f >= 0.9 * CUT) if low else (f < CUT)] = 0
    return np.fft.irfft(X, n=x.shape[-1])


def folded(plain: np.ndarray, rate: int) -> np.ndarray:
    """Spectral folding: the band below the cut mirrored at it, as loud; nothing above twice the cut."""
    n = np.arange(plain.shape[-1])
    turned = plain * 2 * np.cos(2 * np.pi * 2 * CUT / rate * n) if rate > 2 * 2 * CUT else plain * np.cos(np.pi * n)
    X = np.fft.rfft(turned)
    f = np.fft.rfftfreq(len(turned), 1 / rate)
    X[(f < CUT) | (f > 2 * CUT)] = 0
    return plain + np.fft.irfft(X, n=len(turned))


def decibels(a: np.ndarray, b: np.ndarray) -> float:
    return round(float(10 * np.log10(np.sum(a**2) / np.sum(b**2))), 2)


@contextmanager
def changed(variant: Variant) -> Iterator[None]:
    """While a variant's constants are in place."""
    before = [(module, name, getattr(module, name)) for module, name, _ in variant.constants]
    try:
        for module, name, value in variant.constants:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def extended(case: Case, variant: Variant, seed: int) -> dict[str, Any]:
    """One recording down and up again."""
    truth = sum(sound(path, case.rate) for path in case.truth)
    low = resampled(truth, case.rate, LOW)
    examples, rates = [sound(path, case.rate) for path in case.examples], [case.rate] * len(case.examples)
    stft = (variant.stft or {}).get(case.rate)
    with changed(variant):
        if variant.learned:
            known = otowake.learn(examples, rates, variant.learned, iterations=100, seed=seed, stft=stft)
        else:
            known = otowake.exemplars(examples, rates, variant.exemplars, stft=stft)
        result = otowake.extend(low, LOW, known, iterations=variant.iterations, seed=seed)
    samples = min(truth.shape[-1], result.samples.shape[-1])
    truth, found = truth[0, :samples], result.samples[0, :samples]
    plain = resampled(low, LOW, case.rate, samples)[0]
    return {
        "lsd": distances(truth, found, case.rate),
        "plain": distances(truth, plain, case.rate),
        "folded": distances(truth, folded(plain, case.rate), case.rate),
        "level": decibels(high(found, case.rate), high(truth, case.rate)),
        "changed_below": decibels(high(found - plain, case.rate, low=True), high(plain, case.rate, low=True)),
    }


# ---- runs and their table ----------------------------------------------------------------------------------


def run(lines: Path, audio: Path, quick: bool, names: list[str], seed: int) -> None:
    done = {(one["kind"], one["name"], one["variant"], one["seed"]) for one in read(lines)}
    lines.parent.mkdir(exist_ok=True)
    versions = {"otowake": otowake.__version__, "torch": torch.__version__, "python": platform.python_version()}
    for name in names:
        kinds: dict[str, int] = {}
        for case in cases(audio):
            kinds[case.kind] = kinds.get(case.kind, 0) + 1
            wanted = case.name in COMPARED.get(case.kind, ()) or name == "as it is"
            if (case.kind, case.name, name, seed) in done or not wanted or (quick and kinds[case.kind] > 1):
                continue
            start = time.perf_counter()
            scores = extended(case, VARIANTS[name], seed)
            line = {"kind": case.kind, "name": case.name, "variant": name, "seed": seed, **scores}
            line |= {"s": round(time.perf_counter() - start, 1), "machine": platform.machine(), "versions": versions}
            with lines.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(line["kind"], line["name"], name, line["lsd"], line["plain"], file=sys.stderr)


def read(lines: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def three(values: np.ndarray) -> str:
    return " / ".join(f"{value:.1f}" for value in values)


def table(found: list[dict[str, Any]]) -> str:
    """Means over recordings at floors of -60, -80, -100 dB."""
    rows = [row(["recordings", "n", "resampled", "folded", "extended", "ratio", "halved", "level of the band, dB"])]
    rows.append("|---|---:|---:|---:|---:|---:|---:|---:|")
    own = [one for one in found if one["variant"] == "as it is"]
    for kind in dict.fromkeys(one["kind"] for one in own):
        these = [one for one in own if one["kind"] == kind]
        plain, fold, ours = (np.array([one[key] for one in these]) for key in ("plain", "folded", "lsd"))
        ratio = " / ".join(f"{q:.2f}" for q in ours.mean(0) / plain.mean(0))
        halved = " / ".join(str(n) for n in (ours <= plain / 2).sum(0))
        level = f"{np.median([one['level'] for one in these]):.1f}"
        means = [three(x.mean(0)) for x in (plain, fold, ours)]
        rows.append(row([kind, str(len(these)), *means, ratio, halved, level]))
    rows += ["", *compared(found)]
    rows.append("")
    rows.append(f"Below 0.9 of the cut: changed by {max(one['changed_below'] for one in own):.0f} dB at most.")
    return "\n".join(rows)


def compared(found: list[dict[str, Any]]) -> list[str]:
    """Each variant next to the command's own choice."""
    kinds = tuple(COMPARED)
    rows = [row(["variant", *(f"{kind}: LSD" for kind in kinds), *(f"{kind}: ratio" for kind in kinds)])]
    rows.append("|---|---:|---:|---:|---:|")
    for name in VARIANTS:
        cells = []
        for kind in kinds:
            these = [one for one in found if (one["kind"], one["variant"]) == (kind, name)]
            these = [one for one in these if one["name"] in COMPARED[kind]]
            ours, plain = (np.array([one[key] for one in these]) for key in ("lsd", "plain"))
            if len(these) < len(COMPARED[kind]):
                break
            cells.append((three(ours.mean(0)), " / ".join(f"{q:.2f}" for q in ours.mean(0) / plain.mean(0))))
        if len(cells) == len(kinds):
            rows.append(row([name, *(lsd for lsd, _ in cells), *(ratio for _, ratio in cells)]))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audio", type=Path, default=SHARED, help="the folder of recordings")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "full.jsonl")
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), help="by default all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="one recording of each kind")
    parser.add_argument("--table", action="store_true", help="print the table of what is there")
    words = parser.parse_args()
    if not words.table:
        run(words.results, words.audio, words.quick, words.variants, words.seed)
    print(table(read(words.results)))


if __name__ == "__main__":
    main()
