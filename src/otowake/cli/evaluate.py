"""`otowake evaluate`: how close separated files are to the true sources."""

import json as text
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otowake.core.errors import OtowakeError

if TYPE_CHECKING:
    import numpy as np

    from otowake.metrics import Evaluation

Row = dict[str, float]
_HEADS = {"sdr": "SDR", "sir": "SIR", "sar": "SAR", "si_sdr": "SI-SDR"}
_HEADS |= {"sdr_improvement": "SDRi", "sir_improvement": "SIRi", "si_sdr_improvement": "SI-SDRi"}


def evaluate(
    references: Annotated[list[Path], typer.Argument(metavar="REF", help="The true sources.")],
    estimate: Annotated[
        list[Path],
        typer.Option("--estimate", metavar="EST", help="The separated files, in any order; one or more."),
    ],
    mixture: Annotated[
        Path | None,
        typer.Option("--mixture", metavar="MIX", help="What was separated: adds the gains over it."),
    ] = None,
    channel: Annotated[
        int, typer.Option("--channel", min=0, help="The channel to compare in files that have several.")
    ] = 0,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object and nothing else; null is an infinite value."),
    ] = False,
) -> None:
    """Compare separated files with the true sources: SDR, SIR, SAR and SI-SDR in dB.

    Estimates are matched with the references by the best SIR.  SDR, SIR and SAR are those of BSS eval
    version 3 (512 taps).  Name the references first: every name after --estimate is an estimate.
    """
    from otowake.metrics import evaluate as measure

    paths = [*references, *estimate, *([] if mixture is None else [mixture])]
    signals, rate = _load(paths, channel)
    count = len(references)
    mixed = None if mixture is None else signals[-1]
    result = measure(signals[:count], signals[count : count + len(estimate)], mixed)
    rows = _rows(result)
    matched = [estimate[at] for at in result.permutation]
    if json:
        typer.echo(_as_json(references, matched, rows, rate, signals.shape[1]))
    else:
        _print_table(matched, rows)


def _load(paths: Sequence[Path], channel: int) -> "tuple[np.ndarray, int]":
    """One channel of every file, (files, samples), and the sample rate, Hz.  Errors: `OtowakeError`."""
    import numpy as np

    from otowake.core.files import shown
    from otowake.signal.audio import read

    signals: list[np.ndarray] = []
    rate = 0
    for path in paths:
        recording = read(path)
        x = recording.samples[_channel(shown(path), len(recording.samples), channel)]
        signals.append(x)
        rate = rate or recording.rate
        if recording.rate != rate:
            rates = f"{shown(paths[0])} has {rate} Hz and {shown(path)} {recording.rate} Hz"
            raise OtowakeError(f"{rates}; resample one of them.")
        if len(x) != len(signals[0]):
            lengths = f"{shown(paths[0])} has {len(signals[0])} samples and {shown(path)} {len(x)}"
            raise OtowakeError(f"{lengths}; cut them to the same start and length.")
    return np.stack(signals), rate


def _channel(name: str, channels: int, wanted: int) -> int:
    """A file of one channel is that channel, whichever is asked for of the others."""
    if channels == 1:
        return 0
    if wanted >= channels:
        raise OtowakeError(f"{name} has the channels 0 to {channels - 1} and not {wanted}; choose one of them.")
    return wanted


def _rows(result: "Evaluation") -> list[Row]:
    """One row a reference: measure -> dB."""
    columns = {name: getattr(result, name) for name in _HEADS}
    count = len(result.permutation)
    return [{name: float(c[i]) for name, c in columns.items() if c is not None} for i in range(count)]


def _mean(rows: list[Row]) -> Row:
    """Column means; of +inf and -inf together there is none (NaN, shown as a dash and as null)."""
    return {name: _average([row[name] for row in rows]) for name in rows[0]}


def _average(values: list[float]) -> float:
    return math.nan if {math.inf, -math.inf} <= set(values) else math.fsum(values) / len(values)


def _as_json(references: list[Path], matched: list[Path], rows: list[Row], rate: int, samples: int) -> str:
    sources = [
        {"reference": str(reference), "estimate": str(estimate), **_finite(row)}
        for reference, estimate, row in zip(references, matched, rows)
    ]
    result = {
        "unit": "dB",
        "rate": rate,
        "samples": samples,
        "sources": sources,
        "mean": _finite(_mean(rows)),
    }
    return text.dumps(result, allow_nan=False)


def _finite(row: Row) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in row.items()}


def _print_table(matched: list[Path], rows: list[Row]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from otowake.core.files import shown

    table = Table(box=SIMPLE, padding=0, caption="dB, higher is better", caption_justify="right")
    table.add_column("", justify="right")
    table.add_column("estimate", overflow="fold")
    for name in rows[0]:
        table.add_column(_HEADS[name], justify="right", no_wrap=True)
    for number, (path, row) in enumerate(zip(matched, rows), start=1):
        last = number == len(rows)
        table.add_row(str(number), Text(shown(path.name)), *map(_cell, row.values()), end_section=last)
    table.add_row("mean", "", *map(_cell, _mean(rows).values()))
    Console().print(table)


def _cell(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"
