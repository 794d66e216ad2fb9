"""What the benchmarks separate, and how good an answer is.

Voices that are nobody's (or recordings from a folder) in a simulated room of 6.5 x 5.2 x 3 m, RT60 0.3 s, on a line of
microphones 5 cm apart, 1.5 m away, each image at unit power at microphone 0; 10 s at 16 kHz if nothing else is said.
"""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np

SEED = 4


class Scene(NamedTuple):
    """How many microphones and sources, how long, and the transform."""

    mics: int = 2
    sources: int = 2
    seconds: float = 10
    rate: int = 16000
    window: int = 2048
    hop: int = 1024

    @property
    def samples(self) -> int:
        return round(self.rate * self.seconds)

    def transform(self, x: np.ndarray) -> np.ndarray:
        from scipy.signal import stft

        return stft(x, nperseg=self.window, noverlap=self.window - self.hop)[2]

    def waveform(self, Y: np.ndarray) -> np.ndarray:
        from scipy.signal import istft

        return istft(Y, nperseg=self.window, noverlap=self.window - self.hop)[1][:, : self.samples]


def voice(rng: np.random.Generator, rate: int, samples: int) -> np.ndarray:
    """Noise that comes in syllables, each with its own resonances: moves as speech does, and is nobody's."""
    from scipy.signal import sosfilt

    out = np.zeros(samples)
    at = 0
    while at < out.size:
        n = min(int(rng.uniform(0.08, 0.35) * rate), out.size - at)
        syllable = rng.standard_normal(n)
        for centre in rng.uniform(200, rate / 4, 3):
            w, r = 2 * np.pi * centre / rate, 0.98
            syllable = sosfilt([[1 - r, 0, 0, 1, -2 * r * np.cos(w), r * r]], syllable)
        out[at : at + n] = syllable * np.hanning(n) * rng.gamma(0.5) / (syllable.std() + 1e-9)
        at += n
    return out


def dry(of: Scene, folder: Path | None) -> list[np.ndarray]:
    rng = np.random.default_rng(SEED)
    if folder is None:
        return [voice(rng, of.rate, of.samples) for _ in range(of.sources)]
    import soundfile

    files = sorted(p for p in folder.iterdir() if p.suffix in (".wav", ".flac"))
    files = [p for p in files if soundfile.info(p).samplerate == of.rate]
    files = files[:: max(1, len(files) // of.sources)][: of.sources]
    if len(files) < of.sources:
        raise SystemExit(f"{folder} holds {len(files)} files at {of.rate} Hz, {of.sources} are needed")
    return [np.resize(soundfile.read(p, always_2d=True)[0][:, 0], of.samples) for p in files]


def scene(of: Scene, folder: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(X of mean power 1: m f t, images at microphone 0: n samples)."""
    import pyroomacoustics as pra

    absorption, _ = pra.inverse_sabine(0.3, [6.5, 5.2, 3.0])
    room = pra.ShoeBox([6.5, 5.2, 3.0], fs=of.rate, materials=pra.Material(absorption), max_order=12)
    centre = np.array([3.2, 2.5, 1.4])
    for angle, sound in zip(np.radians(np.linspace(20, 160, of.sources)), dry(of, folder)):
        away = np.array([1.5 * np.cos(angle), 1.5 * np.sin(angle), 0.1])
        room.add_source(centre + away, signal=sound)
    line = 0.05 * (np.arange(of.mics) - (of.mics - 1) / 2)
    room.add_microphone_array(centre[:, None] + np.outer([1, 0, 0], line))
    images = room.simulate(return_premix=True)[:, :, : of.samples]
    images /= images[:, :1].std(axis=-1, keepdims=True)
    X = of.transform(images.sum(0))
    return X / np.sqrt(np.mean(np.abs(X) ** 2)), images[:, 0]


def at_microphone(Y: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Each output as microphone 0 hears it: joint least squares, blind to any scaling of Y."""
    Z = Y.transpose(1, 0, 2)
    G = X[0][:, None] @ Z.conj().mT @ np.linalg.inv(Z @ Z.conj().mT)
    return (G.mT * Z).transpose(1, 0, 2)


def si_sdr(y: np.ndarray, images: np.ndarray) -> float:
    """Mean scale-invariant SDR of waveforms in dB under the best order."""
    y, s = (a / np.linalg.norm(a, axis=-1, keepdims=True) for a in (y, images))
    c = (s @ y.T) ** 2
    table = 10 * np.log10(c / (1 - c))
    return max(float(np.mean([table[i, j] for i, j in enumerate(p)])) for p in permutations(range(len(s))))
