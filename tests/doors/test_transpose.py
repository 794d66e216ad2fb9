"""Notes at other pitches: right to cents, as loud and as long as they were, on real instruments."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from otowake.signal.transpose import fundamental, transposed

MUSIC = Path(__file__).resolve().parents[2] / "examples" / "music"
SCALE = json.loads((MUSIC / "score.json").read_text())["scale"]
PARTS = {"oboe": "melody1", "flute": "melody2", "piano": "midrange", "bassoon": "bass"}


def note(instrument, step):
    """(samples, rate, hertz of its name) of a note of the scale."""
    x, rate = soundfile.read(MUSIC / f"{instrument}-scale.flac")
    length = int(SCALE["seconds_per_note"] * rate)
    number = SCALE["lowest"][PARTS[instrument]] + step
    return torch.from_numpy(x[step * length : (step + 1) * length]), rate, 440 * 2 ** ((number - 69) / 12)


def partials(x, rate, hertz):
    """Frequencies of the first three partials, from the peaks of a long spectrum."""
    size = np.abs(np.fft.rfft(x * np.hanning(len(x)), 2**19))
    found = []
    for h in (1, 2, 3):
        low, high = (int(hertz * h * share * 2**19 / rate) for share in (0.97, 1.03))
        found.append((low + int(np.argmax(size[low:high]))) * rate / 2**19)
    return np.array(found)


@pytest.mark.parametrize("semitones", [-7.0, -1.0, 0.5, 1.0, 4.0, 12.0])
@pytest.mark.parametrize("instrument", PARTS)
def test_partials_move_by_so_many_semitones(instrument, semitones):
    x, rate, hertz = note(instrument, 4)
    a = 2 ** (semitones / 12)
    y = transposed(x[None], rate, hertz, semitones)[0]
    cents = 1200 * np.log2(partials(y.numpy(), rate, a * hertz) / partials(x.numpy(), rate, hertz) / a)
    assert np.abs(np.median(cents)) < 2
    assert abs(1200 * np.log2(fundamental(y[None], rate, a * hertz) / fundamental(x[None], rate, hertz) / a)) < 3
    assert 10 * np.log10(float(y.square().sum() / x.square().sum())) == pytest.approx(0, abs=0.3)


def test_an_attack_stays_sharp():
    x, rate, hertz = note("piano", 10)
    silent = torch.zeros(rate // 2, dtype=x.dtype)
    y = transposed(torch.cat([silent, x, silent])[None], rate, hertz, 3.0)[0]
    before = y[: len(silent) - int(0.02 * rate)].square().mean()
    assert 10 * np.log10(float(before / x.square().mean())) < -50
    rise = [int((part.abs() > 0.5 * part.abs().max()).nonzero()[0]) for part in (torch.cat([silent, x]), y)]
    assert abs(rise[0] - rise[1]) < 0.01 * rate


def test_channels_keep_their_balance_and_nothing_is_nothing():
    x, rate, hertz = note("oboe", 4)
    y = transposed(torch.stack([x, -0.5 * x, 0 * x]), rate, hertz, 2.0)
    torch.testing.assert_close(y[1], -0.5 * y[0])
    assert not y[2].any()
    assert transposed(x[None], rate, hertz, 0.0) is not None
    torch.testing.assert_close(transposed(x[None], rate, hertz, 0.0)[0], x, rtol=0, atol=0)
    assert not transposed(0 * x[None], rate, hertz, 5.0).any()


def test_partials_that_would_pass_half_the_rate_are_left_out():
    t = torch.arange(8000, dtype=torch.float64) / 8000
    x = torch.sin(2 * torch.pi * 1000 * t) + torch.sin(2 * torch.pi * 3000 * t)
    y = transposed(x[None], 8000, 1000.0, 12.0)[0]
    torch.testing.assert_close(y[1000:-1000].square().mean(), torch.tensor(0.5, dtype=torch.float64), rtol=0.01, atol=0)
    size = torch.fft.rfft(y[1000:-1000] * torch.hann_window(6000, dtype=y.dtype)).abs()
    assert int(size.argmax()) == 1500


def test_the_fundamental_of_a_mistuned_note():
    t = torch.arange(8000, dtype=torch.float64) / 8000
    x = sum(torch.sin(2 * torch.pi * 223.0 * h * t) / h for h in range(1, 8))
    assert fundamental(x[None], 8000, 220.0) == pytest.approx(223.0, rel=6e-4)  # a cent
    assert fundamental(torch.randn(1, 8000, dtype=torch.float64), 8000, 220.0) == pytest.approx(220, rel=0.03)
    assert fundamental(0 * x[None], 8000, 220.0) == 220.0
