"""From strikes to MIDI messages, with a ledger of every key that is down.

A note-on leaves as soon as it is planned; its note-off stays in the ledger until shortly before it is
due, so that a later strike of the same key can bring it forward. Whatever is asked, the messages of
each key alternate on, off, on, off with due times that never fall.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from device.events import SUSTAIN, Send
from device.left_hand.gesture import Pedal

SHORTEST_NOTE_S = 0.02
"""A shorter note makes no sound on most instruments."""
PEDAL_AFTER_S = 0.08
"""A pedal that is taken anew goes down so long after the strike: the old chord's strings have been damped by then."""


@dataclass(frozen=True, slots=True)
class Strike:
    """A key to press at `due_s` and to let go at `off_s` (None: when released), in stream seconds."""

    due_s: float
    pitch: int
    velocity: int
    off_s: float | None


@dataclass(frozen=True, slots=True)
class Move:
    """What the left hand does at one step of the grid."""

    chord: str | None
    """Label of a new chord; None: the chord has not changed, or none holds."""
    strikes: list[Strike]
    let_go: list[int]
    """MIDI pitches of the keys to release."""
    pedal: Pedal | None
    """What the sustain pedal does; None: it stays as it is."""


@dataclass(slots=True)
class _Held:
    on_s: float
    off_s: float | None


class Performer:
    """Turns strikes into messages and remembers what must still be let go.

    `lead_s`: note-offs leave this long before they are due; call `advance` at least that often.
    """

    def __init__(self, lead_s: float = 0.032) -> None:
        self._lead_s = lead_s
        self._held: dict[int, _Held] = {}
        self._last_off_s: dict[int, float] = {}
        self._pedal = False
        self._pedal_due_s: float | None = None
        self._last_pedal_s = float("-inf")

    @property
    def held(self) -> frozenset[int]:
        """Pitches whose note-on has left and whose note-off has not."""
        return frozenset(self._held)

    def strike(self, now_s: float, strikes: Iterable[Strike]) -> list[Send]:
        """The note-ons of `strikes`, each after the note-off of its key where that is still down.

        Of two strikes of one key at one time the first counts, and a strike that would come before the
        last one of its key is left out. What falls due by the way leaves too.
        """
        sends = self.advance(now_s)
        for strike in sorted(strikes, key=lambda s: s.due_s):
            held = self._held.get(strike.pitch)
            if held is not None:
                if strike.due_s < held.on_s + SHORTEST_NOTE_S:
                    continue
                held.off_s = strike.due_s if held.off_s is None else min(held.off_s, strike.due_s)
                sends.append(self._let_go(now_s, strike.pitch))
            due_s = max(strike.due_s, self._last_off_s.get(strike.pitch, strike.due_s))
            off_s = None if strike.off_s is None else max(strike.off_s, due_s + SHORTEST_NOTE_S)
            self._held[strike.pitch] = _Held(due_s, off_s)
            sends.append(self._send(now_s, due_s, "note_on", strike.pitch, strike.velocity))
        return sends

    def release(self, now_s: float, due_s: float, pitches: Collection[int]) -> list[Send]:
        """Let go at `due_s` of those of the keys `pitches` that were struck for an earlier time."""
        for pitch, held in self._held.items():
            if pitch in pitches and held.on_s < due_s:
                off_s = max(due_s, held.on_s + SHORTEST_NOTE_S)
                held.off_s = off_s if held.off_s is None else min(held.off_s, off_s)
        return self.advance(now_s)

    def pedal(self, now_s: float, due_s: float, wanted: Pedal) -> list[Send]:
        """Move the sustain pedal for a strike at `due_s`; it lies in the ledger as the keys do."""
        sends: list[Send] = []
        if wanted != "down":
            self._pedal_due_s = None
            sends += self._lift(now_s, due_s)
        if wanted != "up" and not self._pedal and self._pedal_due_s is None:
            self._pedal_due_s = due_s + PEDAL_AFTER_S
        return sends

    def advance(self, now_s: float) -> list[Send]:
        """What falls due by `now_s` + `lead_s`, note-offs and the pedal, in the order of their due times."""
        until_s = now_s + self._lead_s
        due = [p for p, held in self._held.items() if held.off_s is not None and held.off_s <= until_s]
        sends = [self._let_go(now_s, pitch) for pitch in due]
        if self._pedal_due_s is not None and self._pedal_due_s <= until_s:
            self._pedal, self._last_pedal_s = True, max(self._pedal_due_s, self._last_pedal_s)
            self._pedal_due_s = None
            sends.append(Send(self._last_pedal_s, now_s, "control", SUSTAIN, 127))
        return sorted(sends, key=lambda send: send.due_s)

    def finish(self, now_s: float) -> list[Send]:
        """Close every note at its own end, or now where it has none, and the pedal; the ledger is empty after it."""
        sends = [self._let_go(now_s, pitch) for pitch in list(self._held)]
        self._pedal_due_s = None
        sends += self._lift(now_s, now_s)
        return sorted(sends, key=lambda send: send.due_s)

    def panic(self, now_s: float) -> list[Send]:
        """A note-off for every note of the ledger, at once, and the pedal up; the ledger is empty after it."""
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
        self._last_off_s[pitch] = off_s
        return self._send(now_s, off_s, "note_off", pitch, 0)

    @staticmethod
    def _send(now_s: float, due_s: float, kind: Literal["note_on", "note_off"], pitch: int, velocity: int) -> Send:
        return Send(due_s=due_s, sent_s=now_s, kind=kind, pitch=pitch, velocity=velocity)
