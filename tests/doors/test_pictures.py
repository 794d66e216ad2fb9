"""The pictures: right levels at the right places, one scale, any length, and no traces around them."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from otowake.signal.stft import Stft
from otowake.tasks.drawing import figure, levels, panels
from otowake.tasks.drawing import spectrograms as seen
from otowake.tasks.drawing.costs import cost_curve
from otowake.tasks.drawing.masks import masks, painted
from otowake.tasks.drawing.spectrograms import spectrograms

RATE = 8000


def tone(hertz, samples=RATE, amplitude=1.0):
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(samples) / RATE)


def drawn(x):
    grid = seen._grid(len(x), RATE)
    return grid, seen._levels(x, grid)


def row(grid, hertz):
    return int(np.searchsorted(grid.edges, hertz)) - 1


def picture(path):
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("hertz", [62.5, 440.0, 1000.0, 3000.0])
@pytest.mark.parametrize("amplitude", [1.0, 1e-3, 1e6])
def test_a_sine_has_its_own_level_at_its_own_place(hertz, amplitude):
    grid, level = drawn(tone(hertz, amplitude=amplitude))
    middle = level[:, level.shape[1] // 2]
    assert abs(np.argmax(middle) - row(grid, hertz)) <= 3
    assert middle.max() == pytest.approx(20 * np.log10(amplitude), abs=1.5)  # 1.4 dB between two bins


def test_time_is_where_it_was():
    x = np.zeros(20 * RATE)
    x[15 * RATE] = 1.0
    grid, level = drawn(x)
    loudest = np.flatnonzero(level.max(axis=0) > -200)
    seconds = (loudest + 0.5) * grid.width / RATE
    assert abs(seconds.mean() - 15.0) < 0.03


def test_a_long_sound_in_pieces_is_the_sound_at_once(monkeypatch):
    x = np.random.default_rng(0).standard_normal(5 * RATE + 17)
    whole = drawn(x)[1]
    monkeypatch.setattr(levels, "BLOCK", 5000)
    np.testing.assert_allclose(drawn(x)[1], whole, atol=1e-3)


def test_columns_and_rows_do_not_grow_with_the_sound():
    for samples in (1, 100, RATE, 100 * RATE):
        grid, level = drawn(np.ones(samples))
        assert level.shape == (panels.ROWS, grid.columns)
        assert grid.columns <= levels.COLUMNS
        assert np.isfinite(level).all()


@pytest.mark.parametrize("samples", [1, 100, RATE])
@pytest.mark.parametrize("gain", [0.0, 1e-8, 1.0, 1e8])
def test_any_recording_gives_a_picture(tmp_path, samples, gain):
    x = gain * np.random.default_rng(0).standard_normal(samples)
    spectrograms(tmp_path / "x.png", x, np.stack([0.3 * x, 0.7 * x]), RATE)
    assert picture(tmp_path / "x.png").std() > 1


def test_the_figure_grows_with_the_sources(tmp_path):
    x = tone(440.0)
    heights = []
    for n in (2, 4, 8):
        spectrograms(tmp_path / f"{n}.png", x, np.stack([x / n] * n), RATE, rest=0 * x)
        heights.append(picture(tmp_path / f"{n}.png").shape[0])
    steps = np.diff(heights) / [2, 4]
    assert steps[0] == pytest.approx(steps[1], abs=2)
    assert steps[0] > 150


def test_all_panels_share_one_scale(tmp_path):
    x = tone(440.0)
    spectrograms(tmp_path / "x.png", x, np.stack([x, x, 1e-2 * x]), RATE)
    image = picture(tmp_path / "x.png")
    height = (panels.PANEL + panels.GAP) * figure.DPI
    top, left = int(panels.TOP * figure.DPI), int(panels.LEFT * figure.DPI)
    cuts = [image[round(top + i * height) + 3 :][:150, left + 200 : left + 400] for i in range(4)]
    np.testing.assert_array_equal(cuts[0], cuts[1])
    assert cuts[3].max() < cuts[0].max() - 20


@pytest.mark.parametrize(
    "costs",
    [
        [],
        [1.0],
        [3.0, 2.0, 1.0],
        [-1e7, -2e7],
        [np.nan, 5.0, 4.0],
        [0.0, 0.0],
        list(np.geomspace(1e9, 1, 500)),
    ],
)
def test_any_descent_gives_a_curve(tmp_path, costs):
    cost_curve(tmp_path / "cost.png", costs, method="ilrma")
    assert picture(tmp_path / "cost.png").std() > 1


def residuals(iterations):
    return {"primal_residual": np.geomspace(1, 1e-4, iterations), "dual_residual": np.geomspace(2, 1e-5, iterations)}


@pytest.mark.parametrize("iterations", [1, 2, 50])
def test_residuals_stand_below_the_cost_and_alone_where_there_is_none(tmp_path, iterations):
    gaps, costs = residuals(iterations), np.arange(iterations + 1.0)
    largest = [1.0, *np.max([*gaps.values()], 0)]
    heights = []
    for name, cost, more in (("cost", costs, None), ("both", costs, gaps), ("masks", largest, gaps)):
        cost_curve(tmp_path / f"{name}.png", cost, method="pds", residuals=more, tolerance=1e-3)
        assert picture(tmp_path / f"{name}.png").std() > 1
        heights.append(len(picture(tmp_path / f"{name}.png")))
    assert heights[0] == heights[2] < heights[1] - 200


@pytest.mark.parametrize("gap", [[0.0, 0.0], [np.nan, np.inf], [1e-30, 1e30]])
def test_any_residuals_give_a_curve(tmp_path, gap):
    cost_curve(tmp_path / "x.png", [3.0, 2.0, 1.0], residuals={"primal_residual": gap}, tolerance=0.0)
    assert picture(tmp_path / "x.png").std() > 1


def halves(samples=2 * RATE, frame=256):
    """Noise, and the masks of one source below 1 kHz, one above in the first half, one above in the second."""
    x, stft = np.random.default_rng(0).standard_normal(samples), Stft(frame, frame // 4)
    shares = np.zeros((3, stft.bins, stft.frames(samples)))
    low, half = stft.bins // 4, shares.shape[-1] // 2
    shares[0, :low] = shares[1, low:, :half] = shares[2, low:, half:] = 1
    return x, shares, stft


def test_masks_have_their_colours_at_their_places(tmp_path):
    x, shares, stft = halves()
    masks(tmp_path / "x.png", x, shares, stft, RATE)
    image = picture(tmp_path / "x.png").astype(int)
    height = (panels.PANEL + panels.GAP) * figure.DPI
    top, left = int(panels.TOP * figure.DPI), int(panels.LEFT * figure.DPI)
    right, tall = image.shape[1] - int(panels.RIGHT * figure.DPI), int(panels.PANEL * figure.DPI)
    cuts = [image[round(top + i * height) :][:tall, left:right] for i in range(4)]
    for i, cut in enumerate(cuts):
        low, first, second = (c.mean((0, 1)) for c in (cut[120:160], cut[8:25, 30:350], cut[8:25, 450:-30]))
        blue, orange, green = low[2] - low[0], first[0] - first[2], second[1] - second[0]
        assert (blue > 20) == (i in (0, 1))
        assert (orange > 20) == (i in (0, 2))
        assert (green > 20) == (i in (0, 3))


def test_sounds_beside_each_other_share_one_scale_of_ink():
    x, shares, stft = halves()
    loud = panels_of_paper(x, shares, stft, x)
    assert panels_of_paper(0.1 * x, shares, stft, x).mean() > loud.mean() + 0.1  # paler
    np.testing.assert_allclose(panels_of_paper(1e-3 * x, shares, stft, 1e-3 * x), loud, atol=1e-6)
    np.testing.assert_array_equal(panels_of_paper(0 * x, shares, stft, x), 1.0)  # silence is white


def panels_of_paper(x, shares, stft, beside):
    return painted(x, shares, stft, RATE, beside, 30.0)


@pytest.mark.parametrize(("samples", "frame"), [(64, 64), (RATE, 4096), (60 * RATE, 64)])
@pytest.mark.parametrize("gain", [0.0, 1e-200, 1e8])
def test_any_masks_give_a_picture(tmp_path, samples, frame, gain):
    x, shares, stft = halves(samples, frame)
    with np.errstate(all="raise"):
        masks(tmp_path / "x.png", gain * x, shares, stft, RATE)
    assert picture(tmp_path / "x.png").std() > 1


def test_pyplot_stays_out_and_nothing_is_said(tmp_path):
    program = f"""
import sys, numpy as np
from otowake.tasks.drawing.costs import cost_curve
from otowake.tasks.drawing.spectrograms import spectrograms
assert "matplotlib" not in sys.modules
x = np.random.default_rng(0).standard_normal(4000)
spectrograms({str(tmp_path / "x.png")!r}, x, x[None], 8000)
cost_curve({str(tmp_path / "c.png")!r}, [3.0, 2.0])
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.png", "x.png"]
