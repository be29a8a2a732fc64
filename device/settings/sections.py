"""Defines and checks the sections of the settings file: their keys, with defaults and allowed values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_type_hints

from device.clock.upbeat import MOST_UPBEAT
from device.errors import ConfigError
from device.events import DRUM_CHANNEL
from device.printable import shortened
from device.settings.choices import (
    AS_FITTED,
    HIGHEST_REGISTER,
    KEY_FORM,
    LEAST_CONFIDENCE,
    LEAST_DENSITY,
    LOWEST_REGISTER,
    MOST_CONFIDENCE,
    MOST_DENSITY,
    MOST_SEED,
    SPLIT,
    STYLES,
    Steering,
    Style,
    key_named,
)
from device.settings.controls import Trigger
from device.settings.unknown_names import about_key

DEFAULT_RATE = 48_000
"""Hz. If an input does not offer this rate, its nearest rate is used. Any other rate in the settings must be met
exactly."""
ALL_CHANNELS = "all"
"""Value of `[midi] input_channel` if every channel of the keyboard is the player's, channel 10 too."""
MIDI_INPUT = "midi"
"""Value of `[audio] input` if the right hand comes from a MIDI port."""


def _between(low: float, high: float, default: float, unit: str = "") -> Any:
    return field(default=default, metadata={"low": low, "high": high, "unit": unit})


def _or_measured() -> Any:
    return field(default=None, metadata={"low": 0, "high": 500, "unit": "ms"})


def _one_of(*choices: str) -> Any:
    return field(default=choices[0], metadata={"choices": choices})


@dataclass(frozen=True)
class AudioSettings:
    """Holds the section [audio]: the sound input that hears the right hand."""

    input: str = ""
    rate: int = _between(8_000, 384_000, DEFAULT_RATE, "Hz")
    channel: int = _between(1, 64, 1)
    block: int = _between(32, 8192, 256, "samples")
    latency_ms: float | None = _or_measured()
    hears_itself: bool = True
    confidence: float = _between(LEAST_CONFIDENCE, MOST_CONFIDENCE, AS_FITTED)
    tuning: float | None = field(default=None, metadata={"low": -100, "high": 100, "unit": "cents"})

    @property
    def is_midi(self) -> bool:
        """True if the right hand comes from a MIDI port."""
        return self.input.strip().casefold() == MIDI_INPUT


@dataclass(frozen=True)
class MidiSettings:
    """Holds the section [midi]: the ports of the left hand, of a MIDI keyboard, and for heard notes."""

    output: str = ""
    input: str = ""
    channel: int = _between(1, 16, 1)
    program: int = _between(0, 128, 0)
    transpose: int = _between(-36, 36, 0, "semitones")
    control: str = ""
    latency_ms: float | None = _or_measured()
    input_channel: int | str | list[int] | None = field(default=None, metadata={"channels": True})
    heard: str = ""
    heard_channel: int = _between(1, 16, 1)

    @property
    def input_channels(self) -> frozenset[int]:
        """Return the player's MIDI channels, counted from 0.

        If none is set, all but channel 10, which carries drums.
        """
        if self.input_channel is None:
            return frozenset(range(16)) - {DRUM_CHANNEL}
        if self.input_channel == ALL_CHANNELS:
            return frozenset(range(16))
        named = self.input_channel if isinstance(self.input_channel, list) else [self.input_channel]
        return frozenset(int(channel) - 1 for channel in named)


@dataclass(frozen=True)
class ClockSettings:
    """Holds the section [clock]: the source of the beat, its tempo and its metre."""

    mode: Literal["follow", "fixed", "midi"] = _one_of("follow", "fixed", "midi")
    tempo: float | None = field(default=None, metadata={"low": 20, "high": 400, "unit": "beats a minute"})
    meter: str = "4/4"
    count_in: int | None = field(default=None, metadata={"low": 0, "high": 16, "unit": "onsets"})
    max_drift: float | None = field(default=None, metadata={"low": 0, "high": 1, "unit": "of the tempo"})
    upbeat: float | None = field(default=None, metadata={"low": 0, "high": MOST_UPBEAT, "unit": "beats"})


@dataclass(frozen=True)
class PlaySettings:
    """Holds the section [play]: the models, the sound and the style of the left hand."""

    bundle: str = ""
    listen: bool = False
    sound: Literal["midi", "synth", "both"] = _one_of("midi", "synth", "both")
    style: Style = _one_of(*STYLES)
    density: float = _between(LEAST_DENSITY, MOST_DENSITY, 1.0)
    register: int = _between(LOWEST_REGISTER, HIGHEST_REGISTER, 0, "semitones")
    split: int = _between(0, 127, SPLIT)
    yields: bool = True
    variation: int = _between(1, 2, 1)
    key: str = field(default="", metadata={"key": True})
    seed: int = _between(0, MOST_SEED, 0)
    memory: bool = False

    @property
    def steering(self) -> Steering:
        """Return the steering with which the left hand starts."""
        key = key_named(self.key) or ""
        return Steering(self.style, self.density, self.register, self.yields, self.variation, key, self.seed)


