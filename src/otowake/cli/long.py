"""Long recordings: separated block by block and written as they are joined; what is done is kept on the disk.

NAME-unfinished holds a file for each block that is done, and says what of: the same command goes on from there, and
ends with the same bits.  When all files are written, it is removed.
"""

import contextlib
import io
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from otowake.cli.forms import BITS, Form, clips, forms
from otowake.cli.inputs import Input
from otowake.cli.interrupt import Stopped
from otowake.cli.jobs import Job, finite, followed, log
from otowake.cli.outputs import together
from otowake.core.errors import OtowakeError
from otowake.core.files import shown, write_bytes
from otowake.signal.audio import write_pieces
from otowake.tasks.blocks import BLOCK, OVERLAP, UNSURE, Done, Plan, joined
from otowake.tasks.door import Progress, versions

if TYPE_CHECKING:
    from otowake.tasks.door import Watch


def plan(source: Input, seconds: float | None, method: str, options: Mapping[str, Any]) -> Plan:
    """Blocks of so many seconds; a tenth is shared with the next."""
    rate, more = source.model.rate, {key: value for key, value in options.items() if key != "sources"}
    length = round((seconds or BLOCK) * rate)
    return Plan(rate, length, max(1, round(length * OVERLAP / BLOCK)), method, options["sources"], more)


_FILTER = "filter-"


