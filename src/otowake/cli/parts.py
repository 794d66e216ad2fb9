"""otowake parts: a recording in, what repeats in it out."""

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otowake.cli.arguments import Frames, Json, Seed, Verbose
from otowake.cli.host import prepare_process
from otowake.cli.jobs import Outcome, each, planned, say_what_happens, told, whole
from otowake.core.errors import OtowakeError

if TYPE_CHECKING:
    from otowake.signal.audio import Recording
    from otowake.tasks.door import Watch


class Divergence(StrEnum):
    kl = "kl"
    is_ = "is"
    euclid = "euclid"


def parts(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", readable=False, help="Recordings.")],
    components: Annotated[int, typer.Option("-k", "--components", min=1, metavar="K", help="How many patterns.")] = 20,
    group: Annotated[
        str | None,
        typer.Option(metavar="N", help="Put them together by timbre into N sounds, or: harmonic-percussive."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Folder for the files. [default: NAME-parts]"),
    ] = None,
    divergence: Annotated[Divergence, typer.Option(help="What is small when patterns explain it.")] = Divergence.kl,
    seed: Seed = 0,
    iterations: Annotated[int, typer.Option(min=0, metavar="N", help="How many.")] = 200,
    stft: Frames = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw the patterns, spectrograms, cost.")] = True,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Take recordings apart into what repeats in them, such as notes and hits, without examples.

    Writes NAME-part01.wav, NAME-part02.wav, ..., the loudest first, which add up to NAME.wav (with --group
    harmonic-percussive: NAME-harmonic.wav and NAME-percussive.wav); NAME-parts.json, the report; and the pictures
    NAME-parts.png (spectra and activations), NAME-spectrogram.png and NAME-cost.png. They go into the folder
    NAME-parts beside the recording, or into DIR. All are written at the end, or none; files of the same names are
    replaced.

    Example: otowake parts drums.wav -k 20 --group 4
    """
    say_what_happens(verbose)
    prepare_process()
    jobs = planned([(file,) for file in files], out, "parts", files)
    options = {
        "components": components, "group": _group(group), "divergence": divergence.value, "seed": seed,
        "iterations": iterations, "stft": stft,
    }  # fmt: skip

    def compute(recording: "Recording", watch: "Watch") -> Outcome:
        return _computed(recording, watch, options, plots)

    told(*each(jobs, whole(compute, plots=plots, bar=sys.stderr.isatty() and not verbose)), as_json, "taken apart")


def _computed(recording: "Recording", watch: "Watch", options: dict[str, Any], plots: bool) -> Outcome:
    from otowake.tasks.parts import parts as taken_apart

    result = taken_apart(recording.samples, recording.rate, watch=watch, **options)
    pictures: dict[str, Callable[[Path], None]] = {"parts.png": result.draw} if plots else {}
    return Outcome(result.each, result.names, result.report(), "parts", pictures)


def _group(word: str | None) -> int | str | None:
    if word is None or word == "harmonic-percussive":
        return word
    try:
        return int(word)
    except ValueError:
        raise OtowakeError(f"--group {word}: give a number, such as 3, or harmonic-percussive.") from None
