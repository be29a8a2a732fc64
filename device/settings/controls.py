"""What a player's switches and knobs ask for: MIDI messages to actions, by the `[controls]` of the settings.

A controller counts as pressed from value 64 on, and as let go below it. Held down it holds, and its value is the
density or the register; a note or a program change steps through a few of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from device.errors import UserError
from device.settings.choices import HIGHEST_REGISTER, LEAST_DENSITY, LOWEST_REGISTER, MOST_DENSITY, STYLES, Style

if TYPE_CHECKING:
    import mido

Kind: TypeAlias = Literal["cc", "note", "program"]
PRESSED = 64
_TYPES: dict[str, Kind] = {"control_change": "cc", "note_on": "note", "note_off": "note", "program_change": "program"}
_FORM = re.compile(r"(cc|note|program) +([0-9]{1,3})(?: +channel +([0-9]{1,2}))?")


@dataclass(frozen=True, slots=True)
class Trigger:
    """A controller, note or program (from 0) on a channel (from 0; None: any)."""

    kind: Kind
    number: int
    channel: int | None

    @classmethod
    def parse(cls, text: str) -> Trigger:
        """Such as "cc 64", "note 36" or "program 5 channel 2", programs and channels from 1; raises UserError."""
        match = _FORM.fullmatch(text.strip())
        if match is not None:
            first = 1 if match[1] == "program" else 0
            number, channel = int(match[2]) - first, None if match[3] is None else int(match[3]) - 1
            if 0 <= number < 128 and (channel is None or 0 <= channel < 16):
                return cls(cast(Kind, match[1]), number, channel)
        raise UserError(
            f'"{text}" is no control: write "cc 0" to "cc 127", "note 0" to "note 127" or "program 1" to '
            f'"program 128", with " channel 1" to " channel 16" after it where only that channel counts.'
        )

    def fits(self, message: mido.Message) -> bool:
        """Whether `message` is of this control."""
        if _TYPES.get(message.type) != self.kind or self.channel not in (None, message.channel):
            return False
        number = {"cc": "control", "note": "note", "program": "program"}[self.kind]
        return bool(getattr(message, number) == self.number)


@dataclass(frozen=True, slots=True)
class Arm:
    """Play, or not; None: the other."""

    on: bool | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep what is down, or go on; None: the other."""

    on: bool | None = None


@dataclass(frozen=True, slots=True)
class Panic:
    """Let go of everything at once, and listen anew."""


@dataclass(frozen=True, slots=True)
class Tap:
    """A tempo tap."""


@dataclass(frozen=True, slots=True)
class Restyle:
    """Another style; None: the next."""

    style: Style | None = None


@dataclass(frozen=True, slots=True)
class Density:
    """A density, 0.25 to 2; None: the next of three."""

    value: float | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """Semitones from home, -12 to 12; None: the next octave."""

    semitones: int | None = None


Action: TypeAlias = Arm | Hold | Panic | Tap | Restyle | Density | Register
_PLAIN: dict[str, Action] = {
    "arm": Arm(),
    "hold": Hold(),
    "panic": Panic(),
    "tap": Tap(),
    "style": Restyle(),
    "density": Density(),
    "register": Register(),
    **{f"style_{style.replace('-', '_')}": Restyle(style) for style in STYLES},
}
ACTIONS = tuple(_PLAIN)
"""The keys of `[controls]`."""


class Controls:
    """Knows which controllers are down; `mapping` is from keys of `ACTIONS` to triggers."""

    def __init__(self, mapping: Mapping[str, Trigger]) -> None:
        self._mapping = dict(mapping)
        self._pressed: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._mapping)

    def takes(self, message: mido.Message) -> bool:
        """Whether `message` belongs to a control, and so is no music."""
        return any(trigger.fits(message) for trigger in self._mapping.values())

    def actions(self, message: mido.Message) -> list[Action]:
        """What `message` asks for."""
        asked = [
            self._action(name, trigger, message) for name, trigger in self._mapping.items() if trigger.fits(message)
        ]
        return [action for action in asked if action is not None]

    def _action(self, name: str, trigger: Trigger, message: mido.Message) -> Action | None:
        if trigger.kind == "note":
            return _PLAIN[name] if message.type == "note_on" and message.velocity > 0 else None
        if trigger.kind == "program":
            return _PLAIN[name]
        if name == "density":
            return Density(LEAST_DENSITY * (MOST_DENSITY / LEAST_DENSITY) ** (message.value / 127))
        if name == "register":
            span = HIGHEST_REGISTER - LOWEST_REGISTER
            return Register(LOWEST_REGISTER + round(span * message.value / 127))
        return self._switched(name, message.value >= PRESSED)

    def _switched(self, name: str, down: bool) -> Action | None:
        """A pedal says its value again and again: only what is new counts."""
        if down == (name in self._pressed):
            return None
        self._pressed ^= {name}
        if name == "hold":
            return Hold(down)
        return _PLAIN[name] if down else None
