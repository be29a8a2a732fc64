"""The heard right hand as MIDI: which notes are sent, and that none hangs. A session runs on stand-in ports."""

from __future__ import annotations

import threading
from collections.abc import Callable

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.doctor.checks_ports import check_heard
from device.errors import ConfigError, UnavailableError
from device.events import Event, Hand, Note, NoteEnded, NoteHeard, Send
from device.outputs import sender as sender_module
from device.outputs.heard_output import HeardOutput
from device.outputs.send_queue import MOST_WAITING
from device.ports.port import Port
from device.settings.config import parse_config
from device.settings.controls import Panic
from device.stream_time import StreamTime
from tests.unit.helpers import seams as seams_module
from tests.unit.helpers.patience import patiently
from tests.unit.helpers.seams import HEARD, RATE, Client, Stage, seams

PORTS = f'[audio]\ninput = "mic"\nrate = {RATE}\n[midi]\noutput = "synth"\n'
CONFIG = parse_config(PORTS + 'heard = "expander"\nheard_channel = 3\n', "the test")
PORT = Port("expander", "ALSA", 1)


def heard(pitch: int, onset_s: float = 0.0, hand: Hand = "right", velocity: int = 64) -> NoteHeard:
    return NoteHeard(Note(onset_s, None, pitch, velocity, 1.0, onset_s, hand))


def ended(pitch: int, onset_s: float = 0.0) -> NoteEnded:
    return NoteEnded(pitch, onset_s, onset_s + 0.5, onset_s + 0.6)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "DRAIN_S", 0.0)
    monkeypatch.setattr(sender_module, "MESSAGE_S", 0.0)
    # a busy machine may be late, or stop the loop for a while, and neither is the subject here
    monkeypatch.setattr(sender_module, "TOO_LATE_S", float("inf"))
    monkeypatch.setattr(seams_module, "STALL_S", float("inf"))


def sent(act: Callable[[HeardOutput], object], waits_for: int) -> list[str]:
    """Return the messages that `act` leads to, up to the end. It ends when `waits_for` messages have left."""
    got, stream_time = list[mido.Message](), StreamTime()
    stream_time.arrived(0.0, 0.0)
    output = HeardOutput(PORT, 2, got.append, stream_time, lambda error: None, float("inf"))
    act(output)
    patiently(lambda: sum(message.type != "active_sensing" for message in got) >= waits_for)
    output.sender.close()
    return [str(message).removesuffix(" time=0") for message in got if message.type != "active_sensing"]


def test_only_the_right_hand_is_sent_with_its_velocity_and_its_end() -> None:
    events: list[Event] = [
        heard(72, 1.0, velocity=101),
        heard(40, 1.0, "left"),
        heard(50, 1.0, "own"),
        Send(1.0, 1.0, "note_on", 45, 60),
        ended(40, 1.0),
        ended(50, 1.0),
        ended(72, 1.0),
    ]
    got = sent(lambda output: output.take(events, 0.0), 2)
    assert got[:2] == [
        "note_on channel=2 note=72 velocity=101",
        "note_off channel=2 note=72 velocity=0",
    ]
    assert {message.split(" note=")[0] for message in got[2:]} == {"control_change channel=2 control=123 value=0"}


def test_the_end_of_an_earlier_stroke_does_not_end_the_key_that_was_struck_again() -> None:
    events: list[Event] = [heard(72, 1.0), heard(72, 2.0), ended(72, 1.0), heard(74, 2.5), ended(72, 2.0)]
    got = sent(lambda output: output.take(events, 0.0), 5)
    assert [message.split(" velocity")[0] for message in got[:5]] == [
        "note_on channel=2 note=72",
        "note_off channel=2 note=72",
        "note_on channel=2 note=72",
        "note_on channel=2 note=74",
        "note_off channel=2 note=72",
    ]
    # the end releases what is still down
    assert got[5].startswith("note_off channel=2 note=74")


def test_a_panic_releases_all_keys_and_the_later_end_of_a_note_sends_nothing() -> None:
    def act(output: HeardOutput) -> None:
        output.take([heard(72, 1.0), heard(76, 1.0)], 0.0)
        output.panic(0.0)
        output.take([ended(72, 1.0), heard(60, 2.0)], 0.0)

    got = [message.split(" velocity")[0].replace(" channel=2", "") for message in sent(act, 5)]
    assert got[:6] == [
        "note_on note=72",
        "note_on note=76",
        "note_off note=72",
        "note_off note=76",
        "note_on note=60",
    ] + ["note_off note=60"]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["heard", "ended", "panic"]),
            st.integers(58, 62),
            st.integers(0, 3),
            st.sampled_from(["right", "left", "own"]),
        ),
        max_size=40,
    )
)
def test_no_note_hangs_whatever_comes(moves: list[tuple[str, int, int, Hand]]) -> None:
    got, stream_time = list[mido.Message](), StreamTime()
    stream_time.arrived(0.0, 0.0)
    output = HeardOutput(PORT, 0, got.append, stream_time, lambda error: None, float("inf"))
    for kind, pitch, onset, hand in moves:
        if kind == "panic":
            output.panic(0.0)
        else:
            output.take([heard(pitch, onset, hand) if kind == "heard" else ended(pitch, onset)], 0.0)
    output.sender.close()
    down = set[int]()
    for message in got:
        if message.type == "note_on":
            assert message.velocity > 0 and message.note not in down
            down.add(message.note)
        elif message.type == "note_off":
            down.discard(message.note)
    assert not down


