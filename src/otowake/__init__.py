"""otowake: separates audio with statistical models.

    recording = otowake.read("mixture.flac")
    result = otowake.separate(recording.samples, recording.rate)
    otowake.write("first.wav", result.sources[0], recording.rate)

Names are loaded when they are first used, so that `import otowake` is quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

from otowake.version import __version__

if TYPE_CHECKING:
    from otowake.core.errors import AudioRefused, OtowakeError
    from otowake.metrics import evaluate
    from otowake.signal.audio import Recording, read, stack, write
    from otowake.simulate import simulate
    from otowake.tasks.bases import Bases, load_bases, save_bases
    from otowake.tasks.exemplars import exemplars
    from otowake.tasks.extend import Extension, extend
    from otowake.tasks.extract import Extraction, extract
    from otowake.tasks.learn import learn
    from otowake.tasks.notes.edit import Edited, Heard, edit, hear
    from otowake.tasks.notes.tones import Tones, tones
    from otowake.tasks.notes.transcribe import Transcription, transcribe
    from otowake.tasks.parts import Parts, parts
    from otowake.tasks.separate import Separation, separate

_HOMES = {
    "AudioRefused": "otowake.core.errors",
    "OtowakeError": "otowake.core.errors",
    "evaluate": "otowake.metrics",
    "Recording": "otowake.signal.audio",
    "read": "otowake.signal.audio",
    "stack": "otowake.signal.audio",
    "write": "otowake.signal.audio",
    "simulate": "otowake.simulate.room",
    "Bases": "otowake.tasks.bases",
    "load_bases": "otowake.tasks.bases",
    "save_bases": "otowake.tasks.bases",
    "Extension": "otowake.tasks.extend",
    "exemplars": "otowake.tasks.exemplars",
    "extend": "otowake.tasks.extend",
    "Edited": "otowake.tasks.notes.edit",
    "Heard": "otowake.tasks.notes.edit",
    "edit": "otowake.tasks.notes.edit",
    "hear": "otowake.tasks.notes.edit",
    "Extraction": "otowake.tasks.extract",
    "extract": "otowake.tasks.extract",
    "learn": "otowake.tasks.learn",
    "Parts": "otowake.tasks.parts",
    "parts": "otowake.tasks.parts",
    "Separation": "otowake.tasks.separate",
    "separate": "otowake.tasks.separate",
    "Tones": "otowake.tasks.notes.tones",
    "tones": "otowake.tasks.notes.tones",
    "Transcription": "otowake.tasks.notes.transcribe",
    "transcribe": "otowake.tasks.notes.transcribe",
}

__all__ = [
    "AudioRefused",
    "Bases",
    "Edited",
    "Extension",
    "Extraction",
    "Heard",
    "OtowakeError",
    "Parts",
    "Recording",
    "Separation",
    "Tones",
    "Transcription",
    "__version__",
    "edit",
    "evaluate",
    "exemplars",
    "extend",
    "extract",
    "hear",
    "learn",
    "load_bases",
    "parts",
    "read",
    "save_bases",
    "separate",
    "simulate",
    "stack",
    "tones",
    "transcribe",
    "write",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'otowake' has no attribute {name!r}")
