"""Pitch trackers for one note at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.unit.helpers.numba_lazily  # noqa: F401
from training.experiments.older_transcribers.decode import onset_f1
from training.experiments.older_transcribers.monophonic import TOGETHER_S, Neural, Pyin, notes_of_pitches, single_line
from training.scenes.render import Played

RATE = 16_000
SCALE = (60, 64, 67)


def scale() -> tuple[np.ndarray, np.ndarray]:
    """Half a second of each key, with overtones, pauses between; and its notes."""
    t = np.arange(RATE // 2) / RATE
    audio, rows = [np.zeros(RATE // 4)], []
    for i, pitch in enumerate(SCALE):
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * hertz * h * t) / h for h in (1, 2, 3, 4)) * np.exp(-3 * t)
        audio += [0.2 * tone, np.zeros(RATE // 10)]
        rows.append((0.25 + 0.6 * i, 0.75 + 0.6 * i, pitch, 64.0))
    return np.concatenate(audio).astype(np.float32), np.array(rows)


@pytest.mark.parametrize("tracker", [Pyin, Neural])
def test_a_scale_is_heard(tracker: type[Pyin] | type[Neural]) -> None:
    pytest.importorskip("librosa" if tracker is Pyin else "swift_f0")
    audio, wanted = scale()
    assert onset_f1(tracker().notes(audio, RATE), wanted, 0.1) > 0.6


@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.floats(0.05, 2), st.integers(21, 108)).map(
            lambda n: Played(n[0], n[0] + n[1], n[2], 64)
        ),
        max_size=20,
    )
)
def test_a_single_line_has_one_note_at_a_time(notes: list[Played]) -> None:
    line = single_line(notes)
    for before, after in zip(line[:-1], line[1:], strict=True):
        assert after.onset_s - before.onset_s >= TOGETHER_S
        assert before.offset_s <= after.onset_s
    assert bool(line) == bool(notes)


def test_of_a_chord_the_highest_note_is_the_line() -> None:
    chord = [Played(0.0, 1.0, 60, 70), Played(0.01, 1.0, 67, 70), Played(0.02, 1.0, 64, 70)]
    assert [n.pitch for n in single_line(chord)] == [67]


def test_a_track_of_pitches_becomes_notes_and_glides_do_not() -> None:
    pitches = np.array([np.nan] * 5 + [60.2] * 10 + [61.0] + [62.1] * 10 + [np.nan] * 3)
    found = notes_of_pitches(np.arange(len(pitches)) * 0.016, pitches, 0.016)
    np.testing.assert_allclose(found[:, :3], [[0.08, 0.24, 60], [0.256, 0.416, 62]])
