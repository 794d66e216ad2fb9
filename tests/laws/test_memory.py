"""Memory is a law: one iteration of any recipe needs at most eight spectrograms on top of what is there.

The ruler and why it sees everything: `benchmarks/memory.py`.
"""

import importlib.util
from pathlib import Path

import pytest

PLACE = Path(__file__).resolve().parents[2] / "benchmarks" / "memory.py"
MOST = 8.0  # of the complex128 mixture; the peers' range from 4 to 45, and to 264 for spatial models
MATRICES = 3.0  # of NMF's matrix

spec = importlib.util.spec_from_file_location("memory_ruler", PLACE)
ruler = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ruler)

pytestmark = pytest.mark.skipif(not ruler.available(), reason="the ruler needs Linux with glibc")


def test_no_recipe_needs_more_than_eight_spectrograms():
    rows = ruler.child()
    assert {mics for _, mics, _ in rows} == set(ruler.MICROPHONES)
    over = {f"{name}, {mics} microphones": round(need, 1) for name, mics, need in rows if need > MOST}
    assert not over


def test_nmf_needs_no_more_than_three_matrices():
    rows = ruler.child("--nmf")
    assert len(rows) == 12
    assert not {f"{cost}, {dtype}": round(need, 1) for cost, dtype, need in rows if need > MATRICES}


def test_the_ruler_sees_torch_numpy_kernels_and_lapack():
    """To two pages in each block; blocks below 4 kB are known to be missed, and LAPACK copies once more at times."""
    for name, held, seen in ruler.child("--prove"):
        if name != "small blocks":
            assert seen >= held - 32_768, name
            assert seen <= held + 32_768 or name == "lapack's copies", name
