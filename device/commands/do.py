"""Runs `lefthand do`, which sends one action or one change of a setting to the running box."""

from __future__ import annotations

from typing import Any

import click

from device.control.client import ControlClient
from device.errors import UserError
from device.system.paths import run_dir

SWITCH = {"on": True, "off": False}
ACTIONS = ("arm", "hold", "panic", "tap", "hold-tempo", "count-in", "variation", "fill", "ending")
"""Actions that happen at once and are not kept."""
SWITCHES = ("arm", "hold", "hold-tempo")
"""Actions after which the word "on" or "off" may come."""
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
@click.argument("action", type=click.Choice([*ACTIONS, *SETTINGS]))
@click.argument("value", required=False)
def do(action: str, value: str | None) -> None:
    """Steer the running box.

    arm, hold, panic, tap, hold-tempo and count-in act at once. After arm, hold and hold-tempo comes "on" or "off";
    without a word they change to the other state. variation changes to the other variation of the style, fill plays
    its fill, and ending plays the last chord at the next bar line and stops. style, density, register, confidence,
    tempo, clock and latency need a value, which is kept: see `lefthand settings`. Without a value, style, density and
    register go to the next one, which is not kept.

    A negative value comes after two dashes: lefthand do register -- -12
    """
    with ControlClient(run_dir()) as box:
        box.ask(_request(action, value))


def _request(action: str, value: str | None) -> dict[str, Any]:
    if action in SETTINGS and value is not None:
        section, key = SETTINGS[action]
        return {"set": {section: {key: _value(action, value)}}}
    if value is None:
        if action in SETTINGS and action not in ("style", "density", "register"):
            raise UserError(f'"{action}" needs a value: `lefthand do {action} VALUE`.')
        return {"do": action}
    if action in SWITCHES and value in SWITCH:
        return {"do": action, "value": SWITCH[value]}
    allowed = "on, off or nothing" if action in SWITCHES else "nothing"
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
