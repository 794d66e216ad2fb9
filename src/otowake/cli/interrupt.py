"""Ctrl-C that is answered within a second, however long an iteration takes."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

GRACE = 0.3  # seconds that a stopped computation has to end by itself


class Stopped(Exception):  # not an error: it is what the user wants
    """The user stopped the command; the text says what is on the disk."""


def interruptible(work: Callable[[Callable[[], None]], T]) -> T:
    """Runs `work(check)` beside the main thread and returns its result, or raises what it raised.

    Python answers a signal in the main thread only, between two calls into compiled code.  So the main thread
    does nothing but wait for it; then the work is asked to end, by an exception from `check`, which it calls
    now and then.  Work that does not end in time is left behind, in a thread that dies with the process.
    """
    stop, done = threading.Event(), threading.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def check() -> None:
        if stop.is_set():
            raise Stopped

    def run() -> None:
        try:
            results.append(work(check))
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="otowake-work", daemon=True).start()
    try:
        while not done.wait(0.1):  # without a limit, Windows would not let a signal through
            pass
    except KeyboardInterrupt:
        stop.set()
        done.wait(GRACE)
        raise
    if errors:
        raise errors[0]
    return results[0]


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignores Ctrl-C and SIGTERM during a block that is short and must not be left in its middle."""
    if threading.current_thread() is not threading.main_thread():  # no signal arrives there
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)
