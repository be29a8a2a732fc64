"""Defines and reads the requests of the control socket. Each line is one JSON object in UTF-8.

A client sends a request with a number of its choice, and gets one answer with that number:

    {"id": 1, "do": "arm", "value": true}           {"id": 1, "ok": true}
    {"id": 2, "set": {"play": {"style": "bass"}}}   {"id": 2, "ok": true}
    {"id": 3, "settings": true}                     {"id": 3, "settings": {...}}
    {"id": 4, "reset": true}                        {"id": 4, "ok": true}
    {"id": 5, "watch": true}                        {"id": 5, "ok": true}, then {"status": ...} and {"moments": ...}
    {"id": 6, "look": "ports"}                      {"id": 6, "look": {...}}
    {"id": 7, "record": true}                       {"id": 7, "ok": true}
    {"id": 8, "delete": "003"}                      {"id": 8, "ok": true}
    {"id": 9, "note": "a MIDI output"}              {"id": 9, "ok": true}; "" is the output in use
    {"id": 10, "calibrate": "a sound input"}        {"id": 10, "ok": true}; "" is the input in use
    {"id": 11, "learn": "arm"}                      {"id": 11, "ok": true}
    {"id": 12, "do": "dance"}                       {"id": 12, "error": "a sentence that names the remedy"}

The status shows the progress and the result of "calibrate" and "learn". The value false stops either.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from device.errors import UserError
from device.settings.changes import Value, Wanted
from device.settings.choices import (
    HIGHEST_REGISTER,
    LEAST_DENSITY,
    LOWEST_REGISTER,
    MOST_DENSITY,
    STYLES,
)
from device.settings.controls import (
    ACTIONS,
    PLAIN,
    STEPPED,
    SWITCHED,
    Action,
    Density,
    Register,
    Restyle,
)
from device.status.moments import Moment
from device.status.schema import Status

SOCKET = "control"
"""Name of the socket in the run directory."""
LONGEST_LINE = 8192
"""Most bytes of a request. All settings together need less than half of that."""
LONGEST_ANSWER = 2**20
"""Most bytes of one line from the box. A line with a status has a few thousand."""
DOES = (*SWITCHED, *PLAIN, *STEPPED)
"""The names of the actions."""
LOOKS = ("ports", "doctor", "recordings", "system")
"""Names after "look": the ports of the machine with what arrives there, the findings of `lefthand doctor`, the
recordings, and the models with the last lines of the log."""
REQUESTS = (
    *("do", "set", "settings", "reset", "watch", "look", "record", "delete"),
    *("note", "calibrate", "learn"),
)


@dataclass(frozen=True)
class Do:
    """Asks the box to carry out an action now."""

    action: Action


@dataclass(frozen=True)
class Set:
    """Asks the box to change settings, and to keep the changes."""

    wanted: Wanted


@dataclass(frozen=True)
class Ask:
    """Asks the box to send its present settings."""


@dataclass(frozen=True)
class Reset:
    """Asks the box to remove all changes of the settings, so that the settings file alone counts."""


@dataclass(frozen=True)
class Subscribe:
    """Asks the box to send its status and its moments from now on. If `on` is false, the box stops sending them.

    A moment is one event, such as a note, a beat or a chord.
    """

    on: bool


@dataclass(frozen=True)
class Look:
    """Asks the box to send what it shows under `name`, one of LOOKS. The answer may take seconds."""

    name: str


@dataclass(frozen=True)
class Record:
    """Asks the box to begin a recording, or to end it if `on` is false."""

    on: bool


@dataclass(frozen=True)
class Delete:
    """Asks the box to remove the recording `number`, such as "003", for good."""

    number: str


@dataclass(frozen=True)
class TryOutput:
    """Asks the box to play one note on the MIDI output `port`, or on the outputs in use if it is ""."""

    port: str


@dataclass(frozen=True)
class Calibrate:
    """Asks the box to measure how late its outputs sound, with the sound input `input_`. "" is the input in use.

    If `input_` is None, the box stops measuring.
    """

    input_: str | None


@dataclass(frozen=True)
class Learn:
    """Asks the box to wait for a press of a foot switch, and to store the switch under `control`, a key of [controls].

    If `control` is None, the box stops waiting.
    """

    control: str | None


Request: TypeAlias = Do | Set | Ask | Reset | Subscribe | Look | Record | Delete | TryOutput | Calibrate | Learn


class RequestError(UserError):
    """Says why a request cannot be understood. `number` is the request's number, None if it cannot be read."""

    def __init__(self, sentence: str, number: int | None) -> None:
        super().__init__(sentence)
        self.number = number


