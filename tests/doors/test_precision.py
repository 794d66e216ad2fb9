"""Single precision is for the way, not for the end: a few iterations lead to the same sounds, which add up exactly."""

from pathlib import Path

import numpy as np
import pytest
import torch

import otowake
from otowake.core.state import in_double, tensors
from otowake.recipes import RECIPES

EXAMPLE = Path(__file__).parents[2] / "examples" / "two-talkers.flac"
SINGLE = [name for name, recipe in RECIPES.items() if recipe.single]
MATRICES = {"W", "Q", "C", "R", "S"}
ALIKE = -40
"""dB of the difference beside the sounds; rounding alone is at -140, iterations lift it."""


@pytest.fixture(scope="module")
def heard():
    recording = otowake.read(EXAMPLE)
    return recording.samples[:, : 3 * recording.rate], recording.rate


def separated(heard, name, precision):
    x, rate = heard
    if RECIPES[name].takes == "more":
        x = np.stack([*x, np.roll(x[0], 2) + 0.3 * np.roll(x[1], 5)])
    sources = {} if RECIPES[name].takes == "square" else {"sources": 2}
    return x, otowake.separate(x, rate, name, iterations=6, precision=precision, **sources)


@pytest.mark.parametrize("name", SINGLE)
def test_the_same_sounds_come_out(heard, name):
    _, fine = separated(heard, name, "double")
    x, coarse = separated(heard, name, "single")
    assert (fine.settings["precision"], coarse.settings["precision"]) == ("double", "single")
    error = np.square(coarse.sources - fine.sources).mean() / np.square(fine.sources).mean()
    assert 10 * np.log10(error) < ALIKE
    left = x[0] - coarse.sources.sum(0) - (0 if coarse.rest is None else coarse.rest)
    assert np.abs(left).max() <= 1e-9 * np.abs(x).max()


@pytest.mark.parametrize("name", SINGLE)
def test_matrices_of_microphones_are_double(heard, name):
    kinds = {key.rsplit(".", 1)[-1]: t.dtype for key, t in tensors(separated(heard, name, "auto")[1].state).items()}
    assert {kinds[key] for key in MATRICES & set(kinds)} == {torch.complex128}
    assert torch.float32 in kinds.values() or torch.complex64 in kinds.values() or name.startswith("auxiva")


@pytest.mark.parametrize("name", ["mnmf", "nmf"])
def test_auto_is_double_where_nothing_is_known_of_single(heard, name):
    x, rate = heard
    x = x[:1] if name == "nmf" else x
    assert otowake.separate(x, rate, name, iterations=1).settings["precision"] == "double"


def test_another_precision_is_refused(heard):
    with pytest.raises(otowake.OtowakeError, match="no precision 'half': use auto, single or double"):
        otowake.separate(*heard, precision="half")


def test_a_state_in_double_has_the_same_numbers():
    state = (torch.tensor([0.1]), (torch.tensor([1j], dtype=torch.complex64), torch.tensor([3])))
    finer = tensors(in_double(state))
    assert [x.dtype for x in finer.values()] == [torch.float64, torch.complex128, torch.int64]
    assert all(torch.equal(x.to(y.dtype), y) for x, y in zip(finer.values(), tensors(state).values()))
