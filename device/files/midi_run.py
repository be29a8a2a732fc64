"""Runs the engine over the notes of a MIDI file, as if they came from a port: `lefthand play` of such a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from device.engine import Engine, TimedAction
from device.events import NoteEnded, NoteHeard
from device.files.midi.file import events
from device.files.midi.notes import LONGEST_S, Part
from device.files.performance import Performance
from device.files.play import DueActions, Progress, timed_step
from device.files.real_time import at_once

LONGEST_SILENCE_S = 60.0
"""Seconds. The middle of a longer silence of a MIDI file is passed over: the left hand has stopped long before."""
_STAYS_S = 30.0
"""Seconds that are played at the beginning of a silence that is passed over. This has room for three slow beats."""
_RETURNS_S = 10.0
"""Seconds that are played at the end of a silence that is passed over.

The clock then has steps before the next note.
"""


def play_midi(
    engine: Engine,
    part: Part,
    hop_s: float,
    progress: Progress = lambda _: None,
    captured_s: float | None = None,
    wait: Callable[[float], None] = at_once,
    actions: Sequence[TimedAction] = (),
) -> Performance:
    """Run the engine over the notes of a MIDI file, hop by hop, as if they came from a port.

    Return the events of the run. `hop_s` is the length of a hop in seconds. The middle of a silence of more than
    LONGEST_SILENCE_S is passed over, so that it takes no time. The left hand may go on for two bars, as it does when a
    player pauses. `wait` is called before each hop, as in `play_sound`. It also waits through a silence that is passed
    over. Hops in which the engine has nothing to do are left out: a sixteenth has eight of them, and the result is the
    same without them.

    `captured_s` is given if the file is a recording of the box: no silence is passed over then, `actions` are those of
    its owner, and the run ends at `captured_s` seconds, as the live run did. With 0 this time is not known, and the run
    ends two bars after the last note, or at the last action if that is later.
    """
    return _MidiRun(engine, part, hop_s, captured_s, actions).play(progress, wait)


def captured_end(notes_end_s: float, track_end_s: float, hop_s: float) -> float:
    """Return the time in seconds of the last hop of the run whose keys a capture holds; 0 if it is not known.

    The last note of the file ends at `notes_end_s`, and its track at `track_end_s`. A recording ends the track one hop
    after the last hop. A recording that was cut off, or made by an older version, ends it with the last note.
    """
    is_known = notes_end_s + hop_s / 2 < track_end_s < LONGEST_S
    return round(track_end_s / hop_s - 1) * hop_s if is_known else 0.0


class _MidiRun:
    """Runs the engine over the notes of `part`, hop by hop. The arguments are those of `play_midi`."""

    def __init__(
        self, engine: Engine, part: Part, hop_s: float, captured_s: float | None, actions: Sequence[TimedAction]
    ) -> None:
        self._engine, self._part, self._hop_s, self._captured_s = engine, part, hop_s, captured_s
        self._ends_s = captured_s or max([0.0, *(taken.hop_s for taken in actions)])
        """Seconds before which the run does not end."""
        self._performance = Performance("midi", captured_s or max(part.end_s, self._ends_s), hop_s)
        self._due = DueActions(engine, self._performance, actions)
        self._told = events(part.notes)
        self._sent = 0
        """Number of the events in `_told` that the engine has got."""
        self._hop = 0
        """Number of the next hop."""
        self._latest_s = 0.0
        """Time of the hop that had the latest event, or of the end of the latest silence that was passed over."""

    def play(self, progress: Progress, wait: Callable[[float], None]) -> Performance:
        """Play to the end, and return what the engine did."""
        now_s = 0.0
        while self._sent < len(self._told) or now_s < self._over_s - self._hop_s / 2:
            now_s = self._next_s()
            wait(now_s)
            come = self._come(now_s)
            self._due.act(now_s)
            timed_step(self._engine, self._performance, None, now_s, come)
            progress(min(now_s, self._performance.input_s))
            if come:
                self._latest_s = now_s
            if self._captured_s is None:
                self._pass_over(now_s)
        self._performance.collect(self._engine.finish(now_s))
        self._performance.close()
        return self._performance

    @property
    def _over_s(self) -> float:
        """The time in seconds at which the run ends, as far as it is known: the beats of its end may still come."""
        if self._captured_s:
            return self._ends_s
        return max(self._ends_s, self._part.end_s + self._performance.two_bars_s)

    def _next_s(self) -> float:
        """Go on to the next hop, and return its time in stream seconds."""
        now_s = self._hop * self._hop_s
        self._hop += 1
        if self._captured_s and now_s > self._captured_s and self._sent < len(self._told):
            # the ends of the keys that were down when the run ended, which came at once
            now_s = _decided_s(self._told[-1])
        return now_s

    def _come(self, now_s: float) -> list[NoteHeard | NoteEnded]:
        """Return the events that come by `now_s` stream seconds and that the engine has not got."""
        first = self._sent
        while self._sent < len(self._told) and _decided_s(self._told[self._sent]) <= now_s:
            self._sent += 1
        return self._told[first : self._sent]

    def _pass_over(self, now_s: float) -> None:
        """Pass over the hops after `now_s` in which the engine has nothing to do, and the middle of a long silence."""
        more = self._sent < len(self._told)
        next_s = _decided_s(self._told[self._sent]) if more else self._over_s
        is_long = more and next_s - self._latest_s > LONGEST_SILENCE_S
        if is_long and now_s - self._latest_s > _STAYS_S:
            self._hop = max(self._hop, int((next_s - _RETURNS_S) / self._hop_s))
            self._latest_s = self._hop * self._hop_s
            self._engine.skip(self._latest_s)
        else:
            busy_s = min(next_s, self._engine.idle_until_s, self._latest_s + _STAYS_S if is_long else math.inf)
            self._hop = max(self._hop, int(max(busy_s, 0.0) / self._hop_s))


def _decided_s(event: NoteHeard | NoteEnded) -> float:
    return event.note.decided_s if isinstance(event, NoteHeard) else event.decided_s
