"""The command line's front door: what the commands are, and how every ending looks.

Exit codes: 0 done, 2 the request cannot be carried out (one sentence says why), 130 stopped by the user,
1 a bug.  Heavy libraries are imported inside the commands, so that `otowake --help` answers at once.
"""

import atexit
import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Annotated, NoReturn

import typer

from otowake.cli.arguments import expand_many
from otowake.cli.evaluate import evaluate
from otowake.cli.extend import extend
from otowake.cli.extract import extract
from otowake.cli.interrupt import Stopped
from otowake.cli.learn import learn
from otowake.cli.methods import methods
from otowake.cli.notes import notes
from otowake.cli.parts import parts
from otowake.cli.separate import separate
from otowake.cli.simulate import simulate
from otowake.cli.transcribe import transcribe
from otowake.core.errors import OtowakeError
from otowake.version import __version__

DONE, BUG, REFUSED, STOPPED = 0, 1, 2, 130

app = typer.Typer(
    name="otowake",
    add_completion=False,
    pretty_exceptions_enable=False,  # `_failed` is the one place that words an ending
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (separate, learn, extract, parts, extend, transcribe, notes, evaluate, simulate, methods):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"otowake {__version__}")
        raise typer.Exit


@app.callback()
def otowake(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Separates a recording into its sounds with statistical models.

    Example: otowake separate mixture.wav -o parts
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code.

    Args:
        argv: the words after the program's name; None takes this process's own, and then Ctrl-C and SIGTERM
            end the process at once, even while a kernel runs.
    """
    if argv is None:
        signal.signal(signal.SIGTERM, _terminated)
    code = _run(list(sys.argv[1:] if argv is None else argv))
    if argv is None:
        _leave(code)
    return code


def _leave(code: int) -> NoReturn:
    """The process ends at once: an orderly exit takes half a second for the million objects of torch and Numba,
    and after Ctrl-C it would wait for the kernel that still computes in its thread."""
    if code != STOPPED:
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads any more
            stream.flush()
    os._exit(code)


def _run(arguments: list[str]) -> int:
    verbose = bool({"-v", "--verbose"} & set(arguments)) or os.environ.get("OTOWAKE_DEBUG") == "1"
    try:
        with warnings.catch_warnings():
            if not verbose:  # libraries' advice to programmers; what users should know is in a result's notes
                warnings.simplefilter("ignore")
            words = expand_many(expand_many(arguments or ["--help"], "--estimate"), "--example")
            code = app(words, prog_name="otowake", standalone_mode=False)
        sys.stdout.flush()
        return _stopped() if code == STOPPED else int(code or DONE)
    except BrokenPipeError:
        _hush()
        return BUG
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else BUG
    except (KeyboardInterrupt, typer.Abort):
        return _stopped()
    except Stopped as stopped:
        return _stopped(str(stopped))
    except Exception as error:
        return _failed(error, verbose)


def _failed(error: Exception, verbose: bool) -> int:
    """Says in one sentence what went wrong; returns the exit code."""
    if isinstance(error, OtowakeError):
        return _say(str(error), REFUSED)
    if hasattr(error, "format_message"):  # the parser's own exceptions, whose class differs between versions
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "otowake"
        return _say(f"{error.format_message()}  See: {path} --help", REFUSED)
    if verbose:
        import traceback

        traceback.print_exception(error)
    if _out_of_memory(error):
        return _say("there is not enough memory for this recording; cut it into parts.", REFUSED)
    if isinstance(error, OSError) and error.strerror:  # a full disk where a library keeps its cache, say
        where = f" ({error.filename})" if error.filename else ""
        return _say(f"the system refuses: {error.strerror}{where}.", REFUSED)
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return _say(f"this is a bug ({what}). Please report it, with what this command prints with -v.", BUG)


def _out_of_memory(error: Exception) -> bool:
    text = str(error)  # torch has no class of its own for it
    return isinstance(error, MemoryError) or "can't allocate memory" in text or "out of memory" in text


def _stopped(sentence: str = "stopped, nothing was written.") -> int:
    return _say(sentence, STOPPED)


def _say(sentence: str, code: int) -> int:
    try:
        print(f"otowake: {sentence}", file=sys.stderr, flush=True)
    except BrokenPipeError:
        _hush()
    return code


def _hush() -> None:
    """Nobody reads any more: the interpreter must not complain about that when it flushes at the end."""
    with open(os.devnull, "w") as nowhere, contextlib.suppress(OSError, ValueError):
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