class Kept:
    """The blocks that are done."""

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Those that are there are kept if they are of the same recording and wishes."""
        self.folder, self._about = folder, folder / "about.json"
        self._made = [place for place in folder.absolute().parents if not place.exists()]
        words = (json.dumps(about, indent=2) + "\n").encode()
        try:
            if not self._about.is_file() or self._about.read_bytes() != words:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                write_bytes(self._about, words)
        except OSError as error:
            raise OtowakeError(f"Cannot write in {shown(folder)}: {error.strerror or error}.") from error

    def __contains__(self, k: int) -> bool:
        return self._path(k).is_file()

    def put(self, k: int, done: Done) -> None:
        """Sounds in single precision: what that rounds off goes into the last of them."""
        told = json.dumps(finite(done.told)).encode()
        room = io.BytesIO()
        sounds, words = done.sounds.astype(np.float32), np.frombuffer(told, np.uint8)
        short = done.heard.astype(np.float32)
        heard = short if np.array_equal(short, done.heard) else done.heard
        filters = {f"{_FILTER}{name}": x for name, x in done.filters.items()}
        arrays: dict[str, Any] = {"start": done.start, "heard": heard, "sounds": sounds, "told": words, **filters}
        np.savez(room, **arrays)
        write_bytes(self._path(k), room.getvalue())

    def get(self, k: int) -> Done:
        with np.load(self._path(k)) as kept:
            told = json.loads(kept["told"].tobytes())
            filters = {name.removeprefix(_FILTER): kept[name] for name in kept if name.startswith(_FILTER)}
            heard, sounds = (kept[name].astype(np.float64) for name in ("heard", "sounds"))
            return Done(int(kept["start"]), heard, sounds, told, filters)

    def all(self, count: int) -> Iterator[Done]:
        return (self.get(k) for k in range(count))

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        for place in self._made:
            with contextlib.suppress(OSError):  # not empty
                place.rmdir()

    def _path(self, k: int) -> Path:
        return self.folder / f"{k:05d}.npz"


def separated(job: Job, plan: Plan, source: Input, bar: bool) -> dict[str, Any]:
    """Separates, writes, and gives the report."""
    began = time.perf_counter()
    kept = Kept(job.folder / f"{job.stem}-unfinished", _about(job, plan))
    ends = [0]  # of the blocks that are done

    def work(watch: "Watch") -> int:
        def told(_: Progress) -> None:
            done, total = ends[-1] / plan.rate / 60, max(1, round(source.seconds / 60))
            watch(Progress(int(done), total, None, time.perf_counter() - began, "minutes"))

        sources, named, before = 0, plan, None
        for k, part in enumerate(plan.cut(source.parts())):
            if not sources and part.x.any():
                named = plan.named(part.x, source.seconds)
            if k not in kept:
                kept.put(k, named.separated(part, before, sources, told))
            before = kept.get(k)
            sources = sources or len(before.sounds)
            ends.append(part.start + part.x.shape[-1])
            log.info("block %d is done, %.1f minutes of sound", k + 1, ends[-1] / plan.rate / 60)
        return sources

    try:
        sources = followed(job.paths[0].name, bar, work)
    except KeyboardInterrupt as stop:
        if len(ends) == 1:
            kept.remove()
            raise Stopped("stopped, nothing was written.") from stop
        raise Stopped(
            f"stopped after {ends[-1] / plan.rate / 60:.1f} of {source.seconds / 60:.1f} minutes, which are kept in "
            f"{shown(kept.folder)}: the same command goes on from there."
        ) from stop
    except OtowakeError:
        if len(ends) == 1:
            kept.remove()
        raise
    if not sources:
        kept.remove()
        raise OtowakeError("The recording is silent: every sample is 0, so there is nothing to separate.")
    report = _Writer(job, plan, source, kept, len(ends) - 1, ends[-1], sources).written(time.perf_counter() - began)
    kept.remove()
    return report


def _about(job: Job, plan: Plan) -> dict[str, Any]:
    """What blocks depend on."""
    files = [(str(path.absolute()), path.stat().st_size, path.stat().st_mtime_ns) for path in job.paths]
    options = {key: str(value) for key, value in (plan.options or {}).items()}
    return {
        "files": files,
        "method": plan.method,
        "sources": plan.sources,
        "options": options,
        "block": [plan.length, plan.overlap],
        "versions": versions(),
    }


class _Clips(Exception):
    """A part is louder than its format can hold."""


@dataclass(frozen=True)
class _Writer:
    """Writes the sounds of all blocks, one file after the other, a stretch at a time."""

    job: Job
    plan: Plan
    source: Input
    kept: Kept
    count: int
    samples: int
    sources: int

    def written(self, seconds: float) -> dict[str, Any]:
        told: list[tuple[int, int, dict[str, Any]]] = []
        joins: dict[int, float] = {}

        def noted() -> Iterator[Done]:
            for block in self.kept.all(self.count):
                told.append((block.start, block.end, block.told))
                yield block

        for _ in joined(noted(), self.sources, self.plan.overlap, joins.__setitem__):
            pass
        rest = any(one["rest"] for *_, one in told)
        names = [f"source{n + 1}" for n in range(self.sources)] + ["rest"] * rest
        with together(self.job.folder) as place:
            form = self._sounds(place, names)
            files = [f"{self.job.stem}-{name}{form.suffix}" for name in names]
            files.append(f"{self.job.stem}-separation.json")
            report = self._report(told, joins, files, form, seconds)
            write_bytes(place / files[-1], (json.dumps(report, indent=2) + "\n").encode())
        return report

    def _sounds(self, place: Path, names: Sequence[str]) -> Form:
        heard = self.kept.get(0).heard
        channels = 1 if heard.ndim == 1 else len(heard)
        shape = (len(names), *heard.shape[:-1], self.samples)
        for form in forms(shape, self.source.model, self.job.paths[0].name):
            paths = [place / f"{self.job.stem}-{name}{form.suffix}" for name in names]
            try:
                for n, path in enumerate(paths):
                    pieces = self._pieces(n, len(names), BITS.get(form.subtype))
                    write_pieces(path, pieces, channels, self.samples, self.plan.rate, subtype=form.subtype)
                break
            except _Clips:
                for path in paths:
                    path.unlink(missing_ok=True)
        return form

    def _pieces(self, n: int, parts: int, bits: int | None) -> Iterator[np.ndarray]:
        """Of part n: differences of running sums, in whole steps where the format has them; the last one is what is
        left of what was heard, so that they add up to it."""
        step = 2.0 ** (1 - bits) if bits else 0.0
        for stretch in joined(self.kept.all(self.count), self.sources, self.plan.overlap):
            before = stretch.sounds[:n].sum(0)
            now = stretch.heard if n == parts - 1 else before + stretch.sounds[n]
            piece = (np.rint(now / step) - np.rint(before / step)) * step if bits else now - before
            if bits and clips(piece):
                raise _Clips
            yield np.atleast_2d(piece)

    def _report(
        self,
        told: Sequence[tuple[int, int, dict[str, Any]]],
        joins: Mapping[int, float],
        files: Sequence[str],
        form: Form,
        seconds: float,
    ) -> dict[str, Any]:
        rate = self.plan.rate
        blocks = [
            {"from": a / rate, "to": b / rate, "alike": joins.get(a), **{key: one[key] for key in one if key in _EACH}}
            for a, b, one in told
        ]
        first = next(one for *_, one in told if "method" in one)
        return {
            "inputs": [str(path) for path in self.job.paths],
            "files": [str(self.job.folder / name) for name in files],
            "sample_format": form.subtype,
            "method": first["method"],
            "why": first["why"],
            "rate": rate,
            "settings": {**first["settings"], "block": self.plan.length / rate, "overlap": self.plan.overlap / rate},
            "iterations": sum(one.get("iterations", 0) for *_, one in told),
            "converged": all(one.get("converged", True) for *_, one in told),
            "seconds": seconds,
            "notes": [*self.source.notes(self.samples), *self._notes(told, joins), *([form.note] if form.note else [])],
            "blocks": blocks,
            "costs": [],
            "versions": versions(),
        }

    def _notes(self, told: Sequence[tuple[int, int, dict[str, Any]]], joins: Mapping[int, float]) -> list[str]:
        rate = self.plan.rate
        notes = [f"Separated in {len(told)} blocks of {self.plan.length / rate:g} s."] if len(told) > 1 else []
        mute = [(a / rate, b / rate, one["notes"][0]) for a, b, one in told if "method" not in one]
        notes += [f"From {_clock(a)} to {_clock(b)}: {why}" for a, b, why in mute]
        anew = [_clock(a / rate) for a, _, one in told[1:] if "method" in one and not one.get("onward")]
        if anew and len(anew) == len(told) - 1 - len(mute):
            method = next(one["method"] for *_, one in told if "method" in one)
            notes.append(
                f"{method} begins every block anew, as it cannot go on from the one before: that takes longer."
            )
        elif anew:
            notes.append(f"Blocks at {', '.join(anew)} began anew: what came before did not fit them.")
        unsure = [_clock(start / rate) for start, alike in joins.items() if alike < UNSURE]
        if unsure:
            notes.append(f"Sounds may have changed places at {', '.join(unsure)}: they are not alike on both sides.")
        return notes


_EACH = ("iterations", "converged", "cost", "onward", "fall", "notes")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
