"""What the box itself has sent, as the transcriber's second input and for the gate's mask."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from device.types import KEYS, LOWEST_KEY

TRACE_S = 0.1
"""Time constant of the trace that a sent note-on leaves in the transcriber's input."""
FORGET_S = 2.0
"""A note this long over cannot be heard back any more: no room or wire returns it later."""


class OwnNotes:
    """Notes that we sent; asked, frame by frame, what the transcriber is to know of them."""

    def __init__(self) -> None:
        self._notes: list[tuple[int, float, float]] = []

    def reset(self) -> None:
        """Forget all."""
        self._notes.clear()

    def sent(self, pitch: int, on_s: float, off_s: float = float("inf")) -> None:
        """A note-on sent at `on_s`; a key outside the piano's 88 is not heard and not kept."""
        if LOWEST_KEY <= pitch < LOWEST_KEY + KEYS:
            self._notes.append((pitch, on_s, off_s))

    def released(self, pitch: int, off_s: float) -> None:
        """The note-off of what sounds on `pitch`."""
        self._notes = [
            (p, on, off_s) if p == pitch and off == float("inf") else (p, on, off) for p, on, off in self._notes
        ]

    def frame(self, now_s: float) -> NDArray[np.float32]:
        """[1, 88, 2] as of `now_s`: the decaying trace of each key's last sent note-on, and 1 while it is held."""
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
        """MIDI pitches that we struck from `before_s` before to `after_s` after each key's time: `since_s` [88] ago."""
        return {
            pitch for pitch, on, _ in self._notes if -before_s <= on - now_s + since_s[pitch - LOWEST_KEY] <= after_s
        }
