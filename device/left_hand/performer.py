"""Turns strikes into MIDI messages, with a ledger of every key that is down.

A note-on leaves as soon as it is planned. Its note-off stays in the ledger until shortly before it is due, so that
a later strike of the same key can move it to an earlier time. The messages of each key always alternate between on
and off, and their due times never decrease.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from device.events import SUSTAIN, Send
from device.left_hand.gesture import Pedal

SHORTEST_NOTE_S = 0.02
"""Seconds. A shorter note makes no sound on most instruments."""
PEDAL_AFTER_S = 0.08
"""Seconds between a strike and the pedal that goes down after it. The strings of the old chord are damped by then."""


@dataclass(frozen=True, slots=True)
class Strike:
    """Describes one key press. Times are in stream seconds, `pitch` and `velocity` are MIDI numbers.

    The key is pressed at `due_s` and released at `off_s`. If `off_s` is None, it is held until it is released.
    """

    due_s: float
    pitch: int
    velocity: int
    off_s: float | None


@dataclass(slots=True)
class Move:
    """Holds what the hand does at one step of the grid: the keys struck and released, and the pedal."""

    chord: str | None
    """Name of a new chord. None: the chord has not changed, or there is none."""
    strikes: list[Strike]
    let_go: list[int]
    """MIDI pitches of the keys to release."""
    pedal: Pedal | None
    """Movement of the sustain pedal. None: it stays as it is."""


@dataclass(slots=True)
class _Held:
    on_s: float
    off_s: float | None


class Performer:
    """Turns strikes into messages and keeps a ledger of the keys that must still be released.

    `lead_s` is a time in seconds. `advance` returns a note-off as soon as at most `lead_s` remains until it is due. So
    call `advance` at least every `lead_s` seconds, or note-offs are late.
    """

    def __init__(self, lead_s: float = 0.032) -> None:
        self._lead_s = lead_s
        self._held: dict[int, _Held] = {}
        self._free_s: dict[int, float] = {}
        """Earliest due time in seconds of the next strike of a key that was released."""
        self._pedal = False
        self._pedal_due_s: float | None = None
        self._last_pedal_s = float("-inf")

    @property
    def held(self) -> frozenset[int]:
        """The MIDI pitches of the keys whose note-on was sent and whose note-off was not."""
        return frozenset(self._held)

    @property
    def next_due_s(self) -> float:
        """The time in stream seconds before which `advance` returns no message, if no key is struck or released."""
        ends = [held.off_s for held in self._held.values() if held.off_s is not None]
        pedal = [] if self._pedal_due_s is None else [self._pedal_due_s]
        return min([*ends, *pedal], default=math.inf) - self._lead_s

    def strike(self, now_s: float, strikes: Iterable[Strike]) -> list[Send]:
        """Strike keys. Return the messages that `advance` would return, and then those of `strikes` by their times.

        If a key is still down, its note-off comes before the note-on. But a strike that is due before the last strike
        of a key that is still down, or less than SHORTEST_NOTE_S after it, is left out. A strike that is due before the
        last note-off of its key is sent at the time of that note-off. If `panic` ended the last note of its key at its
        start, the strike is sent at least SHORTEST_NOTE_S after that.
        """
        sends = self.advance(now_s)
        for strike in sorted(strikes, key=lambda s: s.due_s):
            held = self._held.get(strike.pitch)
            if held is not None:
                if strike.due_s < held.on_s + SHORTEST_NOTE_S:
                    continue
                held.off_s = strike.due_s if held.off_s is None else min(held.off_s, strike.due_s)
                sends.append(self._let_go(now_s, strike.pitch))
            due_s = max(strike.due_s, self._free_s.get(strike.pitch, strike.due_s))
            off_s = None if strike.off_s is None else max(strike.off_s, due_s + SHORTEST_NOTE_S)
            self._held[strike.pitch] = _Held(due_s, off_s)
            sends.append(self._send(now_s, due_s, "note_on", strike.pitch, strike.velocity))
        return sends

    def release(self, now_s: float, due_s: float, pitches: Collection[int]) -> list[Send]:
        """Release at `due_s` each key of `pitches` that was struck earlier. Returns the messages that are due."""
        for pitch, held in self._held.items():
            if pitch in pitches and held.on_s < due_s:
                off_s = max(due_s, held.on_s + SHORTEST_NOTE_S)
                held.off_s = off_s if held.off_s is None else min(held.off_s, off_s)
        return self.advance(now_s)

    def pedal(self, now_s: float, due_s: float, wanted: Pedal) -> list[Send]:
        """Move the sustain pedal for a strike at `due_s`. Returns the message that lifts the pedal, or an empty list.

        A press waits until it is due. `advance` then returns its message.
        """
        sends: list[Send] = []
        if wanted != "down":
            self._pedal_due_s = None
            sends += self._lift(now_s, due_s)
        if wanted != "up" and not self._pedal and self._pedal_due_s is None:
            self._pedal_due_s = due_s + PEDAL_AFTER_S
        return sends

    def advance(self, now_s: float) -> list[Send]:
        """Return the note-offs and the pedal message due by `now_s` + `lead_s`, in the order of their due times."""
        until_s = now_s + self._lead_s
        due = [p for p, held in self._held.items() if held.off_s is not None and held.off_s <= until_s]
        sends = [self._let_go(now_s, pitch) for pitch in due]
        if self._pedal_due_s is not None and self._pedal_due_s <= until_s:
            self._pedal, self._last_pedal_s = True, max(self._pedal_due_s, self._last_pedal_s)
            self._pedal_due_s = None
            sends.append(Send(self._last_pedal_s, now_s, "control", SUSTAIN, 127))
        return sorted(sends, key=lambda send: send.due_s)

    def finish(self, now_s: float) -> list[Send]:
        """End every note at its planned end, or now if it has none, and lift the pedal. Returns the messages.

        No key is down afterwards.
        """
        sends = [self._let_go(now_s, pitch) for pitch in list(self._held)]
        self._pedal_due_s = None
        sends += self._lift(now_s, now_s)
        return sorted(sends, key=lambda send: send.due_s)

    def panic(self, now_s: float) -> list[Send]:
        """End every note now, or at its start if that is still to come, and lift the pedal. Returns the messages.

        No key is down afterwards.
        """
        for held in self._held.values():
            held.off_s = None
        return self.finish(now_s)

    def _lift(self, now_s: float, due_s: float) -> list[Send]:
        if not self._pedal:
            return []
        self._pedal, self._last_pedal_s = False, max(due_s, self._last_pedal_s)
        return [Send(self._last_pedal_s, now_s, "control", SUSTAIN, 0)]

    def _let_go(self, now_s: float, pitch: int) -> Send:
        held = self._held.pop(pitch)
        off_s = max(now_s, held.on_s) if held.off_s is None else held.off_s
        # a note without length would else begin at the same time as the next one
        self._free_s[pitch] = off_s if off_s > held.on_s else held.on_s + SHORTEST_NOTE_S
        return self._send(now_s, off_s, "note_off", pitch, 0)

    @staticmethod
    def _send(now_s: float, due_s: float, kind: Literal["note_on", "note_off"], pitch: int, velocity: int) -> Send:
        return Send(due_s=due_s, sent_s=now_s, kind=kind, pitch=pitch, velocity=velocity)
