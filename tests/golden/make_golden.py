"""Writes golden.json: what each recipe reaches on the example in 30 iterations.

    python tests/golden/make_golden.py

Do this when a recipe was changed on purpose, and look at the difference before committing it.  Processors round in
their own ways, and what jointly diagonalisable models reach differs by that: fastmnmf2 has 14.36 dB on an AMD EPYC,
14.46 on an Intel Xeon, and 14.41 stands in golden.json by hand.
"""

import json
from pathlib import Path

import numpy as np

import otowake

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
SECONDS = 5
ITERATIONS = 30
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "auxiva": ("auxiva", {}),
    "auxiva gauss": ("auxiva", {"density": "gauss"}),
    "auxiva t": ("auxiva", {"density": "t:10"}),
    "auxiva ggd": ("auxiva", {"density": "ggd:1.5"}),
    "auxiva iss2": ("auxiva", {"demix": "iss2"}),
    "ilrma cold": ("ilrma", {"start": "cold"}),
    "ilrma iss1 cold": ("ilrma", {"demix": "iss1", "start": "cold"}),
    "ilrma ipa cold": ("ilrma", {"demix": "ipa", "start": "cold"}),
    "ilrma t cold": ("ilrma", {"density": "t:30", "warm": "20", "start": "cold"}),
    "ilrma ggd cold": ("ilrma", {"density": "ggd:1.5", "warm": "20", "start": "cold"}),
    "ilrma amplitude cold": ("ilrma", {"domain": "1", "start": "cold"}),
    "ilrma shared cold": ("ilrma", {"shared": "8", "start": "cold"}),
    "consistent_ilrma cold": ("consistent_ilrma", {"start": "cold"}),
    "ilrma": ("ilrma", {}),
    "ilrma t": ("ilrma", {"density": "t:30", "warm": "20"}),
    "consistent_ilrma": ("consistent_ilrma", {}),
    "pds": ("pds", {}),
    "pds admm": ("pds", {"splitting": "admm"}),
    "pds low-rank": ("pds", {"source": "low-rank"}),
    "hva": ("hva", {}),
    "fastmnmf": ("fastmnmf", {}),
    "fastmnmf ilrma": ("fastmnmf", {"start": "ilrma"}),
    "fastmnmf2": ("fastmnmf2", {}),
    "fastmnmf2 t": ("fastmnmf2", {"density": "t:10"}),
    "mnmf": ("mnmf", {}),
    "mnmf two-step": ("mnmf", {"start": "two-step"}),
    "rcscme": ("rcscme", {}),
    "cacgmm": ("cacgmm", {}),
    "cgmm": ("cgmm", {}),
}


def improvement(method: str, settings: dict[str, str]) -> float:
    """Mean SDR improvement in dB over the two talkers of the first seconds of the example."""
    mixture, *talkers = (_start(name) for name in ("two-talkers", "two-talkers-ref1", "two-talkers-ref2"))
    result = otowake.separate(mixture, 16000, method, settings=settings, iterations=ITERATIONS, stft="2048/512")
    sounds = result.sources if result.rest is None else np.concatenate([result.sources, result.rest[None]])
    scores = otowake.evaluate(np.concatenate(talkers), sounds, mixture[0])
    return float(np.mean(scores.sdr_improvement))


def _start(name: str) -> np.ndarray:
    recording = otowake.read(EXAMPLES / f"{name}.flac")
    return recording.samples[:, : SECONDS * recording.rate]


if __name__ == "__main__":
    reached = {name: round(improvement(*case), 3) for name, case in CASES.items()}
    (HERE / "golden.json").write_text(json.dumps(reached, indent=2) + "\n")
    print(json.dumps(reached, indent=2))
