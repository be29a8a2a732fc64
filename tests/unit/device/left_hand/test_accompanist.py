"""The accompanist listens first, uses no note before it is heard, and stops with the player."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.clock.step import Step
from device.events import Note, NoteEnded
from device.left_hand.accompanist import Accompanist
from device.left_hand.net_input import GLOBAL_NAMES, INPUT_SIZE, PITCH_CHANNELS, Listener, encode, encode_step
from device.left_hand.performer import Strike
from device.left_hand.player import LeftHand
from device.left_hand.voicing import MOST_KEYS, WIDEST
from tests.unit.helpers.nets import EchoNet, FixedNet

STEP_S = 0.125
Event = Note | NoteEnded


def grid(steps: int, meter: str = "4/4", lock: float = 1.0) -> list[Step]:
    felt = Meter.parse(meter)
    return [Step(i, 1.0 + i * STEP_S, STEP_S, i % felt.steps_per_bar, felt, lock) for i in range(steps)]


def note(onset_s: float, length_s: float, pitch: int, late_s: float = 0.0, velocity: int = 80) -> list[Event]:
    off_s = onset_s + length_s
    return [
        Note(onset_s, None, pitch, velocity, 1.0, onset_s + late_s, "right"),
        NoteEnded(pitch, onset_s, off_s, off_s + late_s),
    ]


def melody(steps: int, late_s: float = 0.0, seed: int = 0) -> list[Event]:
    """A note on most beats and some eighths."""
    rng = np.random.default_rng(seed)
    places = [i for i in range(0, steps, 2) if i % 4 == 0 or rng.random() < 0.4]
    return [e for i in places for e in note(1.0 + i * STEP_S, 0.2, int(rng.integers(64, 84)), late_s)]


def performed(hand: LeftHand, events: list[Event], steps: list[Step]) -> list[tuple[list[Strike], list[int]]]:
    """Strikes and releases, each event given as it is decided."""
    hand.reset()
    played, waiting = [], sorted(events, key=lambda e: e.decided_s)
    for step in steps:
        while waiting and waiting[0].decided_s <= step.plan_s:
            event = waiting.pop(0)
            hand.hear(event) if isinstance(event, Note) else hand.end(event)
        move = hand.play(step)
        played.append((move.strikes, move.let_go))
    return played


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(0, 95), gap=st.sampled_from([1.0, 1.5, 2.0]), late_s=st.floats(0.0, 0.1), seed=st.integers(0, 5))
def test_nothing_is_known_before_it_is_heard(cut: int, gap: float, late_s: float, seed: int) -> None:
    """A note decided less than the gap before a step does not reach that step, even if the step is given early."""
    steps = grid(96)
    limit_s = steps[cut].time_s - gap * STEP_S
    whole = melody(96, late_s, seed)
    other = [e for e in melody(96, late_s, seed + 100) if e.decided_s > limit_s + 2e-6]
    mixed = [e for e in whole if e.decided_s <= limit_s + 2e-6] + other
    answers = []
    for events in (whole, mixed):
        hand = LeftHand(Accompanist(EchoNet(), gap))
        hand.reset()
        for event in events:
            hand.hear(event) if isinstance(event, Note) else hand.end(event)
        answers.append([hand.play(step) for step in steps[: cut + 1]])
    assert answers[0] == answers[1]


def test_a_gap_under_one_step_is_refused() -> None:
    with pytest.raises(ValueError, match="gap_steps"):
        Accompanist(EchoNet(), 0.5)


def test_training_sees_what_the_device_sees() -> None:
    """Every step of a piece encoded at once equals the device's inputs, one by one, and what the device's net got."""
    from training.accompanist.data import listen

    steps, events = grid(120, "3/4"), melody(120, 0.05)
    together = encode(listen(steps, sorted(events, key=lambda e: e.decided_s)))
    net = EchoNet()
    accompanist = Accompanist(net)
    accompanist.reset()
    waiting = sorted(events, key=lambda e: e.decided_s)
    for step in steps:
        while waiting and waiting[0].decided_s <= step.plan_s:
            event = waiting.pop(0)
            accompanist.hear(event) if isinstance(event, Note) else accompanist.end(event)
        accompanist.plan(step)
    assert np.array_equal(together, np.array(net.inputs))


def test_inputs_are_shares_that_int8_can_hold() -> None:
    from training.accompanist.data import listen

    x = encode(listen(grid(120, "6/8"), melody(120)))
    assert x.shape == (120, INPUT_SIZE) and x.dtype == np.float32
    assert x.min() >= 0.0 and x.max() <= 1.0


def test_an_input_names_what_it_shows() -> None:
    listener, step = Listener(), grid(6, "3/4")[5]
    for event in note(step.plan_s - 0.25, 5.0, 64) + note(step.plan_s, 5.0, 67):
        listener.hear(event) if isinstance(event, Note) else listener.end(event)
    x = encode_step(listener.look(step, step.plan_s))
    pitch = {name: x[12 * i : 12 * i + 12] for i, name in enumerate(PITCH_CHANNELS)}
    plain = dict(zip(GLOBAL_NAMES, x[12 * len(PITCH_CHANNELS) :], strict=True))
    assert set(np.flatnonzero(pitch["sounding"])) == {4, 7}
    assert list(np.flatnonzero(pitch["top"])) == list(np.flatnonzero(pitch["last"])) == [7]
    assert list(np.flatnonzero(pitch["lowest"])) == [4]
    assert plain["beat 1"] == plain["step 1"] == plain["meter 3/4"] == 1.0
    assert plain["age 2"] == pytest.approx(np.exp(-0.5))


def test_it_listens_for_four_beats_and_comes_in_on_a_beat() -> None:
    played = performed(LeftHand(Accompanist(FixedNet())), melody(64), grid(64))
    first = next(i for i, (strikes, _) in enumerate(played) if strikes)
    assert first % 4 == 0
    assert 16 <= first <= 24


def test_it_strikes_its_last_chord_two_beats_after_the_player_holds_it_for_a_bar_and_comes_back_on_a_beat() -> None:
    phrase = melody(48)
    last_s = max(e.offset_s for e in phrase if isinstance(e, NoteEnded))
    again = [e for i in range(97, 140, 3) for e in note(1.0 + i * STEP_S, 0.2, 72)]
    steps = grid(140)
    down: set[int] = set()
    held = []
    played = performed(LeftHand(Accompanist(FixedNet())), phrase + again, steps)
    for strikes, let_go in played:
        down = (down - set(let_go or ())) | {strike.pitch for strike in strikes}
        held.append(bool(down))
    late = [i for i, step in enumerate(steps) if last_s + 12 * STEP_S < step.time_s < 1.0 + 97 * STEP_S]
    assert late and not any(played[i][0] for i in late)
    over = [held[i] for i in late if steps[i].time_s >= last_s + 28 * STEP_S]
    assert over and not any(over)
    back = next(i for i in range(97, 140) if played[i][0])
    assert back % 4 == 0 and 100 <= back <= 108


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 50), meter=st.sampled_from(["2/4", "3/4", "4/4", "6/8"]), lock=st.floats(0, 1))
def test_whatever_the_net_wants_one_hand_can_play_it(seed: int, meter: str, lock: float) -> None:
    steps = grid(128, meter, lock)
    events = melody(128, 0.03, seed)
    down: set[int] = set()
    for step, (strikes, let_go) in zip(
        steps, performed(LeftHand(Accompanist(EchoNet(seed))), events, steps), strict=True
    ):
        down = (down - set(let_go or ())) | {strike.pitch for strike in strikes}
        sounding = [e.pitch for e in events if isinstance(e, Note) and 0 <= step.plan_s - e.decided_s < 0.15]
        assert len(down) <= MOST_KEYS
        assert not down or max(down) - min(down) <= WIDEST
        assert all(key < min(sounding, default=128) for key in down)
        assert all(strike.due_s == step.time_s and 1 <= strike.velocity < 80 for strike in strikes)


def test_it_stays_below_all_that_the_right_hand_had_in_the_last_bar() -> None:
    """A key that both hands may strike is heard as one: every fourth note is a low one, the others leave more room."""
    low, room = 53, range(53, 64)
    pitches = [low if i % 16 == 0 else 76 for i in range(0, 96, 4)] + [76] * 16
    events = [e for i, pitch in enumerate(pitches) for e in note(1.0 + 4 * i * STEP_S, 0.2, pitch)]
    played = performed(LeftHand(Accompanist(FixedNet(strike=(0.3, 0.9, 0.9)))), events, grid(4 * len(pitches)))
    struck = [{strike.pitch for strike in strikes} for strikes, _ in played]
    assert set().union(*struck[:96])
    assert not set().union(*struck[:96]) & set(room)
    assert max(set().union(*struck[112:])) > low


def test_it_plays_louder_for_a_louder_player_and_stays_under() -> None:
    def mean(velocity: int) -> float:
        events = [replace(e, velocity=velocity) if isinstance(e, Note) else e for e in melody(96)]
        played = performed(LeftHand(Accompanist(FixedNet())), events, grid(96))
        return float(np.mean([strike.velocity for strikes, _ in played for strike in strikes]))

    assert 40 < mean(64) < 64 < mean(110) < 110


def test_after_reset_nothing_of_the_past_remains() -> None:
    hand = LeftHand(Accompanist(EchoNet()))
    performed(hand, melody(64, seed=7), grid(64))
    again = performed(hand, melody(64, seed=8), grid(64))
    assert again == performed(LeftHand(Accompanist(EchoNet())), melody(64, seed=8), grid(64))


def test_the_left_hands_own_notes_are_not_answered() -> None:
    net = EchoNet()
    accompanist = Accompanist(net)
    accompanist.reset()
    accompanist.hear(Note(1.0, None, 48, 80, 1.0, 1.0, "own"))
    accompanist.plan(grid(4)[3])
    assert not net.inputs[0][: 12 * len(PITCH_CHANNELS)].any()