def test_a_port_that_hangs_does_not_hold_the_loop_up_and_its_queue_is_bounded() -> None:
    opens, reached, stream_time = threading.Event(), threading.Event(), StreamTime()
    stream_time.arrived(0.0, 0.0)

    def send(message: mido.Message) -> None:
        reached.set()
        assert opens.wait(60)

    output = HeardOutput(PORT, 0, send, stream_time, lambda error: None, float("inf"))
    output.take([heard(60)], 0.0)
    patiently(reached.is_set)
    # the sender waits inside `send`, and this thread goes on
    for i in range(2 * MOST_WAITING):
        output.take([heard(60 + i % 20, i)], 0.0)
    assert len(output.sender._queue) <= MOST_WAITING
    opens.set()
    output.sender.close()


def session_clients(stage: Stage) -> tuple[Client, Client]:
    """Return the stand-ins of the left hand's port and of the heard right hand's port."""
    left, right = stage.clients
    return left, right


def test_a_session_sends_what_it_hears_to_the_port_of_the_settings_and_ends_in_silence() -> None:
    stage = Stage(3, CONFIG)
    with seams(stage):
        opened = stage.open()
        left, right = session_clients(stage)
        stage.play(5)
        patiently(lambda: sum(message[0] == 0x92 for message in right.got) >= 5)
        opened.check()
        assert stage.monitor.connected == 2
        opened.close()
    # the service silences the channel first
    assert right.got[:128] == [[0x82, key, 0] for key in range(128)]
    assert [0x92, 72, 64] in right.got and Stage.struck_and_let_go(right)
    assert not [message for message in left.got if message[0] & 0x0F == 2]
    assert right.deleted


def test_a_panic_of_the_player_releases_the_heard_notes_too() -> None:
    stage = Stage(3, CONFIG)
    with seams(stage):
        opened = stage.open()
        _, right = session_clients(stage)
        stage.play(1)
        patiently(lambda: [0x92, 72, 64] in right.got)
        assert not Stage.struck_and_let_go(right)
        stage.pianist.quiet = True
        opened._opened.controls.ask(Panic(), 0.0)
        stage.play(1)
        patiently(lambda: Stage.struck_and_let_go(right))
        opened.close()


def test_a_missing_port_is_named_and_a_port_that_breaks_ends_the_session() -> None:
    missing = parse_config(PORTS + 'heard = "not there"\n', "the test")
    stage = Stage(3, missing)
    with seams(stage), pytest.raises(UnavailableError, match='There is no MIDI output "not there"'):
        stage.open()
    stage = Stage(3, CONFIG)
    with seams(stage):
        opened = stage.open()
        _, right = session_clients(stage)
        right.broken = True
        stage.play(1)
        patiently(lambda: opened.failure is not None)
        with pytest.raises(UnavailableError, match=r'"expander.*" takes no more messages'):
            opened.check()
        opened.close()
        assert right.deleted and Stage.struck_and_let_go(stage.clients[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('heard = "synth"\n', "[midi] heard_channel = 1 cannot be used: the left hand has this channel"),
        ('heard = "x"\nheard_channel = 17\n', "[midi] heard_channel = 17 cannot be used: it must be a whole number"),
        ("heard = 3\n", "[midi] heard = 3 cannot be used: it must be a text in quotes"),
    ],
)
def test_settings_that_cannot_be_used_are_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(PORTS + text, "it")
    assert said in str(error.value)


def test_a_keyboard_on_midi_is_not_sent_again() -> None:
    text = '[audio]\ninput = "midi"\n[midi]\ninput = "keys"\noutput = "synth"\nheard = "x"\n'
    with pytest.raises(ConfigError, match="it sends what a sound input hears"):
        parse_config(text, "it")


def test_both_hands_may_share_a_port_on_two_channels_and_a_listening_box_one_channel() -> None:
    assert parse_config(PORTS + 'heard = "synth"\nheard_channel = 2\n', "it").midi.heard_channel == 2
    assert parse_config(PORTS + 'heard = "synth"\n[play]\nlisten = true\n', "it").midi.heard == "synth"


def test_the_doctor_looks_for_the_port() -> None:
    class Machine:
        def midi_outputs(self) -> list[Port]:
            return [HEARD]

    machine: object = Machine()
    for config, state, words in (
        (CONFIG, "good", "expander"),
        (parse_config(PORTS + 'heard = "not there"\n', "it"), "broken", "not there"),
        (parse_config(PORTS, "it"), "good", "not used"),
    ):
        finding = check_heard(machine, config)  # type: ignore[arg-type]
        assert finding.level == state and words in finding.text
