"""An instrument that is known by its scale, out of mixtures with another that is not."""

from itertools import permutations
from pathlib import Path

import numpy as np
from gallery import MUSIC, smaller, sound, table

import otowake
from otowake.tasks.drawing.spectrograms import spectrograms

NAMES = ("oboe", "flute", "piano", "bassoon")
SHOWN = ("bassoon", "oboe")


def make(out: Path) -> dict[str, str]:
    parts = {name: otowake.read(MUSIC / f"{name}.flac") for name in NAMES}
    rate = parts["oboe"].rate
    alone = {name: part.samples[0] / np.sqrt((part.samples[0] ** 2).mean()) / 20 for name, part in parts.items()}
    scales = {name: otowake.read(MUSIC / f"{name}-scale.flac") for name in NAMES}
    known = {name: otowake.learn(scale.samples, rate, names=[name], iterations=200) for name, scale in scales.items()}
    rows = [("known by its scale", "with", "plain", "penalty, weights found", "the rest", "heaviest weight")]
    for target, other in permutations(NAMES, 2):
        x = (alone[target] + alone[other])[None]
        truth = np.stack([alone[target], alone[other]])
        plain = otowake.extract(x, rate, known[target], method="plain")
        found = otowake.extract(x, rate, known[target])
        before, after = (_sdr(truth, one) for one in (plain, found))
        weight = f"{found.settings['weight']:g}"
        rows.append((target, other, f"{before[0]:.1f} dB", f"{after[0]:.1f} dB", f"{after[1]:.1f} dB", weight))
        if (target, other) == SHOWN:
            _shown(out, x, found, rate)
    return {"pairs": table(rows)}


def _sdr(truth: np.ndarray, found: otowake.Extraction) -> tuple[float, float]:
    scores = (otowake.evaluate(truth[[n]], part).sdr[0] for n, part in enumerate((found.target, found.rest)))
    return tuple(map(float, scores))


def _shown(out: Path, x: np.ndarray, found: otowake.Extraction, rate: int) -> None:
    sounds = np.stack([found.target[0], found.rest[0]])
    spectrograms(out / "extracted.png", x[0], sounds, rate, names=[SHOWN[0].capitalize(), "Rest"])
    smaller(out / "extracted.png")
    for name, y in (("mixture", x[0]), ("target", sounds[0]), ("rest", sounds[1])):
        sound(out / f"{name}.ogg", y, rate)
