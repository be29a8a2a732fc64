"""Separates the player's own messages from messages that the keyboard only sends back (echoes)."""

from __future__ import annotations

import threading
from collections import deque

import mido

WINDOW_S = 0.25
"""Seconds within which an echo arrives. This covers the cable and the keyboard's delay with a margin."""


class Echoes:
    """Remembers each sent note message for `window_s` seconds, and recognises it once when it comes back.

    Both methods may be called from any thread. Times are monotonic seconds.
    """

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._lock = threading.Lock()
        self._sent: deque[tuple[float, tuple[str, int, int]]] = deque()

    def sent(self, message: mido.Message, at_s: float) -> None:
        """Remember `message`, which is sent at `at_s`. Only note messages are remembered."""
        key = _key(message)
        if key is not None:
            with self._lock:
                self._forget(at_s)
                self._sent.append((at_s, key))

    def is_echo(self, message: mido.Message, at_s: float) -> bool:
        """Return whether `message`, received at `at_s`, equals a remembered message, and forget that message.

        The channel is not compared, because some keyboards echo on a channel of their own.
        """
        key = _key(message)
        with self._lock:
            self._forget(at_s)
            for entry in self._sent:
                if entry[1] == key:
                    self._sent.remove(entry)
                    return True
        return False

    def _forget(self, at_s: float) -> None:
        while self._sent and self._sent[0][0] < at_s - self._window_s:
            self._sent.popleft()


def _key(message: mido.Message) -> tuple[str, int, int] | None:
    """Return a key that is equal for equal note messages; None for other messages.

    The velocity of a note-off is left out, because keyboards replace it by a value of their own.
    """
    if message.type == "note_on" and message.velocity > 0:
        return ("on", message.note, message.velocity)
    if message.type in ("note_on", "note_off"):
        return ("off", message.note, 0)
    return None
