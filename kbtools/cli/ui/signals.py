"""Being asked to end, by a batch system, `docker stop` or a closed terminal, as a Ctrl-C that nobody pressed.

So the calls under way are waited for and stored, what is half-written is removed, and a second signal ends the waiting.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ASKING = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def as_interrupts() -> Iterator[list[int]]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt in the body; the list that is given has the numbers of those caught.

    A signal that is ignored (as by `nohup`) stays so. Nothing changes where Python allows no handlers: off the main
    thread.
    """
    caught: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in _ASKING}
    heeded = [number for number, present in before.items() if present is signal.SIG_DFL]
    for number in heeded:
        signal.signal(number, interrupt)
    try:
        yield caught
    finally:
        for number in heeded:
            signal.signal(number, signal.SIG_DFL)


def end_at_the_next() -> None:
    """A Ctrl-C from now on ends the program at once: what it would cut short is the end, and a trace says nothing."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
