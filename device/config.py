"""The settings of the live box: one TOML file, every key described in docs/lefthand.toml."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

from device.errors import ConfigError, UserError
from device.meter import Meter

DEFAULT_PATH = Path("/etc/lefthand.toml")
MIDI_INPUT = "midi"
"""The `[audio] input` that means: the right hand comes from a MIDI port."""


def _between(low: float, high: float, default: float, unit: str = "") -> Any:
    return field(default=default, metadata={"low": low, "high": high, "unit": unit})


def _one_of(*choices: str) -> Any:
    return field(default=choices[0], metadata={"choices": choices})


@dataclass(frozen=True)
class AudioSettings:
    """[audio]: where the right hand is heard."""

    input: str = ""
    rate: int = _between(8_000, 384_000, 48_000, "Hz")
    channel: int = _between(1, 64, 1)
    block: int = _between(32, 8192, 256, "samples")
    latency_ms: float = _between(0, 500, 0.0, "ms")
    hears_itself: bool = True

    @property
    def is_midi(self) -> bool:
        """Whether the right hand comes from a MIDI port."""
        return self.input == MIDI_INPUT


@dataclass(frozen=True)
class MidiSettings:
    """[midi]: where the left hand is played, and the port of a right hand that needs no hearing."""

    output: str = ""
    input: str = ""
    channel: int = _between(1, 16, 1)
    program: int = _between(0, 128, 0)
    transpose: int = _between(-36, 36, 0, "semitones")
    latency_ms: float = _between(0, 500, 0.0, "ms")


@dataclass(frozen=True)
class ClockSettings:
    """[clock]: how the beat is found."""

    mode: Literal["follow", "fixed"] = _one_of("follow", "fixed")
    tempo: float | None = field(default=None, metadata={"low": 20, "high": 400, "unit": "beats a minute"})
    meter: str = "4/4"
    count_in: int | None = field(default=None, metadata={"low": 0, "high": 16, "unit": "onsets"})


@dataclass(frozen=True)
class PlaySettings:
    """[play]: the left hand itself."""

    bundle: str = ""
    listen: bool = False


@dataclass(frozen=True)
class Config:
    """All settings of `lefthand run`."""

    audio: AudioSettings = field(default_factory=AudioSettings)
    midi: MidiSettings = field(default_factory=MidiSettings)
    clock: ClockSettings = field(default_factory=ClockSettings)
    play: PlaySettings = field(default_factory=PlaySettings)


_Section = TypeVar("_Section", AudioSettings, MidiSettings, ClockSettings, PlaySettings)


def read_config(path: Path = DEFAULT_PATH) -> Config:
    """The settings in the file `path`; ConfigError names the file, the key and what it may be."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path} does not exist: copy docs/lefthand.toml there and edit it, or give --config FILE."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): give a TOML file in UTF-8.") from None
    return parse_config(text, str(path))


def parse_config(text: str, where: str) -> Config:
    """The settings in `text`; `where` names it in errors. Raises ConfigError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is not valid TOML: {error}.") from None
    sections = {f.name: f.default_factory for f in dataclasses.fields(Config)}
    for name, table in tables.items():
        if name not in sections or not isinstance(table, dict):
            known = ", ".join(f"[{section}]" for section in sections)
            raise ConfigError(f"{where}: {name} is not a section: the sections are {known}.")
    config = Config(
        audio=_section(AudioSettings, "audio", tables, where),
        midi=_section(MidiSettings, "midi", tables, where),
        clock=_section(ClockSettings, "clock", tables, where),
        play=_section(PlaySettings, "play", tables, where),
    )
    _check(config, where)
    return config


def _check(config: Config, where: str) -> None:
    """What no key tells alone."""
    try:
        Meter.parse(config.clock.meter)
    except UserError as error:
        raise ConfigError(f"{where}: [clock] meter cannot be used: {error}") from None
    if config.clock.mode == "fixed" and config.clock.tempo is None:
        raise ConfigError(f'{where}: [clock] tempo is missing: mode = "fixed" needs 20 to 400 beats a minute.')
    if not config.audio.input:
        raise ConfigError(f'{where}: [audio] input is missing: name a sound input (see `lefthand devices`) or "midi".')
    if config.audio.is_midi and not config.midi.input:
        raise ConfigError(
            f'{where}: [midi] input is missing: [audio] input = "midi" needs a port (`lefthand devices`).'
        )
    if not config.midi.output and not config.play.listen:
        raise ConfigError(f"{where}: [midi] output is missing: name a MIDI port (`lefthand devices` lists them).")


def _section(kind: type[_Section], name: str, tables: dict[str, Any], where: str) -> _Section:
    table = tables.get(name, {})
    fields = {f.name: f for f in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    for key, value in table.items():
        if key not in fields:
            raise ConfigError(f"{where}: [{name}] {key} is not a key: the keys are {', '.join(fields)}.")
        allowed = _allowed(fields[key], hints[key])
        if not _fits(value, fields[key], hints[key]):
            shown = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else value
            raise ConfigError(f"{where}: [{name}] {key} = {shown} cannot be used: it must be {allowed}.")
    return kind(**table)


def _fits(value: object, key: dataclasses.Field[Any], hint: object) -> bool:
    if hint is bool:
        return isinstance(value, bool)
    if "choices" in key.metadata:
        return value in key.metadata["choices"]
    if hint is str:
        return isinstance(value, str)
    whole = hint is int or hint == int | None
    number = isinstance(value, int) if whole else isinstance(value, int | float)
    return number and not isinstance(value, bool) and key.metadata["low"] <= value <= key.metadata["high"]


def _allowed(key: dataclasses.Field[Any], hint: object) -> str:
    """What the key may be, in words."""
    if hint is bool:
        return "true or false"
    if "choices" in key.metadata:
        return " or ".join(f'"{choice}"' for choice in key.metadata["choices"])
    if hint is str:
        return "a text in quotes"
    kind = "a whole number" if hint is int or hint == int | None else "a number"
    unit = f" {key.metadata['unit']}" if key.metadata["unit"] else ""
    return f"{kind} from {key.metadata['low']} to {key.metadata['high']}{unit}"
