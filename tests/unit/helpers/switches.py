"""Controls by their words in the settings, and the MIDI messages of switches, knobs and keys."""

from __future__ import annotations

import mido

from device.settings.controls import Action, Controls, Trigger


def controls(**mapping: str) -> Controls:
    return Controls({name: Trigger.parse(text) for name, text in mapping.items()})


def cc(number: int, value: int, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=number, value=value, channel=channel)


def key(number: int, velocity: int = 70, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=number, velocity=velocity, channel=channel)


def asked(made: Controls, *messages: mido.Message) -> list[Action]:
    return [action for message in messages for action in made.actions(message)]
