"""Two talkers and two microphones: what each family of methods makes of the same recording."""

from pathlib import Path

import numpy as np
import torch
from gallery import MUSIC, smaller, sound, table

import otowake
from otowake.metrics.bss import Evaluation
from otowake.signal.stft import Stft
from otowake.tasks.drawing.costs import cost_curve
from otowake.tasks.drawing.masks import draw, painted

PAPER = Stft(1024, 256)
HEARD, INK = 5, 45.0  # seconds; decibels from white to full colour
RUNS = {
    "auxiva": {},
    "consistent_ilrma": {},
    "pds": {"iterations": 200},
    "pds, source=low-rank": {"settings": {"source": "low-rank"}},
    "hva": {},
    "fastmnmf2": {},
    "mnmf": {},
    "cacgmm": {},
}
FAMILIES = {
    "independence": {"auxiva": "AuxIVA", "consistent_ilrma": "Consistent ILRMA"},
    "full-rank": {"fastmnmf2": "FastMNMF2", "mnmf": "MNMF"},
}
SOUNDS = {"independence": "consistent_ilrma", "plug-and-play": "pds", "full-rank": "fastmnmf2", "masks": "cacgmm"}


def make(out: Path) -> dict[str, str]:
    """Pictures and sounds into `out`; the figures as a table."""
    mixture = otowake.read(MUSIC.parent / "two-talkers.flac")
    alone = [otowake.read(MUSIC.parent / f"two-talkers-ref{n}.flac").samples[0] for n in (1, 2)]
    talk = np.stack(alone)
    x, rate = mixture.samples, mixture.rate
    found = {name: otowake.separate(x, rate, name.split(",")[0], **more) for name, more in RUNS.items()}
    scores = {name: otowake.evaluate(talk, np.asarray(one.sources), x[0]) for name, one in found.items()}
    woman = {name: np.asarray(one.sources)[scores[name].permutation[0]] for name, one in found.items()}
    for family, names in FAMILIES.items():
        shown = {title: (woman[name], f"SDR {scores[name].sdr[0]:.1f} dB") for name, title in names.items()}
        before = f"SDR {scores['auxiva'].mixture.sdr[0]:.1f} dB"
        panels(out / f"{family}.png", {"Mixture": (x[0], before), **shown, "The truth": (talk[0], "")}, talk[0], rate)
    for name in ("pds", "hva"):
        rest = {"residuals": found[name].residuals, "tolerance": found[name].settings["tolerance"]}
        cost_curve(out / f"{name}.png", found[name].costs, method=name, **rest)
    heard = {"mixture": x[0], "alone": talk[0], **{family: woman[name] for family, name in SOUNDS.items()}}
    for name, y in heard.items():
        sound(out / f"{name}.ogg", y[: HEARD * rate], rate)
    return {"scores": table(rows(found, scores))}


def panels(path: Path, sounds: dict[str, tuple[np.ndarray, str]], truth: np.ndarray, rate: int) -> None:
    """Each sound in two colours, of the truth and of what differs from it, over as many seconds as are heard."""
    s, pictures = truth[: HEARD * rate], []
    beside = next(iter(sounds.values()))[0][: HEARD * rate]
    for whole, _ in sounds.values():
        y = whole[: HEARD * rate]
        v = PAPER.forward(torch.from_numpy(np.stack([s, y - s]))).abs().square().numpy()
        pictures.append(painted(y, v / v.sum(0).clip(1e-30), PAPER, rate, beside, INK))
    draw(path, pictures, [(title, note) for title, (_, note) in sounds.items()], PAPER, (len(s), rate))
    smaller(path)


def rows(found: dict[str, otowake.Separation], scores: dict[str, Evaluation]) -> list[list[str]]:
    lines = [["method", "the woman", "the man", "iterations"]]
    before = next(iter(scores.values())).mixture.sdr
    lines.append(["(the mixture)", *(f"{sdr:.1f} dB" for sdr in before), ""])
    for name, score in scores.items():
        lines.append([f"`{name}`", *(f"{sdr:.1f} dB" for sdr in score.sdr), f"{found[name].iterations}"])
    return lines
