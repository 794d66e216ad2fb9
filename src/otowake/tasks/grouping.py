"""Which components of a factorisation belong together.

by_timbre    alike in their envelopes: cepstra c_k = DCT log(m_k + max m_k / 1000) of mel spectra m_k = sqrt(mel b_k²),
             without the first, which is loudness; Ward's clustering of them into as many groups as are wanted
by_shape     harmonic or percussive: what a running median over time leaves of an activation, against what one over
             frequency leaves of its spectrum

Source       Spiertz & Gnann 2009 (components clustered by the filter in their spectra); FitzGerald 2010 (medians);
             measured in docs/decisions/0011-parts.md.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from otowake.linalg.safe import divide
from otowake.signal.stft import Stft
from otowake.source.nmf import NmfState

BANDS, CEPSTRA = 20, 9
LOWEST, HIGHEST = 50.0, 10_000.0  # hertz
LASTING, WIDE = 0.4, 300.0  # seconds and hertz of the running medians
DEEPEST = 1e-3  # of the loudest band: 60 dB below it nothing is heard of a timbre


def by_timbre(spectra: Float[Tensor, "f k"], groups: int, stft: Stft, rate: int) -> list[int]:
    """The group, from 0, of each component; no group is empty.

    Args:
        spectra: amplitudes of bins, each of any size.
        groups: how many; at most as many as components.
        stft, rate: which frequencies the bins are.
    """
    from scipy.cluster.hierarchy import cut_tree, ward
    from scipy.fft import dct

    if groups == spectra.shape[1]:
        return list(range(groups))
    bands = (mel(stft, rate) @ spectra.double().square()).sqrt().numpy()
    loudest = bands.max(0)
    share = np.divide(bands, loudest, out=np.zeros_like(bands), where=loudest > 0)
    cepstra = dct(np.log(share + DEEPEST), axis=0, norm="ortho")[1 : CEPSTRA + 1]
    return [int(group) for group in cut_tree(ward(cepstra.T), groups)[:, 0]]


def by_shape(z: NmfState, stft: Stft, rate: int) -> list[int]:
    """For each component 0, harmonic, or 1, percussive.

    A median over frequency takes harmonics away, one over time takes hits away: percussive is a component whose
    spectrum keeps more of itself than its activation does.

    Args:
        z: of one source.
        stft, rate: how far apart bins and frames are.
    """
    H, B = z.H[0].numpy(), z.B[0].numpy().T
    lasting, wide = _kept(H, LASTING * rate / stft.hop), _kept(B, WIDE * stft.n_fft / rate)
    return [int(percussive) for percussive in wide > lasting]


def _kept(rows: Float[np.ndarray, "k columns"], length: float) -> Float[np.ndarray, "k"]:
    """The share of each row that a running median over about `length` columns leaves."""
    from scipy.ndimage import median_filter

    left = median_filter(rows, (1, max(3, round(length) | 1))).sum(1)
    whole = rows.sum(1)
    return np.divide(left, whole, out=np.zeros_like(whole), where=whole > 0)


def mel(stft: Stft, rate: int) -> Float[Tensor, "bands f"]:
    """Triangles of one area, evenly spaced in mel (O'Shaughnessy's formula), from 50 Hz to 10 kHz or half the rate."""
    low, high = (2595 * torch.log10(1 + torch.tensor(f) / 700) for f in (LOWEST, min(HIGHEST, rate / 2)))
    corners = 700 * (10 ** (torch.linspace(float(low), float(high), BANDS + 2, dtype=torch.float64) / 2595) - 1)
    f = torch.arange(stft.bins, dtype=torch.float64) * rate / stft.n_fft
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    triangles = torch.minimum((f - left) / (middle - left), (right - f) / (right - middle)).clamp_min(0)
    return divide(triangles, triangles.sum(1, keepdim=True))
