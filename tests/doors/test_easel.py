"""Pictures from a process of their own are those that are drawn here, and so are errors."""

import numpy as np
import pytest

from otowake.cli.easel import KINDS, Easel
from otowake.core.errors import OtowakeError
from otowake.tasks.drawing.spectrograms import Panels

RATE = 8000


@pytest.fixture(scope="module")
def picture():
    x = np.random.default_rng(0).normal(size=RATE) / 10
    seen = Panels(x, RATE)
    seen.see(0, "Source 1", x / 2)
    return seen.picture()._asdict()


@pytest.fixture
def easel():
    easel = Easel()
    yield easel
    easel.close()


def test_pictures_are_the_same_in_every_process(easel, picture, tmp_path):
    gaps = {"primal_residual": [1.0, np.nan, 0.1]}
    for kind, words in ("panels", picture), ("costs", {"costs": [3.0, np.inf, 2.0, 1.0], "residuals": gaps}):
        KINDS[kind](tmp_path / "here.png", **words)
        easel.draw(kind, tmp_path / "there.png", **words)
        easel.finish()
        assert (tmp_path / "here.png").read_bytes() == (tmp_path / "there.png").read_bytes()
    assert easel._process is not None, "it was drawn here"


def test_it_serves_one_recording_after_the_other_whatever_fails(easel, picture, tmp_path):
    (tmp_path / "folder.png").mkdir()
    easel.draw("panels", tmp_path / "folder.png", **picture)
    easel.draw("panels", tmp_path / "first.png", **picture)
    with pytest.raises(OtowakeError, match="is a directory"):
        easel.finish()
    easel.draw("panels", tmp_path / "second.png", **picture)
    easel.finish()
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    assert easel._process is not None, "it was drawn here"


@pytest.mark.parametrize("when", ["before", "between"])
def test_where_the_process_is_gone_pictures_are_drawn_here(easel, picture, tmp_path, when):
    if when == "before":
        easel._process.kill()
        easel._process.wait()
    easel.draw("panels", tmp_path / "one.png", **picture)
    easel.draw("panels", tmp_path / "two.png", **picture)
    if when == "between":
        easel._process.kill()
    easel.finish()
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert easel._process is None


def test_where_no_process_can_be_had_pictures_are_drawn_here(picture, tmp_path, monkeypatch):
    def refused(*args, **kwargs):
        raise OSError

    monkeypatch.setattr("otowake.cli.easel.subprocess.Popen", refused)
    easel = Easel()
    easel.draw("panels", tmp_path / "one.png", **picture)
    easel.finish()
    assert (tmp_path / "one.png").stat().st_size > 1000


def test_it_ends_when_nothing_is_left_to_draw(easel):
    process = easel._process
    easel.close()
    assert process.returncode == 0