@dataclass(frozen=True)
class SynthSettings:
    """Holds the section [synth]: the synthesiser that runs on the box."""

    device: str = ""
    soundfont: str = ""
    gain: float = _between(0, 10, 0.6)
    latency_ms: float | None = _or_measured()
    right_hand: bool = False


@dataclass(frozen=True)
class ControlSettings:
    """Holds the section [controls]: the switch or knob for each action.

    An empty text means that the action has none.
    """

    arm: str = ""
    hold: str = ""
    panic: str = ""
    tap: str = ""
    hold_tempo: str = ""
    style: str = ""
    style_auto: str = ""
    style_bass: str = ""
    style_block: str = ""
    style_broken: str = ""
    style_arpeggio: str = ""
    style_oom_pah: str = ""
    style_sustained: str = ""
    style_waltz: str = ""
    style_ballad: str = ""
    style_march: str = ""
    style_swing: str = ""
    style_alberti: str = ""
    style_stride: str = ""
    style_pad: str = ""
    style_tango: str = ""
    variation: str = ""
    fill: str = ""
    ending: str = ""
    density: str = ""
    register: str = ""
    count_in: str = ""

    @property
    def mapping(self) -> dict[str, Trigger]:
        """Return the trigger of each control that is set, by its key.

        Raises UserError for a text that is not a control.
        """
        return {name: Trigger.parse(text) for name, text in dataclasses.asdict(self).items() if text}


@dataclass(frozen=True)
class PageSettings:
    """Holds the section [page]: the web page for a phone. An empty address means all addresses of the box."""

    enabled: bool = True
    address: str = ""
    port: int = _between(1, 65_535, 80)
    code: bool = True


_Section = TypeVar(
    "_Section",
    AudioSettings,
    MidiSettings,
    ClockSettings,
    PlaySettings,
    SynthSettings,
    ControlSettings,
    PageSettings,
)


def check_section(kind: type[_Section], name: str, table: dict[str, Any], where: str) -> _Section:
    """Return the section `kind` with the values of `table`.

    Raises ConfigError for an unknown key or a value not allowed. The error message names the section `name` and the
    file `where`.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in fields:
            raise ConfigError(f"{where}: {about_key(key, name, keys_of_sections())}")
        allowed = _allowed(fields[key], hints[key])
        values[key] = _as_listed(value, fields[key])
        if not _fits(values[key], fields[key], hints[key]):
            raise ConfigError(f"{where}: [{name}] {key} = {_shown(value)} cannot be used: it must be {allowed}.")
    return kind(**values)


def keys_of_sections() -> dict[str, list[str]]:
    """Return the names of the keys of each section, in the order of docs/lefthand.toml."""
    kinds = {
        "audio": AudioSettings,
        "midi": MidiSettings,
        "clock": ClockSettings,
        "play": PlaySettings,
        "synth": SynthSettings,
        "controls": ControlSettings,
        "page": PageSettings,
    }
    return {name: [key.name for key in dataclasses.fields(kind)] for name, kind in kinds.items()}


def _as_listed(value: object, key: dataclasses.Field[Any]) -> object:
    """Return the choice of `key` that `value` means, whatever its capitals and spaces are; else `value` itself."""
    choices = (ALL_CHANNELS,) if "channels" in key.metadata else key.metadata.get("choices", ())
    form = "-".join(value.casefold().replace("_", " ").split()) if isinstance(value, str) else value
    return form if form in choices else value


def _is_channel(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 16


def _fits(value: object, key: dataclasses.Field[Any], hint: object) -> bool:
    """Return whether a value of the settings file may be that of `key`, whose type is `hint`."""
    if "channels" in key.metadata:
        several = isinstance(value, list) and bool(value) and all(map(_is_channel, value))
        return value == ALL_CHANNELS or several or _is_channel(value)
    if "key" in key.metadata:
        return value == "" or (isinstance(value, str) and key_named(value) is not None)
    if hint is bool:
        return isinstance(value, bool)
    if "choices" in key.metadata:
        return value in key.metadata["choices"]
    if hint is str:
        # a zero can be in no name of a file or a port
        return isinstance(value, str) and "\0" not in value
    whole = hint is int or hint == int | None
    number = isinstance(value, int) if whole else isinstance(value, int | float)
    return number and not isinstance(value, bool) and key.metadata["low"] <= value <= key.metadata["high"]


def _allowed(key: dataclasses.Field[Any], hint: object) -> str:
    """Return the allowed values of `key` in words, for an error message."""
    if "channels" in key.metadata:
        return f'a channel from 1 to 16, several such as [1, 2], or "{ALL_CHANNELS}"'
    if "key" in key.metadata:
        return KEY_FORM
    if hint is bool:
        return "true or false"
    if "choices" in key.metadata:
        return " or ".join(f'"{choice}"' for choice in key.metadata["choices"])
    if hint is str:
        return "a text in quotes"
    kind = "a whole number" if hint is int or hint == int | None else "a number"
    unit = f" {key.metadata['unit']}" if key.metadata["unit"] else ""
    return f"{kind} from {key.metadata['low']} to {key.metadata['high']}{unit}"


def _shown(value: object) -> str:
    """Return a value as it stands in the settings, without its end if it is long."""
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return shortened(text)
