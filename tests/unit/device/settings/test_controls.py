"""Switches and knobs: MIDI messages become actions, and the engine carries the actions out."""

from __future__ import annotations

from collections.abc import Sequence

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.clock.count_in import Taps
from device.clock.meter import Meter
from device.engine import Engine
from device.errors import ConfigError, UserError
from device.events import Beat, Event, Note, NoteHeard, Send
from device.inputs.control_queue import ControlQueue
from device.left_hand.accompanist import Accompanist
from device.left_hand.player import LeftHand
from device.make_clock import make_clock
from device.settings.choices import Steering
from device.settings.config import parse_config
from device.settings.controls import (
    ACTIONS,
    Action,
    Arm,
    Density,
    Hold,
    Panic,
    Register,
    Restyle,
    Tap,
    Trigger,
)
from device.stream_time import StreamTime
from tests.unit.helpers.nets import FixedNet
from tests.unit.helpers.switches import asked, cc, controls, key

HOP_S = 0.016


def test_a_key_acts_when_it_is_struck_and_is_no_music() -> None:
    made = controls(panic="note 21")
    released = mido.Message("note_off", note=21)
    assert asked(made, key(21), released, key(21, 0), key(22)) == [Panic()]
    assert made.takes(key(21)) and made.takes(released) and not made.takes(key(22))


def test_a_program_change_chooses_a_style() -> None:
    made = controls(style_oom_pah="program 1", style_block="program 2 channel 3", style="program 9")
    program = [mido.Message("program_change", program=n, channel=c) for n, c in ((0, 5), (1, 2), (1, 0), (8, 0))]
    assert asked(made, *program) == [Restyle("oom-pah"), Restyle("block"), Restyle()]


def test_a_knob_s_value_is_the_density_and_the_register() -> None:
    made = controls(density="cc 20", register="cc 21")
    assert asked(made, cc(20, 0), cc(20, 127), cc(21, 0), cc(21, 127)) == [
        Density(0.25),
        Density(2.0),
        Register(-12),
        Register(12),
    ]


def test_one_control_may_do_two_things() -> None:
    assert asked(controls(tap="note 22", arm="note 22"), key(22)) == [Tap(), Arm()]


@pytest.mark.parametrize("text", ["CC 64 channel 2", "cc64 Channel 2", " Cc  64  channel  2 "])
def test_a_control_may_be_written_in_capitals_and_without_a_space(text: str) -> None:
    assert Trigger.parse(text) == Trigger("cc", 64, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cc",
        "cc 128",
        "program 0",
        "note 5 channel 0",
        "note 5 channel 17",
        "knob 3",
        "note 5 inverted",
        "cc 5 soft",
    ],
)
def test_what_is_no_control_is_refused_with_what_may_be_written(text: str) -> None:
    with pytest.raises(UserError, match=r"is not a control: write \"cc 0\""):
        Trigger.parse(text)


@given(
    name=st.sampled_from(ACTIONS),
    kind=st.sampled_from(["cc", "note", "program"]),
    data=st.lists(st.lists(st.integers(0, 255), min_size=1, max_size=3), max_size=20),
)
def test_whatever_bytes_come_a_control_only_ever_asks_for_its_own(name: str, kind: str, data: list[list[int]]) -> None:
    made = controls(**{name: f"{kind} 5"})
    usual = type(asked(controls(**{name: "note 5"}), key(5))[0])
    for one in data:
        try:
            message = mido.Message.from_bytes(one)
        except (ValueError, IndexError):  # half a message
            continue
        actions = made.actions(message)
        assert all(isinstance(action, usual) for action in actions)
        assert made.takes(message) or not actions


GOOD = '[audio]\ninput = "mic"\n[midi]\noutput = "synth"\n'


