"""Steering the left hand: in every metre, each style matches its name and fits one hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.clock.step import Step
from device.events import Note, Send
from device.left_hand.accompanist import Accompanist
from device.left_hand.player import LeftHand
from device.left_hand.styles import depth
from device.left_hand.texture import figure_of
from device.settings.choices import STYLES, VARIATIONS, Steering, Style, Variation
from device.settings.controls import Arm, Density, Fill, Finish, Hold, Panic, Register, Restyle, Vary
from tests.unit.helpers.nets import EchoNet, FixedNet
from tests.unit.helpers.steps_and_tunes import grid, melody, played
from training.playing_figures.playable import faults, rows_of

METERS = ("2/4", "3/4", "4/4", "6/8", "5/4", "7/8", "2/2")
NAMED = STYLES[1:]


@settings(max_examples=40, deadline=None)
@given(
    style=st.sampled_from(STYLES),
    variation=st.sampled_from(VARIATIONS),
    meter=st.sampled_from(METERS),
    density=st.floats(0.25, 2.0),
    register=st.integers(-12, 12),
    step_s=st.floats(0.04, 0.3),
    low=st.integers(40, 70),
    lock=st.sampled_from([0.1, 0.5, 1.0]),
    seed=st.integers(0, 100),
)
def test_every_style_is_one_human_hand(
    style: Style,
    variation: Variation,
    meter: str,
    density: float,
    register: int,
    step_s: float,
    low: int,
    lock: float,
    seed: int,
) -> None:
    steps = grid(160, meter, step_s, lock)
    notes = melody(160, step_s, seed, low)
    steering = Steering(style, density, register, variation=variation)
    sends = played(LeftHand(Accompanist(EchoNet(seed)), steering), notes, steps)
    right = np.array([(n.onset_s, n.offset_s, n.pitch) for n in notes], np.float64)
    assert faults(rows_of(sends), right, 2 * step_s) == []


@settings(max_examples=15, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 159), st.sampled_from(STYLES), st.integers(-12, 12)), max_size=12))
def test_steered_while_it_plays_it_stays_one_hand(changes: list[tuple[int, Style, int]]) -> None:
    class Restless(LeftHand):
        def play(self, step: Step):  # type: ignore[no-untyped-def]
            for at, style, register in changes:
                if at == step.index:
                    self.act(Restyle(style))
                    self.act(Register(register))
            return super().play(step)

    notes = melody(160, 0.06, 1)
    sends = played(Restless(Accompanist(EchoNet(3))), notes, grid(160, "4/4", 0.06))
    right = np.array([(n.onset_s, n.offset_s, n.pitch) for n in notes], np.float64)
    assert faults(rows_of(sends), right, 0.12) == []


@settings(max_examples=20, deadline=None)
@given(style=st.sampled_from(STYLES), meter=st.sampled_from(METERS), seed=st.integers(0, 20))
def test_the_pedal_is_let_go_in_the_end_and_moves_in_time(style: Style, meter: str, seed: int) -> None:
    notes = melody(120, 0.125, seed)
    sends = played(LeftHand(Accompanist(EchoNet(seed)), Steering(style)), notes, grid(160, meter))
    pedal = [(send.due_s, send.velocity) for send in sends if send.kind == "control"]
    assert all(
        earlier[0] <= later[0] and earlier[1] != later[1] for earlier, later in zip(pedal, pedal[1:], strict=False)
    )
    assert not pedal or (pedal[0][1] == 127 and pedal[-1][1] == 0)
    # the last chord comes two or three felt beats after the last note was let go, and is held for four
    assert not pedal or pedal[-1][0] <= notes[-1].onset_s + 32 * 0.125 * Meter.parse(meter).steps_per_beat / 4


@pytest.mark.parametrize("style", ["sustained", "arpeggio"])
def test_styles_that_want_the_pedal_take_it_anew_with_each_chord(style: Style) -> None:
    sends = played(LeftHand(Accompanist(EchoNet(1)), Steering(style)), melody(160, 0.125, 1), grid(160))
    pedal = [send for send in sends if send.kind == "control"]
    assert sum(send.velocity == 127 for send in pedal) >= 4


@pytest.mark.parametrize("style", ["auto", "bass", "block", "broken", "oom-pah"])
def test_the_others_leave_it_alone(style: Style) -> None:
    sends = played(LeftHand(Accompanist(EchoNet(1)), Steering(style)), melody(160, 0.125, 1), grid(160))
    assert not [send for send in sends if send.kind == "control"]


def figure(style: Style, meter: str, density: float = 1.0, bars: int = 2, variation: Variation = 1) -> list[str]:
    """A bar of a style once it is under way: B, a number for the n-th tone above it, c for a chord, - for none."""
    made = figure_of(style, variation)
    steps = grid(bars * Meter.parse(meter).steps_per_bar, meter)
    drawn = []
    for step in steps:
        gesture = made.at(step, step.index == 0, density)
        upper = str(gesture.tone) if gesture.tone else "c" * (gesture.upper > 0)
        drawn.append(("b" if gesture.fifth else "B") * gesture.bass + upper or "-")
    return drawn[-Meter.parse(meter).steps_per_bar :]


@pytest.mark.parametrize(
    ("style", "meter", "bar"),
    [
        ("bass", "4/4", "B-------B-------"),
        ("bass", "3/4", "B-----------"),
        ("block", "4/4", "Bc - - - - - - - Bc - - - - - - -"),
        ("block", "6/8", "Bc - - - - - Bc - - - - -"),
        ("broken", "4/4", "B-2-1-2-B-2-1-2-"),
        ("broken", "3/4", "B-2-1-2-1-2-"),
        ("broken", "6/8", "B-1-2-B-1-2-"),
        ("arpeggio", "4/4", "B-1-2-3-B-1-2-3-"),
        ("arpeggio", "3/4", "B-1-2-3-2-1-"),
        ("arpeggio", "6/8", "B-1-2-3-2-1-"),
        ("oom-pah", "4/4", "B---c---b---c---"),
        ("oom-pah", "3/4", "B---c---c---"),
        ("oom-pah", "2/4", "B---c---"),
        ("oom-pah", "6/8", "B-c-c-b-c-c-"),
        ("oom-pah", "5/4", "B---c---c---c---c---"),
        ("sustained", "4/4", "Bc" + " -" * 15),
        ("waltz", "3/4", "B---c---c---"),
        ("waltz", "6/4", "B---c---c---B---c---c---"),
        ("march", "4/4", "B---c---b---c---"),
        ("march", "2/4", "B---c---"),
        ("stride", "4/4", "B---c---b---c---"),
        ("alberti", "4/4", "B-2-1-2-B-2-1-2-"),
        ("alberti", "6/8", "B-2-1-B-2-1-"),
        ("swing", "4/4", "B---B---B---B---"),
        ("swing", "3/4", "B---B---B---"),
        ("ballad", "3/4", "B---1---2---"),
        ("pad", "4/4", "Bc" + " -" * 15),
        ("tango", "2/4", "B--23-2-"),
        ("tango", "4/4", "B-----2-3---2---"),
        ("tango", "3/4", "B-----2-3---"),
        ("tango", "6/8", "B---2-3---2-"),
        ("waltz", "9/8", "B-----c-----c-----"),
    ],
)
def test_a_style_is_what_its_name_says(style: Style, meter: str, bar: str) -> None:
    assert figure(style, meter) == (bar.split() if " " in bar else list(bar))


def test_both_variations_of_the_tango_have_the_rhythm_of_the_habanera_and_a_denser_one_has_it_twice() -> None:
    def rhythm(meter: str, density: float, variation: Variation) -> list[int]:
        return [at for at, cell in enumerate(figure("tango", meter, density, variation=variation)) if cell != "-"]

    for variation in VARIATIONS:
        assert rhythm("2/4", 1.0, variation) == [0, 3, 4, 6]
        assert rhythm("4/4", 1.0, variation) == [0, 6, 8, 12]
        assert rhythm("4/4", 2.0, variation) == [0, 3, 4, 6, 8, 11, 12, 14]
        assert rhythm("4/4", 0.5, variation) == [0, 8, 12]
        assert {0, 3, 4, 6} < set(rhythm("2/4", 2.0, variation))


@pytest.mark.parametrize("style", NAMED)
@pytest.mark.parametrize("meter", ["2/4", "3/4", "4/4"])
def test_a_variation_is_another_bar(style: Style, meter: str) -> None:
    first, second = (figure(style, meter, variation=variation) for variation in VARIATIONS)
    assert first != second
    assert len(first) == len(second) and "B" in first[0] and "B" in second[0]


@pytest.mark.parametrize("style", STYLES)
def test_a_fill_lasts_to_the_end_of_the_bar(style: Style) -> None:
    def struck(fill: bool) -> list[list[int]]:
        hand, steps = LeftHand(Accompanist(FixedNet()), Steering(style)), grid(16 * 8)
        hand.reset()
        for note in melody(16 * 8, 0.125, 2, 72):
            hand.hear(note)
        moves = []
        for step in steps:
            if fill and step.index == 16 * 5 - 3:
                hand.act(Fill())
            moves.append([strike.pitch for strike in hand.play(step).strikes])
        return moves

    plain, filled = struck(False), struck(True)
    assert filled[: 16 * 5] == plain[: 16 * 5]
    assert filled[16 * 5 : 16 * 6] != plain[16 * 5 : 16 * 6]
    if style != "auto":
        assert [bool(keys) for keys in filled[16 * 6 :]] == [bool(keys) for keys in plain[16 * 6 :]]


@pytest.mark.parametrize("style", STYLES)
def test_an_ending_is_a_chord_on_the_bar_line_and_then_silence(style: Style) -> None:
    hand, steps = LeftHand(Accompanist(FixedNet()), Steering(style)), grid(16 * 10)
    hand.reset()
    for note in melody(16 * 10, 0.125, 2, 72):
        hand.hear(note)
    for step in steps[: 16 * 5 - 6]:
        hand.play(step)
    hand.act(Finish())
    moves = [hand.play(step) for step in steps[16 * 5 - 6 :]]
    last = moves[6]
    # the style "bass" ends with its bass alone
    assert len(last.strikes) >= (1 if style == "bass" else 2)
    assert not [move for move in moves[7:] if move.strikes]
    assert not hand.armed and not hand._fingers.down
    assert {key for move in moves[7 : 6 + 17] for key in move.let_go} >= {strike.pitch for strike in last.strikes}
    hand.act(Arm(True))
    assert hand.armed


def test_another_variation_is_another_figure_of_the_bank() -> None:
    def notes(vary: bool) -> list[Send]:
        class Varied(LeftHand):
            def play(self, step: Step):  # type: ignore[no-untyped-def]
                if vary and step.index == 100:
                    self.act(Vary())
                return super().play(step)

        return played(Varied(Accompanist(FixedNet())), melody(240, 0.125, 1, 70), grid(240))

    plain, varied = notes(False), notes(True)
    early = [send for send in plain if send.due_s < 13.0]
    assert early == [send for send in varied if send.due_s < 13.0] and plain != varied


@pytest.mark.parametrize("seed", range(4))
def test_the_second_variation_is_another_figure_from_the_beginning(seed: int) -> None:
    def notes(variation: Variation) -> list[Send]:
        hand = LeftHand(Accompanist(FixedNet()), Steering(seed=seed, variation=variation))
        return played(hand, melody(240, 0.125, 1, 70), grid(240))

    assert notes(1) != notes(2)


def test_the_seed_chooses_the_figures() -> None:
    def notes(seed: int) -> list[Send]:
        hand = LeftHand(Accompanist(FixedNet()), Steering(seed=seed))
        return played(hand, melody(240, 0.125, 1, 70), grid(240))

    assert notes(3) == notes(3)
    assert any(notes(seed) != notes(3) for seed in (4, 5, 6))


@pytest.mark.parametrize("style", NAMED)
@pytest.mark.parametrize("meter", METERS)
def test_more_density_strikes_more_and_every_bar_is_struck(style: Style, meter: str) -> None:
    counts = [sum(cell != "-" for cell in figure(style, meter, density)) for density in (0.25, 0.5, 1.0, 2.0)]
    assert counts == sorted(counts) and counts[0] >= 1


def test_depth_is_the_metre_s() -> None:
    assert [depth(step) for step in grid(16)] == [0, 4, 3, 4, 2, 4, 3, 4, 1, 4, 3, 4, 2, 4, 3, 4]
    assert [depth(step) for step in grid(12, "6/8")] == [0, 4, 2, 4, 2, 4, 1, 4, 2, 4, 2, 4]


@pytest.mark.parametrize("style", NAMED)
def test_a_left_hand_that_is_not_sure_of_the_beat_plays_less(style: Style) -> None:
    def onsets(lock: float) -> Counter[int]:
        hand = LeftHand(Accompanist(FixedNet()), Steering(style))
        sends = played(hand, melody(160, 0.125, 1), grid(160, lock=lock))
        return Counter(round((send.due_s - 1.0) / 0.125) for send in sends if send.kind == "note_on")

    sure, thin, lost = (onsets(lock) for lock in (1.0, 0.5, 0.1))
    assert sum(sure.values()) >= sum(thin.values()) >= sum(lost.values()) > 0
    assert all(step % 4 == 0 for step in [*thin, *lost])
    assert max(lost.values()) == 1


def mean_pitch(register: int) -> float:
    hand = LeftHand(Accompanist(FixedNet()), Steering("block", register=register))
    return float(np.mean([s.pitch for s in played(hand, melody(160, 0.125, 1, 72), grid(160)) if s.kind == "note_on"]))


def test_a_register_moves_the_hand() -> None:
    assert mean_pitch(-12) + 6 < mean_pitch(0) < mean_pitch(7)


def notes_on(hand: LeftHand, steps: list[Step]) -> int:
    return sum(len(hand.play(step).strikes) for step in steps)


def listening() -> tuple[LeftHand, list[Step]]:
    """A left hand that plays to a long melody, and the steps from its entry on."""
    hand, steps = LeftHand(Accompanist(FixedNet()), Steering("block")), grid(200)
    for note in melody(200, 0.125, 2):
        hand.hear(note)
    assert notes_on(hand, steps[:40])
    return hand, steps[40:]


def test_disarmed_it_lets_go_and_armed_it_comes_in_on_a_beat() -> None:
    hand, steps = listening()
    assert hand.act(Arm())
    assert not notes_on(hand, steps[:33])
    assert not hand.act(Arm())
    back = [step for step in steps[33:] if hand.play(step).strikes]
    assert back[0].is_beat and back[0].index <= 80


def test_held_it_keeps_what_is_down_and_strikes_nothing() -> None:
    hand, steps = listening()
    hand.act(Hold(True))
    moves = [hand.play(step) for step in steps[:32]]
    assert not any(move.strikes or move.let_go for move in moves)
    hand.act(Hold(False))
    assert notes_on(hand, steps[32:64])


def test_after_panic_it_listens_again() -> None:
    hand, steps = listening()
    hand.act(Panic())
    assert not notes_on(hand, steps[:15]) and notes_on(hand, steps[15:48])


def test_controls_without_a_value_step_through() -> None:
    hand = LeftHand(Accompanist(FixedNet()))
    styles = []
    for _ in STYLES:
        hand.act(Restyle())
        styles.append(hand.steering.style)
    assert styles == [*NAMED, "auto"]
    seen = []
    for _ in range(3):
        hand.act(Density())
        hand.act(Register())
        seen.append((hand.steering.density, hand.steering.register))
    assert seen == [(2.0, 12), (0.5, -12), (1.0, 0)]


# --- its end


def test_a_last_note_held_is_answered_by_the_tonic_which_is_held() -> None:
    scale = [60, 62, 64, 65, 67, 69, 71, 72, 67, 64, 67, 65, 64, 62, 59, 60]
    steps = grid(64 + 48)
    tune = [
        Note(1 + 0.5 * i, 1.45 + 0.5 * i, 12 + pitch, 80, 1.0, 1 + 0.5 * i, "right") for i, pitch in enumerate(scale)
    ]
    last = Note(9.0, 9.0 + 36 * 0.125, 72, 80, 1.0, 9.0, "right")
    sends = played(LeftHand(Accompanist(FixedNet((5, 9, 0)))), [*tune, last], steps)
    rows = rows_of(sends)
    final = rows[rows[:, 0] == rows[:, 0].max()]
    assert final[0, 0] == pytest.approx(11.0)
    assert int(final[:, 2].min()) % 12 == 0 and {int(pitch) % 12 for pitch in final[:, 2]} <= {0, 4, 7}
    # released at most two beats after the player's end
    assert 13.0 <= rows[:, 1].max() <= 9.0 + 36 * 0.125 + 8 * 0.125
