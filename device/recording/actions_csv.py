"""Writes and reads actions.csv of a capture, which holds one action of the owner in each line.

A replay needs the actions, because a tap, a style or a stop of the left hand changes what it plays.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from typing import Any

from device.clock.meter import Meter
from device.clock.step import KINDS, ClockPulse, UseClock
from device.engine import Steered, TimedAction
from device.errors import UserError
from device.make_clock import make_clock
from device.recording.csv_lines import lines_after
from device.settings.controls import (
    PLAIN,
    STEPPED,
    SWITCHED,
    Action,
    Arm,
    Confidence,
    Hold,
    HoldTempo,
    PlayNote,
    Vary,
)
from device.settings.sections import AudioSettings, ClockSettings, PlaySettings, check_section

COLUMNS = ("hop_s", "at_s", "action", "value")
"""See `TimedAction` for the times. `value` is a JSON value; it is empty for an action that has none."""
MOST_ACTIONS_BYTES = 48 * 2**20
"""Largest size of the file in bytes. It holds four hours of a MIDI clock at 120 beats a minute."""
LONGEST_S = 1e7
"""Seconds. A recording of 100 days is shorter."""
_PLAIN = {name: kind for name, kind in PLAIN.items() if kind is not Vary} | {"note": PlayNote}
_CHOSEN = STEPPED | {"variation": Vary}
_CONFIDENCE, _CLOCK, _PULSE = "confidence", "clock", "pulse"
"""Names of the actions beside `SWITCHED`: those without a value, those with a value of [play] or none, and three with a
value of their own: the confidence, the settings of [clock], and the kind and place of a pulse."""
_NAMES: dict[object, str] = {
    kind: name for kinds in (_PLAIN, SWITCHED, _CHOSEN, {_CONFIDENCE: Confidence}) for name, kind in kinds.items()
}


def header() -> str:
    """Return the first line of the file."""
    return ",".join(COLUMNS) + "\n"


def row(taken: TimedAction) -> str:
    """Return the line for `taken`."""
    action = taken.action
    value: object = None
    if isinstance(action, UseClock):
        name, value = _CLOCK, {key: given for key, given in action.settings.items() if given is not None}
    elif isinstance(action, ClockPulse):
        name, value = _PULSE, [action.kind, action.sixteenths]
    else:
        name = _NAMES[type(action)]
        values = [getattr(action, field.name) for field in dataclasses.fields(action)]
        value = values[0] if values else None
    line = io.StringIO()
    shown = "" if value is None else json.dumps(value)
    csv.writer(line, lineterminator="\n").writerow([repr(taken.hop_s), repr(taken.at_s), name, shown])
    return line.getvalue()


def state_at_start(steered: Steered | None) -> list[TimedAction]:
    """Return the actions that bring a new engine to the state `steered`, without its steering.

    The owner can stop or hold the left hand, or hold the tempo, before a recording begins.
    """
    if steered is None:
        return []
    actions: list[Action] = [] if steered.armed else [Arm(False)]
    actions += [Hold(True)] if steered.hold else []
    actions += [HoldTempo(True)] if steered.tempo_held else []
    return [TimedAction(0.0, 0.0, action) for action in actions]


def actions_of(content: bytes) -> list[TimedAction]:
    """Return the actions in the content of the file, in the order of their hops. Raises ValueError for another form.

    The last row may be cut off: see `lines_after`.
    """
    lines = lines_after(header(), content)
    return sorted((_taken(number, line) for number, line in enumerate(lines, 2)), key=lambda taken: taken.hop_s)


def _taken(number: int, line: str) -> TimedAction:
    try:
        ((hop_s, at_s, name, shown),) = csv.reader([line], strict=True)
        action = _action(name, json.loads(shown) if shown else None)
        taken = TimedAction(float(hop_s), float(at_s), action)
    except (ValueError, TypeError, csv.Error, UserError, RecursionError):
        raise ValueError(f"line {number} is no action") from None
    if not all(math.isfinite(at) and 0 <= at <= LONGEST_S for at in (taken.hop_s, taken.at_s)):
        raise ValueError(f"line {number} has no time of a recording")
    return taken


def _action(name: str, value: Any) -> Action | ClockPulse | UseClock:
    """Return the action called `name`. Raises ValueError, TypeError or UserError if `value` does not fit."""
    if name in _PLAIN and value is None:
        return _PLAIN[name]()
    if name in SWITCHED and (value is None or isinstance(value, bool)):
        return SWITCHED[name](value)
    if name in _CHOSEN:
        if value is not None:
            check_section(PlaySettings, "play", {name: value}, name)
        return _CHOSEN[name](value)
    if name == _CONFIDENCE:
        return Confidence(check_section(AudioSettings, "audio", {name: value}, name).confidence)
    if name == _CLOCK and isinstance(value, dict):
        return _clock(check_section(ClockSettings, "clock", value, name))
    if name == _PULSE:
        kind, sixteenths = value
        if kind in KINDS and isinstance(sixteenths, int) and 0 <= sixteenths < 2**14:
            return ClockPulse(kind, sixteenths)
    raise ValueError("no such action")


def _clock(settings: ClockSettings) -> UseClock:
    clock = make_clock(
        *(settings.mode, settings.tempo, settings.count_in, Meter.parse(settings.meter)),
        max_drift=settings.max_drift,
        upbeat=settings.upbeat,
    )
    return UseClock(clock, dataclasses.asdict(settings))
