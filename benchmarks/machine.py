"""What benchmarks share: the machine and the versions beside every figure, threads, and where the figures go."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


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
