"""An hour of talkers at four microphones through `otowake separate`: time, memory, and how good each minute is.

    python benchmarks/long.py [--minutes M] [--talkers N ...] [--threads T] [--audio FOLDER] [--markdown long.md]

The recording: utterances of speech_libri and speech_libri_multi with short pauses, shuffled anew each time they have
all been heard, each at another gain and the whole round at another speed; without such a folder voices that are
nobody's (scene.py).  They come from N chairs in a simulated room of 6.5 x 5.2 x 3 m, RT60 0.3 s, around a line of 4
microphones 5 cm apart, images at equal power.  It is written as 16-bit FLAC, and so are the images.

The command runs as a process of its own, as a user would. SDR: BSS eval of each minute, in the order of sounds that
is best in the first one, so that sounds that change places are seen; the first minute is also separated alone, and so
are the three worst. A join is where two blocks meet; its jump is |10 log10| of the power of the 20 ms before its
middle over those after, and that of the same images stands beside it; the SDR of the two seconds around it stands
beside that of the two seconds in the middle between joins.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from machine import machine, named, threads, told

if TYPE_CHECKING:
    import numpy as np

RATE, MICROPHONES, SEED, RT60, LEVEL = 16_000, 4, 0, 0.3, 0.03
SIZE, AZIMUTHS = (6.5, 5.2, 3.0), {2: (45, 130), 3: (35, 85, 145), 4: (25, 70, 110, 155)}
SPEEDS = (1.0, 0.92, 1.09, 0.85, 1.18, 0.96, 1.04, 0.89, 1.13, 0.82)  # of each round
STRETCH = 30 * RATE
SILENT = 1e-7  # mean square
PACKAGES = ("otowake", "torch", "numpy", "numba")
END = "import time; print(time.process_time(), *(s.split()[1] for s in open('/proc/self/status') if 'VmHWM' in s))"
RUN = f"import sys; from otowake.cli.main import main; assert main(sys.argv[1:]) == 0; {END}"
HEAD = ("talkers", "minutes", "wall s", "real-time factor", "CPU s", "most memory, MB")


class Files(NamedTuple):
    mixture: Path
    images: list[Path]


# ---- the recording --------------------------------------------------------------------------------------------


def utterances(folder: Path | None, chairs: int) -> list[list[np.ndarray]]:
    """What is said on each chair."""
    import numpy as np
    import soundfile

    if folder is None:
        import scene

        rng = np.random.default_rng(SEED)
        return [[scene.voice(rng) for _ in range(4)] for _ in range(chairs)]
    files = [
        *sorted((folder / "speech_libri").rglob("*.flac")),
        *sorted((folder / "speech_libri_multi").rglob("*.flac")),
    ]
    people = sorted({path.stem.split("-")[0] for path in files})  # F_1069 or 1998: one person's files
    sits = {person: n % chairs for n, person in enumerate(people)}
    found: list[list[np.ndarray]] = [[] for _ in range(chairs)]
    for path in files:
        found[sits[path.stem.split("-")[0]]].append(soundfile.read(path)[0])
    return found


def speech(said: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[np.ndarray]:
    """One chair, without end."""
    import numpy as np

    from otowake.signal.rate import resampled

    n = 0
    while True:
        speed = SPEEDS[n % len(SPEEDS)]
        for k in rng.permutation(len(said)):
            x = said[k] if speed == 1 else resampled(said[k][None], round(RATE * speed), RATE)[0]
            yield LEVEL * rng.uniform(0.7, 1.3) * x / x.std()
            yield np.zeros(int(RATE * rng.uniform(0.1, 0.8)))
        n += 1


def stretches(parts: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    import numpy as np

    kept = np.zeros(0)
    for part in parts:
        kept = np.concatenate([kept, part])
        while len(kept) >= STRETCH:
            yield kept[:STRETCH]
            kept = kept[STRETCH:]


def responses(chairs: int) -> np.ndarray:
    """(n, m, taps), images at equal power at microphone 1."""
    import numpy as np

    from otowake.simulate import Room, around, linear, middle, simulate

    centre = middle(SIZE)
    places = around(centre, AZIMUTHS[chairs], 1.5, 0.1)
    click = np.zeros(round(1.2 * RT60 * RATE))
    click[0] = 1
    scene = simulate([click] * chairs, RATE, Room(linear(MICROPHONES, 0.05, centre), places, SIZE, rt60=RT60))
    return scene.images / np.linalg.norm(scene.images[:, :1], axis=-1, keepdims=True)


def recording(folder: Path, audio: Path | None, chairs: int, minutes: float) -> Files:
    import numpy as np
    import soundfile
    from scipy.signal import oaconvolve

    heard, total = responses(chairs), round(minutes * 60 * RATE)
    taps = heard.shape[-1]
    said = [stretches(speech(one, np.random.default_rng([SEED, n]))) for n, one in enumerate(utterances(audio, chairs))]
    files = Files(folder / "talk.flac", [folder / f"image{n + 1}.flac" for n in range(chairs)])
    out = [soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") for path in files.images]
    tails = np.zeros((chairs, MICROPHONES, taps - 1))
    with soundfile.SoundFile(files.mixture, "w", RATE, MICROPHONES, "PCM_16") as mixture:
        for at in range(0, total, STRETCH):
            now = np.zeros((MICROPHONES, STRETCH))
            for n, parts in enumerate(said):
                y = oaconvolve(next(parts)[None], heard[n], axes=-1)
                y[:, : taps - 1] += tails[n]
                tails[n] = y[:, STRETCH:]
                now += y[:, :STRETCH]
                out[n].write(y[0, : min(STRETCH, total - at)])
            mixture.write(now[:, : total - at].T)
    for one in out:
        one.close()
    return files


# ---- how good it is -------------------------------------------------------------------------------------------


def sdr_at(files: Files, sounds: Sequence[Path], starts: Sequence[float], seconds: float) -> list[float]:
    """Mean SDR in dB of stretches, in the order of sounds that is best in the first minute."""
    import numpy as np
    import torch
    from fast_bss_eval.torch import sdr

    from otowake.metrics import evaluate

    def stretch(paths: Sequence[Path], at: float, seconds: float) -> np.ndarray:
        import soundfile

        read = [soundfile.read(path, start=round(at * RATE), frames=round(seconds * RATE))[0] for path in paths]
        return np.stack(read)

    order = evaluate(stretch(files.images, 0, 60), stretch(sounds, 0, 60)).permutation
    found = []
    for at in starts:
        truth, heard = (torch.from_numpy(stretch(paths, at, seconds)) for paths in (files.images, sounds))
        if float(truth.square().mean(-1).min()) > SILENT:  # a talker who pauses has no SDR
            found.append(float(sdr(truth, heard[torch.as_tensor(np.asarray(order))]).mean()))
    return found


def jumps(paths: Sequence[Path], joins: Sequence[float]) -> list[float]:
    """Of each sound at each join, dB; where both sides are heard."""
    import numpy as np
    import soundfile

    found, n = [], RATE // 50
    for path in paths:
        for at in joins:
            x = soundfile.read(path, start=int(at * RATE) - n, frames=2 * n)[0]
            a, b = (float(np.mean(half**2)) for half in (x[:n], x[n:]))
            if min(a, b) > 1e-8:
                found.append(abs(10 * np.log10(a / b)))
    return found


# ---- the runs -------------------------------------------------------------------------------------------------


def lowest(x: Sequence[float]) -> list[int]:
    """Where the three least are."""
    return sorted(range(len(x)), key=x.__getitem__)[:3]


class Row(NamedTuple):
    talkers: int
    minutes: float
    wall: float
    cpu: float
    memory: float
    sdr: list[float]
    alone: dict[int, float]  # by minute
    report: dict
    at_joins: list[float]
    between: list[float]
    jumps: list[float]
    true_jumps: list[float]

    @property
    def worst(self) -> list[int]:
        """Minutes."""
        return lowest(self.sdr)


def separated(mixture: Path, out: Path, talkers: int) -> tuple[dict, float, float]:
    """The report, seconds of the processor and the most megabytes of a process of its own."""
    words = ("separate", mixture, "-o", out, "--sources", talkers, "--no-plots")
    line = [sys.executable, "-c", RUN, *map(str, words)]
    child = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True)
    cpu, size = child.stdout.splitlines()[-1].split()
    return json.loads((out / f"{mixture.stem}-separation.json").read_text()), float(cpu), float(size) / 1024


def run(folder: Path, audio: Path | None, talkers: int, minutes: float) -> Row:
    import soundfile

    files = recording(folder, audio, talkers, minutes)
    began = os.times().elapsed
    report, cpu, memory = separated(files.mixture, folder / "out", talkers)
    wall = os.times().elapsed - began
    sounds = [folder / "out" / f"talk-source{n + 1}.flac" for n in range(talkers)]
    overlap = report["settings"]["overlap"]
    joins = [block["from"] + overlap / 2 for block in report["blocks"][1:]]
    middles = [(a + b) / 2 for a, b in zip(joins, joins[1:])]
    sdr = sdr_at(files, sounds, range(0, int(max(minutes, 1)) * 60, 60), 60)
    worst = lowest(sdr)
    alone = {}
    for minute in dict.fromkeys([0, *worst]):
        mine = folder / f"minute{minute}"
        mine.mkdir()
        one = Files(mine / "talk.flac", [mine / path.name for path in files.images])
        for path, cut in zip((files.mixture, *files.images), (one.mixture, *one.images)):
            soundfile.write(cut, soundfile.read(path, start=minute * 60 * RATE, frames=60 * RATE)[0], RATE)
        separated(one.mixture, mine, talkers)
        alone[minute] = sdr_at(one, [mine / path.name for path in sounds], [0], 60)[0]
    return Row(
        talkers, minutes, wall, cpu, memory, sdr, alone, report,
        sdr_at(files, sounds, [at - 1 for at in joins], 2), sdr_at(files, sounds, [at - 1 for at in middles], 2),
        jumps(sounds, joins), jumps(files.images, joins),
    )  # fmt: skip


def page(rows: Sequence[Row], count: int, audio: Path | None) -> str:
    source = "speech_libri and speech_libri_multi" if audio else "voices that are nobody's (scene.py)"
    lines = ["# An hour of talkers at four microphones", ""]
    lines += [f"`python benchmarks/long.py --threads {count} --markdown benchmarks/long.md`: {source},"]
    lines += [f"seed {SEED}; what is measured stands in long.py.", "", named(machine(PACKAGES)), ""]
    lines += ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    for row in rows:
        factor = row.wall / row.minutes / 60
        lines.append(
            f"| {row.talkers} | {row.minutes:g} | {row.wall:.0f} | {factor:.3f} | {row.cpu:.0f} | {row.memory:.0f} |"
        )
    for row in rows:
        told_of = row.report["blocks"]
        alike = [block["alike"] for block in told_of if block["alike"] is not None]
        onward = sum(bool(block.get("onward")) for block in told_of)
        lines += ["", f"{row.talkers} talkers, {row.report['method']}: {onward} of {len(told_of)} blocks went on."]
        mean, low, high = statistics.mean(row.sdr), min(row.sdr), max(row.sdr)
        lines += [
            f"SDR in dB: the first minute alone {row.alone[0]:.1f}, all minutes {mean:.1f} ({low:.1f} to {high:.1f});",
            "the worst, and what they have alone: "
            + ", ".join(f"{row.sdr[k]:.1f} ({x:.1f})" for k, x in row.alone.items() if k in row.worst)
            + ".",
            "",
        ]
        for k in range(0, len(row.sdr), 20):
            lines.append(" ".join(f"{x:.1f}" for x in row.sdr[k : k + 20]))
        lines.append("")
        if row.at_joins:
            near, apart = (statistics.median(x) for x in (row.at_joins, row.between))
            lines += [f"SDR of two seconds, medians: around joins {near:.1f}, between them {apart:.1f}.", ""]
        if alike:
            lines += [f"Joins: likeness {statistics.mean(alike):.2f}, the least {min(alike):.2f}; jump of the power "
                      f"{statistics.median(row.jumps):.1f} dB (median),", f"of the true images at the same places "
                      f"{statistics.median(row.true_jumps):.1f} dB."]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--talkers", type=int, nargs="+", choices=sorted(AZIMUTHS), default=[4, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--audio", type=Path, default=os.environ.get("OTOWAKE_AUDIO"))
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    threads(given.threads)
    rows = []
    for talkers in given.talkers:
        with tempfile.TemporaryDirectory() as name:
            rows.append(run(Path(name), given.audio and Path(given.audio), talkers, given.minutes))
        print(rows[-1]._replace(report={}), file=sys.stderr, flush=True)
    told(page(rows, given.threads, given.audio), given.markdown)


if __name__ == "__main__":
    main()
