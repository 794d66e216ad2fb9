"""Results as lines of JSON: appended one by one, read again after a run that was killed while it wrote."""

import json
from pathlib import Path
from typing import Any


def append(path: Path, line: dict[str, Any]) -> None:
    """One line more; what was cut off before it stays a line of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut_off = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * cut_off + json.dumps(line) + "\n")


def lines(path: Path) -> list[dict[str, Any]]:
    """What a file of results holds; a line that was cut off is left out."""
    found = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            found.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return found
