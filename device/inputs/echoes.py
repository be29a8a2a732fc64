"""Separates the player's own messages from messages that the keyboard only sends back (echoes)."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

import mido

from device.inputs.return_paths import WITHIN_S, ReturnPaths

_ON, _OFF = "on", "off"
WINDOW_S = 0.25
"""Seconds within which an echo arrives. This covers the cable and the keyboard's delay with a margin."""
LEAST_ALTERED = 2
"""Number of sent notes that come back with another velocity before such notes are taken for echoes.

They must follow each other, but a note that comes back unchanged may lie between them: it may have had the keyboard's
velocity by chance. One may be the player, who strikes the same key as the box.
"""
_Key: TypeAlias = tuple[str, int, int]


@dataclass
class _Sent:
    """Holds a message that was sent, and how often it came back."""

    at_s: float
    key: _Key
    came_back: int = 0
    altered: bool = False
    """Whether it came back with another velocity."""


class Echoes:
    """Remembers each sent note message for `window_s` seconds, and recognises it whenever it comes back.

    An echo may come back more than once, through two cables or a keyboard with two ports. A note-off is recognised as
    often as the note-on of its key came back, so that the player's own release is not lost. It is recognised at least
    once if the player does not hold the key. Some keyboards send notes back with another velocity: see LEAST_ALTERED.
    Later than `window_s`, or on other keys, notes are echoes if several come back on one path: see
    `device.inputs.return_paths`.

    Both methods may be called from any thread. Times are monotonic seconds.
    """

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._lock = threading.Lock()
        self._sent: deque[_Sent] = deque()
        self._times: dict[int, int] = {}
        """Number of times that the latest note-on of each key came back."""
        self._altered = 0
        """Number of sent notes that came back with another velocity since the last one that did not come back."""
        self._paths = ReturnPaths()
        self._down: set[tuple[int, int]] = set()
        """Keys, each with a channel, whose note-on was passed on as the player's and whose note-off was not yet."""
        self._players: set[int] = set()
        """Keys that the box had just struck, and whose other note-on was passed on as the player's."""

    def sent(self, message: mido.Message, at_s: float) -> None:
        """Remember `message`, which is sent at `at_s`. Only note messages are remembered."""
        key = _key(message)
        if key is not None:
            with self._lock:
                self._forget(at_s)
                self._sent.append(_Sent(at_s, key))
                if key[0] == _ON:
                    self._times[key[1]] = 0
                    self._paths.sent_on(key[1], key[2], at_s)
                else:
                    self._paths.sent_off(key[1], at_s)

    def is_echo(self, message: mido.Message, at_s: float) -> bool:
        """Return whether `message`, received at `at_s`, equals a remembered message, and count this echo if it does.

        The channel is not compared, because some keyboards echo on a channel of their own.
        """
        key = _key(message)
        if key is None:
            return False
        with self._lock:
            down = (key[1], message.channel)
            is_echo = self._comes_back(key, at_s, down in self._down)
            if not is_echo:
                (self._down.add if key[0] == _ON else self._down.discard)(down)
            return is_echo

    def _comes_back(self, key: _Key, at_s: float, is_down: bool) -> bool:
        """Return whether the message `key`, received at `at_s`, is an echo, and count it if it is.

        `is_down`: the player holds this key, on the channel of the message.
        """
        self._forget(at_s)
        if key[0] == _ON:
            is_late, may_be_late = self._paths.struck(key[1], key[2], at_s, self._window_s - WITHIN_S)
        else:
            is_late, may_be_late = self._paths.released(key[1], at_s), False
        if is_late:
            # before the window: else a later strike of the same key would be taken for the one that comes back
            return True
        if key[0] == _OFF and key[1] in self._players:
            # the note-on of this key was passed on, so its note-off is too
            self._players.discard(key[1])
            return False
        least = 0 if is_down else 1
        for sent in self._sent:
            if sent.key == key and (key[0] == _ON or sent.came_back < max(least, self._times.get(key[1], 1))):
                if key[0] == _ON:
                    if sent.altered and not sent.came_back:
                        # the other note-on was the player's, for this is the echo
                        sent.altered, self._altered = False, 0
                    self._times[key[1]] = max(self._times.get(key[1], 0), sent.came_back + 1)
                sent.came_back += 1
                return True
        if may_be_late:
            self._players.add(key[1])
        return key[0] == _ON and self._is_altered(key)

    def _is_altered(self, key: _Key) -> bool:
        """Return whether the note-on `key` is an echo with another velocity than was sent."""
        of_key = [sent for sent in self._sent if sent.key[:2] == key[:2]]
        # one that has not come back yet, or the first if all have: an echo may come twice
        sent = next((sent for sent in of_key if not sent.came_back and not sent.altered), of_key[0] if of_key else None)
        if sent is None or (sent.came_back and not sent.altered):
            # a keyboard that sends back what it receives does not alter it: this is the player
            return False
        self._altered += not sent.altered
        sent.altered = True
        if self._altered <= LEAST_ALTERED:
            self._players.add(key[1])
            return False
        sent.came_back += 1
        self._times[key[1]] = max(self._times.get(key[1], 0), sent.came_back)
        return True

    def _forget(self, at_s: float) -> None:
        while self._sent and self._sent[0].at_s < at_s - self._window_s:
            sent = self._sent.popleft()
            if sent.came_back or sent.altered:
                continue
            if sent.key[0] == _ON:
                self._altered = 0


def _key(message: mido.Message) -> _Key | None:
    """Return a tuple that is equal for equal note messages; None for other messages.

    The velocity of a note-off is left out, because keyboards replace it by a value of their own.
    """
    if message.type == "note_on" and message.velocity > 0:
        return (_ON, message.note, message.velocity)
    if message.type in ("note_on", "note_off"):
        return (_OFF, message.note, 0)
    return None
