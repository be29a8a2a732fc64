"""MIDI clock: the grid follows the sender from Start to Stop, in spite of jitter on the cable."""

from __future__ import annotations

import itertools

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.clock.midi_clock import MidiClock
from device.clock.step import DOUBTED, ClockPulse, Step
from device.engine import Engine
from device.errors import ConfigError
from device.events import Doubt, Note, NoteHeard, Send
from device.inputs.control_queue import ControlQueue
from device.left_hand.accompanist import Accompanist
from device.left_hand.player import LeftHand
from device.settings.choices import Steering
from device.settings.config import parse_config
from device.settings.controls import Controls
from device.stream_time import StreamTime
from tests.unit.helpers.nets import FixedNet

FOUR = Meter(4, 4)
HOP_S = 0.016
PULSE_S = 0.5 / 24
START, STOP, CONTINUE, TICK = (ClockPulse(kind) for kind in ("start", "stop", "continue", "clock"))


def pulses(first_s: float, quarters: float, pulse_s: float = PULSE_S) -> list[tuple[float, ClockPulse]]:
    return [(first_s + i * pulse_s, TICK) for i in range(round(quarters * 24))]


def steps_of(
    clock: MidiClock,
    messages: list[tuple[float, ClockPulse]],
    end_s: float,
    onsets_s: tuple[float, ...] = (),
    hop_s: float = HOP_S,
) -> list[Step]:
    """Return the steps hop by hop. None may be too late to be planned."""
    given_out, waiting, hop = [], list(messages), 0
    while (now_s := hop * hop_s) < end_s:
        while waiting and waiting[0][0] <= now_s:
            at_s, pulse = waiting.pop(0)
            clock.pulse(pulse, at_s)
        for onset_s in onsets_s:
            if now_s - hop_s < onset_s <= now_s:
                clock.hear(onset_s, now_s, 72)
        while (step := clock.due(now_s)) is not None:
            assert now_s - hop_s < step.plan_s + 0.6 * step.length_s and step.time_s > now_s - hop_s
            given_out.append(step)
        hop += 1
    return given_out


def off_position(step: Step, start_s: float, first: int = 0) -> float:
    """By how many steps `step` is not where the bar that began at `start_s`, at step `first`, has its position."""
    steps = (step.time_s - start_s) / (6 * PULSE_S) + first - step.position
    return abs((steps + 8) % 16 - 8)


def test_start_begins_the_first_bar_and_every_sixth_pulse_is_a_step() -> None:
    steps = steps_of(MidiClock(FOUR), [(1.0, START), *pulses(1.0, 16)], 8.9)
    assert len(steps) >= 60
    for step in steps:
        assert off_position(step, 1.0) < 1e-6
    assert [step.index for step in steps] == list(range(len(steps)))


@settings(max_examples=30)
@given(st.lists(st.floats(0.0, 0.002), min_size=24 * 8, max_size=24 * 8), st.floats(60, 240))
def test_the_jitter_of_a_cable_moves_a_step_by_no_more_than_itself(late_s: list[float], tempo: float) -> None:
    pulse_s = 60 / tempo / 24
    sent = pulses(1.0, 8, pulse_s)
    jittery = [(at_s + late, pulse) for (at_s, pulse), late in zip(sent, late_s, strict=True)]
    steps = steps_of(MidiClock(FOUR), [(1.0, START), *sorted(jittery, key=lambda m: m[0])], sent[-1][0])
    assert len(steps) >= 24 * 8 / 6 - 2
    for step in steps:
        off_s = (step.time_s - 1.0) - round((step.time_s - 1.0) / (6 * pulse_s)) * 6 * pulse_s
        assert -0.0045 < off_s < 0.0065


