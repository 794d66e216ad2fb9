"""Golden results do not drift: SDR improvement of each recipe on the example, to 0.1 dB."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from make_golden import CASES, improvement

from otowake.recipes import RECIPES

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_what_was_reached_is_reached(case):
    assert improvement(*CASES[case]) == pytest.approx(GOLDEN[case], abs=0.1)


def test_every_recipe_that_takes_the_example_is_watched():
    takers = {name for name, recipe in RECIPES.items() if recipe.takes in ("square", "any")}
    assert takers <= {method for method, _ in CASES.values()}
    assert set(GOLDEN) == set(CASES)
