"""Transcribes single parts and mixtures of them; one line of JSON a recording and way.

    python experiments/transcription/run.py                     everything, into results/full.jsonl
    python experiments/transcription/run.py --ways known        known, none, pyin, basic_pitch; several
    python experiments/transcription/run.py --sets one four     one, two, four
    python experiments/transcription/run.py --report            the tables of README.md, written into it

What the file has already is not run again.
"""

import argparse
import itertools
import json
import os
import platform
import random
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import soundfile
import torch

import otowake
from otowake.signal.pitch import hertz

HERE = Path(__file__).resolve().parent
RATE = 44_100
GROUPS = {
    "melody1": ("oboe", "trumpet", "horn"),
    "melody2": ("flute", "violin", "clarinet"),
    "midrange": ("piano", "harpsichord"),
    "bass": ("trombone", "bassoon", "cello"),
}
PART = {name: part for part, names in GROUPS.items() for name in names}
LOOKED_AT = (0, 1, 2, 3, 4, 6, 8)  # mixtures of four that the detection was chosen with, besides the single parts
COUNTS = {"one": 11, "two": 10, "four": 10}
WORDS = {
    "known": "a scale of each instrument known",
    "none": "without any example",
    "pyin": "librosa.pyin, one voice",
    "basic_pitch": "basic-pitch, a trained network",
}


def recordings(kind: str) -> list[tuple[str, ...]]:
    """The instruments of each recording, in an order that is always the same."""
    if kind == "one":
        return [(name,) for name in PART]
    if kind == "two":
        every = [pair for pair in itertools.combinations(PART, 2) if PART[pair[0]] != PART[pair[1]]]
    else:
        every = list(itertools.product(*GROUPS.values()))
    random.Random(0).shuffle(every)
    return every[: COUNTS[kind]]


class Music:
    """The folder music_gm: parts, scales and the score."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.score = json.loads((folder / "fluid_score.json").read_text())

    def mixture(self, names: tuple[str, ...]) -> np.ndarray:
        """The parts at equal power, (1, samples)."""
        parts = [soundfile.read(self.folder / f"fluid_{name}.flac")[0] for name in names]
        return 0.05 * sum(part / np.sqrt(np.mean(part**2)) for part in parts)[None]

    def notes(self, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        """(onset, offset) in seconds, and hertz."""
        beat = 60 / self.score["bpm"]
        notes = [note for name in names for note in self.score["notes"][PART[name]]]
        return np.array([(b * beat, (b + d) * beat) for _, b, d in notes]), np.array([hertz(p) for p, *_ in notes])

    @cache  # noqa: B019 - one for the whole run
    def tones(self, name: str) -> otowake.Tones:
        samples, rate = soundfile.read(self.folder / f"fluid_{name}_scale.flac")
        return otowake.tones(samples, rate, name=name)


def transcribed(music: Music, names: tuple[str, ...], way: str) -> tuple[np.ndarray, np.ndarray]:
    """(onset, offset) and hertz of what is heard."""
    x = music.mixture(names)
    if way in ("pyin", "basic_pitch"):
        return pyin_notes(x[0]) if way == "pyin" else network_notes(x[0])
    known = [music.tones(name) for name in names] if way == "known" else []
    score = otowake.transcribe(x, RATE, known).score
    return np.array([(n.onset, n.offset) for n in score]).reshape(-1, 2), np.array([hertz(n.pitch) for n in score])


def pyin_notes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs of one semitone, 60 ms at least, of librosa's pYIN over the range that we look in."""
    import librosa

    f0, voiced, _ = librosa.pyin(x, fmin=hertz(28), fmax=hertz(96), sr=RATE, frame_length=4096, hop_length=512)
    pitch = np.where(voiced, np.round(69 + 12 * np.log2(np.nan_to_num(f0, nan=440.0) / 440)), -1)
    edges = [0, *(np.flatnonzero(np.diff(pitch)) + 1), len(pitch)]
    runs = [(a, b) for a, b in itertools.pairwise(edges) if pitch[a] >= 0 and (b - a) * 512 / RATE >= 0.06]
    times = np.array([(a * 512 / RATE, b * 512 / RATE) for a, b in runs]).reshape(-1, 2)
    return times, np.array([hertz(pitch[a]) for a, _ in runs])


@cache
def network() -> Any:
    """basic-pitch with the weights in its package, by onnxruntime."""
    import basic_pitch
    from basic_pitch.inference import Model

    return Model(Path(basic_pitch.__file__).parent / "saved_models" / "icassp_2022" / "nmp.onnx")


