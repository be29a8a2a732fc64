"""Defines what every clock offers: it gives the time of each step of the grid before that step comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from device.clock.meter import Meter
from device.events import Doubt

if TYPE_CHECKING:
    import mido

PulseKind: TypeAlias = Literal["clock", "start", "continue", "stop", "songpos"]
KINDS: tuple[PulseKind, ...] = ("clock", "start", "continue", "stop", "songpos")

DOUBTED = 0.5
"""If the lock of a step is below this, the clock also gives the reason."""


@dataclass(frozen=True, slots=True)
class Step:
    """Describes one step of the grid, usually a sixteenth note.

    `index` counts all steps from 0, and `position` counts the steps of the bar from 0. `time_s` is the predicted time
    of the step and `length_s` is the length of a step, both in stream seconds. `lock` says how sure the beat is, from 0
    (lost) to 1 (sure). `doubt` is the reason for a low `lock`, or None.
    """

    index: int
    time_s: float
    length_s: float
    position: int
    meter: Meter
    lock: float
    doubt: Doubt | None = None
    counted: bool = True
    """Whether a count-in, taps, a tempo or a file gave the beat. False if the clock found it in the notes alone."""

    @property
    def plan_s(self) -> float:
        """Time at which the left hand plans this step, one step length before `time_s`, in stream seconds."""
        return self.time_s - self.length_s

    @property
    def is_beat(self) -> bool:
        """Whether a felt beat (the beat to which people tap) begins at this step."""
        return self.position % self.meter.steps_per_beat == 0

    @property
    def beat(self) -> int:
        """Number of the felt beat of the bar in which this step lies, from 0."""
        return self.position // self.meter.steps_per_beat

    @property
    def is_bar(self) -> bool:
        """Whether a bar begins at this step."""
        return self.position == 0


@dataclass(frozen=True, slots=True)
class ClockPulse:
    """A message of a MIDI clock. `sixteenths` is the song position of a `songpos` message, and 0 for other kinds."""

    kind: PulseKind
    sixteenths: int = 0

    @classmethod
    def of(cls, message: mido.Message) -> ClockPulse | None:
        """Return the pulse in `message`, or None if the message is not one of a MIDI clock."""
        if message.type not in KINDS:
            return None
        return cls(message.type, message.pos if message.type == "songpos" else 0)


@dataclass(frozen=True, slots=True)
class UseClock:
    """Says that the owner has chosen `clock`, which replaces the present clock.

    `settings` are the values of `[clock]` from which it was made, by key. A recording keeps them.
    """

    clock: Clock
    settings: Mapping[str, Any]


@runtime_checkable
class KnownGrid(Protocol):
    """Defines what a clock offers besides the methods of `Clock` if it knows its grid in advance."""

    @property
    def next_due_s(self) -> float:
        """Return the time in stream seconds before which `due` returns None; infinity if it returns no more steps."""
        ...


class Clock(Protocol):
    """Finds or knows tempo, beat and bar, and gives the steps of the grid. Every clock has these methods.

    Calls must come in the order of stream time: `hear` for each note when it is decided, then `due` until it returns
    None. A step does not change after `due` has returned it, and only notes decided before influence it. A clock that
    knows its grid gives a step at its plan time. The clock that follows the player gives it one hop before its time, or
    at its time if it waited for the player.
    """

    @property
    def counting_in(self) -> bool:
        """True if the left hand must not answer the note that was last given to `hear`.

        It is True in two cases: the note was part of the count-in, or the count-in has not begun yet. It is False after
        the first step. It is always False for a clock without a count-in.
        """
        ...

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        """Use a right-hand note that began at `onset_s` and was recognised at `decided_s`, both in stream seconds.

        `decided_s` is never before `onset_s`. `pitch` is the MIDI pitch of the note.
        """
        ...

    def tap(self, at_s: float) -> None:
        """Use a tempo tap at `at_s` stream seconds.

        Four even taps are a count-in at any time, and a bar starts after them. A clock whose beats do not depend on the
        player ignores taps.
        """
        ...

    @property
    def tempo_held(self) -> bool:
        """Whether the owner keeps the tempo constant in a clock that would else follow the player's tempo."""
        ...

    def hold_tempo(self, on: bool) -> None:
        """Keep the present tempo from now on, or follow the player's tempo again.

        While the tempo is held, the beats may still move to where the player plays them, but the time between two beats
        stays the same. A clock that does not take its tempo from the player ignores this call.
        """
        ...

    def pulse(self, pulse: ClockPulse, at_s: float) -> None:
        """Use a message of a MIDI clock that came at `at_s` stream seconds. Only a `MidiClock` uses it."""
        ...

    def due(self, now_s: float) -> Step | None:
        """Return the next step if its time to be given has come, else None. `now_s` is in stream seconds.

        Each step is returned once. Indexes and times increase.
        """
        ...

    def reset(self) -> None:
        """Forget all heard notes, taps and given steps, and start again with index 0."""
        ...
