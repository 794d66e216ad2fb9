"""Puts code from the source into pages, so that the equation and the code beside it cannot drift apart.

A page holds a marker, and under it the code that this script writes and rewrites:

    <!-- include: src/otowake/ops/sweep.py#ip2_definition -->
    (a fenced block of Python)

The name after # is a function or class of that file, or Class.method.

    python docs/include.py            write the blocks anew
    python docs/include.py --check    say which are stale, and fail if any is
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARKER = re.compile(r"^<!-- include: (?P<path>\S+)#(?P<name>\S+) -->\n(?:```python\n.*?^```\n)?", re.M | re.S)


def code(path: str, name: str) -> str:
    """The source of a function or class, without what decorates a function; of a method under its class's name."""
    text = (ROOT / path).read_text(encoding="utf-8")
    node: ast.AST = ast.parse(text)
    for part in name.split("."):
        body = getattr(node, "body", [])
        found = [item for item in body if getattr(item, "name", None) == part]
        if not found:
            raise LookupError(f"{path} has no {name}; correct the marker.")
        node = found[-1]
    assert isinstance(node, ast.ClassDef | ast.FunctionDef), f"{path}#{name} is neither a function nor a class"
    decorators = node.decorator_list if isinstance(node, ast.ClassDef) else []
    first = min(item.lineno for item in (node, *decorators))
    owner = name.rpartition(".")[0]
    lines = [f"class {owner}:"] if owner else []
    return "\n".join([*lines, *text.splitlines()[first - 1 : node.end_lineno]])


def rendered(page: str) -> str:
    """The page with every block as it should be."""

    def block(marker: re.Match[str]) -> str:
        path, name = marker["path"], marker["name"]
        return f"<!-- include: {path}#{name} -->\n```python\n{code(path, name)}\n```\n"

    return MARKER.sub(block, page)


def pages() -> list[Path]:
    """Every page under docs/, and the pages beside the README."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def stale() -> list[str]:
    """Names of pages whose blocks are not the source's."""
    return [str(page.relative_to(ROOT)) for page in pages() if rendered(text := page.read_text("utf-8")) != text]


def main(arguments: list[str]) -> int:
    """Exit code: 1 when --check finds stale pages."""
    old = stale()
    if "--check" in arguments:
        for page in old:
            print(f"{page} shows code that has changed: run python docs/include.py", file=sys.stderr)
        return int(bool(old))
    for name in old:
        page = ROOT / name
        page.write_text(rendered(page.read_text("utf-8")), encoding="utf-8")
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
