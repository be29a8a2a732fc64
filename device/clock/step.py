"""What a clock is: it tells the time of each next step of the grid before that step comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from device.clock.meter import Meter

if TYPE_CHECKING:
    import mido

PulseKind: TypeAlias = Literal["clock", "start", "continue", "stop", "songpos"]
KINDS: tuple[PulseKind, ...] = ("clock", "start", "continue", "stop", "songpos")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the grid.

    `time_s` is when it will come and `length_s` the time from the step before it, both in stream
    seconds; `position` counts steps in the bar from 0; `lock` is 0 (lost) to 1 (sure).
    """

    index: int
    time_s: float
    length_s: float
    position: int
    meter: Meter
    lock: float

    @property
    def plan_s(self) -> float:
        """When this step is planned: one step ahead."""
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
    """A message of a MIDI clock; `sixteenths` is the position that a `songpos` names."""

    kind: PulseKind
    sixteenths: int = 0

    @classmethod
    def of(cls, message: mido.Message) -> ClockPulse | None:
        """The pulse in `message`; None for a message of another kind."""
        if message.type not in KINDS:
            return None
        return cls(message.type, message.pos if message.type == "songpos" else 0)


class Clock(Protocol):
    """Tempo, beat and bar, whatever they come from.

    Calls come in the order of stream time: `hear` for each note as it is decided, then `due` until it
    gives None. A step is fixed at its plan time by what was decided before it, so neither the length of
    a hop nor its phase changes the grid.
    """

    @property
    def counting_in(self) -> bool:
        """Whether the note heard last was part of the count-in, or the count-in has yet to begin.

        Ask after `hear`: a note for which it is True is answered by nothing. False once steps are given.
        """
        ...

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        """Take in the onset of a right-hand note that was decided at `decided_s` >= `onset_s`."""
        ...

    def tap(self, at_s: float) -> None:
        """A tempo tap at `at_s`: four that keep a beat are a count-in, after which a bar starts; at any time."""
        ...

    def pulse(self, pulse: ClockPulse, at_s: float) -> None:
        """Take in a message of a MIDI clock that came at `at_s`; it changes only a clock that follows MIDI clock."""
        ...

    def due(self, now_s: float) -> Step | None:
        """The next step to plan, if its plan time has come; each once, indices and times rising."""
        ...

    def reset(self) -> None:
        """Forget everything heard and given."""
        ...
