"""Closes the devices of sound and MIDI drivers, but waits for them only a limited time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

CLOSE_S = 0.5
"""Seconds. Closing a device takes less time than this, unless its driver hangs."""

_closing: list[threading.Thread] = []
_abandoned: list[Any] = []


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


def abandon(client: Any) -> None:
    """Keep `client` open for ever. RtMidi stops the whole process if it closes a client of a JACK server that died."""
    _abandoned.append(client)
