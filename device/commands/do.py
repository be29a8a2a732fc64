"""Runs `lefthand do`, which sends one action or one change of a setting to the running box."""

from __future__ import annotations

from typing import Any

import click

from device.control.client import ControlClient
from device.errors import UserError
from device.settings.controls import PLAIN, STEPPED, SWITCHED
from device.system.paths import run_dir

SWITCH = {"on": True, "off": False}
ACTIONS = (*SWITCHED, *PLAIN)
"""Actions that happen at once and are not kept. After those of `SWITCHED` the word "on" or "off" may come."""
SETTINGS = {
    "style": ("play", "style"),
    "density": ("play", "density"),
    "register": ("play", "register"),
    "confidence": ("audio", "confidence"),
    "tempo": ("clock", "tempo"),
    "clock": ("clock", "mode"),
    "latency": ("midi", "latency_ms"),
}
"""Settings that are kept: the word after `lefthand do` -> section and key of the settings file."""
TEXTS = frozenset({"style", "clock"})
WHOLE = frozenset({"register"})
NONE = "none"
"""The word that removes the value of a setting. Then there is no tempo, or the latency is the one that `lefthand
calibrate` measured."""


@click.command("do")
@click.argument("action", metavar="ACTION", type=click.Choice([*ACTIONS, *SETTINGS]))
@click.argument("value", required=False)
def do(action: str, value: str | None) -> None:
    """Steer the running box.

    \b
    These act at once and are not kept. Without on or off, the first three change
    to the other state:
      arm [on|off]         start or stop the left hand
      hold [on|off]        keep the keys that are down, and strike no new ones
      hold-tempo [on|off]  keep the present tempo
      panic                release every key
      tap                  tap the tempo: four times
      count-in             wait for a new count-in
      variation            play the other variation of the style
      fill                 play the fill of the style
      ending               play the last chord at the next bar line, and stop

    \b
    These take a value, which is kept until `lefthand settings --reset`. Without
    one, the first three go to the next value, which is not kept:
      style STYLE          how the left hand plays: docs/styles.md
      density FACTOR       how many notes it plays: 0.25 to 2
      register N           semitones by which it plays higher: -12 to 12
      confidence X         least confidence of a heard note: 0.05 to 0.95
      tempo BPM            beats a minute, or none
      clock MODE           follow, fixed or midi
      latency MS           of the MIDI output, or none: as it was measured

    A negative value comes after two dashes: lefthand do register -- -12
    """
    with ControlClient(run_dir()) as box:
        box.ask(_request(action, value))


def _request(action: str, value: str | None) -> dict[str, Any]:
    if action in SETTINGS and value is not None:
        section, key = SETTINGS[action]
        return {"set": {section: {key: _value(action, value)}}}
    if value is None:
        if action in SETTINGS and action not in STEPPED:
            raise UserError(f'"{action}" needs a value: `lefthand do {action} VALUE`.')
        return {"do": action}
    if action in SWITCHED and value in SWITCH:
        return {"do": action, "value": SWITCH[value]}
    allowed = "on, off or nothing" if action in SWITCHED else "nothing"
    raise UserError(f'"{value}" cannot be used: after {action} comes {allowed}.')


def _value(action: str, value: str) -> str | float | int | None:
    if action in TEXTS:
        return value
    if value == NONE:
        return None
    try:
        return int(value) if action in WHOLE else float(value)
    except ValueError:
        kind = "a whole number" if action in WHOLE else "a number"
        raise UserError(f'"{value}" cannot be used: {action} needs {kind}.') from None
