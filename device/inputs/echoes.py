"""Separates the player's own messages from messages that the keyboard only sends back (echoes)."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

import mido

_ON, _OFF = "on", "off"
WINDOW_S = 0.25
"""Seconds within which an echo arrives. This covers the cable and the keyboard's delay with a margin."""


_Key: TypeAlias = tuple[str, int, int]


@dataclass
class _Sent:
    """Holds a message that was sent, and how often it came back."""

    at_s: float
    key: _Key
    came_back: int = 0


class Echoes:
    """Remembers each sent note message for `window_s` seconds, and recognises it whenever it comes back.

    An echo may come back more than once, through two cables or a keyboard with two ports. A note-off is recognised as
    often as the note-on of its key came back, and at least once, so that the player's own release is not lost.
    Both methods may be called from any thread. Times are monotonic seconds.
    """

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._lock = threading.Lock()
        self._sent: deque[_Sent] = deque()
        self._times: dict[int, int] = {}
        """Number of times that the latest note-on of each key came back."""

    def sent(self, message: mido.Message, at_s: float) -> None:
        """Remember `message`, which is sent at `at_s`. Only note messages are remembered."""
        key = _key(message)
        if key is not None:
            with self._lock:
                self._forget(at_s)
                self._sent.append(_Sent(at_s, key))
                if key[0] == _ON:
                    self._times[key[1]] = 0

    def is_echo(self, message: mido.Message, at_s: float) -> bool:
        """Return whether `message`, received at `at_s`, equals a remembered message, and count this echo if it does.

        The channel is not compared, because some keyboards echo on a channel of their own.
        """
        key = _key(message)
        with self._lock:
            self._forget(at_s)
            for sent in self._sent:
                if sent.key == key and (key[0] == _ON or sent.came_back < max(1, self._times.get(key[1], 1))):
                    sent.came_back += 1
                    if key[0] == _ON:
                        self._times[key[1]] = max(self._times.get(key[1], 0), sent.came_back)
                    return True
        return False

    def _forget(self, at_s: float) -> None:
        while self._sent and self._sent[0].at_s < at_s - self._window_s:
            self._sent.popleft()


def _key(message: mido.Message) -> _Key | None:
    """Return a tuple that is equal for equal note messages; None for other messages.

    The velocity of a note-off is left out, because keyboards replace it by a value of their own.
    """
    if message.type == "note_on" and message.velocity > 0:
        return (_ON, message.note, message.velocity)
    if message.type in ("note_on", "note_off"):
        return (_OFF, message.note, 0)
    return None
