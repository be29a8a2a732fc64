"""The bench of the chords: its cheats have the figures that they must have, and the command prints each row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.unit.helpers.pieces import piece
from training.corpora.pieces import save_piece
from training.evaluate.evaluate import evaluate
from training.playing_figures.chord_bench import BEFORE, CHEATS, IN_BEAT, MAJORITY, ON_BEAT, RULE, TONIC, TRUE, as_hand
from training.playing_figures.strikes import chords_by_beat


def test_a_triad_is_struck_on_each_beat_and_where_it_changes() -> None:
    hand = as_hand(np.array([-1, 0, 0, 0, 0, 7, 7, 7]), np.arange(8))
    assert np.flatnonzero(hand.struck.any(axis=1)).tolist() == [1, 4, 5]
    assert np.flatnonzero(hand.sounding[2]).tolist() == [48, 52, 55]
    assert np.flatnonzero(hand.sounding[6] % 128).tolist() == [50, 55, 59]
    own = chords_by_beat(hand, hand, hand, np.arange(8), 4)
    assert own.right.all()


def test_the_command_prints_the_cheats_the_rule_and_ours(tmp_path: Path) -> None:
    for seed in range(2):
        for corpus in ("lieder", "pop909"):
            made = piece(seed)
            save_piece(tmp_path, type(made)(**{**vars(made), "corpus": corpus}))
    ran = CliRunner().invoke(evaluate, ["chords", "--cache", str(tmp_path), "--songs", "1"], catch_exceptions=False)
    rows = {
        line.split("|")[1].strip().removeprefix("cheat: "): [float(cell) for cell in line.split("|")[2:-1]]
        for line in ran.output.splitlines()
        if line.startswith("|") and line.count(".") > 3
    }
    assert list(rows) == [TRUE, BEFORE, MAJORITY, TONIC, RULE, ON_BEAT, IN_BEAT]
    assert rows[TRUE][0] == rows[TRUE][1] == pytest.approx(1.0)
    assert rows[TONIC][2] == 0.0 and rows[TRUE][2] > 0.1
    assert all(rows[TRUE][0] >= row[0] for row in rows.values())
    assert set(CHEATS) < set(rows)
