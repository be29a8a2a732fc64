"""The net that finds past chords again: when it answers, for which half beats, and with which chords."""

from __future__ import annotations

import numpy as np
import pytest

from device.clock.meter import Meter
from device.clock.step import Step
from device.left_hand.chord_net import CHANNELS, DELAY, PLACES, ChordNet, heard_inputs, place_inputs
from device.left_hand.chord_net import shipped_arrays as chord_arrays
from device.left_hand.hindsight_net import AT_ONCE, READ, HindsightNet, Past, shipped_arrays

METER = Meter(4, 4)
TUNE = (60, 64, 67, 72, 71, 67, 62, 67)
"""One key a half beat: half a bar of C major and half a bar of G major, again and again."""


def heard(half_beats: int, up: int = 0) -> list[list[Past]]:
    """The net's answers at each half beat of the tune, moved up by `up` semitones."""
    net, chords, found = HindsightNet(shipped_arrays()), ChordNet(chord_arrays()), []
    for i in range(half_beats):
        now = 2 * (i + 1)
        notes = np.array([now - 2]), np.array([now]), np.array([TUNE[i % 8] + up])
        sounds = heard_inputs(*notes, now, 2)
        place = place_inputs(Step(now, now * 0.125, 0.125, now % 16, METER, 1.0), now // 16, 0)
        answer = chords.at(sounds, place)
        found.append(net.at(chords.heard, place, answer.hindsight))
    return found


def test_it_reads_a_little_in_each_half_beat_and_finds_each_past_half_beat_again() -> None:
    calls = heard(4 * READ)
    agos = [past.ago for found in calls for past in found]
    assert min(agos) >= DELAY and max(agos) <= READ + READ // AT_ONCE
    assert max(len(found) for found in calls) == AT_ONCE
    again = {now - past.ago for now, found in enumerate(calls) for past in found}
    assert again >= set(range(4 * READ - READ // AT_ONCE - READ))
    for past in calls[-1]:
        assert np.exp(past.triads).sum() == pytest.approx(1.0, abs=1e-4)


def test_a_reading_in_parts_has_the_answers_of_one_that_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = heard(3 * READ)
    monkeypatch.setattr("device.left_hand.hindsight_net.AT_ONCE", READ)
    at_once = [{now - past.ago: past.triads for past in found} for now, found in enumerate(heard(3 * READ))]
    checked = 0
    for now, found in enumerate(parts):
        for past in found:
            begun = at_once[max(0, now - READ // AT_ONCE + 1) : now + 1]
            same = [np.abs(whole[now - past.ago] - past.triads).max() for whole in begun if now - past.ago in whole]
            assert min(same) < 1e-5
            checked += 1
    assert checked > READ


def test_a_broken_c_major_and_g_major_are_found_again() -> None:
    calls = heard(4 * READ)
    wrong = total = 0
    for now, found in enumerate(calls[2 * READ :], 2 * READ):
        for past in found:
            # the half beat that began after the tune's key `now - ago`; its first key is the next one
            place = (now - past.ago + 1) % 8
            if place in (1, 2, 5, 6):
                total += 1
                wrong += int(np.argmax(past.triads)) != (0 if place < 4 else 7)
    assert total > READ / 2 and wrong <= total / 4


@pytest.mark.parametrize("up", [1, 6, 11])
def test_music_in_another_key_gets_the_same_chords_in_that_key(up: int) -> None:
    pairs = [
        pair
        for here, there in zip(heard(2 * READ), heard(2 * READ, up), strict=True)
        for pair in zip(here, there, strict=True)
    ]
    assert len(pairs) > READ
    for here, there in pairs:
        moved = np.roll(here.triads.reshape(2, 12), up, axis=1).ravel()
        assert here.ago == there.ago
        np.testing.assert_allclose(moved, there.triads, atol=5e-4)


def test_after_a_reset_nothing_of_the_music_before_is_read() -> None:
    net = HindsightNet(shipped_arrays())
    zero = np.zeros((len(CHANNELS), 12), np.float32), np.zeros(PLACES, np.float32), np.full(24, -3.2, np.float32)
    for _ in range(READ):
        net.at(*zero)
    net.reset()
    for now in range(READ):
        assert all(past.ago <= now for past in net.at(*zero))


def test_a_missing_array_is_an_error() -> None:
    arrays = dict(shipped_arrays())
    del arrays["past"]
    with pytest.raises(KeyError, match="past"):
        HindsightNet(arrays)
