"""Scenes played to the service: settings, a right hand, and the result."""

from __future__ import annotations

from collections.abc import Callable

from rig import Instrument, Service

BEAT_S = 0.4
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
TAKES = 5
"""Most right hands that are played until the box strikes a key."""


def right_hand(beats: int) -> list[Gesture]:
    """Return a count-in, then eighths up and down."""
    gestures = []
    onsets = [(i * BEAT_S, 67) for i in range(4)]
    onsets += [((4 + i / 2) * BEAT_S, 72 + (0, 2, 4, 7)[i % 4]) for i in range(2 * beats)]
    for at_s, key in onsets:
        gestures += [(at_s, "note_on", key, 80), (at_s + 0.15, "note_off", key, 0)]
    return gestures


def struck(received: list[Gesture]) -> int:
    """Return the number of keys struck."""
    return sum(kind == "note_on" for _, kind, _, _ in received)


def play_until_struck(keys: Instrument, synth: Instrument, before: int = 0) -> int:
    """Play right hands until the box has struck more than `before` keys. Return how many were played.

    A box on a busy machine may still listen when the first of them is over.
    """
    for hands in range(1, TAKES + 1):
        keys.play(right_hand(8))
        if struck(synth.received) > before:
            return hands
    raise AssertionError(f"{before} keys struck, and none more in {TAKES} right hands")


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
