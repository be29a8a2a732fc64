"""Reads and checks the settings of the live box, which are one TOML file. docs/lefthand.toml describes every key."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import re
import string
import tomllib
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from device.clock.meter import Meter
from device.errors import ConfigError, UserError
from device.printable import shortened
from device.settings.changes import Tables, overlaid, read_changes
from device.settings.controls import Trigger
from device.settings.sections import (
    AudioSettings,
    ClockSettings,
    ControlSettings,
    MidiSettings,
    PageSettings,
    PlaySettings,
    SynthSettings,
    check_section,
    keys_of_sections,
)
from device.settings.unknown_names import about_section
from device.system.untrusted_files import read_small

DEFAULT_PATH = Path("/etc/lefthand.toml")
MOST_DEPTH = 8
"""Most levels of nesting in a settings file. The settings need two: a section and a key."""

INTERFACE = f"{string.ascii_letters}{string.digits}._-"
"""Characters of the name of a network interface, such as "eth0"."""

_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")
"""The place in tomllib's messages."""
_IN_NAMES = ("Invalid statement", "Expected ']'", "Expected '='", "Invalid initial character for a key part")
"""First words of an error of tomllib that arises in the name of a key or of a section."""
_SWITCHED = {"true", "false", "yes", "no", "on", "off"}
_WITH_COMMA = re.compile(r"[+-]?\d+,\d+")
_WITH_UNIT = re.compile(r"[+-]?\d+(\.\d+)?( \d+| ?[A-Za-z%]+)")
_WITH_ZERO = re.compile(r"[+-]?0\d+(\.\d+)?")
_WITHOUT_DIGIT = re.compile(r"[+-]?(\.\d+|\d+\.)")
_WITH_SLASH = re.compile(r"\d+ *[/:-] *\d+")
_COMMENTS = (";", "//", "--", "%")
"""Beginnings of a comment in other kinds of files."""
_REMEDIES = (
    ("Unescaped '\\'", r"Write \\ for a backslash."),
    ("Invalid hex value", r"Write \\ for a backslash."),
    ('Expected "\'"', "Close the quotes on the same line."),
    ("Expected '=' after a key", "Write = between a key and its value."),
    ("Illegal character '\\n'", "Close the quotes on the same line."),
    ("Invalid initial character for a key part", "Write a section in brackets, such as [audio]."),
    ("Expected ']'", "Write a section in brackets, such as [audio]."),
    ("Invalid statement", 'Write a section such as [audio], a key such as input = "midi", or # before a comment.'),
    ("Cannot overwrite", "The key stands in its section twice, so leave out one of the two lines."),
    ("Cannot declare", "The section begins twice, so put all its keys under one of the two lines."),
)
"""First words of an error of tomllib, and the remedy."""
_LOOKALIKES = frozenset({"Zs", "Cf", "Pi", "Pf", "Ps", "Pd", "Sm"})
"""Unicode categories of spaces, invisible characters, quotes, dashes and the minus sign."""

log = logging.getLogger("lefthand")


@dataclass(frozen=True)
class Config:
    """Holds all settings of `lefthand run`, one field for each section of the file."""

    audio: AudioSettings = field(default_factory=AudioSettings)
    midi: MidiSettings = field(default_factory=MidiSettings)
    clock: ClockSettings = field(default_factory=ClockSettings)
    play: PlaySettings = field(default_factory=PlaySettings)
    synth: SynthSettings = field(default_factory=SynthSettings)
    controls: ControlSettings = field(default_factory=ControlSettings)
    page: PageSettings = field(default_factory=PageSettings)

    @property
    def plays_midi(self) -> bool:
        """True if the left hand plays on the MIDI port of `[midi] output`."""
        return not self.play.listen and self.play.sound != "synth"

    @property
    def plays_synth(self) -> bool:
        """True if the left hand plays on the synthesiser."""
        return not self.play.listen and self.play.sound != "midi"


def read_config(path: Path = DEFAULT_PATH) -> Config:
    """Return the settings in the file `path`, with the changes that the owner made on the running box.

    If the settings cannot be used with these changes, one sentence goes to the log and the file alone counts.
    Raises ConfigError, which names the file, the key and its allowed values.
    """
    tables = read_tables(path)
    if changes := read_changes(path):
        try:
            return config_of(overlaid(tables, changes), f"{path}, as changed on the box")
        except ConfigError as error:
            config = config_of(tables, str(path))
            log.warning("%s The changes are left out: `lefthand settings --reset` removes them.", error)
            return config
    return config_of(tables, str(path))


def read_page(path: Path = DEFAULT_PATH) -> PageSettings:
    """Return the section [page] of the file `path`, without changes made on the running box.

    Errors in the other sections do not matter. Raises ConfigError if the file or this section cannot be used.
    """
    table = read_tables(path).get("page", {})
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: page is not a section: write [page] above its keys.")
    page = check_section(PageSettings, "page", table, str(path))
    _check_page(page, str(path))
    return page


