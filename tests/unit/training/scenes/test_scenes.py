"""Training scenes: performances of a small piece on a bank of sines made here, and their targets."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.events import KEYS, LOWEST_KEY
from device.hearing.features import Features, FeatureSpec
from device.hearing.own_notes import OwnNotes
from tests.unit.helpers.sines import sine_bank
from training.corpora.pieces import HandLabel, Piece, as_notes
from training.pianos.banks import Bank
from training.scenes.perform import PlayedScore, invent, perform
from training.scenes.render import Played
from training.scenes.scene import KINDS, SCENE_NOTE, SCENE_S, _any, _with_rest, draw, own_frames, targets

SPEC = FeatureSpec()
BARS = 40
ANYTHING = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def bank() -> Bank:
    return sine_bank()


@pytest.fixture(scope="module")
def piece() -> Piece:
    """Four bars over and over: a melody in quarters, a third and a sixth under it, a bass in halves."""
    quarters = np.arange(4 * BARS, dtype=np.float64)
    top = 72 + np.array([0, 2, 4, 5])[quarters.astype(int) % 4]
    parts = [
        as_notes(quarters, 1.0, top, 0, HandLabel.RIGHT),
        as_notes(quarters, 1.0, top - 4, 0, HandLabel.RIGHT),
        as_notes(quarters, 1.0, top - 9, 0, HandLabel.RIGHT),
        as_notes(quarters[::2], 2.0, 48, 0, HandLabel.LEFT),
    ]
    notes = np.sort(np.concatenate(parts), order=("onset", "pitch", "hand"))
    return Piece("chords", "lieder", "one", "chords", "train", notes, [(0.0, 4, 4)], quarters[::4])


@ANYTHING
@given(seeds)
def test_a_performance_can_be_played_on_a_piano(piece: Piece, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for played in (perform(piece, rng, SCENE_S, tuple(HandLabel)), invent(rng, SCENE_S)):
        assert played.notes == sorted(played.notes)
        assert all(0 <= note.onset_s < note.offset_s for note in played.notes)
        assert all(LOWEST_KEY <= note.pitch < LOWEST_KEY + KEYS and 1 <= note.velocity <= 127 for note in played.notes)
        assert all(down < up for down, up in played.pedal)
        for pitch in {note.pitch for note in played.notes}:
            strokes = [note for note in played.notes if note.pitch == pitch]
            assert all(later.onset_s - note.onset_s >= 0.04 for note, later in pairwise(strokes))
            assert all(note.offset_s <= later.onset_s for note, later in pairwise(strokes))


def test_a_melody_is_struck_harder_than_what_goes_with_it(piece: Piece) -> None:
    apart = []
    for seed in range(60):
        played = perform(piece, np.random.default_rng(seed), SCENE_S, (HandLabel.RIGHT,))
        key = (played.transposition, 72 + played.transposition)
        melody = [note.velocity for note in played.notes if note.pitch >= key[1]]
        under = [note.velocity for note in played.notes if note.pitch < key[1] - 3]
        apart.append(np.mean(melody) - np.mean(under))
    assert 5 < np.mean(apart) < 20
    assert np.std(apart) > 3, "one pianist brings out the melody more than another"


def test_a_piece_may_be_played_softly_throughout(piece: Piece) -> None:
    def velocity(soft: float) -> float:
        played = [perform(piece, np.random.default_rng(n), SCENE_S, (HandLabel.RIGHT,), soft=soft) for n in range(40)]
        return float(np.mean([note.velocity for each in played for note in each.notes]))

    assert velocity(1.0) < 40 < 50 < velocity(0.0)


def test_an_electric_piano_is_chosen_less_often_than_a_sampled_one(bank: Bank) -> None:
    banks = [
        replace(bank, name="sampled", timbre="sampled", acoustic=True),
        replace(bank, name="electric", timbre="electric", acoustic=False),
        replace(bank, name="computed", timbre="modal-1", acoustic=True),
    ]
    rng = np.random.default_rng(1)
    chosen = Counter(_any(rng, banks).name for _ in range(1100))
    assert chosen["sampled"] == pytest.approx(600, abs=60)
    assert chosen["electric"] == pytest.approx(400, abs=60)


def test_the_left_hand_joins_in_the_same_key_and_tempo(piece: Piece) -> None:
    rng = np.random.default_rng(5)
    right = perform(piece, rng, SCENE_S, (HandLabel.RIGHT,))
    left = perform(piece, rng, SCENE_S, (HandLabel.LEFT,), like=right)
    assert {note.pitch for note in left.notes} == {48 + right.transposition}
    beats = [(note.onset_s / right.quarter_s + right.begin_quarter) % 2 for note in left.notes]
    assert max(min(beat, 2 - beat) for beat in beats) * right.quarter_s < 0.1


@pytest.mark.parametrize("kind", [*KINDS, None])
def test_the_same_numbers_draw_the_same_scene(piece: Piece, bank: Bank, kind: str | None) -> None:
    one, same, other = (
        draw(np.random.default_rng([7, number]), [piece], [bank], [], Features(SPEC), kind=kind) for number in (1, 1, 2)
    )
    assert np.array_equal(one.features, same.features) and np.array_equal(one.notes, same.notes)
    assert not np.array_equal(one.features, other.features)


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_tells_what_is_heard_and_what_was_sent(piece: Piece, bank: Bank, kind: str) -> None:
    scene = draw(np.random.default_rng(3), [piece], [bank], [], Features(SPEC), kind=kind)
    frames = int(SCENE_S * SPEC.sample_rate) // SPEC.hop
    assert scene.features.shape == (frames, SPEC.bins, SPEC.channels) and scene.features.dtype == np.uint8
    assert len(scene.notes) > 10
    assert np.all((scene.notes["onset_s"] >= 0) & (scene.notes["onset_s"] < SCENE_S))
    assert scene.own.shape == ((frames, KEYS, 2) if kind == "bleed" else (0, KEYS, 2))
    if kind == "bleed":
        assert scene.own.any()


def test_a_rest_is_a_rest(piece: Piece) -> None:
    played = perform(piece, np.random.default_rng(1), SCENE_S, (HandLabel.RIGHT,))
    rested = _with_rest(played, np.random.default_rng(2))
    gaps = [later.onset_s - note.onset_s for note, later in pairwise(rested.notes)]
    assert set(rested.notes) < set(played.notes)
    assert max(gaps) > 3 or rested.notes[-1].onset_s < played.notes[-1].onset_s - 2


def test_what_was_sent_is_told_as_the_device_tells_it() -> None:
    notes = [Played(0.5, 1.2, 48, 60), Played(0.7, 0.9, 60, 60)]
    told = own_frames(notes, SPEC)
    own = OwnNotes()
    for note in notes:
        own.note_on(note.pitch, note.onset_s, note.offset_s)
    for frame in (10, 40, 60, 100):
        expected = np.rint(own.frame((frame + 1) * SPEC.hop_s)[0] * 255)
        assert np.array_equal(told[frame], expected)


@ANYTHING
@given(st.floats(0.3, 2.5), st.floats(0.05, 2.0), st.integers(0, KEYS - 1), st.integers(1, 127), st.integers(0, 5))
def test_targets_mark_an_onset_a_frame_to_either_side(
    onset_s: float, length_s: float, key: int, velocity: int, delay: int
) -> None:
    notes = np.array([(onset_s, onset_s + length_s, key + LOWEST_KEY, velocity)], SCENE_NOTE)
    wanted = targets(notes, 0, 400, delay, SPEC.hop_s)
    at = int(onset_s / SPEC.hop_s) + delay
    assert np.flatnonzero(wanted[:, key, 0]).tolist() == [at - 1, at, at + 1]
    assert wanted[at, key, 3] == np.float32(velocity / 127)
    assert wanted[at, key, 1] == 1 and wanted[at - 1, key, 1] == 0
    end = int((onset_s + length_s) / SPEC.hop_s) + delay
    assert wanted[end + 1 :, key, 1].sum() == 0 and wanted[end, key, 2] == 1
    wanted[:, key] = 0
    assert not wanted.any()


def test_each_key_is_labelled_as_late_as_it_is_told() -> None:
    notes = np.array([(1.0, 1.5, 21, 80), (1.0, 1.5, 108, 80)], SCENE_NOTE)
    late = np.full(KEYS, 3)
    late[0] = 8
    wanted = targets(notes, 0, 400, late, SPEC.hop_s)
    assert [int(np.argmax(wanted[:, key, 1])) for key in (0, KEYS - 1)] == [62 + 8, 62 + 3]


def test_targets_of_a_part_are_part_of_the_targets() -> None:
    rng = np.random.default_rng(4)
    starts = np.sort(rng.uniform(0, 6, 40))
    rows = [(s, s + rng.uniform(0.05, 1), rng.integers(21, 109), rng.integers(1, 128)) for s in starts]
    notes = np.array(rows, SCENE_NOTE)
    whole = targets(notes, 0, 400, 3, SPEC.hop_s)
    assert np.array_equal(targets(notes, 100, 192, 3, SPEC.hop_s), whole[100:292])


def test_a_player_who_plays_nothing_gives_a_scene_without_notes(bank: Bank) -> None:
    silent = next(s for s in range(100) if not invent(np.random.default_rng(s), SCENE_S).notes)
    assert invent(np.random.default_rng(silent), SCENE_S) == PlayedScore([], [])
