"""The choice of a port by its name."""

from __future__ import annotations

import unicodedata

import pytest

from device.errors import UserError
from device.ports.port import Port, SoundInput, choose, found, to_write

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
    # the page's look at the ports has opened one
    own = Port("lefthand-04:right hand", "JACK", 6)
    with pytest.raises(UserError, match="there is no MIDI output at all"):
        choose("piano", [own], "MIDI output")
    with pytest.raises(UserError, match='"tape .ALSA."; connect'):
        choose("piano", [*PORTS, own], "MIDI output")


AFTER_A_BOOT = [
    Port("Digital Piano:Digital Piano MIDI 1 24:0", "ALSA", 0),
    Port("Digital Piano 2:Digital Piano 2 MIDI 1 28:0", "ALSA", 1),
    Port("a2j:Digital Piano [24] (capture): MIDI 1", "JACK", 0),
    SoundInput("USB Audio CODEC: Audio (hw:2,0)", "ALSA", 2, 2, 48_000),
    SoundInput("USB Audio CODEC: Audio #1 (hw:3,0)", "ALSA", 3, 2, 48_000),
]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Digital Piano:Digital Piano MIDI 1 20:0", 0),
        ("Digital Piano:Digital Piano MIDI 1 20:0 [ALSA]", 0),
        ("Digital Piano:Digital Piano MIDI 1", 0),
        ("digital piano 2 MIDI 1 20:0", 1),
        ("a2j:Digital Piano [20] (capture): MIDI 1", 2),
        ("USB Audio CODEC: Audio (hw:1,0)", 3),
        ("USB Audio CODEC: Audio (hw:1,0) [ALSA]", 3),
        ("USB Audio CODEC: Audio #1 (hw:1,0)", 4),
    ],
)
def test_a_name_is_found_although_its_numbers_are_others_after_a_boot(written: str, meant: int) -> None:
    assert choose(written, AFTER_A_BOOT, "MIDI output") is AFTER_A_BOOT[meant]


def test_two_alike_are_told_apart_by_their_numbers_alone() -> None:
    alike = [Port("Piano:Piano MIDI 1 20:0", "ALSA", 0), Port("Piano:Piano MIDI 1 24:0", "ALSA", 1)]
    assert choose("Piano:Piano MIDI 1 24:0", alike, "MIDI output") is alike[1]
    with pytest.raises(UserError, match="more than one MIDI output"):
        choose("Piano:Piano MIDI 1 28:0", alike, "MIDI output")
    assert [to_write(port, alike) for port in alike] == [port.name for port in alike]


@pytest.mark.parametrize(
    "written", ["Four:Four {} 20:1", "four {} 20:1 [ALSA]", "Loop: {} (hw:1,1)", "Loop: {} (hw:1,1) [ALSA]"]
)
def test_the_ports_of_one_device_are_told_apart_by_their_own_number_which_a_boot_does_not_change(written: str) -> None:
    wanted, midi = written.format("PCM"), written.casefold().startswith("four")
    name = "Four:Four PCM 24:{}" if midi else "Loop: PCM (hw:2,{})"
    ports = [Port(name.format(number), "ALSA", number) for number in range(3)]
    assert choose(wanted, ports, "MIDI input") is ports[1]
    assert choose(wanted, ports[:1], "MIDI input") is ports[0]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("there", ["NFC", "NFD"])
@pytest.mark.parametrize("wanted", ["étude 20:0", "ÉTUDE", "étude [ALSA]", "étude 24:0"])
def test_an_accent_is_the_same_as_one_character_and_as_two(wanted: str, there: str, form: str) -> None:
    ports = [Port(unicodedata.normalize(there, name), "ALSA", i) for i, name in enumerate(("étude 24:0", "etude 28:0"))]
    assert choose(unicodedata.normalize(form, wanted), ports, "MIDI input") == ports[0]


@pytest.mark.parametrize("wanted", ["20:0", "(hw:1,0)"])
def test_a_number_alone_means_no_other_number(wanted: str) -> None:
    with pytest.raises(UserError, match="There is no MIDI output"):
        choose(wanted, AFTER_A_BOOT, "MIDI output")


