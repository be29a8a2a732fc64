"""The gate's release is fitted on scenes, because dry strings and reverberant rooms need different values."""

from __future__ import annotations

import numpy as np
import pytest

from device.errors import UserError
from device.events import LOWEST_KEY
from device.hearing.gate_spec import GateSpec
from device.hearing.transcriber import FRAME, ONSET, VELOCITY
from training.note_scores import Notes
from training.transcriber.gate_fit import Posteriors, fit_endings, fit_gate, missed_and_false, pass_gate

HOP_S = 0.016
SPEC = GateSpec(delay_frames=0)
KEYS = (30, 40, 50)
BEGIN, END, FRAMES = 10, 40, 120


def sounding(tail: float) -> Posteriors:
    """Three notes in turn, each with a frame posterior of `tail` for half a second after its damper fell."""
    posteriors = np.zeros((FRAMES, 88, 4), np.float32)
    for key in KEYS:
        posteriors[BEGIN, key, ONSET] = 0.9
        posteriors[BEGIN:END, key, FRAME] = 0.95
        posteriors[END : END + 30, key, FRAME] = tail
        posteriors[BEGIN, key, VELOCITY] = 0.5
    return posteriors


def truth() -> Notes:
    rows = [[(BEGIN + 0.5) * HOP_S, (END + 0.5) * HOP_S, key + LOWEST_KEY, 64] for key in KEYS]
    return np.array(rows, np.float64)


@pytest.mark.parametrize("tail", [0.0, 0.25, 0.35])
def test_notes_end_with_the_damper_and_not_with_the_room(tail: float) -> None:
    fitted = fit_endings([sounding(tail)], [truth()], SPEC, HOP_S)
    assert fitted.release > tail
    found, _ = pass_gate(sounding(tail), fitted, HOP_S)
    np.testing.assert_allclose(found[:, 1], truth()[:, 1], atol=2.5 * HOP_S)


def test_only_the_endings_are_fitted() -> None:
    fitted = fit_endings([sounding(0.35)], [truth()], SPEC, HOP_S)
    assert fitted.onset == SPEC.onset and fitted.shift_s == SPEC.shift_s
    assert fitted != SPEC


def test_an_octave_is_laxer_than_the_others_only_where_it_has_no_more_ghosts() -> None:
    """Keys of three octaves: sure notes and a few ghosts, faint notes, faint notes with as many ghosts among them."""
    sure, faint, haunted = 40, 5, 70
    posteriors = np.zeros((6000, 88, 4), np.float32)
    notes = []

    def strike(key: int, frame: int, posterior: float, true: bool = True) -> None:
        posteriors[frame, key, ONSET] = posterior
        if true:
            notes.append([(frame + 0.5) * HOP_S, (frame + 2.5) * HOP_S, key + LOWEST_KEY, 64])

    for i in range(1000):
        strike(sure, 6 * i, 0.9)
        strike(sure + 1, 6 * i, 0.5, i % 12 == 0)
    for i in range(260):
        strike(faint, 8 * i, 0.35)
        strike(haunted, 8 * i, 0.35, i % 5 > 0)
    fitted, _ = fit_gate([posteriors], [np.array(sorted(notes), np.float64)], SPEC, HOP_S)
    low, usual, high = (fitted.onset[key // 12] for key in (faint, sure, haunted))
    assert low < 0.35
    assert high >= usual > 0.5


def test_a_stricter_rate_of_false_notes_lets_fewer_of_them_pass_and_misses_more() -> None:
    """The surer a note, the likelier it is one: at .9 all are, at .3 a fifth."""
    rng = np.random.default_rng(1)
    posteriors = np.zeros((8000, 88, 4), np.float32)
    notes = []
    for i in range(1300):
        likely = rng.choice([0.3, 0.5, 0.7, 0.9])
        posteriors[6 * i, 40, ONSET] = likely
        if rng.random() < likely * 4 / 3 - 0.2:
            notes.append([(6 * i + 0.5) * HOP_S, (6 * i + 2.5) * HOP_S, 40 + LOWEST_KEY, 64])
    heard, wanted = [posteriors], [np.array(notes, np.float64)]
    lax, strict = (fit_gate(heard, wanted, SPEC, HOP_S, false_notes=most)[0] for most in (120.0, 20.0))
    (few_missed, many_false), (many_missed, few_false) = (
        missed_and_false(heard, wanted, spec, HOP_S) for spec in (lax, strict)
    )
    assert few_false <= 20 < many_false <= 120 and few_missed < many_missed
    with pytest.raises(UserError, match="the least is"):
        fit_gate(heard, wanted, SPEC, HOP_S, false_notes=-1.0)