def parsed(line: bytes) -> tuple[int, Request]:
    """Return the number and the request in a line. Raises RequestError if the line is no request."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise RequestError("A request is one line with a JSON object.", None)
    number = data.pop("id", None)
    if not isinstance(number, int) or isinstance(number, bool) or not -(2**53) < number < 2**53:
        raise RequestError('A request needs a number of its own, such as "id": 1.', None)
    if not all(map(str.isprintable, _texts(data))):
        raise RequestError("A request has texts of one line without control characters.", number)
    kinds = [kind for kind in REQUESTS if kind in data]
    if len(kinds) != 1:
        raise RequestError(f"A request has one of {', '.join(REQUESTS)}.", number)
    try:
        return number, _request(kinds[0], data)
    except UserError as error:
        raise RequestError(str(error), number) from None


def _texts(data: object) -> Iterator[str]:
    """Yield every text in the JSON value `data`, the keys of objects included."""
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value


def _request(kind: str, data: dict[str, Any]) -> Request:
    """Return the request of this kind in the decoded line `data`. Raises UserError if a part of it cannot be used."""
    given = data[kind]
    more = set(data) - {kind, "value"}
    if more or ("value" in data and kind != "do"):
        raise UserError(f"{', '.join(sorted(more)) or 'value'} is no part of such a request: leave it out.")
    if kind == "do":
        return Do(action_of(given, data.get("value")))
    if kind == "set":
        return Set(_wanted(given))
    if kind == "look":
        if given not in LOOKS:
            raise UserError(f"{_shown(given)} cannot be looked at: there is {' and '.join(LOOKS)}.")
        return Look(str(given))
    if kind == "delete":
        if not isinstance(given, str):
            raise UserError('"delete" needs the number of a recording, such as "003".')
        return Delete(given)
    if kind in ("note", "calibrate", "learn"):
        return _errand(kind, given)
    if not isinstance(given, bool) or (not given and kind not in ("watch", "record")):
        raise UserError(f'"{kind}" needs the value true.')
    if kind == "record":
        return Record(given)
    return Subscribe(given) if kind == "watch" else Ask() if kind == "settings" else Reset()


def _errand(kind: str, given: object) -> TryOutput | Calibrate | Learn:
    if kind == "note":
        if not isinstance(given, str):
            raise UserError('"note" needs the name of a MIDI output, or "" for the output in use.')
        return TryOutput(given)
    ends = given is False
    if kind == "calibrate":
        if not ends and not isinstance(given, str):
            raise UserError('"calibrate" needs the name of a sound input, "" for the one in use, or false to end it.')
        return Calibrate(None if ends else str(given))
    if not ends and given not in ACTIONS:
        raise UserError(f"{_shown(given)} cannot be learnt: there is {', '.join(ACTIONS)}, and false to end it.")
    return Learn(None if ends else str(given))


def action_of(name: object, value: object = None) -> Action:
    """Return the action that is called `name` in DOES, for the value of a request.

    Without a value, "arm", "hold" and "hold-tempo" change to the other state, and "style", "density" and "register" to
    the next one. Raises UserError for an unknown name or a value that does not fit.
    """
    if not isinstance(name, str) or name not in DOES:
        raise UserError(f"{_shown(name)} is no action: the actions are {', '.join(DOES)}.")
    if name in PLAIN:
        if value is not None:
            raise UserError(f'"{name}" takes no value: leave it out.')
        return PLAIN[name]()
    if name in SWITCHED:
        if value is not None and not isinstance(value, bool):
            raise UserError(f'"{name}" takes the value true or false.')
        return SWITCHED[name](value)
    if name == "style":
        if value is not None and value not in STYLES:
            raise UserError(f"{_shown(value)} is no style: the styles are {', '.join(STYLES)}.")
        return Restyle(next((style for style in STYLES if style == value), None))
    if name == "density":
        return Density(None if value is None else float(_number(name, value, LEAST_DENSITY, MOST_DENSITY)))
    number = None if value is None else _number(name, value, LOWEST_REGISTER, HIGHEST_REGISTER)
    if number is not None and number != int(number):
        raise UserError("The register is a whole number of semitones.")
    return Register(None if number is None else int(number))


def _number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UserError(f"The {name} {_shown(value)} cannot be used: give {low:g} to {high:g}.")
    return value


def _wanted(given: object) -> Wanted:
    if not isinstance(given, dict) or not given or not all(isinstance(keys, dict) for keys in given.values()):
        raise UserError('"set" needs sections with keys, such as {"play": {"style": "bass"}}.')
    wanted: dict[str, dict[str, Value]] = given
    for section, keys in wanted.items():
        for key, value in keys.items():
            if value is not None and not isinstance(value, str | int | float):
                raise UserError(f"[{section}] {key} needs a text, a number, true, false or null.")
    return wanted


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]


def line_of(data: Mapping[str, Any]) -> bytes:
    """Return a JSON object as one line of UTF-8, with a line feed at the end.

    A date of a settings file becomes a text. A character that UTF-8 does not have becomes "?".
    """
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace") + b"\n"


def status_line(status: Status) -> bytes:
    """Return the line of the stream that sends `status`."""
    return line_of({"status": asdict(status)})


def moments_line(moments: Iterable[Moment], now_s: float) -> bytes:
    """Return the line of the stream that sends `moments`, which are events such as notes, beats and chords.

    "in_s" of a moment is its time in seconds after `now_s`, negative for the past. Fields that are None are left out.
    """
    shown = []
    for moment in moments:
        fields = {name: value for name, value in asdict(moment).items() if value is not None and name != "at_s"}
        shown.append({**fields, "in_s": round(moment.at_s - now_s, 4)})
    return line_of({"moments": shown})
