"""The blind estimate of the reverberation time: known decays are found again, and nothing is made of nothing."""

import math
from pathlib import Path

import pytest
import soundfile
import torch

from otowake.signal.reverberation import LONGEST, reverberation

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RATE = 16_000


def bursts(seconds, rate=RATE, lasts=10.0, seed=0, channels=2):
    """(channels, samples): noise of 0.3 s that dies away exponentially, every two seconds."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.arange(round(lasts * rate), dtype=torch.float64) / rate % 2
    noise = torch.randn(channels, len(t), generator=generator, dtype=torch.float64)
    return noise * 10 ** (-3 * (t - 0.3).clamp_min(0) / seconds)


def recorded(name):
    samples, rate = soundfile.read(EXAMPLES / name, always_2d=True)
    return torch.from_numpy(samples.T.copy()), rate


@pytest.mark.parametrize("seconds", [0.2, 0.3, 0.5, 0.8, 1.2])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_known_decays_are_found_again(seconds, rate):
    found = reverberation(bursts(seconds, rate), rate)
    assert found.seconds == pytest.approx(seconds, rel=0.15)
    assert found.low <= found.seconds <= found.high


@pytest.mark.parametrize("gain", [1e-300, 1e-8, 1e8, 1e300, -1.0])
def test_the_gain_does_not_matter(gain):
    x = bursts(0.4)
    assert reverberation(gain * x, RATE) == pytest.approx(reverberation(x, RATE), rel=1e-9)


def test_nor_does_single_precision():
    x = bursts(0.4)
    assert reverberation(x.float(), RATE) == pytest.approx(reverberation(x, RATE), rel=1e-3)


def test_a_pause_of_digital_silence_is_no_decay():
    x = bursts(0.5)
    before = reverberation(x, RATE).seconds
    x[:, 100_000:130_000] = 0
    assert reverberation(x, RATE).seconds == pytest.approx(before, rel=0.1)


def test_one_channel_that_is_dead_changes_nothing():
    x = bursts(0.5)
    with_dead = torch.cat([x, torch.zeros(1, x.shape[-1])])
    assert reverberation(with_dead, RATE) == pytest.approx(reverberation(x, RATE))


NOTHING = {
    "silence": torch.zeros(2, 5 * RATE, dtype=torch.float64),
    "a constant": torch.ones(2, 5 * RATE, dtype=torch.float64),
    "steady noise": bursts(1e9),
    "a tone": torch.sin(0.3 * torch.arange(5 * RATE, dtype=torch.float64)).unsqueeze(0),
    "one click": torch.eye(2, 5 * RATE, dtype=torch.float64),
    "less than two seconds": bursts(0.3, lasts=1.9),
    "no samples": torch.zeros(2, 0, dtype=torch.float64),
    "decays in much noise": bursts(0.5) + 0.3 * bursts(1e9, seed=1),
}


@pytest.mark.parametrize("x", NOTHING.values(), ids=NOTHING)
def test_nothing_is_made_of_nothing(x):
    assert reverberation(x, RATE) is None


def test_a_rate_that_holds_too_few_bands():
    assert reverberation(bursts(0.3, 1_000), 1_000) is None


def test_only_the_beginning_of_a_long_recording_counts():
    rate = 2_000
    begins = bursts(0.3, rate, lasts=LONGEST)
    goes_on = torch.cat([begins, bursts(1.0, rate, lasts=60.0)], -1)
    assert reverberation(goes_on, rate) == reverberation(begins, rate)


@pytest.mark.parametrize("name", ["two-talkers.flac", "two-talkers-ref1.flac", "two-talkers-ref2.flac"])
def test_the_example_was_made_in_a_room_of_17_hundredths(name):
    assert reverberation(*recorded(name)).seconds == pytest.approx(0.17, rel=0.25)


@pytest.mark.parametrize("path", sorted((EXAMPLES / "music").glob("*.flac")), ids=lambda path: path.stem)
def test_dry_instruments_have_no_more_than_their_own_decays(path):
    found = reverberation(*recorded(path.relative_to(EXAMPLES)))
    assert found is None or all(map(math.isfinite, found))
    assert found is None or 0.05 < found.seconds < 0.6
