"""The interface of a clock: it gives the time of each step of the grid before that step comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from device.clock.meter import Meter
from device.events import Doubt

if TYPE_CHECKING:
    import mido

PulseKind: TypeAlias = Literal["clock", "start", "continue", "stop", "songpos"]
KINDS: tuple[PulseKind, ...] = ("clock", "start", "continue", "stop", "songpos")

DOUBTED = 0.5
"""A clock gives the reason for a lock below this."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the grid.

    `time_s` is the predicted time of the step and `length_s` is the time since the step before, both in stream seconds.
    `position` counts the steps of the bar from 0. `lock` is 0 (beat lost) to 1 (beat sure). `doubt` is why `lock` is
    low, or None if it is not.
    """

    index: int
    time_s: float
    length_s: float
    position: int
    meter: Meter
    lock: float
    doubt: Doubt | None = None
    counted: bool = True
    """Whether a count-in, taps, a tempo or a file gave the beat; else the clock found it in the notes alone."""

    @property
    def plan_s(self) -> float:
        """Time at which this step is planned, one step ahead, in stream seconds."""
        return self.time_s - self.length_s

    @property
    def is_beat(self) -> bool:
        """Whether a felt beat begins here."""
        return self.position % self.meter.steps_per_beat == 0

    @property
    def beat(self) -> int:
        """The felt beat of the bar that this step lies in, from 0."""
        return self.position // self.meter.steps_per_beat

    @property
    def is_bar(self) -> bool:
        """Whether a bar begins here."""
        return self.position == 0


@dataclass(frozen=True, slots=True)
class ClockPulse:
    """A message of a MIDI clock. `sixteenths` is the song position of a `songpos` message, else 0."""

    kind: PulseKind
    sixteenths: int = 0

    @classmethod
    def of(cls, message: mido.Message) -> ClockPulse | None:
        """The pulse in `message`, or None if the message has another type."""
        if message.type not in KINDS:
            return None
        return cls(message.type, message.pos if message.type == "songpos" else 0)


@dataclass(frozen=True, slots=True)
class UseClock:
    """The owner has chosen another clock, which takes the place of the present one."""

    clock: Clock


class Clock(Protocol):
    """A source of tempo, beat and bar.

    Calls must come in the order of stream time: `hear` for each note when it is decided, then `due` until it returns
    None. A step is fixed when it is given, and only notes decided before influence it. A clock that knows its grid
    gives a step at its plan time. The clock that follows gives it one hop before its time, or at its time if the step
    was held back for the player.
    """

    @property
    def counting_in(self) -> bool:
        """True if the left hand must not answer the note that was last given to `hear`.

        It is True in two cases: the note was part of the count-in, or the count-in has not begun yet. It is False after
        the first step. It is always False for a clock without a count-in.
        """
        ...

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        """Take in the onset of a right-hand note that was decided at `decided_s` >= `onset_s`."""
        ...

    def tap(self, at_s: float) -> None:
        """Take in a tempo tap at `at_s`. Four even taps are a count-in at any time, and a bar starts after them."""
        ...

    @property
    def tempo_held(self) -> bool:
        """Whether the owner holds the tempo of a clock that would follow the player's tempo."""
        ...

    def hold_tempo(self, on: bool) -> None:
        """Keep the present tempo from now on, or follow the player's tempo again.

        While the tempo is held, the beats may still move to where the player plays them, but the time between two beats
        stays the same. A clock that does not take its tempo from the player ignores this call.
        """
        ...

    def pulse(self, pulse: ClockPulse, at_s: float) -> None:
        """Take in a message of a MIDI clock that came at `at_s`. Only a clock that follows MIDI clock uses it."""
        ...

    def due(self, now_s: float) -> Step | None:
        """The next step if its plan time has come, else None.

        Each step is returned once. Indices and times increase.
        """
        ...

    def reset(self) -> None:
        """Forget all heard notes and all given steps."""
        ...
