"""A talker on the telephone and an oboe at 8 kHz, brought back to 16 and 44.1 kHz."""

from pathlib import Path

import numpy as np
import torch
from gallery import MUSIC, smaller, sound, table

import otowake
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft
from otowake.tasks.drawing.bands import bands

LOW, CUT = 8000, 4000
FLOORS = (-80, -100)


def make(out: Path) -> dict[str, str]:
    speech = otowake.read(MUSIC.parent / "two-talkers-ref1.flac")
    scale, oboe = (otowake.read(MUSIC / f"{name}.flac") for name in ("oboe-scale", "oboe"))
    six = 6 * speech.rate
    rows = [["", "floor", "resampled", "extended", "extended / resampled"]]
    rows += _one(out, "speech", speech.samples[:, :six], speech.samples[:, six:], speech.rate)
    rows += _one(out, "oboe", scale.samples, oboe.samples[:, : 5 * oboe.rate], oboe.rate)
    return {"distances": table(rows)}


def _one(out: Path, name: str, example: np.ndarray, truth: np.ndarray, rate: int) -> list[list[str]]:
    low = resampled(truth, rate, LOW)
    result = otowake.extend(low, LOW, otowake.exemplars(example, rate))
    plain = resampled(low, LOW, rate, truth.shape[-1])[0]
    found = result.samples[0, : truth.shape[-1]]
    found = np.pad(found, (0, truth.shape[-1] - len(found)))
    gain = 0.9 / max(abs(truth).max(), abs(found).max())
    for ending, x in (("low", plain), ("extended", found), ("truth", truth[0])):
        sound(out / f"{name}-{ending}.ogg", gain * x, rate)
    titles = ("Extended", "What it was")
    picture = out / f"{name}.png"
    bands(picture, found, rate, truth[0], rate, CUT, titles)
    smaller(picture)
    scores = [(floor, *(_distance(truth[0], x, rate, floor) for x in (plain, found))) for floor in FLOORS]
    return [[name, f"{floor} dB", f"{a:.1f} dB", f"{b:.1f} dB", f"{b / a:.2f}"] for floor, a, b in scores]


def _distance(truth: np.ndarray, found: np.ndarray, rate: int, floor: float) -> float:
    """Log-spectral distance above the cut, in frames within 50 dB of the loudest."""
    n_fft = 512 if rate <= 16_000 else 2048
    a, b = (Stft(n_fft, n_fft // 4).forward(torch.from_numpy(x)).abs() for x in (truth, found))
    power = a.square().sum(0)
    above = torch.arange(len(a)) * rate / n_fft >= CUT
    least = a.max() * 10 ** (floor / 20)
    d = 20 * torch.log10(a.clamp_min(least) / b.clamp_min(least))[above][:, power > 1e-5 * power.max()]
    return float(d.square().mean(0).sqrt().mean())
