"""What `separate`, `extract` and `parts` do with recordings, one after the other: read, compute, write, say so."""

import contextlib
import json
import logging
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from otowake.cli.interrupt import Stopped, interruptible
from otowake.core.errors import OtowakeError

if TYPE_CHECKING:
    from otowake.cli.easel import Easel
    from otowake.cli.forms import Form, Parts, Sound
    from otowake.signal.audio import Recording
    from otowake.tasks.door import Progress, Watch

T = TypeVar("T")

PANELS = 12  # of more sounds than that no spectrograms are drawn: the picture would be taller than it is of use

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
class Outcome:
    """What a computation leaves for the disk.

    Args:
        parts: (n, samples) or (n, channels, samples), an array or made one at a time; they add up to the recording, its
            first channel, or `whole`.
        names: of the parts, in file names.
        report: all but the sounds, JSON-able, with "notes", "costs", "method" and "rate".
        kind: the report's own name.
        more: further files, such as pictures: what their names end in, and what writes one at a path.
        whole: what the parts add up to, where that is not the recording.
        rate: Hz, of parts that have another than the recording; nothing draws them here.
        over: draws over the panels of the spectrogram.
    """

    parts: "Parts"
    names: Sequence[str]
    report: dict[str, Any]
    kind: str
    more: Mapping[str, Callable[[Path], None]] = field(default_factory=dict)
    whole: "Sound | None" = None
    rate: int | None = None
    over: Callable[[Any, int], None] | None = None


# ---- before ------------------------------------------------------------------------------------------------


def say_what_happens(verbose: bool) -> None:
    """With -v, the log goes to stderr."""
    if verbose:
        logging.basicConfig(stream=sys.stderr, format="%(message)s")
        logging.getLogger("otowake").setLevel(logging.INFO)


def planned(groups: Sequence[tuple[Path, ...]], out: Path | None, ending: str, inputs: Sequence[Path]) -> list[Job]:
    """A job for each group of files, in `out` or in a folder NAME-ending; refuses what would fail later."""
    from otowake.cli.outputs import check

    jobs = [Job(paths, out or paths[0].parent / f"{paths[0].stem}-{ending}") for paths in groups]
    taken: dict[Path, Path] = {}
    for job in jobs:
        first = taken.setdefault(job.folder.absolute() / job.stem, job.paths[0])
        if first is not job.paths[0]:
            raise OtowakeError(f"{first} and {job.paths[0]} would write files of the same names; take them one by one.")
        check(job.folder, job.stem, inputs)
    return jobs


# ---- one after the other -----------------------------------------------------------------------------------


