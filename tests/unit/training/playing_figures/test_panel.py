"""The panel's figures on hands whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest

from training.corpora.pieces import BARE_NOTE_DTYPE, Notes
from training.playing_figures.baselines import BASELINES, held_to_bar_line
from training.playing_figures.panel import Roll, chord_changes, consonance, jensen_shannon, panel, roll_of, stuck

STEPS = 16 * 32
POSITIONS = np.arange(STEPS) % 16


def notes(*rows: tuple[float, float, int]) -> Notes:
    return np.array(list(rows), BARE_NOTE_DTYPE)


def melody(pitch: int = 72) -> Notes:
    return notes(*((quarter, 1.0, pitch) for quarter in range(STEPS // 4)))


def chords(*triads: tuple[int, ...]) -> Notes:
    """A triad a bar, in turn."""
    return notes(*((4.0 * bar, 4.0, key) for bar in range(STEPS // 16) for key in triads[bar % len(triads)]))


def judged(right: Notes, left: Notes, true: Notes | None = None) -> dict[str, float]:
    true_roll = roll_of(left if true is None else true, STEPS)
    return panel(roll_of(right, STEPS), roll_of(left, STEPS), true_roll, POSITIONS, 16, 4)


@pytest.mark.parametrize(("left", "score"), [(48, 1.0), (57, 1.0), (53, 1.0), (55, 0.0), (59, -1.0), (54, -1.0)])
def test_an_interval_below_the_melody_has_its_consonance(left: int, score: float) -> None:
    assert consonance(roll_of(melody(72), STEPS), roll_of(chords((left,)), STEPS)) == score


def test_unisons_can_be_left_out() -> None:
    right, left = roll_of(melody(72), STEPS), roll_of(chords((48, 59)), STEPS)
    assert consonance(right, left) == 0.0
    assert consonance(right, left, unisons=False) == -1.0


def test_a_semitone_clashes() -> None:
    assert judged(melody(72), chords((59,)))["clash"] == 1.0
    assert judged(melody(72), chords((57,)))["clash"] == 0.0


def test_a_chord_held_for_ever_is_stuck_and_one_struck_each_bar_is_not() -> None:
    assert stuck(roll_of(notes((0.0, STEPS / 4, 48)), STEPS)) == pytest.approx(1 - 16 / STEPS)
    assert stuck(roll_of(chords((48,)), STEPS)) == 0.0


def test_changes_are_counted_per_beat() -> None:
    held = roll_of(chords((48, 52, 55)), STEPS)
    changing = roll_of(chords((48, 52, 55), (53, 57, 60)), STEPS)
    assert chord_changes(held, 4) == 0.0
    assert chord_changes(changing, 4) == pytest.approx(31 / 127)


def test_silence_is_unaccompanied() -> None:
    assert judged(melody(), notes(), chords((48,)))["ur"] == 1.0


def test_keys_held_to_the_bar_line_sound_through_a_split_bar_and_no_further() -> None:
    """The second bar has 8 steps. Of both keys of the first bar one is struck at its last step."""
    positions = np.concatenate([np.arange(16), np.arange(8), np.arange(16)])
    struck = roll_of(notes((0.0, 0.5, 48), (3.75, 0.25, 52), (5.0, 0.25, 55), (9.75, 0.25, 59)), len(positions))
    held = held_to_bar_line(struck, positions)
    assert np.array_equal(held.struck, struck.struck)
    sounds = {key: np.flatnonzero(held.sounding[:, key]).tolist() for key in (48, 52, 55, 59)}
    assert sounds == {48: list(range(16)), 52: [15], 55: list(range(20, 24)), 59: [39]}


def test_the_truth_is_itself() -> None:
    figures = judged(melody(), chords((48, 52, 55)))
    assert figures["density"] == figures["strikes"] == figures["onset_f1"] == figures["frame_f1"] == 1.0
    assert figures["jsd"] == 0.0


def test_distributions_without_a_common_slot_are_a_bit_apart() -> None:
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0
    assert jensen_shannon(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0.0


def test_a_hand_rolled_in_time_loses_its_coupling() -> None:
    rng = np.random.default_rng(0)
    roots = rng.integers(0, 12, STEPS // 16)
    right = notes(*((4.0 * bar, 4.0, 72 + int(root)) for bar, root in enumerate(roots)))
    left = notes(*((4.0 * bar, 4.0, 40 + int(root)) for bar, root in enumerate(roots)))
    assert judged(right, left)["coupling"] > 0.5


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_knows_only_what_it_says(name: str) -> None:
    right, true = roll_of(melody(), STEPS), roll_of(chords((48, 52, 55), (53, 57, 60)), STEPS)
    hand = BASELINES[name](right, true, 16, 4)
    assert hand.sounding.shape == (STEPS, 128)
    assert hand.sounding[hand.struck].all()


def test_the_chord_rule_is_causal() -> None:
    right = roll_of(melody(), STEPS)
    later = Roll(right.sounding.copy(), right.struck.copy())
    later.sounding[200:] = np.roll(later.sounding[200:], 5, axis=1)
    rule = BASELINES["chord rule"]
    before, after = rule(right, right, 16, 4), rule(later, right, 16, 4)
    assert (before.sounding[:200] == after.sounding[:200]).all()
    assert (before.sounding != after.sounding).any()
