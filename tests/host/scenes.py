"""Scenes played to the service: settings, a right hand, and the result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from math import ceil
from typing import Any

from rig import PATIENCE_S, Instrument, Service, down_after, until

from device.control.client import ControlClient
from device.errors import UserError

BEAT_S = 0.4
SCALE = [55, 57, 59, 60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77, 79, 81, 83, 84, 86, 88]
KEYS = """
[audio]
input = "midi"
[midi]
input = "keys out"
output = "synth in"
"""
SOUND = """
[audio]
input = "tape"
[midi]
output = "synth in"
"""

Start = Callable[..., Service]
Gesture = tuple[float, str, int, int]
"""Seconds, kind, note or controller, velocity or value."""
DISTURBED = ("Sound was lost", "too uncertain", "notes were heard")
"""Words of a calibration that a busy machine has disturbed."""


def right_hand(beats: int) -> list[Gesture]:
    """Return a count-in, then eighths up and down."""
    return _counted_in([67] * 4 + [72 + (0, 2, 4, 7)[i % 4] for i in range(2 * beats)])


def scale() -> list[Gesture]:
    """Return a count-in and eight beats of eighths, on keys that all differ.

    A busy machine passes on several strikes at once. If they are of one key, the box takes them for one.
    """
    return _counted_in(SCALE)


def _counted_in(keys: list[int]) -> list[Gesture]:
    """Return four keys in beats, and the others in eighths."""
    gestures: list[Gesture] = []
    for i, key in enumerate(keys):
        at_s = (i if i < 4 else 2 + i / 2) * BEAT_S
        gestures += [(at_s, "note_on", key, 80), (at_s + 0.15, "note_off", key, 0)]
    return gestures


def struck(received: list[Gesture]) -> int:
    """Return the number of keys struck."""
    return sum(kind == "note_on" for _, kind, _, _ in received)


def play_until_struck(
    keys: Instrument, synth: Instrument, before: int = 0, gestures: list[Gesture] | None = None
) -> int:
    """Play right hands until the box has struck more than `before` keys. Return how many were played.

    A box on a busy machine may still listen when the first of them is over.
    """
    return _play_until(keys, lambda: struck(synth.received) > before, f"more than {before} keys are struck", gestures)


def play_until_down(keys: Instrument, synth: Instrument) -> int:
    """Play right hands until the box holds a key down at the end of one. Return how many were played."""
    return _play_until(keys, lambda: bool(down_after(synth.received)), "a key is down")


def _play_until(keys: Instrument, holds: Callable[[], bool], what: str, gestures: list[Gesture] | None = None) -> int:
    until_s, hands = time.monotonic() + PATIENCE_S, 0
    while time.monotonic() < until_s:
        keys.play(right_hand(8) if gestures is None else gestures)
        hands += 1
        if holds():
            return hands
    raise AssertionError(f"not after {hands} right hands: {what}")


class Playing:
    """Plays a right hand on `keys` again and again, in time, from its making to the end of its context."""

    def __init__(self, keys: Instrument, gestures: list[Gesture] | None = None) -> None:
        gestures = right_hand(8) if gestures is None else gestures
        beats = ceil(gestures[-1][0] / BEAT_S)
        # the last message makes the next right hand begin on a beat
        self._keys, self._gestures = keys, [*gestures, (beats * BEAT_S, "note_off", gestures[-1][2], 0)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def __enter__(self) -> Playing:
        return self

    def __exit__(self, *_: object) -> None:
        """End after the right hand that is being played."""
        self._over.set()
        self._thread.join(PATIENCE_S)

    def _play(self) -> None:
        while not self._over.is_set():
            self._keys.play(self._gestures)


def until_down(synth: Instrument) -> set[int]:
    """Wait until the box holds keys down, and return them."""
    down: set[int] = set()

    def is_down() -> bool:
        down.update(down_after(synth.received))
        return bool(down)

    until(is_down, PATIENCE_S, "a key that is down")
    return down


def until_silent(synth: Instrument) -> None:
    """Wait until every key is up. The instrument may read the last messages a moment after the box has ended."""
    until(lambda: not down_after(synth.received), PATIENCE_S, "silence")


def asked(box: Service, request: dict[str, Any]) -> None:
    """Ask the box until it does what is asked. On a busy machine the session may just begin again."""

    def answered() -> bool:
        try:
            with ControlClient(box.run_dir) as owner:
                return bool(owner.ask(request))
        except UserError:
            return False

    until(answered, PATIENCE_S, f"the order is taken: {request}")


def let_go_s(received: list[Gesture]) -> float:
    """Return the time at which the last key was released."""
    down: set[int] = set()
    at_s = 0.0
    for message_s, kind, key, _ in received:
        if kind == "note_on":
            down.add(key)
        elif kind == "note_off" and key in down:
            down.discard(key)
            at_s = message_s
    return at_s


def silenced_before_the_first_note(received: list[Gesture]) -> bool:
    """Assert that every key and the pedal are released before a key is struck."""
    kinds = [kind for _, kind, _, _ in received]
    before = received[: kinds.index("note_on") if "note_on" in kinds else None]
    offs = {key for _, kind, key, _ in before if kind == "note_off"}
    controls = {(number, value) for _, kind, number, value in before if kind == "control_change"}
    return offs == set(range(128)) and {(64, 0), (123, 0), (120, 0)} <= controls