def each(jobs: Sequence[Job], one: Callable[[Job], dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """The reports of `one`, and the sentences of what failed: a recording that fails does not stop the others."""
    reports: list[dict[str, Any]] = []
    failures: list[str] = []
    for job in jobs:
        try:
            reports.append(one(job))
        except OtowakeError as error:
            name = job.paths[0].name
            named = len(jobs) == 1 or name in str(error)
            failures.append(str(error) if named else f"{name}: {error}")
        except KeyboardInterrupt as stop:
            done = f"{len(reports)} of {len(jobs)} recordings are done, nothing else was written."
            raise Stopped(f"stopped, {done if reports else 'nothing was written.'}") from stop
    return reports, failures


def followed(name: str, bar: bool, work: "Callable[[Watch], T]") -> T:
    """Runs `work(watch)`, which Ctrl-C ends within a second; if `bar`, a bar shows how far it is."""
    from otowake.cli.screen import progress

    with progress(name, bar) as show:

        def inner(check: Callable[[], None]) -> T:
            def watch(tick: "Progress") -> None:
                check()
                show(tick)

            return work(watch)

        return interruptible(inner)


def whole(
    compute: "Callable[[Recording, Watch], Outcome]", *, plots: bool, bar: bool
) -> Callable[[Job], dict[str, Any]]:
    """What `each` does with a recording that is computed in one piece."""

    @cache
    def easel() -> "Easel":
        """One for all recordings, from the first on."""
        from otowake.cli.easel import Easel

        return Easel()

    return lambda job: _one(job, compute, easel() if plots else None, bar)


def _one(
    job: Job, compute: "Callable[[Recording, Watch], Outcome]", easel: "Easel | None", bar: bool
) -> dict[str, Any]:
    def work(watch: "Watch") -> "tuple[Recording, Outcome]":
        from otowake.signal import audio

        recording = audio.stack(job.paths) if len(job.paths) > 1 else audio.read(job.paths[0])
        channels, samples = recording.samples.shape
        log.info("%s: %d channels, %d samples at %d Hz", job.paths[0], channels, samples, recording.rate)
        outcome = compute(recording, watch)
        report = outcome.report
        log.info("%s: %s", report["method"], report["why"])
        log.info("%s: %d iterations in %.2f s", report["method"], report["iterations"], report["seconds"])
        return recording, outcome

    return _written(job, *followed(job.paths[0].name, bar, work), easel)


def _written(job: Job, recording: "Recording", outcome: Outcome, easel: "Easel | None") -> dict[str, Any]:
    """Writes everything, and returns the report."""
    from otowake.cli.forms import finer, forms, write_parts
    from otowake.cli.outputs import together
    from otowake.core.files import write_bytes

    mixture = recording.samples if len(outcome.parts.shape) == 3 else recording.samples[0]
    whole = mixture if outcome.whole is None else outcome.whole
    rate, model = (recording.rate, recording) if outcome.rate is None else (outcome.rate, finer(recording))
    names = [f"{job.stem}-{name}" for name in outcome.names]
    with together(job.folder) as place:
        drawing = _Drawing(recording, outcome, easel, place / job.stem) if easel else None
        choices = forms(outcome.parts.shape, model, job.paths[0].name)
        see = drawing.see if drawing else None
        sounds, form = write_parts(place, names, outcome.parts, whole, rate, choices, see)
        pictures = drawing.files() if drawing else []
        others = {f"{job.stem}-{ending}": make for ending, make in outcome.more.items()}
        for name, make in others.items():
            make(place / name)
        files = [*sounds, *others, *pictures, f"{job.stem}-{outcome.kind}.json"]
        report = _report(job, recording, outcome, form, files)
        write_bytes(place / files[-1], (json.dumps(report, indent=2) + "\n").encode())
        if easel:
            easel.finish()
    return report


class _Drawing:
    """The pictures of an outcome, whose sounds are seen one at a time; names of their files begin with `stem`."""

    def __init__(self, recording: "Recording", outcome: Outcome, easel: "Easel", stem: Path) -> None:
        from otowake.tasks.drawing.spectrograms import Panels

        few = outcome.rate is None and len(outcome.names) <= PANELS
        self._outcome, self._easel, self._stem = outcome, easel, stem
        self._panels = Panels(recording.samples[0], recording.rate) if few else None
        with contextlib.suppress(OtowakeError):  # what a recording that failed has left
            easel.finish()
        report, self._costs = outcome.report, list[str]()
        if len(report["costs"]) > 1:
            path = self._file("cost.png")
            words = {key: report[key] for key in ("costs", "method", "residuals") if key in report}
            tolerance = report.get("settings", {}).get("tolerance", 0.0)
            easel.draw("costs", path, **words, tolerance=tolerance)
            self._costs.append(path.name)

    def see(self, n: int, part: "Sound") -> None:
        from otowake.tasks.drawing.figure import titled

        if self._panels is not None:
            self._panels.see(n, titled(self._outcome.names[n]), part if part.ndim == 1 else part[0])

    def files(self) -> list[str]:
        """Has the sounds drawn; gives the names of all files, which are there when the easel has finished."""
        if self._panels is None:
            return self._costs
        path, picture, over = self._file("spectrogram.png"), self._panels.picture(), self._outcome.over
        if over is None:
            self._easel.draw("panels", path, **picture._asdict())
        else:  # what draws over panels does not leave this process
            from otowake.tasks.drawing.panels import panels

            panels(path, picture, over)
        return [path.name, *self._costs]

    def _file(self, ending: str) -> Path:
        return self._stem.with_name(f"{self._stem.name}-{ending}")


def _report(job: Job, recording: "Recording", outcome: Outcome, form: "Form", files: Sequence[str]) -> dict[str, Any]:
    notes = [*recording.notes, *outcome.report["notes"], *([form.note] if form.note else [])]
    written = {
        "inputs": [str(path) for path in job.paths],
        "files": [str(job.folder / name) for name in files],
        "sample_format": form.subtype,
    }
    return finite({**written, **outcome.report, "notes": notes})


def finite(value: Any) -> Any:
    """JSON has no word for infinity or NaN: null."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# ---- after -------------------------------------------------------------------------------------------------


def told(reports: list[dict[str, Any]], failures: list[str], as_json: bool, done: str) -> None:
    """Prints what was made; raises what failed.  `done` is a participle, such as "separated"."""
    from otowake.cli.screen import paths, summary

    jobs = len(reports) + len(failures)
    if as_json and reports:
        typer.echo(json.dumps(reports[0] if jobs == 1 else {"runs": reports}, indent=2))
    elif not as_json:
        for report in reports:
            # as bytes, because a file name need not be text
            typer.echo(summary(report) if sys.stdout.isatty() else os.fsencode(paths(report)))
    if failures and jobs == 1:
        raise OtowakeError(failures[0])
    if failures:
        raise OtowakeError("\n  ".join([f"{len(failures)} of {jobs} recordings could not be {done}:", *failures]))
