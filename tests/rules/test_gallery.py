"""Each page of the gallery shows what its script makes, and the script makes what the page shows."""

import importlib.util
import re
from pathlib import Path

import pytest
import soundfile

HERE = Path(__file__).resolve().parents[2] / "docs" / "gallery"
_spec = importlib.util.spec_from_file_location("gallery", HERE / "gallery.py")
gallery = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(gallery)
PAGES = [page.name for page in gallery.pages()]
SHOWN = re.compile(r"\]\(([^)/\s]+\.(?:png|ogg|mid))\)")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_listed_and_shows_all_that_lies_beside_it(name):
    assert f"({name}/README.md)" in (HERE / "README.md").read_text("utf-8")
    files = {path.name for path in (HERE / name).iterdir()} - {"README.md", "make.py", "__pycache__"}
    assert set(SHOWN.findall((HERE / name / "README.md").read_text("utf-8"))) == files


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_a_script_makes_what_its_page_shows(name, tmp_path):
    figures = gallery.made(HERE / name, tmp_path)
    text = (HERE / name / "README.md").read_text("utf-8")
    assert {path.name for path in tmp_path.iterdir()} == set(SHOWN.findall(text))
    assert set(figures) == {mark[2] for mark in gallery.MARK.finditer(text)}
    for path in tmp_path.glob("*.ogg"):
        samples, _ = soundfile.read(path)
        assert 1e-3 < abs(samples).max() < 1.2


def test_marks_are_filled():
    page = "a\n<!-- figures: one -->\nold\n<!-- end -->\nb"
    assert gallery.filled(page, {"one": "new"}) == "a\n<!-- figures: one -->\n\nnew\n\n<!-- end -->\nb"
    with pytest.raises(KeyError):
        gallery.filled(page, {})
    assert gallery.table([["x", "y"], ["1", "2"]]) == "| x | y |\n|---|---|\n| 1 | 2 |"
