"""Whatever is chosen, one hand can play it: any figure of the bank, style, variation, fill, chord, metre and tempo."""

from __future__ import annotations

import numpy as np
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.clock.step import Step
from device.events import Note, Send
from device.left_hand.accompanist import Accompanist
from device.left_hand.performer import Move, Performer
from device.left_hand.player import LeftHand
from device.settings.choices import STYLES, VARIATIONS, Steering, Style, Variation
from device.settings.controls import Fill
from tests.unit.helpers.nets import FixedNet
from training.playing_figures.playable import MOST_KEYS, MOVES, WIDEST, faults, rows_of

METERS = ("2/4", "3/4", "4/4", "6/8", "5/4", "9/8", "2/2")
MUSIC_BARS, QUIET_BARS = 8, 12
"""Bars with a melody, and bars of silence after it. In these the hand must play its last chord and let it go."""
CHORDS = {"major": (0, 4, 7), "minor": (0, 3, 7), "seventh": (0, 4, 7, 10), "diminished": (0, 3, 6)}
EIGHTH_STEPS = 2
"""Grid steps in an eighth: no key may sound for less without a reason."""
ROUNDING_S = 1e-6
DRAWN = settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.target))
"""A draw plays twenty bars, so the search for a simpler failing draw (`Phase.shrink`) would take minutes."""


class Recorded(LeftHand):
    """Keeps the times at which the hand rests, in stream seconds, and counts the strikes of figures of songs."""

    rests_s: set[float]
    song_strikes: int

    def play(self, step: Step) -> Move:
        move = super().play(step)
        if self._rests:
            self.rests_s.add(step.time_s)
        self.song_strikes += bool(move.strikes and self._figures._held.song)
        return move


def melody(steps: int, step_s: float, seed: int) -> list[Note]:
    rng = np.random.default_rng(seed)
    places = [i for i in range(0, steps, 2) if i % 4 == 0 or rng.random() < 0.4]
    return [
        Note(1.0 + i * step_s, 1.0 + (i + 1.7) * step_s, int(rng.integers(62, 84)), 80, 1.0, 1.0 + i * step_s, "right")
        for i in places
    ]


def sung(steps: int, step_s: float, seed: int, lowest: int) -> list[Note]:
    """Return a melody like that of a song: one key at a time, each held until the next, in steps of the scale."""
    rng = np.random.default_rng(seed)
    places = [i for i in range(steps) if rng.random() < (0.05 if i % 2 else 0.6)]
    keys = np.clip(lowest + 8 + np.cumsum(rng.integers(-2, 3, len(places))), lowest, lowest + 20)
    return [
        Note(1.0 + i * step_s, 1.0 + until * step_s, int(key), 80, 1.0, 1.0 + i * step_s, "right")
        for i, until, key in zip(places, [*places[1:], steps], keys, strict=True)
    ]


def excused(row: np.ndarray, left: np.ndarray, notes: list[Note], step_s: float) -> bool:
    """Return whether a key that was released early had to be: by the melody, its own next strike, or the hand."""
    _, off_s, pitch = row
    for note in notes:
        if note.onset_s <= off_s + ROUNDING_S and note.offset_s >= off_s - 2 * step_s:
            clashes, crosses = (note.pitch - pitch) % 12 in (1, 11), note.pitch <= pitch
            if clashes or crosses:
                return True
    now = np.abs(left[:, 0] - off_s) < ROUNDING_S
    if (left[now, 2] == pitch).any():
        return True
    held = left[(left[:, 0] < off_s + ROUNDING_S) & (left[:, 1] > off_s + ROUNDING_S), 2]
    kept = np.append(held, pitch)
    if len(kept) > MOST_KEYS or np.ptp(kept) > WIDEST:
        return True
    centre = (kept.min() + kept.max()) / 2
    for time in np.unique(left[(left[:, 0] < off_s) & (left[:, 0] >= off_s - MOVES[-1][0] - ROUNDING_S), 0]):
        down = left[(left[:, 0] <= time) & (left[:, 1] > time), 2]
        moved = abs(centre - (down.min() + down.max()) / 2)
        if any(off_s - time <= within + ROUNDING_S and moved > most for within, most in MOVES):
            return True
    return False