@settings(max_examples=30)
@given(st.floats(2.0, 6.0), st.floats(0.0, 1.5), st.floats(60, 240))
def test_pulses_that_are_held_up_and_come_all_at_once_move_no_step_and_cost_none(
    from_s: float, for_s: float, tempo: float
) -> None:
    pulse_s = 60 / tempo / 24
    sent = pulses(1.0, tempo / 60 * 8, pulse_s)
    arrived = [(from_s + for_s if from_s <= at_s < from_s + for_s else at_s, pulse) for at_s, pulse in sent]
    steps = [step.time_s for step in steps_of(MidiClock(FOUR), [(1.0, START), *arrived], 8.5)]
    assert len(steps) >= 20
    for time_s, next_s in itertools.pairwise(steps):
        assert next_s - time_s == pytest.approx(6 * pulse_s, abs=1.2 * pulse_s)
    for time_s in steps:
        assert abs((time_s - 1.0) / (6 * pulse_s) - round((time_s - 1.0) / (6 * pulse_s))) < 0.1


def test_a_sender_that_pauses_without_a_stop_goes_on_where_it_was() -> None:
    steps = steps_of(MidiClock(FOUR), [(1.0, START), *pulses(1.0, 4), *pulses(4.0, 8)], 7.9)
    after = [step for step in steps if step.time_s > 4.0 + 7 * PULSE_S]
    assert len(after) > 20
    for step in after:
        assert off_position(step, 4.0) < 1e-6


def test_neither_the_length_nor_the_phase_of_a_hop_changes_the_grid() -> None:
    messages = [(1.003, START), *pulses(1.003, 8), *pulses(1.003 + 4, 8, 0.8 * PULSE_S)]
    grids = [steps_of(MidiClock(FOUR), messages, 8.0, hop_s=hop_s) for hop_s in (0.01, 0.016, 0.003)]
    assert len({tuple((step.time_s, step.position) for step in grid[:40]) for grid in grids}) == 1


def test_six_eight_and_two_two_have_their_own_steps() -> None:
    six = steps_of(MidiClock(Meter(6, 8)), [(1.0, START), *pulses(1.0, 12)], 6.0)
    assert max(step.position for step in six) == 11 and six[5].length_s == pytest.approx(6 * PULSE_S)
    two = steps_of(MidiClock(Meter(2, 2)), [(1.0, START), *pulses(1.0, 12)], 6.0)
    assert max(step.position for step in two) == 15 and two[5].length_s == pytest.approx(6 * PULSE_S)


def test_a_new_tempo_is_kept_after_half_a_quarter() -> None:
    messages = [(1.0, START), *pulses(1.0, 8), *pulses(5.0, 8, 0.75 * PULSE_S)]
    late = [step for step in steps_of(MidiClock(FOUR), messages, 7.8) if step.time_s > 5.5]
    assert late
    for step in late:
        steps = (step.time_s - 5.0) / (6 * 0.75 * PULSE_S)
        assert steps == pytest.approx(round(steps), abs=1e-6)


def test_stop_ends_the_grid_and_continue_takes_it_up_where_it_was() -> None:
    messages = [(1.0, START), *pulses(1.0, 4.5), (3.26, STOP), *pulses(3.3, 4), (6.0, CONTINUE), *pulses(6.0, 8)]
    steps = steps_of(MidiClock(FOUR), messages, 9.0)
    before = [step for step in steps if step.time_s < 5]
    after = [step for step in steps if step.time_s > 5]
    assert max(step.time_s for step in before) < 3.26 + 6 * PULSE_S
    assert after[0].time_s < 6.0 + 2.1 * 6 * PULSE_S
    for step in after:
        assert off_position(step, 6.0, 18) < 1e-6


def test_a_song_position_counts_in_sixteenths() -> None:
    messages = [(0.9, ClockPulse("songpos", 12)), (1.0, CONTINUE), *pulses(1.0, 8)]
    steps = steps_of(MidiClock(FOUR), messages, 4.0)
    assert steps[0].position == (12 + round((steps[0].time_s - 1.0) / (6 * PULSE_S))) % 16


def test_plugged_in_late_the_player_s_first_onset_is_a_bar() -> None:
    onset_s = 1.0 + 30 * PULSE_S + 0.004
    steps = steps_of(MidiClock(FOUR), pulses(1.0, 16), 6.0, onsets_s=(onset_s, onset_s + 0.3))
    assert steps
    for step in steps:
        assert off_position(step, 1.0 + 30 * PULSE_S) < 1e-6


