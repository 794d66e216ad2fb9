"""Recordings taken apart without examples: a piano part, drums and a piano, and pairs of instruments."""

from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from gallery import MUSIC, sound, table

import otowake

NAMES = ("oboe", "flute", "piano", "bassoon")
HEARD = 5.0  # seconds


def make(out: Path) -> dict[str, str]:
    """Pictures and sounds of each, and SDRs."""
    music = {name: otowake.read(MUSIC / f"{name}.flac") for name in (*NAMES, "drums")}
    rate = music["piano"].rate
    played = {name: one.samples.mean(0) for name, one in music.items()}
    return {
        "piano": table(piano(out, played["piano"], rate)),
        "drums": table(drums(out, played["drums"], played["piano"], rate)),
        "pairs": table([["", "SDR", "the best grouping", "two components"], *pairs(out, played, rate)]),
    }


def piano(out: Path, x: np.ndarray, rate: int) -> list[list[str]]:
    result = otowake.parts(x[None], rate, 12)
    result.draw(out / "piano.png")
    rows = [["component", "share of the energy", "first heard at", "loudest at", ""]]
    for n, one in enumerate(result.components[:4], start=1):
        sound(out / f"piano{n}.ogg", result.sounds[n - 1, 0, : int(HEARD * rate)], rate)
        onset, link = f"{one.onset:.2f} s", f"[piano{n}.ogg](piano{n}.ogg)"
        rows.append([f"{n}", f"{one.share:.0%}", onset, f"{one.peak:.0f} Hz", link])
    return rows


def drums(out: Path, struck: np.ndarray, held: np.ndarray, rate: int) -> list[list[str]]:
    truth = together(held, struck)
    x = truth.sum(0)
    result = otowake.parts(x[None], rate, group="harmonic-percussive")
    result.draw(out / "drums-and-piano.png")
    until = int(HEARD * rate)
    sound(out / "drums-and-piano.ogg", x[:until], rate)
    rows = [["", "SDR", ""]]
    for name, one, sdr in zip(result.names, result.sounds[:, 0], scores(truth, result.sounds[:, 0], x)):
        sound(out / f"{name}.ogg", one[:until], rate)
        rows.append([name, f"{sdr:.1f} dB", f"[{name}.ogg]({name}.ogg)"])
    return rows


def pairs(out: Path, played: dict[str, np.ndarray], rate: int) -> list[list[str]]:
    rows = []
    for one, other in combinations(NAMES, 2):
        truth = together(played[one], played[other])
        x = truth.sum(0)
        result = otowake.parts(x[None], rate, group=2)
        few = otowake.parts(x[None], rate, 2)
        sdrs = [scores(truth, y, x) for y in (result.sounds[:, 0], best(truth, result), few.sounds[:, 0])]
        rows.append([f"{one} and {other}", *(f"{np.mean(sdr):.1f} dB" for sdr in sdrs)])
        if (one, other) == ("oboe", "bassoon"):
            result.draw(out / "oboe-and-bassoon.png")
            until = int(HEARD * rate)
            sound(out / "oboe-and-bassoon.ogg", x[:until], rate)
            for name, y in zip(result.names, result.sounds[:, 0]):
                sound(out / f"{name}.ogg", y[:until], rate)
    return rows


def together(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Both at the same power, as long as the shorter one."""
    samples = min(len(one), len(other))
    return np.stack([x[:samples] / np.sqrt(np.mean(x[:samples] ** 2)) / 20 for x in (one, other)])


def best(truth: np.ndarray, result: otowake.Parts) -> np.ndarray:
    """What a grouping could give that knows the truth: each component goes where most of its energy comes from."""
    stft, B, H = result.stft, torch.from_numpy(result.spectra), torch.from_numpy(result.activations)
    S, r = stft.forward(torch.from_numpy(truth)), (B @ H).clamp_min(torch.finfo(B.dtype).tiny)
    mine = ((S.abs().square() / r) @ H.mT * B).sum(-2).argmax(0)
    masks = torch.stack([B[:, mine == n] @ H[mine == n] / r for n in range(len(truth))])
    return stft.inverse(S.sum(0) * masks, truth.shape[-1]).numpy()


def scores(truth: np.ndarray, sounds: np.ndarray, x: np.ndarray) -> list[float]:
    """SDR of each sound, whatever the order."""
    found = otowake.evaluate(truth, sounds, x)
    return [float(sdr) for sdr in found.sdr]
