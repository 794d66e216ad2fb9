"""What an hour of examples is worth: spectra of `otowake learn`, measured on talkers that nobody has learned from.

Called by `python benchmarks/online.py --hour`.  Four of the 24 talkers of speech_libri and one of the four of
speech_libri_multi are held out.  The others make the hour: 8.7 minutes, file after file in a random order, again and
again, each time at another speed, which moves pitch and formants as another talker does, and every file at another
gain.  The shorter ones are how the hour begins.

Every row is a process of its own, run as a user would; only for five minutes in blocks the limit of what
`learn` takes in one piece is moved.  In one piece 200 updates are made, where more bring little, and in blocks the
five passes of the usual 500.  Seconds are of the processor, reading included; memory is the most that the process ever
had (Linux).  What is reached is the Kullback-Leibler divergence per bin of the held-out talkers, whose mean amplitude
is 1, after 100 updates of the activations alone.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

RATE, CHANCE = 16_000, 0
SPEEDS = (1.0, 0.92, 1.09, 0.85, 1.18, 0.96, 1.04, 0.89, 1.13, 0.82)  # of each time through
ITSELF = "the held-out talkers themselves"
LEARN = "import otowake.tasks.examples as e; e.LONG = {long}; from otowake.cli.main import main; assert main() == 0"
NOTHING = "import otowake.tasks.learn"
END = "import time; print(time.process_time(), *(s.split()[1] for s in open('/proc/self/status') if 'VmHWM' in s))"
USUAL, LOW = 2**24, 2**16  # the limit of what is learned in one piece
PLANS = (
    ("5 minutes", "one piece", USUAL, 200),
    ("5 minutes", "blocks", LOW, 500),
    ("60 minutes", "blocks", USUAL, 500),
    (ITSELF, "one piece", USUAL, 200),
)
HEAD = ("learned from", "how", "updates or passes", "KL per bin", "seeds", "CPU s", "most memory, MB")


Divergence = Callable[[Any, Any], float]  # of a spectrogram with spectra; its activations are its own


class Row(NamedTuple):
    what: str
    how: str
    kl: list[float]
    seconds: list[float]
    memory: list[float]

    def cells(self) -> list[str]:
        spread = f"{min(self.kl):.4f} to {max(self.kl):.4f}" if self.kl else ""
        kl = f"{statistics.mean(self.kl):.4f}" if self.kl else ""
        often = {"one piece": "200 updates", "blocks": "5 passes"}.get(self.how, "")
        return [
            self.what, self.how, often, kl, spread, f"{statistics.mean(self.seconds):.0f}",
            f"{max(self.memory):.0f}",
        ]  # fmt: skip


def talkers(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files to learn from, and files held out."""
    single = sorted((folder / "speech_libri").rglob("*.flac"))
    several = sorted((folder / "speech_libri_multi").rglob("*.flac"))
    last = several[-1].parent
    apart = {*single[5::6], *(path for path in several if path.parent == last)}
    return [path for path in (*single, *several) if path not in apart], sorted(apart)


def recordings(files: Sequence[Path], apart: Sequence[Path], folder: Path) -> dict[str, Path]:
    """What is learned from, by what it is called in the table."""
    import numpy as np
    import soundfile

    from otowake.signal.rate import resampled

    rng, parts = np.random.default_rng(CHANCE), []
    for speed in SPEEDS:
        for at in rng.permutation(len(files)):
            x, rate = soundfile.read(files[at])
            x = x if speed == 1 else resampled(x[None], round(rate * speed), rate)[0]
            parts.append(rng.uniform(0.3, 1.0) / max(1.0, np.abs(x).max()) * x)
    whole = np.concatenate(parts)
    if len(whole) < 3600 * RATE:
        sys.exit(f"The recordings make {len(whole) / RATE / 60:.0f} minutes, wanted are 60.")
    sounds = {f"{m} minutes": whole[: round(m * 60 * RATE)] for m in (5, 60)}
    sounds[ITSELF] = np.concatenate([soundfile.read(path)[0] for path in apart])
    found = {}
    for n, (title, samples) in enumerate(sounds.items()):
        found[title] = folder / f"{n}.flac"
        soundfile.write(found[title], samples, RATE)
    return found


def spent(code: str, *words: str) -> tuple[float, float]:
    """Seconds of the processor and the most megabytes of a process of its own."""
    child = subprocess.run(
        [sys.executable, "-c", f"{code}; {END}", *words], check=True, stdout=subprocess.PIPE, text=True
    )
    seconds, size = child.stdout.splitlines()[-1].split()
    return float(seconds), float(size) / 1024


def compare(folder: Path, seeds: Sequence[int], divergence: Divergence) -> list[Row]:
    learned, apart = talkers(folder)
    rows = [Row("nothing: Python and torch", "", [], *([x] for x in spent(NOTHING)))]
    with tempfile.TemporaryDirectory() as name:
        there = Path(name)
        sounds = recordings(learned, apart, there)
        for what, how, limit, iterations in PLANS:
            row = Row(what, how, [], [], [])
            for seed in seeds:
                bases = there / "found.bases"
                code = LEARN.format(long=limit)
                words = ("learn", sounds[what], "-o", bases, "--seed", seed, "--iterations", iterations)
                measured = spent(code, *map(str, words))
                for column, x in zip((row.seconds, row.memory), measured, strict=True):
                    column.append(x)
                row.kl.append(reached(apart, bases, divergence))
                bases.unlink()
            rows.append(row)
            print(row, file=sys.stderr, flush=True)
    return rows


def reached(files: Sequence[Path], bases: Path, divergence: Divergence) -> float:
    """Divergence per bin of files with spectra of `otowake learn`."""
    import numpy as np
    import soundfile
    import torch

    import otowake

    found = otowake.load_bases(bases)
    x = torch.from_numpy(np.concatenate([soundfile.read(path)[0] for path in files]))
    a = found.stft.forward(x).abs().float()
    return divergence(a / a.mean(), found.B) / a.numel()


def table(rows: Sequence[Row], seeds: Sequence[int]) -> list[str]:
    lines = [f"Speech at {RATE} Hz, 27 spectra, seeds {', '.join(map(str, seeds))}:", ""]
    lines += ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    return [*lines, *("| " + " | ".join(row.cells()) + " |" for row in rows)]
