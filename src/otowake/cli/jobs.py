"""What `otowake separate` does, one recording after the other: read, separate, write."""

import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otowake.cli.interrupt import Stopped, interruptible
from otowake.core.errors import OtowakeError

if TYPE_CHECKING:
    from otowake.cli.outputs import Form, Parts
    from otowake.signal.audio import Recording
    from otowake.tasks.separate import Progress, Separation

log = logging.getLogger("otowake")


@dataclass(frozen=True)
class Job:
    """One recording: its file, or one file a microphone, and where its parts go."""

    paths: tuple[Path, ...]
    folder: Path

    @property
    def stem(self) -> str:
        return self.paths[0].stem


@dataclass(frozen=True)
class Wish:
    """What was asked for, the same for every recording."""

    method: str
    settings: dict[str, Any] | None
    plots: bool
    options: dict[str, Any]


def each(jobs: Sequence[Job], wish: Wish, bar: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """The reports, and the sentences of what failed: one recording that fails does not stop the others."""
    reports: list[dict[str, Any]] = []
    failures: list[str] = []
    for job in jobs:
        try:
            reports.append(_one(job, wish, bar))
        except OtowakeError as error:
            name = job.paths[0].name
            named = len(jobs) == 1 or name in str(error)
            failures.append(str(error) if named else f"{name}: {error}")
        except KeyboardInterrupt as stop:
            done = f"{len(reports)} of {len(jobs)} recordings are done, nothing else was written."
            raise Stopped(f"stopped, {done if reports else 'nothing was written.'}") from stop
    return reports, failures


def _one(job: Job, wish: Wish, bar: bool) -> dict[str, Any]:
    from otowake.cli.screen import progress

    with progress(job.paths[0].name, bar) as show:

        def work(check: Callable[[], None]) -> "tuple[Recording, Separation]":
            def watch(tick: "Progress") -> None:
                check()
                show(tick)

            return _computed(job, wish, watch)

        recording, result = interruptible(work)
    return _written(job, wish, recording, result)


def _computed(job: Job, wish: Wish, watch: "Callable[[Progress], None]") -> "tuple[Recording, Separation]":
    from otowake.signal import audio

    recording = audio.stack(job.paths) if len(job.paths) > 1 else audio.read(job.paths[0])
    channels, samples = recording.samples.shape
    log.info("%s: %d channels, %d samples at %d Hz", job.paths[0], channels, samples, recording.rate)

    from otowake.tasks.separate import separate as divide

    result = divide(
        recording.samples,
        recording.rate,
        wish.method,
        settings=wish.settings,
        watch=watch,
        **wish.options,
    )
    log.info("%s: %d iterations in %.2f s", result.method, result.iterations, result.seconds)
    return recording, result


def _written(job: Job, wish: Wish, recording: "Recording", result: "Separation") -> dict[str, Any]:
    """Writes everything, and returns the report."""
    import numpy as np

    from otowake.cli.outputs import stored, together
    from otowake.core.files import write_bytes
    from otowake.signal.audio import write

    rest = [] if result.rest is None else [np.asarray(result.rest)]
    parts = np.stack([*np.asarray(result.sources), *rest]).astype(np.float64, copy=False)
    mixture = recording.samples if parts.ndim == 3 else recording.samples[0]
    parts, form = stored(parts, mixture, recording, job.paths[0].name)
    sounds = [f"{job.stem}-source{i + 1}{form.suffix}" for i in range(len(parts) - len(rest))]
    sounds += [f"{job.stem}-rest{form.suffix}"] * len(rest)
    with together(job.folder) as place:
        for name, part in zip(sounds, parts):
            write(place / name, part, recording.rate, subtype=form.subtype)
        pictures = _drawn(place, job.stem, mixture, parts, result) if wish.plots else []
        names = [*sounds, *pictures, f"{job.stem}-separation.json"]
        report = _report(job, recording, result, form, names)
        write_bytes(place / names[-1], (json.dumps(report, indent=2) + "\n").encode())
    return report


def _drawn(place: Path, stem: str, mixture: Any, parts: "Parts", result: "Separation") -> list[str]:
    from otowake.tasks.pictures import cost_curve, spectrograms

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it would tell of building its font cache
    n = len(result.sources)
    if parts.ndim == 3:
        mixture, parts = mixture[0], parts[:, 0]
    names = [f"{stem}-spectrogram.png"]
    rest = parts[n] if len(parts) > n else None
    spectrograms(place / names[0], mixture, parts[:n], result.rate, rest=rest)
    if len(result.costs) > 1:
        names.append(f"{stem}-cost.png")
        cost_curve(place / names[1], result.costs, method=result.method)
    return names


def _report(
    job: Job, recording: "Recording", result: "Separation", form: "Form", names: Sequence[str]
) -> dict[str, Any]:
    report = result.report()
    notes = [*recording.notes, *result.notes, *([form.note] if form.note else [])]
    written = {
        "inputs": [str(path) for path in job.paths],
        "files": [str(job.folder / name) for name in names],
        "sample_format": form.subtype,
    }
    return _finite({**written, **report, "notes": notes})


def _finite(value: Any) -> Any:
    """JSON has no word for infinity or NaN: null."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
