"""What the benchmarks separate, and how good an answer is.

10 s at 16 kHz: voices that are nobody's (or recordings from a folder) in a simulated room of 6.5 x 5.2 x 3 m,
RT60 0.3 s, on a line of microphones 5 cm apart, 1.5 m away, each image at unit power at microphone 0.
"""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np

RATE, SECONDS, WINDOW, HOP, SEED = 16000, 10, 2048, 1024, 4


def voice(rng: np.random.Generator) -> np.ndarray:
    """Noise that comes in syllables, each with its own resonances: moves as speech does, and is nobody's."""
    from scipy.signal import sosfilt

    out = np.zeros(RATE * SECONDS)
    at = 0
    while at < out.size:
        n = min(int(rng.uniform(0.08, 0.35) * RATE), out.size - at)
        syllable = rng.standard_normal(n)
        for centre in rng.uniform(200, 4000, 3):
            w, r = 2 * np.pi * centre / RATE, 0.98
            syllable = sosfilt([[1 - r, 0, 0, 1, -2 * r * np.cos(w), r * r]], syllable)
        out[at : at + n] = syllable * np.hanning(n) * rng.gamma(0.5) / (syllable.std() + 1e-9)
        at += n
    return out


def dry(mics: int, folder: Path | None) -> list[np.ndarray]:
    rng = np.random.default_rng(SEED)
    if folder is None:
        return [voice(rng) for _ in range(mics)]
    import soundfile

    files = sorted(p for p in folder.iterdir() if p.suffix in (".wav", ".flac"))
    files = [p for p in files if soundfile.info(p).samplerate == RATE][:: max(1, len(files) // mics)][:mics]
    if len(files) < mics:
        raise SystemExit(f"{folder} holds {len(files)} files at {RATE} Hz, {mics} are needed")
    return [np.resize(soundfile.read(p, always_2d=True)[0][:, 0], RATE * SECONDS) for p in files]


def scene(mics: int, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """(X of mean power 1, images at microphone 0)."""
    import pyroomacoustics as pra

    absorption, _ = pra.inverse_sabine(0.3, [6.5, 5.2, 3.0])
    room = pra.ShoeBox([6.5, 5.2, 3.0], fs=RATE, materials=pra.Material(absorption), max_order=12)
    centre = np.array([3.2, 2.5, 1.4])
    for angle, sound in zip(np.radians(np.linspace(20, 160, mics)), dry(mics, folder)):
        away = np.array([1.5 * np.cos(angle), 1.5 * np.sin(angle), 0.1])
        room.add_source(centre + away, signal=sound)
    room.add_microphone_array(centre[:, None] + np.outer([1, 0, 0], 0.05 * (np.arange(mics) - (mics - 1) / 2)))
    images = room.simulate(return_premix=True)[:, :, : RATE * SECONDS]
    images /= images[:, :1].std(axis=-1, keepdims=True)
    X = transform(images.sum(0))
    return X / np.sqrt(np.mean(np.abs(X) ** 2)), images[:, 0]


def transform(x: np.ndarray) -> np.ndarray:
    from scipy.signal import stft

    return stft(x, nperseg=WINDOW, noverlap=WINDOW - HOP)[2]


def waveform(Y: np.ndarray) -> np.ndarray:
    from scipy.signal import istft

    return istft(Y, nperseg=WINDOW, noverlap=WINDOW - HOP)[1][:, : RATE * SECONDS]


def start(mics: int, k: int, bins: int, frames: int) -> dict[str, np.ndarray]:
    """Factors as pyroomacoustics draws them, for everybody."""
    draw = np.random.RandomState(SEED)
    T = 0.1 + 0.9 * draw.rand(mics, bins, k)
    V = 0.1 + 0.9 * draw.rand(mics, frames, k)
    return {"T": T, "V": V.transpose(0, 2, 1).copy()}


def at_microphone(Y: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Each output as microphone 0 hears it: joint least squares, blind to any scaling of Y."""
    Z = Y.transpose(1, 0, 2)
    G = X[0][:, None] @ Z.conj().mT @ np.linalg.inv(Z @ Z.conj().mT)
    return (G.mT * Z).transpose(1, 0, 2)


def si_sdr(Y: np.ndarray, images: np.ndarray) -> float:
    """Mean scale-invariant SDR in dB under the best order."""
    y, s = (a / np.linalg.norm(a, axis=-1, keepdims=True) for a in (waveform(Y), images))
    c = (s @ y.T) ** 2
    table = 10 * np.log10(c / (1 - c))
    return max(float(np.mean([table[i, j] for i, j in enumerate(p)])) for p in permutations(range(len(s))))