def test_what_the_listing_shows_for_the_settings_means_that_port_and_has_no_number_where_it_can() -> None:
    for ports in (PORTS, AFTER_A_BOOT):
        assert all(choose(to_write(port, ports), ports, "MIDI output") is port for port in ports)
    assert [to_write(port, AFTER_A_BOOT) for port in AFTER_A_BOOT[:1] + AFTER_A_BOOT[3:4]] == [
        "Digital Piano:Digital Piano MIDI 1",
        "USB Audio CODEC: Audio",
    ]
    assert to_write(PORTS[4], PORTS) == "tape [JACK]"


@pytest.mark.parametrize(
    "wanted", ["Digital Piano MIDI 1", "Digital\N{NO-BREAK SPACE}Piano:Digital Piano MIDI 1 20:0 "]
)
def test_several_spaces_are_one(wanted: str) -> None:
    ports = [Port("Digital  Piano:Digital  Piano MIDI 1 24:0", "ALSA", 0), Port("Other 28:0", "ALSA", 1)]
    assert found(wanted, ports) == ports[:1]
    # two names that differ in nothing else are each found as they are written
    twins = [Port("Piano", "ALSA", 0), Port("Piano ", "ALSA", 1)]
    assert [found(port.name, twins) for port in twins] == [[twins[0]], [twins[1]]]


@pytest.mark.parametrize(
    "wanted",
    ["FLUID Synth (1234):Synth input port (1234:0) 128:0", "FLUID Synth (987):Synth input port (987:0)", "fluid synth"],
)
def test_a_software_synthesiser_is_found_although_its_process_number_is_another(wanted: str) -> None:
    ports = [
        Port("Midi Through 14:0", "ALSA", 0),
        Port("FLUID Synth (5678):Synth input port (5678:0) 129:0", "ALSA", 1),
    ]
    assert found(wanted, ports) == ports[1:]
    assert to_write(ports[1], ports) == "FLUID Synth:Synth input port"
    # a small number tells two devices apart
    assert not found("Piano (1)", [Port("Piano (2)", "ALSA", 0)])


def test_a_part_of_a_name_with_its_system_means_a_port_of_that_system() -> None:
    ports = [Port("Piano:Piano MIDI 1 20:0", "ALSA", 0), Port("a2j:Piano [20] (capture): Piano MIDI 1", "JACK", 1)]
    assert [found(wanted, ports) for wanted in ("piano [ALSA]", "Piano MIDI 1 [jack]")] == [ports[:1], ports[1:]]
    assert not found("Organ [JACK]", ports)


ALIKE_IN_DIGITS = [
    Port("Piano 2:Piano 2 MIDI 1 28:0", "ALSA", 0),
    Port("Piano 25:Piano 25 MIDI 1 32:0", "ALSA", 1),
    Port("rtpmidid:Network Export 128:0", "ALSA", 2),
    SoundInput("USB Audio CODEC: - (hw:1,0)", "ALSA", 3, 2, 48_000),
    SoundInput("Scarlett 2i2 USB: Audio (hw:11,0)", "ALSA", 4, 2, 48_000),
]


@pytest.mark.parametrize(
    ("wanted", "meant"), [("28:0", 0), ("128:0", 2), ("Piano 2", 0), ("piano 25", 1), ("1,0", 3), ("plughw:1,0", 3)]
)
def test_a_number_is_not_a_part_of_a_longer_one(wanted: str, meant: int) -> None:
    assert choose(wanted, ALIKE_IN_DIGITS, "MIDI input") is ALIKE_IN_DIGITS[meant]


def test_a_part_of_a_number_is_found_if_nothing_has_it_as_a_whole() -> None:
    assert [port.index for port in found("piano 2", ALIKE_IN_DIGITS[1:])] == [1]
    assert choose("Scarlett 2i", ALIKE_IN_DIGITS, "audio input") is ALIKE_IN_DIGITS[4]
    assert [port.index for port in found("Piano 2 [ALSA]", ALIKE_IN_DIGITS)] == [0]
    assert choose("2i2", ALIKE_IN_DIGITS, "audio input") is ALIKE_IN_DIGITS[4]
    assert choose("Piano 25:Piano 2", ALIKE_IN_DIGITS, "MIDI input") is ALIKE_IN_DIGITS[1]


@pytest.mark.parametrize("wanted", ["28:0", "8:0", "1,0"])
def test_the_end_of_a_number_is_not_found_also_if_nothing_else_is_there(wanted: str) -> None:
    assert not found(wanted, [ALIKE_IN_DIGITS[2], ALIKE_IN_DIGITS[4]])
