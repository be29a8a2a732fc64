"""Runs `lefthand devices`, which lists the port names that the settings can use."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from device.ports.midi_ports import midi_inputs, midi_outputs
from device.ports.port import Port, to_write
from device.ports.sound_inputs import portaudio, rates_of, sound_inputs
from device.printable import count_of

NONE = "none: connect one, and list again"


@click.command()
def devices() -> None:
    """List sound inputs with their sample rates, and MIDI ports."""
    click.echo(listing())


def listing() -> str:
    """Return lines of text with each sound input, its channels and sample rates, and each MIDI port.

    Below a port is the line that names it in the settings. That line leaves out numbers that may change at the next
    start.
    """
    with portaudio() as system:
        sounds = [(source, rates_of(system, source)) for source in sound_inputs(system)]
    inputs = [source for source, _ in sounds]
    lines = [
        line
        for source, rates in sounds
        for line in (
            f"{source}  ({count_of(source.channels, 'channel')}; {_rates(rates)})",
            *_written("input", source, inputs),
        )
    ]
    return "\n".join(
        [
            *_section("Sound inputs, for [audio] input", lines),
            *_section("MIDI outputs, for [midi] output", _ports("output", midi_outputs())),
            *_section("MIDI inputs, for [midi] input", _ports("input", midi_inputs())),
        ]
    )


def _ports(key: str, ports: Sequence[Port]) -> list[str]:
    return [line for port in ports for line in (str(port), *_written(key, port, ports))]


def _written(key: str, port: Port, ports: Sequence[Port]) -> list[str]:
    """Return the line that names `port` in the settings, such as `output = "Piano"`, in a list of its own."""
    text = to_write(port, ports)
    quoted = json.dumps(text, ensure_ascii=False)  # a basic string of TOML has the same quotes and escapes
    return [f"    {key} = {quoted}"]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines or [NONE])]


def _rates(rates: Sequence[int]) -> str:
    return f"{', '.join(map(str, rates))} Hz" if rates else "in use"
