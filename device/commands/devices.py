"""`lefthand devices`: lists the port names that the settings can use."""

from __future__ import annotations

from collections.abc import Sequence

import click

from device.ports.midi_ports import midi_inputs, midi_outputs
from device.ports.sound_inputs import portaudio, rates_of, sound_inputs


@click.command()
def devices() -> None:
    """List sound inputs with their sample rates, and MIDI ports."""
    click.echo(listing())


def listing() -> str:
    """Every sound input with its channels and sample rates, and every MIDI port, as lines of text."""
    with portaudio() as system:
        sounds = [(source, rates_of(system, source)) for source in sound_inputs(system)]
    lines = [f"{source}  ({source.channels} channels; {_rates(rates)})" for source, rates in sounds]
    return "\n".join(
        [
            *_section("Sound inputs, for [audio] input", lines),
            *_section("MIDI outputs, for [midi] output", [str(port) for port in midi_outputs()]),
            *_section("MIDI inputs, for [midi] input", [str(port) for port in midi_inputs()]),
        ]
    )


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines or ["none"])]


def _rates(rates: Sequence[int]) -> str:
    return f"{', '.join(map(str, rates))} Hz" if rates else "in use"
