"""A drum loop by PCA, by sparse coding and by NMF: the same number of components, the same cost, the squared error."""

from pathlib import Path

import numpy as np
import torch
from gallery import MUSIC, sound, table
from scipy.stats import kurtosis
from sklearn.decomposition import PCA, DictionaryLearning

import otowake
from otowake.tasks.drawing.axes import frequency_axis, time_axis
from otowake.tasks.drawing.figure import FAINT, TEXT, heading, new_figure, save

COMPONENTS = 8
SPARSITY = 2.0  # weight of the sum of |activations| in sparse coding, for amplitudes of mean power 1
HEARD = 3.3  # seconds: half of the loop
SMALL = 1e-3  # of the largest
COLOURS = ("#3b528b", "#d1603d")  # above zero, below


def make(out: Path) -> dict[str, str]:
    """Three pictures, the loop and its components by NMF, and what can be counted."""
    loop = otowake.read(MUSIC / "drums.flac")
    x = loop.samples.mean(0)
    nmf = otowake.parts(x[None], loop.rate, COMPONENTS, divergence="euclid", iterations=300)
    v = nmf.stft.forward(torch.from_numpy(x)).abs().numpy()
    v /= np.sqrt(np.mean(v**2))
    pca = PCA(COMPONENTS).fit(v.T)
    code = DictionaryLearning(
        COMPONENTS, alpha=SPARSITY, max_iter=100, random_state=0, fit_algorithm="cd", transform_algorithm="lasso_cd"
    ).fit(v.T)
    found = {
        "PCA": (pca.components_.T, pca.transform(v.T).T, pca.mean_[:, None]),
        "Sparse coding": (code.components_.T, code.transform(v.T).T, 0.0),
        "NMF": (nmf.spectra, nmf.activations, 0.0),
    }
    for name, (B, H, _) in found.items():
        draw(out / f"{name.split()[0].lower()}.png", name, B, H, nmf.stft, len(x), loop.rate)
    until = int(HEARD * loop.rate)
    sound(out / "loop.ogg", x[:until], loop.rate)
    for n, part in enumerate(nmf.sounds[:, 0], start=1):
        sound(out / f"nmf{n}.ogg", part[:until], loop.rate)
    return {"numbers": table(counted(v, found)), "sounds": table(heard(nmf))}


def counted(v: np.ndarray, found: dict[str, tuple]) -> list[list[str]]:
    """Errors and sparsity; PCA's error is the least that any method can have."""
    rows = [
        ["", "error", "kurtosis of activations", f"activations below {SMALL:g}", f"spectra below {SMALL:g}", "negative"]
    ]
    errors = []
    for name, (B, H, mean) in found.items():
        errors.append(np.linalg.norm(v - mean - B @ H) / np.linalg.norm(v))
        small = [np.mean(np.abs(A) < SMALL * np.abs(A).max(axis, keepdims=True)) for A, axis in ((H, 1), (B, 0))]
        negative = np.mean(np.concatenate([B.ravel(), H.ravel()]) < 0)
        numbers = [f"{errors[-1]:.1%}", f"{kurtosis(H, axis=1).mean():.1f}", *(f"{share:.0%}" for share in small)]
        rows.append([name, *numbers, f"{negative:.0%}"])
    if min(errors) < errors[0]:
        raise AssertionError(f"PCA should have the least error: {errors}")
    return rows


def heard(nmf: otowake.Parts) -> list[list[str]]:
    rows = [["component", "share of the energy", "loudest at", ""]]
    for n, one in enumerate(nmf.components, start=1):
        rows.append([f"{n}", f"{one.share:.0%}", f"{one.peak:.0f} Hz", f"[nmf{n}.ogg](nmf{n}.ogg)"])
    return rows


def draw(path: Path, name: str, B: np.ndarray, H: np.ndarray, stft: object, samples: int, rate: int) -> None:
    """Rows of components, spectra on the left, activations on the right, each relative to its largest number."""
    figure = new_figure(9.0, 4.8)
    left, right = figure.add_axes((0.03, 0.11, 0.32, 0.82)), figure.add_axes((0.38, 0.11, 0.6, 0.82))
    f = np.fft.rfftfreq(stft.n_fft, 1 / rate)[2:]
    t = ((np.arange(H.shape[1]) + 1) * stft.hop - stft.n_fft / 2) / rate
    for k in range(B.shape[1]):
        for axes, at, y in (
            (left, np.log2(f), B[2:, k] / np.abs(B[:, k]).max()),
            (right, t, H[k] / np.abs(H[k]).max()),
        ):
            base = B.shape[1] - k - 0.5
            axes.axhline(base, color=FAINT, linewidth=0.4)
            for sign, colour in zip((1, -1), COLOURS):
                axes.fill_between(at, base, base + 0.47 * sign * np.maximum(sign * y, 0), color=colour, linewidth=0)
    for axes in (left, right):
        axes.set_ylim(0, B.shape[1])
        axes.set_yticks([])
        axes.spines[["top", "right", "left"]].set_visible(False)
    left.set_xlim(np.log2(50), np.log2(rate / 2))
    right.set_xlim(0, samples / rate)
    frequency_axis(left.xaxis, 50, rate / 2)
    left.set_xlabel("Frequency (Hz)", color=TEXT)
    time_axis(right, samples / rate)
    heading(left, f"{name}: spectra", "")
    heading(right, "Activations", "blue: positive, red: negative")
    save(figure, path)
