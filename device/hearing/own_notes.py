"""Remembers the notes that the box itself has sent, so that their sound is not taken for notes of the player.

"Own" means: sent by the box. The transcriber gets the own notes as its second input. The gate uses them to mark an
onset on a key that the box has just struck.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from device.events import KEYS, LOWEST_KEY, SUSTAIN, Send

TRACE_S = 0.1
"""Time constant, in seconds, of the decaying trace that a sent note-on leaves in the input of the transcriber."""
FORGET_S = 2.0
"""A note that ended this many seconds ago is forgotten: no room or cable returns its sound so late."""


class OwnNotes:
    """Remembers the notes that the box sent, and computes the transcriber's input about them for every frame."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all notes."""
        self._notes: list[tuple[int, float, float]] = []
        """(MIDI pitch, on, off) of every recent note, in seconds. Off is infinite while the note sounds."""
        self._ringing: set[int] | None = None
        """Keys that were released while the sustain pedal was down. None while the pedal is up."""

    def sent(self, send: Send) -> None:
        """Update the notes with a message that the box sent: note-on, note-off or sustain pedal. Others are ignored.

        A key released while the pedal is down sounds until the pedal goes up or the key is struck again.
        """
        if send.kind == "control":
            if send.pitch != SUSTAIN:
                return
            for pitch in self._ringing or ():
                self.note_off(pitch, send.due_s)
            self._ringing = set() if send.velocity else None
        elif send.kind == "note_on":
            if self._ringing is not None and send.pitch in self._ringing:
                self._ringing.discard(send.pitch)
                self.note_off(send.pitch, send.due_s)
            self.note_on(send.pitch, send.due_s)
        elif self._ringing is None:
            self.note_off(send.pitch, send.due_s)
        else:
            self._ringing.add(send.pitch)

    def note_on(self, pitch: int, on_s: float, off_s: float = float("inf")) -> None:
        """Add a note that sounds from `on_s` to `off_s`, in seconds. Keys outside the piano's 88 are ignored."""
        if LOWEST_KEY <= pitch < LOWEST_KEY + KEYS:
            self._notes.append((pitch, on_s, off_s))

    def note_off(self, pitch: int, off_s: float) -> None:
        """End all notes that sound on `pitch` at the time `off_s`, in seconds."""
        self._notes = [
            (p, on, off_s) if p == pitch and off == float("inf") else (p, on, off) for p, on, off in self._notes
        ]

    def frame(self, now_s: float) -> NDArray[np.float32]:
        """Return the input of the transcriber for the frame that ends at `now_s`, an array of the shape [1, 88, 2].

        It has two values for each key. The first is 1 at the last note-on of the key and then decays to 0 with the time
        constant TRACE_S. The second is 1 while the note sounds and 0 otherwise.
        """
        out = np.zeros((1, KEYS, 2), np.float32)
        self._notes = [n for n in self._notes if n[2] > now_s - FORGET_S]
        latest: dict[int, float] = {}
        for pitch, on, off in self._notes:
            if on < now_s:
                latest[pitch] = max(on, latest.get(pitch, on))
                if now_s <= off:
                    out[0, pitch - LOWEST_KEY, 1] = 1
        for pitch, on in latest.items():
            out[0, pitch - LOWEST_KEY, 0] = math.exp((on - now_s) / TRACE_S)
        return out

    def struck(self, now_s: float, since_s: Sequence[float], before_s: float, after_s: float) -> set[int]:
        """Return the MIDI pitches that the box struck near the time `now_s - since_s[key]`, in seconds.

        `since_s` [88] has a value for each key. Near: at most `before_s` before that time or `after_s` after it.
        """
        return {
            pitch for pitch, on, _ in self._notes if -before_s <= on - now_s + since_s[pitch - LOWEST_KEY] <= after_s
        }
