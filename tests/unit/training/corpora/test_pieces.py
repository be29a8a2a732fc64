"""Pieces: what is cached comes back, and each corpus is read as it is printed or played."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training.corpora.bars import full_bars
from training.corpora.pieces import HandLabel, Piece, as_notes, load_pieces, piece_path, save_piece


def a_piece(name: str = "song", split: str = "train", **changes: object) -> Piece:
    piece = Piece(
        name=name,
        corpus="lieder",
        group="Le_Beau,_Luise",
        work="Le_Beau,_Luise/Op.7/Hör’_ich",
        split=split,
        notes=as_notes([1.0, 0.0], [1.0, 0.5], [60, 64], 0, [HandLabel.LEFT, HandLabel.RIGHT]),
        meters=[(0.0, 3, 4), (7.0, 6, 8)],
        downbeats=np.array([1.0, 4.0, 7.0]),
        title="Hör’ ich",
    )
    return dataclasses.replace(piece, **changes)


def test_a_saved_piece_comes_back_equal(tmp_path: Path) -> None:
    piece = a_piece(beat_s=np.array([0.1, 0.7, 1.2]), primary=False)
    save_piece(tmp_path, piece)
    (found,) = load_pieces(tmp_path, "lieder")
    for field in dataclasses.fields(Piece):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(piece, field.name))
    assert found.notes.dtype == piece.notes.dtype


def test_a_score_has_no_seconds(tmp_path: Path) -> None:
    save_piece(tmp_path, a_piece())
    (found,) = load_pieces(tmp_path, "lieder")
    assert found.beat_s is None
    with pytest.raises(ValueError, match="song is a score"):
        found.seconds(1.0)


def test_only_the_split_asked_for_is_loaded_by_name(tmp_path: Path) -> None:
    for name, split in (("b", "train"), ("a", "train"), ("c", "test")):
        save_piece(tmp_path, a_piece(name, split))
    assert [piece.name for piece in load_pieces(tmp_path, "lieder", "train")] == ["a", "b"]
    assert [piece.name for piece in load_pieces(tmp_path, "lieder")] == ["a", "b", "c"]
    assert load_pieces(tmp_path, "chopin") == []


def test_a_write_that_fails_leaves_the_piece_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_piece(tmp_path, a_piece())

    def broken(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", broken)
    with pytest.raises(OSError, match="disk full"):
        save_piece(tmp_path, a_piece(title="second"))
    monkeypatch.undo()
    assert [piece.title for piece in load_pieces(tmp_path, "lieder")] == ["Hör’ ich"]
    assert list(piece_path(tmp_path, "lieder", "song").parent.iterdir()) == [piece_path(tmp_path, "lieder", "song")]


def test_notes_are_sorted_and_chosen_by_hand() -> None:
    piece = a_piece()
    assert piece.notes["onset"].tolist() == [0.0, 1.0]
    assert piece.of(HandLabel.LEFT)["pitch"].tolist() == [60]
    assert len(piece.of(HandLabel.LEFT, HandLabel.RIGHT)) == 2


@given(arrays(np.float64, 12, elements=st.floats(0.2, 2.0)), st.floats(0.0, 10.9))
def test_seconds_and_quarters_are_each_others_inverse(intervals: np.ndarray, quarter: float) -> None:
    from training.corpora.pop909 import quarters_at

    piece = a_piece(beat_s=np.cumsum(intervals))
    assert quarters_at(piece.seconds(quarter), piece.beat_s) == pytest.approx(quarter, abs=1e-6)


def test_a_pickup_is_no_bar() -> None:
    assert full_bars([0.0, 1.0, 5.0], 9.0, [(0.0, 4, 4)]).tolist() == [1.0, 5.0]


def test_a_bar_divided_by_a_repeat_sign_starts_once() -> None:
    assert full_bars([0.0, 4.0, 7.0, 8.0, 12.0], 16.0, [(0.0, 4, 4)]).tolist() == [0.0, 4.0, 8.0, 12.0]


def test_bars_follow_a_change_of_meter() -> None:
    assert full_bars([0.0, 3.0, 6.0, 8.0], 10.0, [(0.0, 3, 4), (6.0, 2, 4)]).tolist() == [0.0, 3.0, 6.0, 8.0]


@given(st.integers(1, 40), st.sampled_from([(4, 4), (3, 4), (6, 8), (2, 2)]), st.floats(0.0, 0.99))
def test_whole_bars_after_a_pickup_are_all_downbeats(count: int, meter: tuple[int, int], part: float) -> None:
    length = meter[0] * 4 / meter[1]
    pickup = round(part * length * 4) / 4 % length
    starts = ([0.0] if pickup else []) + [pickup + bar * length for bar in range(count)]
    found = full_bars(starts, starts[-1] + length, [(0.0, *meter)])
    assert len(found) == count
    assert found[0] == pickup
