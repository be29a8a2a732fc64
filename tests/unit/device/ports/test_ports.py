"""The choice of a port by its name."""

from __future__ import annotations

import pytest

from device.errors import UserError
from device.ports.port import Port, choose

PORTS = [
    Port("USB MIDI:USB MIDI MIDI 1 20:0", "ALSA", 0),
    Port("Midi Through:Midi Through Port-0 14:0", "ALSA", 1),
    Port("synth", "JACK", 0),
    Port("synth two", "JACK", 1),
    Port("tape", "JACK", 2),
    Port("tape", "ALSA", 2),
]


@pytest.mark.parametrize(
    ("wanted", "meant"), [("synth", 2), ("synth two", 3), ("usb midi", 0), ("Through", 1), ("tape [JACK]", 4)]
)
def test_a_name_means_the_exact_one_else_the_only_one_that_contains_it(wanted: str, meant: int) -> None:
    assert choose(wanted, PORTS, "MIDI output") is PORTS[meant]


@pytest.mark.parametrize(
    ("wanted", "candidates"), [("tape", ["tape [JACK]", "tape [ALSA]"]), ("MIDI", ["USB", "Through"])]
)
def test_an_ambiguous_name_is_refused_with_the_candidates(wanted: str, candidates: list[str]) -> None:
    with pytest.raises(UserError, match="more than one MIDI output") as error:
        choose(wanted, PORTS, "MIDI output")
    assert all(candidate in str(error.value) for candidate in candidates)
    assert "synth" not in str(error.value)


def test_a_missing_port_is_answered_with_what_is_there() -> None:
    with pytest.raises(UserError, match='no MIDI output "piano"') as error:
        choose("piano", PORTS, "MIDI output")
    assert all(str(port) in str(error.value) for port in PORTS)


def test_where_nothing_is_there_that_is_said() -> None:
    with pytest.raises(UserError, match="there is no MIDI output at all"):
        choose("piano", [], "MIDI output")
