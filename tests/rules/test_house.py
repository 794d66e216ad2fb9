"""Rules of the house that a machine can see: arrows, letters, sizes, where small numbers live, what loads when."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import otowake

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "otowake").rglob("*.py"))
MATHS = [p for p in SOURCES if p.relative_to(ROOT / "src/otowake").parts[0] not in ("cli", "metrics", "tasks")]
HEAVY = ("torch", "numpy", "numba", "soundfile", "matplotlib", "scipy", "rich")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT / "src"))


def test_imports_run_one_way():
    command = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([command], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_files_and_functions_fit_a_screen_or_two(path):
    text = path.read_text()
    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = node.end_lineno - node.lineno + 1
            doc = ast.get_docstring(node) or ""
            assert lines - doc.count("\n") <= 60, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", MATHS, ids=_name)
def test_small_numbers_live_in_one_room(path):
    if path.name == "safe.py":
        return
    small = re.findall(r"(?<![\w.])1e-(?:[6-9]|\d\d)\b", _code(path))
    assert not small, f"{small}: give it a name in linalg/safe.py"


CODE = {"otowake/ops/cpu/compile.py"}
"""Unpickles compiled kernels, as Numba does: they are code, whatever they are wrapped in."""


@pytest.mark.parametrize("path", [path for path in SOURCES if _name(path) not in CODE], ids=_name)
def test_nothing_is_executed_or_unpickled(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "torch.load", "pickle.load", "pickle.loads", "os.system"), called
            assert not any(k.arg == "shell" for k in node.keywords), "shell=True"


def test_every_module_and_public_function_says_what_it_is():
    silent = []
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        if tree.body and not ast.get_docstring(tree):
            silent.append(_name(path))
    assert not silent


def test_axes_are_those_of_the_notation():
    table = (ROOT / "NOTATION.md").read_text().split("## Axes")[1].split("## ")[0]
    known = set(re.findall(r"`#?\*?(\w+)`", table))
    for path in SOURCES:
        for axes in re.findall(r'(?:Float|Complex|Bool|Int|Real)\[[\w.]+, r?"([^"]*)"\]', path.read_text()):
            used = {re.sub(r"[*#]|[+-]\d+$", "", axis) for axis in axes.split()} - {"...", "_"}
            assert {a for a in used if not a.isdigit()} <= known, f"{_name(path)}: {axes}"


@pytest.mark.parametrize("words", ["import otowake", "import otowake.cli.main"])
def test_the_door_is_light(words):
    code = f"import sys; {words}; print([m for m in {HEAVY} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_every_name_of_the_package_is_there():
    for name in otowake.__all__:
        assert getattr(otowake, name) is not None
    with pytest.raises(AttributeError):
        _ = otowake.nothing_of_this_name


@pytest.mark.parametrize("block", range(2))
def test_the_readme_tells_the_truth(block, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(blocks) == 2
    shutil.copy(ROOT / "examples" / "two-talkers.flac", tmp_path)
    run = subprocess.run([sys.executable, "-c", blocks[block]], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    if block == 0:
        assert (tmp_path / "talker1.wav").stat().st_size > 100_000


def test_no_place_of_one_machine_is_named():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if files.returncode:
        pytest.skip("not a git checkout, so what belongs to the project cannot be listed")
    words = re.compile(os.sep.join(["", "(work|home|root|tmp)", r"\w+"]) + r"\b")
    named = []
    for name in files.stdout.split():
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".yaml", ".json") and path.exists():
            named += [f"{name}: {m.group()}" for m in words.finditer(path.read_text())]
    assert not named


def _code(path: Path) -> str:
    """The file without its strings and comments."""
    import io
    import tokenize

    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return " ".join(t.string for t in tokens if t.type not in (tokenize.STRING, tokenize.COMMENT))
