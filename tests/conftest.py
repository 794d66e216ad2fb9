"""What every test runs under: shapes and types checked at each call, one thread, `cases` importable from anywhere."""

import os
import sys
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "laws"))  # for cases.py

if os.environ.get("OTOWAKE_TYPECHECK") == "1":
    from jaxtyping import install_import_hook

    package = HERE.parent / "src" / "otowake"
    rooms = [p.stem for p in package.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()]
    checked = [f"otowake.{room}" for room in rooms if room not in ("__init__", "ops", "cli", "metrics")]
    checked += ["otowake.ops.covariance", "otowake.ops.demix", "otowake.ops.ratio", "otowake.ops.sweep"]
    install_import_hook(checked, "beartype.beartype")
    # all but kernels (numba reads them), commands (typer does), and metrics, a door that words its own refusals

torch.set_num_threads(1)  # the problems are small; test workers share the cores
