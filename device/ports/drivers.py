"""Helps to call sound and MIDI drivers.

`quiet` hides the lines that a driver writes to stderr. `within_reason` closes a device, but waits for it only a limited
time.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

CLOSE_S = 0.5
"""Seconds. Closing a device takes less time than this, unless its driver hangs."""

_closing: list[threading.Thread] = []


def within_reason(call: Callable[[], object]) -> bool:
    """Run `call`, which closes something, in a thread. Return True if it finishes within CLOSE_S seconds, else False.

    A call that does not finish goes on in the background. A driver may wait for a device that has gone: PortAudio
    waits ten minutes for a JACK server that died.
    """
    thread = threading.Thread(target=call, name="closing", daemon=True)
    thread.start()
    thread.join(CLOSE_S)
    if thread.is_alive():
        _closing.append(thread)
    return not thread.is_alive()


def left_behind() -> bool:
    """Return True if something is still being closed. This process then sees no new sound inputs."""
    return any(thread.is_alive() for thread in _closing)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send stderr to /dev/null inside the `with` block: libasound and libjack write a line for each missing device."""
    saved = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
