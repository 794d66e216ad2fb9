"""Pictures are drawn by a process of their own: matplotlib comes in there while torch does here.

What is asked for is an archive of arrays, with a line of JSON: the picture's kind, its file and arguments, in which
arrays have names. What comes back for each is a line, null or the sentence that says why it could not be drawn.
"""

import atexit
import contextlib
import gc
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from otowake.core.errors import OtowakeError
from otowake.tasks.drawing.costs import cost_curve
from otowake.tasks.drawing.panels import Picture, panels


def _drawn(path: str | Path, **picture: Any) -> None:
    panels(path, Picture(**picture))


KINDS: dict[str, Callable[..., None]] = {"costs": cost_curve, "panels": _drawn}
"""What can be asked for; the first argument is the file's path."""


class Easel:
    """The process, from its start to that of this one's end; where there is none, pictures are drawn here."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._asked: list[tuple[str, Path, dict[str, Any]]] = []
        words, pipe = [sys.executable, "-m", "otowake.cli.easel"], subprocess.PIPE
        with contextlib.suppress(OSError):
            self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
            atexit.register(self.close)

    def draw(self, kind: str, path: Path, **words: Any) -> None:
        """A picture of `KINDS`, with its arguments; it is there when `finish` returns."""
        self._asked.append((kind, path, words))
        if self._process is not None and self._process.stdin is not None:
            try:
                _send(self._process.stdin, [kind, os.fspath(path), words])
            except OSError:
                self._process = None

    def finish(self) -> None:
        """Waits for all that was asked for; raises the first thing that went wrong."""
        asked, self._asked = self._asked, []
        sentences = [sentence for one in asked if (sentence := self._answer(*one))]
        if sentences:
            raise OtowakeError(sentences[0])

    def close(self) -> None:
        """The process ends, and is waited for."""
        if self._process is not None:
            self._process.communicate()

    def _answer(self, kind: str, path: Path, words: dict[str, Any]) -> str | None:
        """What became of a picture; it is drawn here if the process is gone."""
        answer = b"" if self._process is None or self._process.stdout is None else self._process.stdout.readline()
        if not answer.endswith(b"\n"):
            self._process = None
            return _attempt(kind, path, words)
        sentence: str | None = json.loads(answer)
        return sentence


def _attempt(kind: str, path: str | Path, words: dict[str, Any]) -> str | None:
    try:
        KINDS[kind](path, **words)
    except OtowakeError as error:
        return str(error)
    return None


def _send(stream: Any, message: Any) -> None:
    arrays: list[np.ndarray] = []

    def aside(array: np.ndarray) -> dict[str, str]:
        arrays.append(array)
        return {"array": f"arr_{len(arrays) - 1}"}

    line, packed = json.dumps(message, default=aside), io.BytesIO()
    np.savez(packed, *arrays, line=line)
    stream.write(len(packed.getvalue()).to_bytes(8))
    stream.write(packed.getvalue())
    stream.flush()


def _received(stream: Any) -> Any:
    """None at the end."""
    size = stream.read(8)
    if len(size) < 8:
        return None
    with np.load(io.BytesIO(stream.read(int.from_bytes(size))), allow_pickle=False) as arrays:
        return json.loads(str(arrays["line"]), object_hook=lambda x: arrays[x["array"]] if "array" in x else x)


def main() -> None:
    """Draws what comes in until nothing does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the process that it works for
    gc.disable()
    _ready()
    gc.freeze()  # the modules stay, and need not be looked through for garbage
    gc.enable()
    while (message := _received(sys.stdin.buffer)) is not None:
        answer = json.dumps(_attempt(*message))
        sys.stdout.buffer.write(answer.encode() + b"\n")
        sys.stdout.buffer.flush()
    os._exit(0)  # there is nothing to tidy up, and somebody waits


def _ready() -> None:
    """Everything that a first picture waits for comes in: modules, fonts, colours."""
    grey = np.zeros((2, 2), np.float32)
    with tempfile.TemporaryDirectory() as scratch:
        _drawn(
            Path(scratch) / "x", levels=[grey], titles=[("A", "0")], edges=np.array([50.0, 500.0]), seconds=1, wide=1
        )
        cost_curve(Path(scratch) / "y", [2.0, 1.0])


if __name__ == "__main__":
    main()
