"""Cutting recordings into chunks and putting them together, and which frames a note makes positive."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import UserError
from training.experiments.older_transcribers.chunks import Chunks, check_alike, fold
from training.hearing_figures.frame_scores import NAMES, frame_labels

HOP_S, WINDOW_S = 0.016, 0.128


def note(onset_s: float, offset_s: float, pitch: int) -> np.ndarray:
    return np.array([[onset_s, offset_s, pitch, 64.0]])


@given(st.integers(1, 60), st.integers(0, 20), st.integers(1, 400))
def test_a_recording_cut_and_put_together_is_itself(core: int, side: int, frames: int) -> None:
    chunks, recording = Chunks(core, side), np.arange(1, 2 * frames + 1).reshape(frames, 2)
    cut = np.stack([chunks.cut(recording, n) for n in range(chunks.count(frames))])
    assert cut.shape[1] == core + 2 * side
    np.testing.assert_array_equal(chunks.join(cut, frames), recording)


@given(st.integers(1, 60), st.integers(0, 20), st.integers(1, 400))
def test_every_frame_has_exactly_one_chunk_that_answers_for_it(core: int, side: int, frames: int) -> None:
    chunks = Chunks(core, side)
    answered = sum(int(chunks.answers(frames, n).sum()) for n in range(chunks.count(frames)))
    assert answered == frames


@given(st.integers(8, 60), st.integers(1, 8), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_what_looks_no_further_than_the_overlap_hears_chunks_as_it_hears_the_whole(
    core: int, side: int, frames: int, seed: int
) -> None:
    chunks, x = Chunks(core, side), np.random.default_rng(seed).normal(size=frames)
    kernel = np.ones(2 * side + 1)

    def smooth(y: np.ndarray) -> np.ndarray:
        return np.convolve(y, kernel)[side:-side]

    cut = np.stack([smooth(chunks.cut(x, n)) for n in range(chunks.count(frames))])
    np.testing.assert_allclose(chunks.join(cut, frames), smooth(x), atol=1e-9)


@given(st.floats(0.1, 10), st.sampled_from([0.008, 0.016, 0.032]))
def test_neighbours_are_seen_for_seven_per_cent_a_side(seconds: float, hop_s: float) -> None:
    chunks = Chunks.of_seconds(seconds, hop_s)
    assert 7 * chunks.core <= 100 * chunks.side < 7 * chunks.core + 100


def test_what_lies_outside_a_recording_is_silence_and_counts_as_padding() -> None:
    chunks = Chunks(10, 2)
    np.testing.assert_array_equal(chunks.cut(np.ones(13), 1), [1] * 5 + [0] * 9)
    np.testing.assert_array_equal(chunks.inside(13, 1), [True] * 5 + [False] * 9)
    np.testing.assert_array_equal(chunks.answers(13, 1), [False] * 2 + [True] * 3 + [False] * 9)


@given(st.floats(0, 3), st.floats(0.02, 2), st.integers(21, 108))
def test_a_frame_is_positive_exactly_where_its_window_meets_the_note(onset: float, held: float, pitch: int) -> None:
    labels = frame_labels(note(onset, onset + held, pitch), 300, HOP_S, WINDOW_S, names=False)
    centre = np.arange(300) * HOP_S
    meets = (centre + WINDOW_S / 2 > onset + 1e-9) & (centre - WINDOW_S / 2 < onset + held - 1e-9)
    touches = (centre + WINDOW_S / 2 >= onset - 1e-9) & (centre - WINDOW_S / 2 <= onset + held + 1e-9)
    positive = labels[:, pitch - 21].astype(bool)
    assert not np.any(meets & ~positive) and not np.any(positive & ~touches)
    assert labels.sum() == positive.sum()


def test_names_take_every_octave_together() -> None:
    notes = np.concatenate([note(0.1, 0.5, 60), note(0.1, 0.5, 36), note(0.1, 0.5, 61)])
    labels = frame_labels(notes, 50, HOP_S, WINDOW_S, names=True)
    assert labels.shape == (50, NAMES)
    assert set(np.flatnonzero(labels.any(axis=0))) == {0, 1}


def test_folded_notes_that_are_struck_together_are_one() -> None:
    notes = np.concatenate([note(0.10, 0.5, 60), note(0.11, 0.6, 72), note(0.4, 0.6, 48), note(0.4, 0.6, 50)])
    np.testing.assert_array_equal(fold(notes)[:, [0, 2]], [[0.10, 60], [0.4, 60], [0.4, 62]])


@pytest.mark.parametrize(
    "array, why",
    [
        (np.zeros((9, 88), np.uint8), r"\(9, 88\), not \(10, 88\)"),
        (np.zeros((10, 12), np.uint8), r"\(10, 12\), not"),
        (np.full((10, 88), 2, np.uint8), "0 and 1"),
        (np.zeros((10, 88), np.float32), "uint8"),
    ],
)
def test_labels_that_are_not_alike_are_refused_by_name(array: np.ndarray, why: str) -> None:
    with pytest.raises(UserError, match=f"etude.*{why}"):
        check_alike([("waltz", np.zeros((10, 88), np.uint8), 10), ("etude", array, 10)], 88)


def test_chunks_of_four_seconds() -> None:
    assert Chunks.of_seconds(4.0, HOP_S) == Chunks(250, math.ceil(17.5))
