"""What benchmarks share: the machine and the versions beside every figure, threads, and where the figures go."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).resolve().parent


def machine(packages: Sequence[str]) -> dict:
    cpu = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.split(":", 1)[1].strip() for line in cpu.splitlines() if line.startswith("model name")]
    return {
        "machine": f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in packages},
    }


def named(facts: dict) -> str:
    """The machine and the versions as a line."""
    versions = ", ".join(f"{package} {version}" for package, version in facts["versions"].items())
    return f"{facts['machine']}; Python {facts['python']}, {versions}."


def threads(number: int) -> None:
    """So many for every library; they read it when they are imported, children of this process as well."""
    for library in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = str(number)


SETTLED = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
}
"""Threads that wait sleep, and the C library keeps freed memory, as in a process that has worked for a while: without
it, scikit-learn's temporaries are asked from the system in every update, which takes up to three times as long."""


def moment() -> dict:
    """When, on which commit, and how busy the machine was."""
    git = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=HERE)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": git.stdout.strip() or "unknown",
        "load": os.getloadavg()[0],
    }


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median [least, most]."""
    return "{:.{d}f} [{:.{d}f}, {:.{d}f}]".format(statistics.median(values), min(values), max(values), d=digits)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows)]


def told(text: str, markdown: Path | None, result: dict | None = None, as_json: Path | None = None) -> None:
    """Prints the table, and writes it and the result behind it where that is wanted."""
    print(text)
    if as_json:
        as_json.write_text(json.dumps(result, indent=1) + "\n")
    if markdown:
        markdown.write_text(text)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
