"""Stores the settings that the owner changed on the running box. They take precedence over the settings file.

Each change keeps the value that the settings file had for that key. If the file has another value now, the owner edited
the file later, and the file wins. So the later change wins without a clock, which the box does not have.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from device.system.durable_files import write_durably
from device.system.paths import state_dir
from device.system.untrusted_files import read_small

FILE = "changes.json"
SCHEMA = 1
"""Version of the file's format."""
FILE_ONLY = frozenset({("play", "bundle"), ("synth", "soundfont"), ("synth", "device")})
"""Keys that name files and devices of the machine. Only the settings file can set them, because root owns it."""
FILE_ONLY_SECTION = "page"
"""Only the settings file can set the keys of this section."""

Value: TypeAlias = str | int | float | bool | None
"""Value of a setting. None: the key is absent."""
Filed: TypeAlias = Value | list[Any]
"""Value of a key in the settings file. It may be a list, such as that of `[midi] input_channel`."""
Wanted: TypeAlias = Mapping[str, Mapping[str, Value]]
"""Maps each section to its keys, and each key to its new value."""
Tables: TypeAlias = Mapping[str, Any]
"""The settings file as TOML tables."""

log = logging.getLogger("lefthand")


@dataclass(frozen=True)
class Change:
    """Holds one key that the owner changed, and its new value. `was` is the value in the settings file at that time."""

    section: str
    key: str
    value: Value
    was: Filed = None

    @property
    def name(self) -> str:
        """Return the key as messages name it, such as `[play] style`."""
        return f"[{self.section}] {self.key}"

    def holds(self, tables: Tables) -> bool:
        """Return whether the change still counts: the file `tables` has the same value as when the change was made."""
        return in_file(tables, self.section, self.key) == self.was


def is_file_only(section: str, key: str) -> bool:
    """Return whether only the settings file, which root owns, can set `key` in `section`.

    The store of the changes belongs to the service's account. So a change of such a key could lead the box to models
    that nobody has signed.
    """
    return section == FILE_ONLY_SECTION or (section, key) in FILE_ONLY


def in_file(tables: Tables, section: str, key: str) -> Filed:
    """Return the value of `key` in `section` of the settings file. None if it is absent, or is a table or a date.

    A date in a list becomes a text, as in the store of the changes.
    """
    table = tables.get(section)
    value = table.get(key) if isinstance(table, dict) else None
    if isinstance(value, list):
        return [one if isinstance(one, str | int | float | bool) else str(one) for one in value]
    return value if isinstance(value, str | int | float | bool) else None


def overlaid(tables: Tables, changes: Iterable[Change]) -> dict[str, Any]:
    """Return a copy of `tables` that has the new value of every change that still counts.

    A section that is no table in the file stays as it is.
    """
    mixed: dict[str, Any] = copy.deepcopy(dict(tables))
    for change in changes:
        table = mixed.get(change.section, {})
        if not change.holds(tables) or not isinstance(table, dict):
            continue
        mixed[change.section] = table
        if change.value is None:
            table.pop(change.key, None)
        else:
            table[change.key] = change.value
    return mixed


def added(changes: Iterable[Change], wanted: Wanted, tables: Tables) -> list[Change]:
    """Return those of `changes` that still count, together with the new values of `wanted`.

    If a key gets back the value that the settings file has, its change is removed.
    """
    kept = {(change.section, change.key): change for change in changes if change.holds(tables)}
    for section, keys in wanted.items():
        for key, value in keys.items():
            was = in_file(tables, section, key)
            kept.pop((section, key), None)
            if value != was:
                kept[section, key] = Change(section, key, value, was)
    return list(kept.values())


def read_changes(settings: Path, folder: Path | None = None) -> list[Change]:
    """Return the stored changes of the settings file `settings`; an empty list if there are none.

    They are read from `folder`, by default the state directory. A file that cannot be read counts as empty, and one
    sentence goes to the log. A damaged file is renamed, too.
    """
    path = _path(folder)
    try:
        return [_stored(change) for change in _files(path).get(str(settings.absolute()), [])]
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("%s cannot be read (%s): the settings are those of %s.", path, error.strerror, settings)
    except (ValueError, TypeError, AttributeError, RecursionError):
        aside = path.with_name(f"{FILE}.bad")
        try:
            path.replace(aside)
        except OSError:
            aside = path
        log.warning("%s is damaged and is kept as %s: the settings are those of %s.", path, aside.name, settings)
    return []


def write_changes(settings: Path, changes: Iterable[Change], folder: Path | None = None) -> None:
    """Replace the stored changes of the settings file `settings` by `changes`.

    A power cut leaves the old file or the new. `folder` is the folder of the store, by default the state directory.
    Raises OSError if the file cannot be written.
    """
    path = _path(folder)
    try:
        files = _files(path)
    except (OSError, ValueError, AttributeError, RecursionError):
        files = {}
    files[str(settings.absolute())] = [asdict(change) for change in changes]
    files = {name: kept for name, kept in files.items() if kept}
    write_durably(path, json.dumps({"schema": SCHEMA, "files": files}, indent=2).encode() + b"\n")


def _path(folder: Path | None) -> Path:
    return (state_dir() if folder is None else folder) / FILE


def _stored(data: dict[str, Any]) -> Change:
    """Return the change that was stored as `data`.

    Raises TypeError or ValueError if the running box could not have stored it.
    """
    change = Change(**data)
    for name in (change.section, change.key):
        if not isinstance(name, str):
            raise TypeError(f"{name!r} is no name")
    if not isinstance(change.value, Value):
        raise TypeError(f"{change.value!r} is no value of a setting")
    if not isinstance(change.was, Value | list):
        raise TypeError(f"{change.was!r} is no value in a settings file")
    if isinstance(change.value, str) and not change.value.isprintable():
        raise ValueError(f"{change.value!r} is not printable")
    if is_file_only(change.section, change.key):
        raise ValueError(f"{change.name} is set in the settings file only")
    return change


def _files(path: Path) -> dict[str, list[dict[str, Any]]]:
    data = json.loads(read_small(path))
    if data.get("schema") != SCHEMA or not isinstance(data.get("files"), dict):
        raise ValueError(f"it is not of schema {SCHEMA}")
    files: dict[str, list[dict[str, Any]]] = data["files"]
    return files