def read_tables(path: Path) -> Tables:
    """Return the TOML tables of the file `path`, unchecked.

    Raises ConfigError if it is missing or is not TOML in UTF-8, or in UTF-16 with a byte order mark.
    """
    try:
        content = read_small(path, follow=True)
        # editors on Windows begin a file with a byte order mark
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"{path} does not exist: copy docs/lefthand.toml there and edit it, or give --config FILE."
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder: give a TOML file in UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): give a TOML file in UTF-8.") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path} is not in UTF-8 in line {line}: save it in UTF-8.") from None
    # two editors, one after the other, begin a file with two marks
    text = text.lstrip("\ufeff")
    if "\0" in text and "\0" not in text.rstrip("\0"):
        raise ConfigError(f"{path} ends in zeros, as after a loss of power: copy docs/lefthand.toml there and edit it.")
    if "\0" in text:  # UTF-16 without its mark
        line = text[: text.index("\0")].count("\n") + 1
        raise ConfigError(f"{path} is not in UTF-8 in line {line}: save it in UTF-8.")
    return _parsed(text, str(path))


def parse_config(text: str, where: str) -> Config:
    """Return the settings in the TOML text `text`. Raises ConfigError, whose message names the text as `where`."""
    return config_of(_parsed(text, where), where)


def _parsed(text: str, where: str) -> Tables:
    # an old editor, or a copy through one, ends lines with a carriage return alone
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        tables = tomllib.loads(text)
        _check_depth(tables)
    except RecursionError:
        raise ConfigError(f"{where} is nested too deeply: give keys in sections, as docs/lefthand.toml does.") from None
    except ValueError as error:
        # Python's own words for a number that it does not read name a function
        long_number = str(error).startswith("Exceeds the limit")
        reason = "a number has too many digits" if long_number else str(error)
        raise ConfigError(f"{where} is not valid TOML: {reason}.{_remedy(text, str(error))}") from None
    return tables


def _remedy(text: str, error: str) -> str:
    """Return a sentence that says how to mend the place of `text` at which tomllib's `error` points, "" for none."""
    place = _PLACE.search(error)
    general = next((f" {sentence}" for begin, sentence in _REMEDIES if error.startswith(begin)), "")
    if place is None:
        return general
    line = text.split("\n")[int(place[1]) - 1]
    if sentence := _about_character(line[int(place[2]) - 1 : int(place[2])]):
        return sentence
    if error.startswith(_IN_NAMES) and not line[int(place[2]) - 1 : int(place[2])].isascii():
        return " Names of keys and sections have only the letters a to z."
    if line.startswith("[") and error.startswith("Expected newline"):
        return " Write nothing behind the name of a section but a comment after #."
    key, _, value = (part.strip() for part in line.split("#")[0].partition("="))
    if value.endswith(";"):
        return " Leave out the semicolon."
    if value.endswith(",") and not value.startswith(("[", "{")):
        return " Leave out the comma at the end of the line."
    if value.casefold() in _SWITCHED:
        return " Write true or false, in small letters."
    if _WITH_COMMA.fullmatch(value):
        return " Write a number with a point, not with a comma."
    if _WITH_ZERO.fullmatch(value):
        return " Write a number without a zero before its first digit."
    if _WITHOUT_DIGIT.fullmatch(value):
        return " Write a digit before and after the point of a number, such as 0.5."
    if error.startswith("Expected newline") and _WITH_SLASH.fullmatch(value):
        return f' Put quotes around a text, as in {key} = "{value}".'
    if error.startswith("Invalid statement") and line.lstrip().startswith(_COMMENTS):
        return " Write # before a comment."
    if error.startswith("Expected newline") and _WITH_UNIT.fullmatch(value):
        return " Write a number without a space or a unit."
    if error.startswith("Cannot overwrite") and line.lstrip().startswith("["):
        return " A key has the name of this section, so leave out one of the two."
    if error.startswith("Invalid value") and not value and "=" in line:
        return " Write a value behind the =."
    if error.startswith("Invalid value") and value[:1].isalpha() and '"' not in value:
        return f' Put quotes around a text, as in {key} = "{value[:40]}".'
    return general


def _about_character(character: str) -> str:
    """Return a sentence about a character at which tomllib stopped, if it looks like another one.

    Word processors and web pages put such characters in the place of spaces, straight quotes and minus signs. Nobody
    can see the difference. Terminals and old editors leave characters that cannot be seen at all. Return "" for all
    other characters.
    """
    if character.isascii() and unicodedata.category(character or " ") == "Cc" and character not in "\t\n":
        return " A character that cannot be seen stands here: delete the line and type it again."
    if character.isascii() or unicodedata.category(character) not in _LOOKALIKES:
        return ""
    name = unicodedata.name(character, "without a name")
    return f" This character is U+{ord(character):04X} ({name}), which looks like another one: type it again."


