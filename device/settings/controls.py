"""Turns MIDI messages of the player's switches and knobs into actions, as `[controls]` of the settings maps them.

A controller that is mapped to `hold` holds the keys while it is pressed: `device.settings.switch` finds the presses.
The value of a controller that is mapped to `density` or `register` sets the density or the register. A note or a
program change that is mapped to them steps to the next value instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from device.errors import UserError
from device.printable import shortened
from device.settings.choices import HIGHEST_REGISTER, LEAST_DENSITY, LOWEST_REGISTER, MOST_DENSITY, STYLES, Style
from device.settings.switch import BOUNCE_S, Switch
from device.settings.switch import Kind as SwitchKind

if TYPE_CHECKING:
    import mido

Kind: TypeAlias = Literal["cc", "note", "program"]
_TYPES: dict[str, Kind] = {"control_change": "cc", "note_on": "note", "note_off": "note", "program_change": "program"}
_FORM = re.compile(r"(cc|note|program) *([0-9]{1,3})(?: +channel +([0-9]{1,2}))?(?: +(inverted|latching))?")
_WORDS: dict[str, tuple[str, ...]] = {"cc": ("inverted", "latching"), "note": ("latching",), "program": ()}
"""The words that each kind of control may have after it."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Names the MIDI controller, note or program that triggers an action. `number` and `channel` count from 0.

    If `channel` is None, every channel counts. `switch` is the kind of the switch; "" means that it is found out.
    """

    kind: Kind
    number: int
    channel: int | None
    switch: SwitchKind = ""

    @classmethod
    def parse(cls, text: str) -> Trigger:
        """Return the trigger for a text such as "cc 64", "cc 64 inverted", "note 36" or "program 5 channel 2".

        Programs and channels count from 1 in the text. Capitals count as small letters. Raises UserError for any other
        text.
        """
        match = _FORM.fullmatch(text.strip().lower())
        if match is not None:
            first = 1 if match[1] == "program" else 0
            number, channel = int(match[2]) - first, None if match[3] is None else int(match[3]) - 1
            allowed = match[4] is None or match[4] in _WORDS[match[1]]
            if 0 <= number < 128 and (channel is None or 0 <= channel < 16) and allowed:
                return cls(cast(Kind, match[1]), number, channel, cast(SwitchKind, match[4] or ""))
        raise UserError(
            f'"{shortened(text)}" is not a control: write "cc 0" to "cc 127", "note 0" to "note 127" or "program 1" to '
            f'"program 128", with " channel 1" to " channel 16" after it if only that channel counts, and " inverted" '
            f'or " latching" at the end for a switch of that kind.'
        )

    def fits(self, message: mido.Message) -> bool:
        """Return whether `message` has the kind, the number and the channel of this trigger."""
        if _TYPES.get(message.type) != self.kind or self.channel not in (None, message.channel):
            return False
        number = {"cc": "control", "note": "note", "program": "program"}[self.kind]
        return bool(getattr(message, number) == self.number)


@dataclass(frozen=True, slots=True)
class Arm:
    """Asks the left hand to play if `on` is True, to stop if it is False, and to change between both if it is None."""

    on: bool | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Asks the left hand to hold the keys that are down if `on` is True, and to play on if it is False.

    If `on` is None, it changes to the other of the two states.
    """

    on: bool | None = None


@dataclass(frozen=True, slots=True)
class Panic:
    """Asks the left hand to release all keys now, and to listen again before it plays."""


@dataclass(frozen=True, slots=True)
class Tap:
    """Reports one tap of the tempo: the player presses a control on the beat."""


@dataclass(frozen=True, slots=True)
class HoldTempo:
    """Asks the clock to keep the present tempo if `on` is True, and to follow the player's tempo again if it is False.

    If `on` is None, it changes to the other of the two states.
    """

    on: bool | None = None


@dataclass(frozen=True, slots=True)
class Restyle:
    """Change to the style `style`. If `style` is None, change to the next style."""

    style: Style | None = None


@dataclass(frozen=True, slots=True)
class Density:
    """Set the density to `value`, a factor from 0.25 to 2.

    If `value` is None, change to the next of three densities.
    """

    value: float | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """Move the left hand to `semitones` above its usual place, from -12 to 12.

    If `semitones` is None, the left hand moves up to the next octave. After the highest octave comes the lowest.
    """

    semitones: int | None = None


@dataclass(frozen=True, slots=True)
class Vary:
    """Change to the other variation of the style, or to the variation `number`, 1 or 2."""

    number: int | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """Play the fill of the style up to the end of the bar, or in the next bar if less than two beats are left."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Play the last chord at the next bar line, hold it for a bar, and stop."""


@dataclass(frozen=True, slots=True)
class CountAgain:
    """Release all keys and wait for a new count-in."""


