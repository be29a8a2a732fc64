"""The chord net is trained on the inputs that the device computes."""

from __future__ import annotations

import numpy as np
import pytest

from device.events import Note
from device.left_hand.chord_net import ChordNet, half_beat, heard_inputs, place_inputs
from device.left_hand.right_hand import RightHand
from tests.unit.helpers.pieces import piece
from training.accompanist.data import HearingErrors, grid_of, heard
from training.corpora.pieces import HandLabel, Piece, as_notes
from training.figure_bank.chords import FIT_HEADS, first_params, logits_of
from training.figure_bank.half_beats import half_beats_of


def busy_piece() -> Piece:
    """The piece of the helper with a right hand of eighths, sixteenths and chords."""
    plain, rng = piece(0), np.random.default_rng(5)
    left = plain.of(HandLabel.LEFT)
    rows = [
        (q / 4, 0.25 * int(rng.integers(1, 5)), int(rng.integers(60, 84))) for q in range(4 * 90) if rng.random() < 0.6
    ]
    onset, duration, pitch = zip(*rows, strict=True)
    right = as_notes(onset, duration, pitch, 0, HandLabel.RIGHT)
    together = np.sort(np.concatenate([left, right]), order=("onset", "pitch", "hand"))
    return Piece(**{**{name: getattr(plain, name) for name in plain.__dataclass_fields__}, "notes": together})


@pytest.mark.parametrize("late_s", [0.0, 0.06])
def test_training_and_device_describe_the_right_hand_in_the_same_way(late_s: float) -> None:
    music = busy_piece()
    trained = half_beats_of(music, late=late_s > 0)
    assert trained is not None
    events = heard(music, music.of(HandLabel.RIGHT), 96.0, HearingErrors(), np.random.default_rng(0))
    right, bar, silent, rows, places = RightHand(), -1, 0, [], []
    for step in grid_of(music, 96.0)[0]:
        limit_s = step.time_s - step.length_s - late_s
        ready = [event for event in events if event.decided_s <= limit_s + 1e-6]
        events = events[len(ready) :]
        for event in ready:
            right.hear(event) if isinstance(event, Note) else right.end(event)
        right.at(step, step.time_s)
        bar += step.is_bar
        size = half_beat(step)
        if step.position % size == 0:
            x = heard_inputs(*right.sounding(step, step.index - size - 1), step.index, size)
            silent = 0 if x[0].any() else silent + 1
            rows.append(x)
            places.append(place_inputs(step, bar, silent))
    same = np.abs(np.array(rows) - trained.heard[:, :6].astype(np.float32)).max(axis=(1, 2)) < 1e-3
    # a key that ends within the delay is still down for the device that hears late
    assert same.mean() == 1.0 if late_s == 0.0 else same.mean() > 0.3
    np.testing.assert_allclose(np.array(places), trained.place.astype(np.float32), atol=1e-3)


def test_the_fitted_net_and_the_devices_net_give_the_same_answers() -> None:
    music = half_beats_of(busy_piece())
    assert music is not None
    params = first_params(4, 1)
    whole = np.asarray(
        logits_of(params, music.heard[:, None].astype(np.float32), music.place[:, None].astype(np.float32))
    )
    kept = {name: array[..., :5] if name.startswith("out") else array for name, array in params.items()}
    net, begin = ChordNet(kept), 0
    for i in range(40):
        answer = net.at(music.heard[i, :6].astype(np.float32), music.place[i].astype(np.float32))
    for name, number in FIT_HEADS[:-1]:
        logits = whole[39, 0, begin : begin + 12 * number]
        begin += 12 * number
        expected = logits - np.log(np.exp(logits).sum())
        np.testing.assert_allclose(getattr(answer, name), expected, atol=5e-3)


def test_the_target_is_the_triad_of_both_hands_in_the_half_bar() -> None:
    music = half_beats_of(piece(0))
    assert music is not None
    roots = music.triad.reshape(-1, 8)[:, 0]
    # the left hand plays C and F by turns
    assert set(roots[::2]) == {0} and (roots[1::2] == 5).mean() > 0.6
    assert music.left[0].nonzero()[0].tolist() == [0]