def test_the_settings_map_every_action() -> None:
    lines = "\n".join(f'{name} = "note {i}"' for i, name in enumerate(ACTIONS))
    config = parse_config(f'{GOOD}control = "foot"\n[controls]\n{lines}\n', "test")
    assert config.controls.mapping == {name: Trigger("note", i, None) for i, name in enumerate(ACTIONS)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{GOOD}control = "foot"\n[controls]\ntap = "cc 200"\n', "[controls] tap cannot be used"),
        (f'{GOOD}[controls]\ntap = "cc 20"\n', "[controls] needs a MIDI port"),
        (f'{GOOD}control = "foot"\n', "[controls] is empty"),
        (f'{GOOD}[play]\nstyle = "polka"\n', '"auto" or "bass" or "block"'),
        (f"{GOOD}[play]\ndensity = 3\n", "from 0.25 to 2"),
        (f"{GOOD}[play]\nregister = 13\n", "from -12 to 12 semitones"),
    ],
)
def test_settings_that_cannot_be_used_are_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(text, "box.toml")
    assert said in str(error.value)


def test_live_a_control_is_taken_out_and_told_to_the_loop_at_its_time() -> None:
    stream, queue = StreamTime(), ControlQueue(controls(tap="note 21"))
    stream.arrived(5.0, 105.0)
    assert queue.take(key(21), 104.9) and not queue.take(key(60), 104.9)
    assert queue.asked(stream, 5.0) == [(Tap(), pytest.approx(4.9))]
    assert queue.asked(stream, 5.016) == []


def test_a_tap_that_comes_after_the_hop_it_is_taken_with_keeps_its_own_time() -> None:
    stream, queue = StreamTime(), ControlQueue(controls(tap="note 21", panic="note 22"))
    stream.arrived(5.0, 105.0)
    # the loop took several hops at once, so this hop ended before the switch was pressed
    assert queue.take(key(21), 105.04) and queue.take(key(22), 105.04)
    (tap, tapped_s), (_, stopped_s) = queue.asked(stream, 5.0)
    assert tap == Tap() and tapped_s == pytest.approx(5.04) and stopped_s == 5.0
    assert queue.take(key(21), 109.0)
    assert queue.asked(stream, 5.0)[0][1] == pytest.approx(5.064)


# --- taps


def test_four_even_taps_are_a_count_in() -> None:
    taps = Taps()
    counted = [taps.tap(at) for at in (1.0, 1.5, 2.01, 2.5)]
    assert counted[:3] == [None] * 3 and counted[3] is not None
    assert counted[3].beat_s() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("times", [(1.0, 1.5, 2.0), (1.0, 1.5, 2.0, 3.5), (1.0, 5.0, 9.0, 13.0), (1.0, 1.0, 1.0, 1.0)])
def test_fewer_or_uneven_or_slow_ones_are_none(times: Sequence[float]) -> None:
    taps = Taps()
    assert [taps.tap(at) for at in times] == [None] * len(times)


def run(engine: Engine, until_s: float, from_s: float = 0.0, notes: Sequence[Note] = ()) -> list[Event]:
    events: list[Event] = []
    hop = round(from_s / HOP_S)
    waiting = [note for note in notes if note.decided_s > from_s]
    while (hop + 1) * HOP_S <= until_s:
        hop += 1
        come = [NoteHeard(note) for note in waiting if note.decided_s <= hop * HOP_S]
        waiting = waiting[len(come) :]
        events += engine.step(None, hop * HOP_S, come)
    return events


@pytest.mark.parametrize("mode", ["follow", "fixed"])
def test_taps_begin_the_music_one_beat_after_the_fourth(mode: str) -> None:
    clock = make_clock(mode, 100.0, meter=Meter(3, 4))  # type: ignore[arg-type]
    engine = Engine(clock=clock, player=LeftHand(Accompanist(FixedNet())))
    events: list[Event] = []
    for at in (1.0, 1.4, 1.8, 2.2):
        events += run(engine, at, at - 0.4) + engine.act(Tap(), at)
    events += run(engine, 5.0, 2.2)
    beats = [event for event in events if isinstance(event, Beat)]
    # the clock that follows waits up to a fifth of a beat for the player, who plays nothing here
    waits_s = 0.08 if mode == "follow" else 0.02
    assert [beat.time_s for beat in beats[:6]] == pytest.approx([2.6 + 0.4 * i for i in range(6)], abs=waits_s)
    assert [beat.position for beat in beats[:6]] == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("mode", ["follow", "fixed"])