def test_without_pulses_there_is_no_grid_and_a_cable_that_is_pulled_fades_the_lock() -> None:
    assert steps_of(MidiClock(FOUR), [(1.0, START)], 3.0, onsets_s=(1.5,)) == []
    steps = steps_of(MidiClock(FOUR), [(1.0, START), *pulses(1.0, 8)], 9.0)
    assert {step.lock for step in steps if 2 < step.time_s < 5} == {1.0}
    assert steps[-1].time_s > 8 and steps[-1].lock < 0.01
    assert all(step.doubt == (Doubt("no pulses") if step.lock < DOUBTED else None) for step in steps)


def test_the_clock_s_messages_come_through_the_switches_only_where_they_are_asked_for() -> None:
    tick, position = mido.Message("clock"), mido.Message("songpos", pos=7)
    assert not ControlQueue(Controls({})).take(tick, 5.0)
    queue, stream = ControlQueue(Controls({}), keeps_time=True), StreamTime()
    stream.arrived(0.0, 100.0)
    assert queue.take(tick, 101.0) and queue.take(position, 101.5)
    assert queue.asked(stream, 2.0) == [(TICK, pytest.approx(1.0)), (ClockPulse("songpos", 7), pytest.approx(1.5))]


def test_a_start_while_the_loop_takes_four_hops_at_once_begins_the_same_bar() -> None:
    def begun(at_once: int) -> list[tuple[int, float]]:
        queue, stream, clock = ControlQueue(Controls({}), keeps_time=True), StreamTime(), MidiClock(FOUR)
        stream.arrived(0.0, 100.0)
        waiting = [(101.001, mido.Message("start"))]
        waiting += [(101.002 + i * PULSE_S, mido.Message("clock")) for i in range(48)]
        steps: list[Step] = []
        for woken in range(at_once, 132, at_once):
            while waiting and waiting[0][0] <= 100 + woken * HOP_S:
                at_s, message = waiting.pop(0)
                queue.take(message, at_s)
            for hop in range(woken - at_once + 1, woken + 1):
                for pulse, at_s in queue.asked(stream, hop * HOP_S):
                    assert isinstance(pulse, ClockPulse)
                    clock.pulse(pulse, at_s)
                while (step := clock.due(hop * HOP_S)) is not None:
                    steps.append(step)
        return [(step.position, round(step.time_s, 6)) for step in steps]

    assert begun(4)[:7] == begun(1)[:7]


def test_an_engine_on_a_midi_clock_plays_from_start_and_lets_go_at_stop() -> None:
    engine = Engine(clock=MidiClock(FOUR), player=LeftHand(Accompanist(FixedNet()), Steering("sustained")))
    waiting: list[tuple[float, ClockPulse | Note]] = [(1.0, START), *pulses(1.0, 16)]
    waiting += [(at_s, Note(at_s, None, 72, 70, 1.0, at_s, "right")) for at_s in (1.0 + 0.5 * i for i in range(16))]
    waiting.sort(key=lambda item: item[0])
    for hop in range(500):
        while waiting and waiting[0][0] <= hop * HOP_S:
            at_s, item = waiting.pop(0)
            if isinstance(item, ClockPulse):
                engine.act(item, at_s)
            else:
                engine.step(None, at_s, [NoteHeard(item)])
        engine.step(None, hop * HOP_S)
    held = engine.held
    assert held
    let_go = [event for event in engine.act(STOP, 8.0) if isinstance(event, Send) and event.kind == "note_off"]
    assert {send.pitch for send in let_go} == held and not engine.held


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ('[audio]\ninput = "mic"\n[midi]\noutput = "piano"\n[clock]\nmode = "midi"', "control"),
        ('[audio]\ninput = "midi"\n[midi]\ninput = "k"\noutput = "k"\n[clock]\nmode = "midi"\ntempo = 90', "tempo"),
    ],
)
def test_settings_that_do_not_fit_a_midi_clock_are_refused(settings: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        parse_config(settings, "test")