def check(
    notes: list[Note], felt: Meter, step_s: float, chord: tuple[int, ...], steering: Steering, fill_at: int = -1
) -> Recorded:
    """Play under `notes` with the pitch classes `chord`, and check that one hand can do it. Returns the hand.

    `fill_at` is the step at which a fill is asked for.
    """
    music = MUSIC_BARS * felt.steps_per_bar
    hand = Recorded(Accompanist(FixedNet(chord, (0.4, 0.5, 0.3))), steering)
    hand.rests_s, hand.song_strikes = set(), 0
    hand.reset()
    performer, sends, waiting = Performer(), list[Send](), list(notes)
    for i in range(music + QUIET_BARS * felt.steps_per_bar):
        step = Step(i, 1.0 + i * step_s, step_s, i % felt.steps_per_bar, felt, 1.0)
        while waiting and waiting[0].decided_s <= step.plan_s:
            hand.hear(waiting.pop(0))
        if i == fill_at:
            hand.act(Fill())
        move = hand.play(step)
        if move.pedal is not None:
            sends += performer.pedal(step.plan_s, step.time_s, move.pedal)
        sends += performer.release(step.plan_s, step.time_s, move.let_go)
        sends += performer.strike(step.plan_s, move.strikes)
    assert not performer.held and not hand._fingers.down
    left = rows_of(sends)
    assert len(left) > MUSIC_BARS // 2 and np.isfinite(left[:, 1]).all()
    right = np.array([(n.onset_s, n.offset_s, n.pitch) for n in notes], np.float64)
    assert faults(left, right, 2 * step_s) == []
    short = left[(left[:, 1] - left[:, 0] < EIGHTH_STEPS * step_s - ROUNDING_S)]
    rests = np.array(sorted(hand.rests_s))
    stutter = [
        row
        for row in short
        if not (np.abs(rests - row[1]) < ROUNDING_S).any() and not excused(row, left, notes, step_s)
    ]
    assert stutter == []
    return hand


@DRAWN
@given(
    style=st.sampled_from(STYLES),
    variation=st.sampled_from(VARIATIONS),
    fill_at=st.integers(0, 8 * 16),
    chord=st.sampled_from(sorted(CHORDS)),
    root=st.integers(0, 11),
    meter=st.sampled_from(METERS),
    tempo=st.floats(40, 220),
    register=st.integers(-12, 12),
    density=st.sampled_from([0.5, 1.0, 2.0]),
    seed=st.integers(0, 1000),
)
def test_one_hand_plays_everything_lets_everything_go_and_does_not_stutter(
    style: Style,
    variation: Variation,
    fill_at: int,
    chord: str,
    root: int,
    meter: str,
    tempo: float,
    register: int,
    density: float,
    seed: int,
) -> None:
    felt = Meter.parse(meter)
    step_s = 60 / tempo / felt.steps_per_beat
    notes = melody(MUSIC_BARS * felt.steps_per_bar, step_s, seed)
    steering = Steering(style, density, register, variation=variation, seed=seed)
    check(notes, felt, step_s, tuple((root + tone) % 12 for tone in CHORDS[chord]), steering, fill_at)


@DRAWN
@given(
    lowest=st.integers(52, 74),
    chord=st.sampled_from(sorted(CHORDS)),
    root=st.integers(0, 11),
    tempo=st.floats(40, 220),
    register=st.integers(-12, 12),
    density=st.sampled_from([0.5, 1.0, 2.0]),
    variation=st.sampled_from(VARIATIONS),
    seed=st.integers(0, 1000),
)
@example(  # two notes in the first bar: the hand enters before it can know that this is a song
    lowest=52, chord="diminished", root=0, tempo=40.0, register=0, density=0.5, variation=1, seed=102
)
def test_one_hand_plays_the_figures_of_songs(
    lowest: int, chord: str, root: int, tempo: float, register: int, density: float, variation: Variation, seed: int
) -> None:
    """Under the melody of a song the figures are drawn from statistics, and their keys are held by rules of their own.

    A low melody leaves little room for the left hand.
    """
    felt = Meter.parse("4/4")
    step_s = 60 / tempo / felt.steps_per_beat
    notes = sung(MUSIC_BARS * felt.steps_per_bar, step_s, seed, lowest)
    steering = Steering("auto", density, register, variation=variation, seed=seed)
    hand = check(notes, felt, step_s, tuple((root + tone) % 12 for tone in CHORDS[chord]), steering)
    assert hand.song_strikes > MUSIC_BARS // 2
