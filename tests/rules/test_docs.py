"""What the pages say is true: code is the source's, links lead somewhere, options exist, samples run."""

import importlib.util
import re
from pathlib import Path

import pytest
import torch
import typer
from typer.main import get_command

from otowake.cli.main import app
from otowake.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OURS = [*ROOT.glob("*.md"), *DOCS.glob("**/*.md"), *ROOT.glob("examples/**/*.md"), *ROOT.glob("experiments/**/*.md")]
COMMANDS = {"separate", "learn", "extract", "parts", "extend", "transcribe", "notes", "evaluate", "simulate", "methods"}

_spec = importlib.util.spec_from_file_location("docs_include", DOCS / "include.py")
include = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(include)


def prose(page):
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


# ---- code in pages ----------------------------------------------------------------------------------------


def test_code_in_pages_is_the_sources():
    assert include.stale() == [], "run python docs/include.py"


def test_a_stale_block_is_noticed_and_mended():
    page = "<!-- include: src/otowake/source/flat.py#Flat.psd -->\n```python\nold\n```\nafter\n"
    mended = include.rendered(page)
    assert "return z.r" in mended
    assert "old" not in mended
    assert mended.endswith("```\nafter\n")
    assert include.rendered(mended) == mended


def test_a_marker_that_names_nothing_is_an_error():
    with pytest.raises(LookupError, match="no Flat"):
        include.code("src/otowake/source/flat.py", "Flat.nothing")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_paper_page_with_its_code(name):
    page = (DOCS / "papers" / f"{name}.md").read_text("utf-8")
    module = RECIPES[name].build.__module__.replace(".", "/")
    assert f"<!-- include: src/{module}.py#{name} -->" in page
    assert f"({name}.md)" in (DOCS / "papers" / "README.md").read_text("utf-8")


def test_every_decision_is_in_the_index():
    index = (DOCS / "README.md").read_text("utf-8")
    for page in (DOCS / "decisions").glob("*.md"):
        assert f"(decisions/{page.name})" in index


# ---- links ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", OURS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            assert there.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors(there), f"{page.name} links to {target}"


def anchors(page):
    """Headings as GitHub turns them into anchors."""
    titles = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_pages_that_the_source_names_exist():
    for file in (ROOT / "src").glob("**/*.py"):
        for name in re.findall(r"docs/(?:papers|decisions)/[\w-]+\.md", file.read_text("utf-8")):
            assert (ROOT / name).exists(), f"{file.name} names {name}"


def test_files_that_pages_name_exist():
    for page in OURS:
        for name in re.findall(r"`([\w/]+\.py)`", prose(page)):
            homes = (ROOT / name, ROOT / "src" / "otowake" / name, page.parent / name)
            assert any(home.exists() for home in homes), f"{page.name} names {name}"


# ---- notation ---------------------------------------------------------------------------------------------


def test_every_axis_of_the_source_is_in_the_notation():
    known = set(re.findall(r"`([^`]+)`", (ROOT / "NOTATION.md").read_text("utf-8")))
    for file in (ROOT / "src").glob("**/*.py"):
        for axes in re.findall(r'(?:Float|Complex|Int|Bool)\[[\w.]+, "([^"]*)"\]', file.read_text("utf-8")):
            for axis in re.findall(r"[a-z]\w*", axes):
                assert axis in known, f"{file.name}: the axis {axis} of {axes!r} is not in NOTATION.md"


# ---- the command line -------------------------------------------------------------------------------------


def options(command):
    """Every option of a command, such as --out and -o."""
    context = typer.Context(command)
    return {word for p in command.get_params(context) for word in [*p.opts, *p.secondary_opts] if word.startswith("-")}


def sections():
    """The text under each heading of the second level, by its title."""
    text = prose(DOCS / "guide" / "command-line.md")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_has_a_section():
    commands = set(get_command(app).commands)
    assert commands >= COMMANDS
    assert {f"otowake {name}" for name in commands} <= set(sections())


@pytest.mark.parametrize("name", sorted(get_command(app).commands))
def test_a_section_names_the_options_of_its_command_and_no_others(name):
    text, has = sections()[f"otowake {name}"], options(get_command(app).commands[name])
    named = set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", " ".join(re.findall(r"`([^`]+)`", text))))
    assert has - named - {"-h", "--help"} == set()
    assert named - has == set()


def test_the_options_of_the_whole_program_are_named():
    text = (DOCS / "guide" / "command-line.md").read_text("utf-8")
    assert {option for option in options(get_command(app)) if f"`{option}`" not in text} == set()


# ---- samples ----------------------------------------------------------------------------------------------


def test_the_samples_of_the_python_guide_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / "guide" / "python.md").read_text("utf-8"), re.M | re.S)
    names: dict = {}
    threads = torch.get_num_threads()
    for block in blocks:
        exec(compile(block, "docs/guide/python.md", "exec"), names)
    assert torch.get_num_threads() == threads
    assert len(blocks) > 5
