"""The pitch classes of a strike follow the probabilities of the plan and avoid what rubs under the player's key."""

from __future__ import annotations

import numpy as np

from device.left_hand.accompanist import Plan
from device.left_hand.harmony import Chord
from device.left_hand.tone_choice import likely_bass, likely_classes, unlikely_keys, upper_classes

C = Chord((0, 4, 7), "C major")


def plan(likely: dict[int, float], top: int | None = None, bass: dict[int, float] | None = None) -> Plan:
    """A plan on C major whose pitch classes have the probabilities `likely`, and its basses those of `bass`."""
    classes, basses = np.zeros(12, np.float32), np.zeros(13, np.float32)
    classes[list(likely)] = list(likely.values())
    for pitch_class, probability in (bass or {}).items():
        basses[pitch_class] = probability
    return Plan(False, C, classes, basses, 0.5, 0.5, 0.3, 72, top, 80.0, 1.0)


def test_likely_classes_that_no_key_has_are_struck_the_likeliest_first() -> None:
    assert likely_classes(plan({4: 0.5, 7: 0.9, 9: 0.6}), 2, -1, down=[]) == [7, 9]
    assert likely_classes(plan({4: 0.5, 7: 0.9, 9: 0.6}), 2, -1, down=[55]) == [9, 4]
    assert likely_classes(plan({7: 0.9}), 2, -1, down=[55]) == [7]  # all of them are down: they are struck once more


def test_the_note_just_played_comes_later() -> None:
    assert upper_classes(plan({4: 0.5, 7: 0.6}), 2, -1) == [7, 4]
    assert upper_classes(plan({4: 0.5, 7: 0.6}), 2, 7) == [4, 7]


def test_without_a_likely_class_the_chord_is_struck() -> None:
    assert set(likely_classes(plan({1: 0.05}), 3, -1, down=[])) == set(C.classes)


def test_nothing_is_struck_a_semitone_from_the_player_s_highest_key() -> None:
    assert likely_classes(plan({4: 0.9, 7: 0.5}, top=77), 2, -1, down=[]) == [7]
    # the chord of a named style is taken whole, with the rubbing tone last
    assert upper_classes(plan({4: 0.9, 7: 0.5, 0: 0.4}, top=77), 3, -1)[-1] == 4


def test_a_harsh_tone_and_the_player_s_own_need_more_probability() -> None:
    assert likely_classes(plan({7: 0.3, 2: 0.25}, top=69), 2, -1, down=[]) == [2]  # G is a second below A
    assert likely_classes(plan({7: 0.3, 2: 0.25}, top=76), 2, -1, down=[]) == [7]  # D is a second below E
    assert likely_classes(plan({4: 0.22, 7: 0.21}, top=76), 2, -1, down=[]) == [7]  # E is the player's own


def test_the_root_is_preferred_as_the_bass() -> None:
    assert likely_bass(plan({}, bass={0: 0.40, 7: 0.50}), C.classes) == 0
    assert likely_bass(plan({}, bass={0: 0.35, 7: 0.50}), C.classes) == 7


def test_keys_that_became_unlikely_are_released_and_all_of_them_for_a_rest() -> None:
    assert unlikely_keys(plan({0: 0.5, 7: 0.1}), [48, 55]) == [55]
    assert unlikely_keys(plan({7: 0.3}, top=69), [55]) == [55]
    assert unlikely_keys(plan({4: 0.9}, top=77), [52]) == [52]
    assert unlikely_keys(plan({0: 0.9, 7: 0.9}, bass={12: 0.7}), [48, 55]) == [48, 55]