def network_notes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What basic-pitch hears with its defaults."""
    from basic_pitch.inference import predict

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.wav"
        soundfile.write(path, x, RATE, "FLOAT")
        notes = predict(path, network())[2]
    return np.array([n[:2] for n in notes]).reshape(-1, 2), np.array([hertz(int(n[2])) for n in notes])


def figures(music: Music, names: tuple[str, ...], way: str) -> dict:
    began = time.perf_counter()
    times, pitches = transcribed(music, names, way)
    seconds = time.perf_counter() - began
    reference = music.notes(names)
    scores = mir_eval.transcription.precision_recall_f1_overlap
    onset = scores(*reference, times, pitches, offset_ratio=None)[:3] if len(times) else (0.0, 0.0, 0.0)
    both = scores(*reference, times, pitches)[2] if len(times) else 0.0
    return {
        "precision": onset[0], "recall": onset[1], "f": onset[2], "f_offset": both, "notes": len(times),
        "reference": len(reference[0]), "seconds": round(seconds, 1),
    }  # fmt: skip


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(args: argparse.Namespace) -> None:
    music = Music(args.audio)
    done = {(line["way"], *line["recording"]) for line in lines(args.results)}
    for way, kind in itertools.product(args.ways, args.sets):
        if way == "pyin" and kind != "one":
            continue  # it follows one voice
        for names in recordings(kind):
            if (way, *names) not in done:
                line = {"way": way, "set": kind, "recording": names} | figures(music, names, way)
                with args.results.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                print(line, flush=True)


# ---- the tables ----------------------------------------------------------------------------------------------


def report(path: Path) -> None:
    found = lines(path)
    page = HERE / "README.md"
    text = page.read_text("utf-8")
    for name, rows in {"means": means(found), "single": single(found)}.items():
        text = re.sub(rf"(<!-- figures: {name} -->\n).*?(<!-- end -->)", rf"\1\n{rows}\n\n\2", text, flags=re.S)
    page.write_text(text, encoding="utf-8")


def means(found: list[dict]) -> str:
    rows = [
        "| recordings | what is known | how many | precision | recall | F | least F | F with offsets |",
        "|---" * 8 + "|",
    ]
    for kind, way in itertools.product(COUNTS, WORDS):
        own = [line for line in found if (line["set"], line["way"]) == (kind, way)]
        for title, group in _groups(kind, way, own):
            if group:
                mean = [f"{statistics.mean(line[key] for line in group):.3f}" for key in ("precision", "recall", "f")]
                least, both = min(line["f"] for line in group), statistics.mean(line["f_offset"] for line in group)
                cells = [title, WORDS[way], str(len(group)), *mean, f"{least:.3f}", f"{both:.3f}"]
                rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _groups(kind: str, way: str, own: list[dict]) -> Iterator[tuple[str, list[dict]]]:
    seen = [recordings("four")[n] for n in LOOKED_AT]
    if kind == "four" and way == "known":
        yield "four parts, looked at when choosing constants", [x for x in own if tuple(x["recording"]) in seen]
        yield "four parts, not looked at", [x for x in own if tuple(x["recording"]) not in seen]
    else:
        yield {"one": "single parts", "two": "two parts", "four": "four parts"}[kind], own


def single(found: list[dict]) -> str:
    rows = [f"| part | {' | '.join(WORDS.values())} |", "|---" * (len(WORDS) + 1) + "|"]
    for name in PART:
        own = {line["way"]: f"{line['f']:.3f}" for line in found if line["recording"] == [name]}
        rows.append(f"| {name} | {' | '.join(own.get(way, '') for way in WORDS)} |")
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "librosa", "mir_eval"))
    return "\n".join(
        [*rows, "", f"Python {platform.python_version()}, otowake {otowake.__version__}, {packages}; seed 0."]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.environ.get("OTOWAKE_AUDIO", str(HERE.parents[2] / "shared" / "audio"))
    parser.add_argument("--audio", type=Path, default=Path(root) / "music_gm")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "full.jsonl")
    parser.add_argument("--sets", nargs="+", choices=COUNTS, default=list(COUNTS))
    parser.add_argument("--ways", nargs="+", choices=WORDS, default=list(WORDS))
    parser.add_argument("--report", action="store_true")
    args = parser.parse_args()
    if args.report:
        report(args.results)
    else:
        torch.set_num_threads(1)
        run(args)


if __name__ == "__main__":
    main()
