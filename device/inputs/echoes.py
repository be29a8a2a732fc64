"""Telling a player's messages from those that his keyboard only echoes."""

from __future__ import annotations

import threading
from collections import deque

import mido

WINDOW_S = 0.25
"""An echo is back within this: a cable's length and the keyboard's own thinking, with room to spare."""


class Echoes:
    """Remembers what was sent for WINDOW_S, and knows each message once when it comes back.

    Both methods may be called from any thread; times are monotonic seconds.
    """

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._lock = threading.Lock()
        self._sent: deque[tuple[float, tuple[str, int, int]]] = deque()

    def sent(self, message: mido.Message, at_s: float) -> None:
        """`message` leaves now; other messages than notes are not remembered."""
        key = _key(message)
        if key is not None:
            with self._lock:
                self._forget(at_s)
                self._sent.append((at_s, key))

    def is_echo(self, message: mido.Message, at_s: float) -> bool:
        """Whether `message`, received now, equals one sent within the window that has not come back yet.

        The channel is not compared: some keyboards echo on their own.
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
    """What makes two messages equal; the velocity of a note-off does not, as keyboards make up their own."""
    if message.type == "note_on" and message.velocity > 0:
        return ("on", message.note, message.velocity)
    if message.type in ("note_on", "note_off"):
        return ("off", message.note, 0)
    return None
