"""What the tests of the command line share: small recordings, and ways to run a command."""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

from otowake.cli.main import main
from otowake.core.errors import AudioRefused, OtowakeError
from otowake.signal import audio

RATE = 8000
QUICK = ("--stft", "512/128", "--iterations", "5")


def mixture(channels=2, samples=RATE, seed=0, sources=None):
    """(channels, samples): noises that come and go, each through a short random filter to each microphone."""
    rng = np.random.default_rng(seed)
    n = channels if sources is None else sources
    seconds = np.arange(samples) / RATE
    envelopes = [0.05 + np.sin(np.pi * (1.3 + i) * seconds + i) ** 4 for i in range(n)]
    sounds = np.stack(envelopes) * rng.laplace(size=(n, samples))
    filters = rng.standard_normal((channels, n, 16)) * 0.6 ** np.arange(16)
    x = np.array([sum(np.convolve(s, h)[:samples] for s, h in zip(sounds, hs)) for hs in filters])
    return 0.5 * x / max(np.abs(x).max(initial=0.0), 1e-9)


def recording(path, x=None, subtype="PCM_16", rate=RATE):
    """Writes (channels, samples) and gives the path."""
    soundfile.write(path, np.atleast_2d(mixture() if x is None else x).T, rate, subtype)
    return path


def command(*words, **options):
    """The real command in a process of its own."""
    return subprocess.run(line(*words), capture_output=True, text=True, timeout=120, **options)


def line(*words):
    return [sys.executable, "-m", "otowake.cli.main", *map(str, words)]


def started(*words):
    """The real command, going on, its output to be read.

    A shell's background job ignores SIGINT, and so would all that is started in one.
    """
    return subprocess.Popen(
        line(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


class Stopped(NamedTuple):
    """heard: lines on stderr before the signal;  out, err: what came after it;  seconds: that the end took."""

    code: int
    heard: list[str]
    out: str
    err: str
    seconds: float


def stopped(*words, once, number=signal.SIGINT, after=0.0):
    """The real command, stopped so many seconds after it has said `once` on stderr."""
    with started(*words) as process:
        heard = [process.stderr.readline()]
        while once not in heard[-1]:
            assert process.poll() is None
            heard.append(process.stderr.readline())
        time.sleep(after)
        process.send_signal(number)
        began = time.monotonic()
        try:
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    return Stopped(process.returncode, heard, out, err, time.monotonic() - began)


def quickly(capsys, *words):
    """The same command in this process: (exit code, stdout, stderr)."""
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def parts(folder, stem="mix"):
    """The sounds that were written, in order, the rest last: {file name: (channels, samples)}."""
    files = sorted(Path(folder).glob(f"{stem}-source*")) + sorted(Path(folder).glob(f"{stem}-rest*"))
    return {file.name: soundfile.read(file, always_2d=True)[0].T for file in files}


def integers(path, bits):
    """(channels, samples) as the whole steps of a PCM file."""
    return soundfile.read(path, dtype="int32", always_2d=True)[0].T.astype(np.int64) >> (32 - bits)


def left_over(folder):
    """Temporary files and folders anywhere below."""
    return [str(found) for found in Path(folder).rglob("*") if found.name.endswith(".tmp")]


def refused(answer):
    """One sentence on stderr, exit code 2, nothing on stdout."""
    code, out, err = answer
    one_line = err.startswith("otowake: ") and err.count("\n") == 1 and err.endswith("\n")
    return code == 2 and not out and one_line and "Traceback" not in err and "bug" not in err


def refuses(capsys, folder, words, said):
    """Checks that the command refuses in one sentence, in which `said` is, and leaves the folder as it was."""
    before = sorted(folder.rglob("*"))
    answer = quickly(capsys, *words)
    assert refused(answer), answer
    assert said in answer[2], answer
    assert sorted(folder.rglob("*")) == before, "something was left in the folder"


@contextlib.contextmanager
def one_sentence(words=None, kind=OtowakeError):
    """Checks that the block raises an error of one line, in which `words`, a pattern, is."""
    with pytest.raises(kind, match=words) as caught:
        yield caught
    assert "\n" not in str(caught.value), caught.value


def refusal(path, **options):
    """The error of a file that is not taken in."""
    with one_sentence(kind=AudioRefused) as caught:
        audio.read(path, **options)
    return caught.value


def raw_wav(path, x, rate=2 * RATE):
    """A float WAV with any samples and any rate, as no careful program would write it."""
    data = np.ascontiguousarray(np.atleast_2d(x).T, dtype="<f4").tobytes()
    channels = len(np.atleast_2d(x))
    form = struct.pack("<HHIIHH", 3, channels, rate, (rate * 4 * channels) % 2**32, 4 * channels, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def is_root():
    return hasattr(os, "geteuid") and os.geteuid() == 0