def test_taps_in_mid_music_set_a_new_tempo_and_time_goes_on_rising(mode: str) -> None:
    clock = make_clock(mode, 120.0, 0 if mode == "fixed" else 4)  # type: ignore[arg-type]
    engine = Engine(clock=clock, player=LeftHand(Accompanist(FixedNet())))
    notes = [Note(0.5 * i, None, 72 + i % 5, 70, 1.0, 0.5 * i, "right") for i in range(1, 17)]
    events = run(engine, 8.0, notes=notes)
    for at in (8.0, 8.3, 8.6, 8.9):
        events += run(engine, at, at - 0.3 if at > 8 else 8.0) + engine.act(Tap(), at)
    events += run(engine, 12.0, 8.9)
    beats = [event.time_s for event in events if isinstance(event, Beat)]
    assert beats == sorted(set(beats))
    assert any(abs(b - a - 0.5) < 0.02 for a, b in zip(beats, beats[1:], strict=False))
    after = [at for at in beats if at >= 9.15]
    waits_s = 0.06 if mode == "follow" else 0.03
    assert after[:5] == pytest.approx([9.2 + 0.3 * i for i in range(5)], abs=waits_s)


# --- the engine


def playing(style: str = "sustained") -> tuple[Engine, list[Note]]:
    """An engine that has begun to play at 120 beats a minute, at 6 s, and the notes that go on."""
    notes = [Note(0.5 * i, None, 72 + i % 5, 70, 1.0, 0.5 * i, "right") for i in range(1, 60)]
    engine = Engine(clock=make_clock("fixed", 120.0), player=LeftHand(Accompanist(FixedNet()), Steering(style)))  # type: ignore[arg-type]
    run(engine, 6.0, notes=notes)
    assert engine.held
    return engine, notes


def sent(events: list[Event]) -> list[Send]:
    return [event for event in events if isinstance(event, Send)]


@pytest.mark.parametrize("action", [Panic(), Arm(False)])
def test_panic_and_disarming_let_go_of_keys_and_pedal_at_once(action: Action) -> None:
    engine, notes = playing()
    held = engine.held
    let_go = sent(engine.act(action, 6.0))
    assert {send.pitch for send in let_go if send.kind == "note_off"} == held and not engine.held
    assert [(send.pitch, send.velocity) for send in let_go if send.kind == "control"] == [(64, 0)]
    quiet = sent(run(engine, 7.4, 6.0, notes))
    assert not quiet


def test_after_panic_it_comes_back_and_after_disarming_it_does_not() -> None:
    for action, comes_back in ((Panic(), True), (Arm(False), False)):
        engine, notes = playing()
        engine.act(action, 6.0)
        assert bool([s for s in sent(run(engine, 12.0, 6.0, notes)) if s.kind == "note_on"]) == comes_back


def test_held_it_sends_nothing_and_the_keys_stay_down() -> None:
    engine, notes = playing("block")
    held = engine.held
    engine.act(Hold(True), 6.0)
    after = run(engine, 6.1, 6.0, notes)
    assert not sent(run(engine, 10.0, 6.1, notes)) and engine.held >= held - {s.pitch for s in sent(after)}


def test_a_style_is_changed_in_mid_music() -> None:
    engine, notes = playing("block")
    engine.act(Restyle("bass"), 6.0)
    later = [s for s in sent(run(engine, 12.0, 6.5, notes)) if s.kind == "note_on"]
    assert later and len({send.due_s for send in later}) == len(later)


def test_who_only_listens_is_asked_in_vain() -> None:
    engine = Engine(clock=make_clock("fixed", 120.0))
    assert [engine.act(action, 1.0) for action in (Panic(), Arm(), Hold(), Tap(), Restyle())] == [[]] * 5
