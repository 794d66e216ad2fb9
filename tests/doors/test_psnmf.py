"""The experiment of penalised supervised NMF: its songs, its recordings, its short cuts."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from otowake import evaluate
from otowake.core.errors import OtowakeError

HERE = Path(__file__).resolve().parents[2] / "experiments" / "psnmf"


@pytest.fixture
def protocol(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("protocol")


def test_songs(protocol):
    songs = protocol.songs()
    assert len(set(songs)) == 90
    assert all(protocol.PART[song.target] != protocol.PART[song.other] for song in songs)
    assert len(protocol.weights_of("cosine")) == 72


def test_sdr_is_that_of_evaluate(protocol):
    sdr = importlib.import_module("sdr")
    g = np.random.default_rng(0)
    s = np.cumsum(g.normal(size=(2, 9000)), 1) * 0.1 + g.normal(size=(2, 9000))
    e = s[:1] + np.array([[0.1], [0.5], [2.0]]) * s[1:]
    expected = [evaluate(s, np.stack([x, s[1]])).sdr[0] for x in e]
    np.testing.assert_allclose(sdr.Reference(s[0]).sdr(e), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["orthogonal", "cosine"])
def test_courses_are_those_of_the_method(protocol, kind):
    g = torch.Generator().manual_seed(0)
    F = torch.rand(2049, protocol.K, generator=g) ** 4
    X = torch.rand(1, 2049, 6, generator=g).to(torch.complex64).expand(3, -1, -1, -1)
    m = protocol.method(kind, F, torch.tensor([0.1, 1.0, 10.0]))
    s = m.init(X, 0)
    for _ in range(2):
        s = m.step(X, s)
    for own, quick in zip(s.z, protocol.fitted(m, X, 2, 0), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(own, quick, strict=True))


def test_the_original_folders(protocol, tmp_path):
    def sound(path, value):
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.full(100, value), protocol.RATE)

    for part, names in protocol.PARTS.items():
        for name in names:
            sound(tmp_path / "YMH" / part / f"ymh_{protocol.SHORT[name]}.wav", 0.25)
            sound(tmp_path / "scaleData" / f"ymh_{protocol.SHORT[name]}_scale.wav", 0.5)
            sound(tmp_path / "scaleData" / f"gpo_{protocol.SHORT[name]}_scale.wav", 0.125)
    library = protocol.Library(tmp_path)
    assert library.melody("oboe")[0] == 0.25
    assert library.scale("cello")[0] == 0.5
    (tmp_path / "YMH" / "melody1" / "ymh_ob.wav").unlink()
    with pytest.raises(OtowakeError, match="oboe or ob in its name"):
        library.melody("oboe")
