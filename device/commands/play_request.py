"""Holds the options of `lefthand play`, and adds the settings of a captured run.

A captured run is one that `lefthand run --record` has recorded with its settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from device.clock.meter import Meter
from device.clock.step import ClockPulse, UseClock
from device.engine import TimedAction
from device.errors import UserError
from device.files.real_time import RealTime
from device.make_clock import Mode
from device.printable import printable
from device.recording.capture import actions_taken, how_captured, losses_told
from device.settings.choices import AS_THE_NET_PLAYS, KEY_FORM, Steering, Style, key_named
from device.settings.controls import Confidence, Density, PlayNote, Register, Restyle, Vary


@dataclass(frozen=True, kw_only=True)
class Request:
    """Holds the options of `lefthand play`, except the files to write. None means the default."""

    input: Path
    clock: Mode | None = None
    tempo: float | None = None
    count_in: int | None = None
    meter: Meter | None = None
    bundle: Path | None = None
    listen: bool = False
    sent: Path | None = None
    track: str | None = None
    progress: bool | None = None
    style: Style | None = None
    density: float | None = None
    register: int | None = None
    split: int | None = None
    confidence: float | None = None
    hears_itself: bool = False
    channel: int | None = None
    upbeat: float | None = None
    max_drift: float | None = None
    tuning: float | None = None
    adapts: bool = False
    variation: int | None = None
    key: str | None = None
    seed: int | None = None
    real_time: RealTime | None = None
    captured: Steering = AS_THE_NET_PLAYS
    """How the left hand was steered at the start of a captured run. Without one, the models' own choice."""
    lost: Sequence[int] = ()
    """Places in the sound of a captured run at which a loss was reported, in samples."""
    actions: Sequence[TimedAction] = ()
    """What the owner did in a captured run, without what an option of this command sets."""

    @classmethod
    def asked(
        cls,
        input_: Path,
        *,
        meter: str | None,
        listen: bool,
        sent: Path | None,
        key: str | None,
        real_time: bool,
        **options: Any,
    ) -> Request:
        """Return the request of a command line. `options` are those that are kept as they are given, by their names.

        Raises UserError if `meter` names no metre, or `key` no key.
        """
        return cls(
            input=input_,
            meter=None if meter is None else Meter.parse(meter),
            listen=listen or sent is not None,
            sent=sent,
            key=checked_key(key),
            real_time=RealTime() if real_time else None,
            **options,
        )

    @property
    def steering(self) -> Steering:
        """Return how the left hand is steered: its style, density, register, variation, key and seed.

        An option that was not given has the value of the captured run.
        """
        asked: dict[str, object] = {"style": self.style, "density": self.density, "register": self.register}
        asked |= {"variation": self.variation, "key": self.key, "seed": self.seed}
        return replace(self.captured, **{name: value for name, value in asked.items() if value is not None})  # type: ignore[arg-type]

    @property
    def _set_here(self) -> tuple[type, ...]:
        """Return the kinds of actions that the options of this command take the place of."""
        beat = (self.clock, self.tempo, self.count_in, self.meter, self.upbeat)
        # without --clock a MIDI clock goes on, and its pulses with it
        given: list[tuple[object, tuple[type, ...]]] = [
            (self.style, (Restyle,)),
            (self.density, (Density,)),
            (self.register, (Register,)),
            (self.variation, (Vary,)),
            (self.confidence, (Confidence,)),
            (self.listen or None, (PlayNote,)),
            (self.clock, (ClockPulse,)),
            *((option, (UseClock,)) for option in beat),
        ]
        return tuple(kind for option, kinds in given if option is not None for kind in kinds)

    def as_captured(self) -> Request:
        """Return a copy in which missing options have the settings with which the input was recorded.

        If the input is not part of a captured run, the same request is returned. Raises UserError if the settings of
        the run cannot be read, if its beat came from a MIDI clock that is not in the recording, or if an option does
        not fit a MIDI clock.
        """
        how = how_captured(self.input)
        if how is None:
            return self
        taken = actions_taken(self.input)
        request = replace(
            self,
            lost=losses_told(self.input),
            actions=[action for action in taken or () if not isinstance(action.action, self._set_here)],
            bundle=self.bundle or (Path(how.bundle) if how.bundle else None),
            hears_itself=how.hears_itself and not self.listen,
            captured=Steering(**how.steering),
            split=how.split if self.split is None else self.split,
            confidence=how.confidence if self.confidence is None else self.confidence,
            tuning=how.tuning if self.tuning is None else self.tuning,
            adapts=how.adapts and self.tuning is None,
        )
        if self.clock not in (None, how.clock):
            return request
        if how.clock == "midi" and taken is None:
            raise UserError(
                f"{self.input} was played to a MIDI clock, which is not in the recording: choose --clock follow, "
                f"or --clock fixed with its --tempo."
            )
        if how.clock == "midi" and any(option is not None for option in (self.tempo, self.count_in, self.upbeat)):
            raise UserError(
                f"{self.input} was played to a MIDI clock, which gives the tempo and the bar: leave out --tempo, "
                f"--count-in and --upbeat, or choose --clock follow or fixed."
            )
        return replace(
            request,
            clock=how.clock,
            tempo=how.tempo if self.tempo is None else self.tempo,
            count_in=how.count_in if self.count_in is None else self.count_in,
            meter=self.meter or Meter.parse(how.meter),
            upbeat=how.upbeat if self.upbeat is None else self.upbeat,
            max_drift=how.max_drift,
        )


def checked_key(key: str | None) -> str | None:
    """Return the name in `KEYS` of the musical key in an option, which `key_named` knows in several forms.

    Raises UserError if it is no key. None and "" are allowed.
    """
    if not key:
        return key
    name = key_named(key)
    if name is None:
        raise UserError(f'--key "{printable(key)}" cannot be used: it must be {KEY_FORM}.')
    return name
