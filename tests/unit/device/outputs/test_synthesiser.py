"""The synthesiser's unit: FluidSynth's arguments, its sound card, and its connection to the box."""

from __future__ import annotations

import threading
from pathlib import Path

import mido
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from device.cli import main
from device.errors import UserError
from device.outputs import synth_process
from device.outputs.alsa_cards import find_card, parse_cards
from device.outputs.synth_feed import SynthFeed
from device.outputs.synth_link import Link, connecting, join_ports, right_hand_channel
from device.ports.port import Port
from device.settings.config import Config, parse_config
from device.status.faults import Faults
from device.system import paths
from tests.unit.helpers.patience import PATIENCE_S, patiently

CARDS = """\
 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones
                      bcm2835 Headphones
 1 [USB            ]: USB-Audio - Scarlett 2i2 USB
                      Focusrite Scarlett 2i2 USB at usb-xhci-hcd.0-1, high speed
 2 [Device         ]: USB-Audio - USB Audio Device
                      C-Media Electronics Inc. USB Audio Device at usb-xhci-hcd.1-1, full speed
"""
HEADPHONES, SCARLETT, DONGLE = parse_cards(CARDS)


def config(synth: str = "", midi: str = "") -> Config:
    return parse_config(f'[audio]\ninput = "mic"\n[midi]\n{midi}\n[play]\nsound = "synth"\n[synth]\n{synth}\n', "test")


def test_cards_are_read_with_their_ids() -> None:
    assert (HEADPHONES.number, HEADPHONES.id, HEADPHONES.name) == (0, "Headphones", "bcm2835 Headphones")
    assert [card.id for card in (SCARLETT, DONGLE)] == ["USB", "Device"]
    assert parse_cards("--- no soundcards ---\n") == []


def test_a_card_is_meant_by_its_id_or_by_part_of_its_name() -> None:
    cards = [HEADPHONES, SCARLETT, DONGLE]
    assert find_card("USB", cards) == SCARLETT
    assert find_card("scarlett", cards) == SCARLETT
    assert find_card("headphones", cards) == HEADPHONES
    assert find_card("organ", cards) is None
    with pytest.raises(UserError, match='could be more than one sound card: write which one of "USB", "Device"'):
        find_card("usb", cards)


def test_fluidsynth_plays_on_the_card_by_its_id_at_the_rate_of_the_input(tmp_path: Path) -> None:
    given = synth_process.arguments(config("gain = 1.5"), "plughw:CARD=USB", tmp_path / "piano.sf2")
    assert given[-1] == str(tmp_path / "piano.sf2")
    assert "audio.alsa.device=plughw:CARD=USB" in given
    assert "midi.portname=lefthand-synth" in given
    assert given[given.index("-g") + 1] == "1.5"
    assert given[given.index("-r") + 1] == "48000"
    assert not {"-s", "--server"} & set(given)


def test_both_hands_have_the_sound_of_the_settings() -> None:
    assert synth_process.programs(config()) == ""
    assert synth_process.programs(config(midi="program = 5\nchannel = 9")) == "prog 8 4\nprog 10 4\n"


@given(st.integers(0, 15))
def test_the_right_hand_has_a_channel_of_its_own_and_never_the_drums(left: int) -> None:
    right = right_hand_channel(left)
    assert 0 <= right <= 15
    assert right not in (left, 9)


def test_a_soundfont_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"gone\.sf2 is missing"):
        synth_process.find_soundfont(str(tmp_path / "gone.sf2"))
    monkeypatch.setattr(paths, "SOUNDFONT_FOLDERS", (tmp_path,))
    with pytest.raises(UserError, match="apt install fluid-soundfont-gm"):
        synth_process.find_soundfont("")
    for name in ("b.sf2", "a.sf3", "TimGM6mb.sf2", "notes.txt"):
        (tmp_path / name).touch()
    assert synth_process.find_soundfont("") == tmp_path / "TimGM6mb.sf2"
    assert paths.soundfonts(".sf2") == [tmp_path / "TimGM6mb.sf2", tmp_path / "b.sf2"]
    assert paths.soundfonts(".sf2", ".sf3")[1:] == [tmp_path / "a.sf3", tmp_path / "b.sf2"]


def test_fluidsynth_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.sf2").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt install fluidsynth"):
        synth_process.run_synth(config(f'soundfont = "{tmp_path / "a.sf2"}"'), threading.Event())


