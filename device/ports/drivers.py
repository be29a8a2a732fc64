"""Calls into sound and MIDI drivers: without their messages, and closing without waiting for ever."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

CLOSE_S = 0.5
"""Closing takes no longer, unless the driver hangs."""

_closing: list[threading.Thread] = []


def within_reason(call: Callable[[], object]) -> bool:
    """Do `call`, which closes something; False where that takes more than CLOSE_S, and it is left behind.

    A driver whose device has gone may wait for it: PortAudio on a JACK server that died waits ten minutes.
    """
    thread = threading.Thread(target=call, name="closing", daemon=True)
    thread.start()
    thread.join(CLOSE_S)
    if thread.is_alive():
        _closing.append(thread)
    return not thread.is_alive()


def left_behind() -> bool:
    """Whether something is still being closed: this process will then see no new sound input any more."""
    return any(thread.is_alive() for thread in _closing)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send stderr to /dev/null: libasound and libjack write a line there for every device that is missing."""
    saved = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