@dataclass(frozen=True, slots=True)
class PlayNote:
    """Play one note, so that the owner hears whether the output works."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """Set the confidence, 0.05 to 0.95, that a note must have to be heard."""

    value: float


Action: TypeAlias = (
    Arm
    | Hold
    | Panic
    | Tap
    | HoldTempo
    | Restyle
    | Density
    | Register
    | CountAgain
    | Confidence
    | Vary
    | Fill
    | Finish
    | PlayNote
)
SWITCHED: dict[str, Callable[..., Action]] = {"arm": Arm, "hold": Hold, "hold-tempo": HoldTempo}
"""The actions that take true, false or None. These three tables have the names that `lefthand do`, the control socket
and a recording give to actions."""
PLAIN: dict[str, Callable[..., Action]] = {
    "panic": Panic,
    "tap": Tap,
    "count-in": CountAgain,
    "variation": Vary,
    "fill": Fill,
    "ending": Finish,
}
"""The actions that are asked for without a value."""
STEPPED: dict[str, Callable[..., Action]] = {"style": Restyle, "density": Density, "register": Register}
"""The actions that take a value of [play], or None for the next one."""
_PRESSED: dict[str, Action] = {
    **{name.replace("-", "_"): kind() for name, kind in {**SWITCHED, **PLAIN, **STEPPED}.items()},
    **{f"style_{style.replace('-', '_')}": Restyle(style) for style in STYLES},
}
"""What a press of each control asks for, by the keys of `[controls]`."""
ACTIONS = tuple(_PRESSED)
"""The keys of `[controls]`."""
VALUES = ("density", "register")
"""Those of them that take the value of a controller."""


class Controls:
    """Turns MIDI messages into actions and keeps the state of every switch.

    `mapping` maps names of `ACTIONS` to triggers.
    """

    def __init__(self, mapping: Mapping[str, Trigger]) -> None:
        self._mapping = dict(mapping)
        self._switches: dict[tuple[str, int], Switch] = {}
        """The switch of each action and each channel, counted from 0, that has sent a message."""
        self._latest: dict[str, tuple[Action, float]] = {}
        """The latest action of each name, and its time in monotonic seconds."""

    def __bool__(self) -> bool:
        return bool(self._mapping)

    def takes(self, message: mido.Message) -> bool:
        """Return whether `message` belongs to a control. Such a message is not part of the music."""
        return any(trigger.fits(message) for trigger in self._mapping.values())

    def actions(self, message: mido.Message, at_s: float | None = None) -> list[Action]:
        """Return the actions that `message` asks for; an empty list if there are none.

        `at_s` is its time of arrival in monotonic seconds. None: the time is unknown. The same action within BOUNCE_S
        is no other press: a keyboard with two sounds and some foot controllers send each message on several channels,
        and a pad that is struck hard may send two notes.
        """
        asked = []
        for name, trigger in self._mapping.items():
            action = self._action(name, trigger, message, at_s) if trigger.fits(message) else None
            if action is not None and not self._comes_twice(name, action, at_s):
                asked.append(action)
        return asked

    def _comes_twice(self, name: str, action: Action, at_s: float | None) -> bool:
        """Return whether `name` asked for the same `action` within BOUNCE_S before `at_s`; if not, keep this one."""
        if at_s is None:
            return False
        before, before_s = self._latest.get(name, (None, at_s))
        if action == before and at_s - before_s < BOUNCE_S:
            return True
        self._latest[name] = (action, at_s)
        return False

    def _action(self, name: str, trigger: Trigger, message: mido.Message, at_s: float | None) -> Action | None:
        """Return the action `name`, if `message` of its control asks for it now. `at_s` is its time in seconds."""
        if trigger.kind == "note":
            struck = message.type == "note_on" and message.velocity > 0
            return _PRESSED[name] if struck or trigger.switch == "latching" else None
        if trigger.kind == "program":
            return _PRESSED[name]
        if name in VALUES:
            return _turned(name, 127 - message.value if trigger.switch == "inverted" else message.value)
        switch = self._switches.setdefault((name, message.channel), Switch(trigger.switch, trigger.number))
        edge = switch.step(message.value, at_s)
        if edge is None:
            return None
        if name == "hold":
            if edge == "clicked":
                return None
            return Hold() if edge == "again" else Hold(edge != "released")
        if edge == "bounced":
            return None
        return None if edge == "released" and trigger.switch != "latching" else _PRESSED[name]


def _turned(name: str, value: int) -> Density | Register:
    """Return the action for a knob at `value`, 0 to 127: a Density if `name` is "density", otherwise a Register."""
    if name == "density":
        return Density(LEAST_DENSITY * (MOST_DENSITY / LEAST_DENSITY) ** (value / 127))
    return Register(LOWEST_REGISTER + round((HIGHEST_REGISTER - LOWEST_REGISTER) * value / 127))
