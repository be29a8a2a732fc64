"""Detects whether the player's own left hand plays, and learns its pattern so that the box can continue it.

A note below the split counts as a note of the left hand. A note that lies one of `OWN_ECHOES` from a key that the
box holds is ignored, because the box more likely hears itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import median

from device.clock.meter import Meter
from device.clock.step import Step
from device.events import Note, NoteEnded
from device.left_hand.gesture import NOTHING, Gesture
from device.left_hand.styles import depth, shift
from device.left_hand.voicing import BASS_HOME

BARS = 4
"""The pattern is learned from this many of the latest bars in which the left hand played."""
FEWEST_BARS = 2
"""Bars. No pattern is learned from fewer."""
BASS_ROOM = 2
"""Semitones. A key within this distance above the lowest key of the bar counts as bass."""
MOST_REGISTER = 12
"""Semitones. The learned pattern lies at most this far from the left hand's usual place."""
SEEN_STEPS = 64
"""Number of grid steps kept. An onset is placed at the nearest of them."""
OWN_ECHOES = (0, 12, -12, 19, 24)
"""Semitones from a key of the box at which the box may hear itself: harmonics of the key, and an octave below."""


@dataclass(frozen=True, slots=True)
class Manner:
    """Holds the pattern that the player's left hand usually plays in a bar.

    `cells` gives the gesture for each step of the bar. `register` is the distance from the usual place in semitones.
    """

    meter: Meter
    cells: dict[int, Gesture]
    register: int

    def at(self, step: Step, new_chord: bool, density: float, deepest: int = 4) -> Gesture:
        """Return the gesture at `step`. A new chord always gets a bass.

        `density` is a factor, 0.25 to 2. Steps that lie deeper in the bar than `deepest` (see `styles.depth`) are left
        out.
        """
        cell = self.cells.get(step.position, NOTHING)
        if depth(step) > min(deepest, 4 + shift(density)) and not new_chord:
            return NOTHING
        return Gesture(bass=True, upper=cell.upper, tone=cell.tone) if new_chord and not cell.bass else cell


@dataclass(frozen=True, slots=True)
class _Struck:
    bar: int
    position: int
    index: int
    pitch: int


class Imitation:
    """Listens to the player's left hand. `manner` is the pattern learned from it, None until enough bars were heard."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything heard and learned."""
        self.manner: Manner | None = None
        self._waiting: list[tuple[float, int, Note | NoteEnded]] = []
        self._order = 0
        self._steps: deque[tuple[float, int, int, int]] = deque(maxlen=SEEN_STEPS)
        self._bar = 0
        self._struck: list[_Struck] = []
        self._down: dict[int, int] = {}
        self._playing = False

    def hear(self, note: Note) -> None:
        """Store a decided note below the split, the limit between the hands. `at` uses it."""
        self._wait(note.decided_s, note)
        if note.offset_s is not None:
            self.end(NoteEnded(note.pitch, note.onset_s, note.offset_s, max(note.offset_s, note.decided_s)))

    def end(self, ended: NoteEnded) -> None:
        """Store the end of a note of either hand. `at` uses it."""
        self._wait(ended.decided_s, ended)

    def at(self, step: Step, until_s: float, own: Collection[int] = ()) -> bool:
        """Return whether the player's left hand plays at `step`. When it stops, store its pattern in `manner`.

        Only notes that were decided before `until_s` (stream seconds) count. `own` holds the MIDI pitches that the box
        holds down.
        """
        self._bar += step.is_bar
        self._steps.append((step.time_s, step.index, self._bar, step.position))
        new = False
        ready = [w for w in self._waiting if w[0] <= until_s]
        for _, _, event in sorted(ready):
            if isinstance(event, NoteEnded):
                self._down.pop(event.pitch, None)
            elif not any(event.pitch - key in OWN_ECHOES for key in own):
                new |= self._place(event)
        if ready:
            self._waiting = [w for w in self._waiting if w[0] > until_s]
        if new:
            bars = sorted({struck.bar for struck in self._struck})[-BARS:]
            self._struck = [struck for struck in self._struck if struck.bar >= bars[0]]
        was, self._playing = self._playing, self._plays(step)
        if was and not self._playing:
            self.manner = _manner(self._struck, step.meter) or self.manner
        return self._playing

    def _place(self, note: Note) -> bool:
        """Place a note at the grid step nearest to its onset. Returns True."""
        time_s, index, bar, position = min(self._steps, key=lambda seen: abs(seen[0] - note.onset_s))
        self._struck.append(_Struck(bar, position, index, note.pitch))
        self._down[note.pitch] = index
        return True

    def _plays(self, step: Step) -> bool:
        """Return whether the notes placed so far show that the player's left hand plays at `step`.

        It starts to play with two onsets within a bar, because a single note may be a chance. It stops when the next
        onset is overdue.
        """
        if not self._struck:
            return False
        bar = max(step.meter.steps_per_bar, 4 * step.meter.steps_per_beat)
        onsets = sorted({struck.index for struck in self._struck})
        if len(onsets) < 2 or (not self._playing and onsets[-2] < step.index - bar):
            return False
        gaps = [later - earlier for earlier, later in zip(onsets, onsets[1:], strict=False)]
        usual = max([gap for gap in gaps[-BARS * 4 :] if gap <= bar], default=bar)
        patience = min(max(usual, step.meter.steps_per_beat), bar) + step.meter.steps_per_beat // 2
        held = any(step.index - index <= bar for index in self._down.values())
        return held or step.index - onsets[-1] <= patience

    def _wait(self, decided_s: float, event: Note | NoteEnded) -> None:
        self._waiting.append((decided_s, self._order, event))
        self._order += 1


def _manner(struck: Sequence[_Struck], meter: Meter) -> Manner | None:
    """Return the pattern that at least half of the bars share; None if there are too few bars."""
    bars: dict[int, dict[int, set[int]]] = {}
    for one in struck:
        bars.setdefault(one.bar, {}).setdefault(one.position, set()).add(one.pitch)
    if len(bars) < FEWEST_BARS:
        return None
    found: dict[int, list[Gesture]] = {}
    for bar in bars.values():
        keys = sorted(set().union(*bar.values()))
        above = [key for key in keys if key > keys[0] + BASS_ROOM]
        for position, pitches in bar.items():
            upper = [key for key in sorted(pitches) if key in above]
            tone = 1 + above.index(upper[0]) if len(upper) == 1 else None
            gesture = Gesture(bass=len(upper) < len(pitches), upper=min(len(upper), 3), tone=tone)
            found.setdefault(position, []).append(gesture)
    cells = {
        position: Gesture(
            bass=2 * sum(gesture.bass for gesture in gestures) >= len(gestures),
            upper=round(median(gesture.upper for gesture in gestures)),
            tone=_middle([gesture.tone for gesture in gestures if gesture.tone is not None]),
        )
        for position, gestures in found.items()
        if 2 * len(gestures) >= len(bars)
    }
    lowest = median(min(min(pitches) for pitches in bar.values()) for bar in bars.values())
    register = min(max(round(lowest) - BASS_HOME, -MOST_REGISTER), MOST_REGISTER)
    return Manner(meter, cells, register) if cells else None


def _middle(tones: Sequence[int]) -> int | None:
    return sorted(tones)[len(tones) // 2] if tones else None
