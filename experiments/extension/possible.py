"""How near the lost band of speech could come if parts of the truth were known.

    python experiments/extension/possible.py [--audio FOLDER] [--results FILE] [--table]

What is known of the band above 4 kHz, at a Hann window of 512/128 (that of the score):
    magnitudes    all of them, but not the phases
    envelope      powers smoothed by Gaussians, 400 Hz and 20 ms wide at half their height; what is fine in them is
                  noise's (random) or left out (smooth)
    mean in dB    the same, of levels in place of powers
    level         of each frame, the mean in dB; the spectrum is the recording's mean in dB
Phases are those of the rectified low band and ten rounds, those of the noise for noise.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import run
import torch

from otowake.linalg.safe import divide, polar
from otowake.signal.phases import agreeing, rectified
from otowake.signal.rate import resampled
from otowake.signal.stft import Stft

RATE, STFT, ROUNDS = 16_000, Stft(512, 128), 10
HERTZ, SECONDS = 400, 0.02  # at half height
HALF = 2.355  # deviations of a Gaussian between its halves
LEAST = 1e-7  # of the loudest bin: levels below count as this
NAMED = {
    "magnitudes": "the truth's magnitudes, other phases",
    "mean in dB": "the truth's envelope (mean in dB), smooth",
    "envelope, smooth": "the truth's envelope (power), smooth",
    "envelope, random": "the truth's envelope (power), noise within",
    "level": "the truth's level of each frame, one spectrum for all",
}


def smoothed(x: torch.Tensor) -> torch.Tensor:
    """f t, along both."""
    for axis, sigma in ((0, HERTZ * STFT.n_fft / RATE / HALF), (1, SECONDS * RATE / STFT.hop / HALF)):
        n = torch.arange(x.shape[axis], dtype=torch.float64)
        weight = torch.exp(-((n[:, None] - n) ** 2) / (2 * sigma**2))
        weight = weight / weight.sum(1, keepdim=True)
        x = weight @ x if axis == 0 else x @ weight.mT
    return x


def known(x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Magnitudes f t of the parts of the truth."""
    a = STFT.forward(x).abs()
    decibels = a.clamp_min(LEAST * float(a.max())).log()
    power = smoothed(a.square()).sqrt()
    high = slice(run.CUT * STFT.n_fft // RATE, None)
    spectrum = decibels.mean(1, keepdim=True)
    gain = (decibels - spectrum)[high].mean(0)
    noise = STFT.forward(white(x)).abs()
    return {
        "magnitudes": a,
        "mean in dB": smoothed(decibels).exp(),
        "envelope, smooth": power,
        "envelope, random": power * noise / noise.square().mean().sqrt(),
        "level": (spectrum + gain).exp(),
    }


def white(x: torch.Tensor) -> torch.Tensor:
    return torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0))


def scores(truth: np.ndarray) -> dict[str, Any]:
    """LSD of each, 1 samples."""
    plain = resampled(resampled(truth, RATE, run.LOW), run.LOW, RATE, truth.shape[-1])[0]
    x, heard = (torch.from_numpy(np.ascontiguousarray(one)) for one in (truth[0], plain))
    found: dict[str, Any] = {"plain": run.distances(truth[0], plain, RATE)}
    for name, M in known(x).items():
        noisy = name.endswith("random")
        X = STFT.forward(white(x))
        E = polar(X, divide(X.abs(), X.abs()) + 0j)[0] if noisy else rectified(heard, STFT)
        y = agreeing(M, E, STFT, len(x), 0 if noisy else ROUNDS).numpy()
        found[name] = run.distances(truth[0], plain + run.high(y, RATE), RATE)
    return found


def possible(lines: Path, audio: Path) -> None:
    """The first two utterances of each talker."""
    lines.parent.mkdir(exist_ok=True)
    cases = [case for case in run.cases(audio) if case.kind == "speech, same talker"][:8]
    with lines.open("w") as file:
        for case in cases:
            line = {"name": case.name, **scores(run.sound(case.truth[0], RATE))}
            file.write(json.dumps(line) + "\n")
            print(line, file=sys.stderr)


def table(found: list[dict[str, Any]]) -> str:
    rows = [run.row(["known", "LSD", "ratio"]), "|---|---:|---:|"]
    plain = np.array([one["plain"] for one in found]).mean(0)
    for name, words in {"plain": "nothing: resampled", **NAMED}.items():
        ours = np.array([one[name] for one in found]).mean(0)
        rows.append(run.row([words, run.three(ours), " / ".join(f"{q:.2f}" for q in ours / plain)]))
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audio", type=Path, default=run.SHARED, help="the folder of recordings")
    parser.add_argument("--results", type=Path, default=run.HERE / "results" / "possible.jsonl")
    parser.add_argument("--table", action="store_true", help="print the table of what is there")
    words = parser.parse_args()
    if not words.table:
        possible(words.results, words.audio)
    print(table(run.read(words.results)))


if __name__ == "__main__":
    main()