def test_nothing_to_do_is_a_good_end(tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text('[audio]\ninput = "mic"\n[midi]\noutput = "keys"\n')
    ran = CliRunner().invoke(main, ["synth", "--config", str(tmp_path / "box.toml")])
    assert ran.exit_code == 0
    assert "nothing for the synthesiser" in ran.stderr


# The link

BOX = Port("lefthand:to the synth 129:0", "ALSA", 3)
SYNTH = Port("FLUID Synth (lefthand-synth):Synth input port (lefthand-synth:0) 130:0", "ALSA", 1)
KEYS = Port("Digital Piano:Digital Piano MIDI 1 20:0", "ALSA", 0)


class Joined:
    """Stand-in for the command. It fails a given number of times."""

    def __init__(self, failures: int = 0) -> None:
        self.pairs: list[tuple[Port, Port]] = []
        self._failures = failures

    def __call__(self, source: Port, target: Port) -> bool:
        self.pairs.append((source, target))
        self._failures -= 1
        return self._failures < 0


def test_only_the_box_is_joined_to_the_synthesiser_and_once() -> None:
    joined = Joined()
    link = Link(joined)
    for _ in range(3):
        link.step([KEYS, BOX], [KEYS, SYNTH])
    assert joined.pairs == [(BOX, SYNTH)]


def test_a_synthesiser_or_a_box_that_comes_back_is_joined_again() -> None:
    joined = Joined()
    link = Link(joined)
    again = Port("FLUID Synth (lefthand-synth):Synth input port (lefthand-synth:0) 131:0", "ALSA", 1)
    for targets in ([SYNTH], [], [SYNTH], [again]):
        link.step([BOX], targets)
    link.step([], [again])
    link.step([BOX], [again])
    assert joined.pairs == [(BOX, SYNTH), (BOX, SYNTH), (BOX, again), (BOX, again)]


def test_what_could_not_be_joined_is_tried_again() -> None:
    joined = Joined(failures=2)
    link = Link(joined)
    for _ in range(5):
        link.step([BOX], [SYNTH])
    assert len(joined.pairs) == 3


def test_ports_are_joined_by_address_on_alsa_and_by_name_on_jack() -> None:
    assert connecting(BOX, SYNTH) == ["aconnect", "129:0", "130:0"]
    box, synth = Port("lefthand:to the synth", "JACK", 0), Port("lefthand-synth:midi_00", "JACK", 0)
    assert connecting(box, synth) == ["jack_connect", "lefthand:to the synth", "lefthand-synth:midi_00"]
    assert connecting(BOX, Port("nameless", "ALSA", 0)) is None


def test_a_program_that_refuses_a_port_in_another_encoding_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "jack_connect"
    program.write_text("#!/bin/sh\nprintf 'no port Cl\\351' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not join_ports(Port("a", "JACK", 0), Port("b", "JACK", 0))
    assert "no port Cl\N{REPLACEMENT CHARACTER}" in caplog.text


# The sink


class Client:
    """A MIDI client that records the sent messages, or fails."""

    def __init__(self) -> None:
        self.sent: list[mido.Message] = []
        self.failing = False

    def send_message(self, data: list[int]) -> None:
        if self.failing:
            raise RuntimeError("the sequencer is full")
        self.sent.append(mido.Message.from_bytes(data))

    def delete(self) -> None:
        self.sent.append(None)  # type: ignore[arg-type]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client()
    monkeypatch.setattr("device.outputs.synth_feed._open", lambda system: made)
    return made


def test_the_right_hand_goes_through_as_it_is_played_on_a_channel_of_its_own(client: Client) -> None:
    sink = SynthFeed(config(midi="channel = 3\ntranspose = -12"), Faults())
    for message in (
        mido.Message("note_on", channel=0, note=72, velocity=90),
        mido.Message("control_change", channel=0, control=64, value=127),
        mido.Message("note_on", channel=9, note=38, velocity=90),
        mido.Message("program_change", channel=0, program=5),
        mido.Message("active_sensing"),
    ):
        sink.through(message)
    assert client.sent == [
        mido.Message("note_on", channel=3, note=72, velocity=90),
        mido.Message("control_change", channel=3, control=64, value=127),
    ]


def test_what_the_player_held_is_let_go_before_the_port_closes(client: Client) -> None:
    sink = SynthFeed(config(), Faults())
    sink.through(mido.Message("note_on", note=72, velocity=90))
    sink.through(mido.Message("note_on", note=74, velocity=90))
    sink.through(mido.Message("note_on", note=72, velocity=0))
    sink.close()
    closing = client.sent[3:]
    assert closing[0] == mido.Message("note_off", channel=1, note=74, velocity=0)
    assert {message.control for message in closing[1:-1]} == {64, 120, 123}
    assert closing[-1] is None


def test_a_midi_system_that_fails_is_counted_and_stops_nothing(client: Client) -> None:
    faults = Faults()
    sink = SynthFeed(config(), faults)
    client.failing = True
    sink.send(mido.Message("note_on", note=48, velocity=64))
    sink.through(mido.Message("note_on", note=72, velocity=64))
    sink.close()
    assert faults["synth messages lost"] >= 2


def test_no_midi_system_is_silence_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.outputs.synth_feed._open", lambda system: None)
    sink = SynthFeed(config(), Faults())
    sink.send(mido.Message("note_on", note=48, velocity=64))
    sink.close()
    assert sink.clients == 0


def test_an_output_that_is_not_there_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.sf2").touch()
    monkeypatch.setattr(synth_process, "sound_cards", lambda: [HEADPHONES])
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    stop = threading.Event()
    settings = config(f'device = "Scarlett"\nsoundfont = "{tmp_path / "a.sf2"}"')
    with caplog.at_level("INFO"):
        thread = threading.Thread(target=synth_process.run_synth, args=(settings, stop))
        thread.start()
        patiently(lambda: caplog.messages or not thread.is_alive(), "it is said that the output is not there")
        stop.set()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert caplog.messages == ['waiting for the sound output "Scarlett"; there is "Headphones"']


@pytest.mark.parametrize(
    ("device", "output"),
    [
        ("jack", "jack"),
        ("", "default"),
        ("plughw:CARD=USB,DEV=1", "plughw:CARD=USB,DEV=1"),
        ("scarlett", "plughw:CARD=USB"),
        ("organ", None),
    ],
)
def test_outputs_as_their_drivers_call_them(device: str, output: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synth_process, "sound_cards", lambda: [HEADPHONES, SCARLETT, DONGLE])
    assert synth_process._output(config(f'device = "{device}"').synth) == output