def _check_depth(tables: Tables) -> None:
    """Raise RecursionError if tables and lists are nested deeper than MOST_DEPTH. tomllib allows it in a long key."""
    waiting: list[tuple[object, int]] = [(tables, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MOST_DEPTH:
            raise RecursionError
        if isinstance(value, dict | list):
            waiting += [(item, depth + 1) for item in (value.values() if isinstance(value, dict) else value)]


def config_of(tables: Tables, where: str) -> Config:
    """Return the settings in the TOML tables `tables`.

    Raises ConfigError, whose message names the tables as `where`.
    """
    sections = {f.name: f.default_factory for f in dataclasses.fields(Config)}
    for name, table in tables.items():
        if name in sections and not isinstance(table, dict):
            raise ConfigError(f"{where}: {name} is not a section: write [{name}] above its keys.")
        if name not in sections:
            raise ConfigError(f"{where}: {about_section(name, keys_of_sections())}")
    config = Config(
        audio=check_section(AudioSettings, "audio", tables.get("audio", {}), where),
        midi=check_section(MidiSettings, "midi", tables.get("midi", {}), where),
        clock=check_section(ClockSettings, "clock", tables.get("clock", {}), where),
        play=check_section(PlaySettings, "play", tables.get("play", {}), where),
        synth=check_section(SynthSettings, "synth", tables.get("synth", {}), where),
        controls=check_section(ControlSettings, "controls", tables.get("controls", {}), where),
        page=check_section(PageSettings, "page", tables.get("page", {}), where),
    )
    _check(config, where)
    return config


def _check(config: Config, where: str) -> None:
    """Check the rules that concern more than one key or the form of a text. Raises ConfigError."""
    try:
        Meter.parse(config.clock.meter)
    except UserError as error:
        raise ConfigError(f"{where}: [clock] meter cannot be used: {error}") from None
    _check_controls(config, where)
    _check_page(config.page, where)
    if config.clock.mode == "fixed" and config.clock.tempo is None:
        raise ConfigError(f'{where}: [clock] tempo is missing: mode = "fixed" needs 20 to 400 beats a minute.')
    if config.clock.mode == "midi" and not (config.midi.control or config.audio.is_midi):
        raise ConfigError(
            f'{where}: [clock] mode = "midi" needs a MIDI port that brings the clock: name it with [midi] control, '
            f'or use [audio] input = "midi".'
        )
    if config.clock.mode == "midi" and (config.clock.count_in or config.clock.tempo is not None):
        raise ConfigError(
            f'{where}: [clock] tempo and count_in cannot be used with mode = "midi": the MIDI clock sets both, so '
            f"leave them out."
        )
    if not config.audio.input.strip():
        raise ConfigError(f'{where}: [audio] input is missing: name a sound input (see `lefthand devices`) or "midi".')
    if config.audio.is_midi and not config.midi.input.strip():
        raise ConfigError(
            f'{where}: [midi] input is missing: [audio] input = "midi" needs a port (`lefthand devices`).'
        )
    if config.synth.right_hand and not (config.audio.is_midi and config.plays_synth):
        raise ConfigError(
            f"{where}: [synth] right_hand = true cannot be used: "
            f'it needs [audio] input = "midi" and [play] sound = "synth" or "both".'
        )
    _check_heard(config, where)
    if not config.midi.output.strip() and config.plays_midi:
        raise ConfigError(f"{where}: [midi] output is missing: name a MIDI port (`lefthand devices` lists them).")


def _check_heard(config: Config, where: str) -> None:
    midi = config.midi
    if midi.heard and config.audio.is_midi:
        raise ConfigError(
            f'{where}: [midi] heard = "{midi.heard}" cannot be used: it sends what a sound input hears, and '
            f'[audio] input = "midi" is MIDI already.'
        )
    if midi.heard and config.plays_midi and (midi.heard, midi.heard_channel) == (midi.output, midi.channel):
        raise ConfigError(
            f"{where}: [midi] heard_channel = {midi.heard_channel} cannot be used: the left hand has this channel of "
            f"the same port, so give another one."
        )


def _check_page(page: PageSettings, where: str) -> None:
    try:
        # the module takes any text for the name of an interface after "%", and systemd gets the address as a line
        if page.address.partition("%")[2].strip(INTERFACE):
            raise ValueError("an interface has no such name")
        _ = page.address and ipaddress.ip_address(page.address)
    except ValueError:
        raise ConfigError(
            f'{where}: [page] address = "{shortened(page.address)}" cannot be used: it must be an address such as '
            f'"192.168.1.5", or "" for all.'
        ) from None


def _check_controls(config: Config, where: str) -> None:
    for name, text in dataclasses.asdict(config.controls).items():
        try:
            _ = text and Trigger.parse(text)
        except UserError as error:
            raise ConfigError(f"{where}: [controls] {name} cannot be used: {error}") from None
    mapped = config.controls.mapping
    if config.midi.control and not mapped and config.clock.mode != "midi":
        raise ConfigError(f"{where}: [midi] control names a port, but [controls] is empty: map an action there.")
    if mapped and not (config.midi.control or config.audio.is_midi):
        raise ConfigError(
            f'{where}: [controls] needs a MIDI port: name it with [midi] control, or use [audio] input = "midi".'
        )
