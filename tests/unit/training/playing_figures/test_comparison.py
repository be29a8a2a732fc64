"""The comparison: every row on pieces whose hands are known, the printed table, and the command."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from device.settings.choices import Steering, Style
from tests.unit.helpers.pieces import piece
from training.corpora.pieces import HandLabel, Piece, as_notes, save_piece
from training.evaluate.evaluate import evaluate
from training.playing_figures.compared_hands import NAMED_STYLES, ROWS
from training.playing_figures.comparison import LED, LED_BY_CHANCE, compare, markdown
from training.playing_figures.measure import Performed, play, positions_of, right_hand_of


class PlainNet:
    """A net that wants C, E and G at every step and strikes bass and upper keys."""

    def reset(self) -> None:
        """It has no state."""

    def step(self, *, x: np.ndarray) -> dict[str, np.ndarray]:
        classes = np.zeros(12, np.float32)
        classes[[0, 4, 7]] = 0.9
        return {
            "y_chord": classes,
            "y_ahead": classes,
            "y_bass": np.eye(13, dtype=np.float32)[0],
            "y_strike": np.full(3, 0.9, np.float32),
        }


def played(piece: Piece, style: Style) -> Performed:
    return play(piece, right_hand_of(piece), PlainNet(), steering=Steering(style))


@pytest.fixture(scope="module")
def table() -> dict[str, dict[str, float]]:
    return compare([piece(seed) for seed in range(2)], list(ROWS), played, "auto")


def test_every_row_is_measured_and_printed(table: dict[str, dict[str, float]]) -> None:
    assert list(table) == list(ROWS)
    text = markdown(table)
    for title in ROWS.values():
        assert text.count(f"| {title} |") == 2
    widths = {line.count("|") for line in text.split("\n\n")[0].splitlines()}
    assert len(widths) == 1


def test_the_true_hand_is_the_measure_of_all(table: dict[str, dict[str, float]]) -> None:
    true = table["true"]
    assert true["struck_share"] == true["held_share"] == true["agreement"] == 1.0
    assert true["distance"] < 0.3 < table["ours"]["distance"]
    assert table["tonic"]["over_tonic"] == 0.0 < true["over_tonic"]


def test_a_figure_on_other_chords_stays_as_near_as_the_truth(table: dict[str, dict[str, float]]) -> None:
    assert table["own-figures"]["distance"] < table["ours"]["distance"]
    assert table["true-chords"]["triad"] >= table["ours"]["triad"]


def test_a_figure_without_a_value_is_a_dash() -> None:
    assert "| true hand | - | 1.000 |" in markdown({"true": {"gone": 1.0, "struck": math.nan}, "ours": {"struck": 0.5}})


def test_a_tiny_loss_is_printed_as_zero() -> None:
    assert "| 0.000 |" in markdown({"ours": {"over_tonic": -0.0001}})


def test_a_bar_in_another_metre_moves_no_later_bar_line() -> None:
    lines = np.array([1.0, 5.0, 11.0, 15.0])
    notes = as_notes([0.0], [1.0], [60], 0, HandLabel.LEFT)
    one = Piece("a", "lieder", "a", "a", "valid", notes, [(0.0, 4, 4), (5.0, 6, 4), (11.0, 4, 4)], lines)
    positions = positions_of(one, 80, 16)
    assert positions[[0, 4, 20, 43, 44, 60, 75, 76]].tolist() == [12, 0, 0, 23, 0, 0, 15, 0]


def test_the_command_prints_the_rows_that_are_asked_for(tmp_path: Path) -> None:
    for seed in range(2):
        save_piece(tmp_path, piece(seed))
    words = ["playing", "--cache", str(tmp_path), "--corpus", "lieder", "--rows", "true", "--rows", "ours"]
    told = CliRunner().invoke(evaluate, [*words, "--json", str(tmp_path / "table.json")], catch_exceptions=False)
    assert told.exit_code == 0, told.output
    assert "| ours |" in told.output and "held tonic" not in told.output and "2 pieces" in told.output
    saved = json.loads((tmp_path / "table.json").read_text())["lieder"]
    assert set(saved) == {"true", "ours"} and saved["true"]["struck_share"] == 1.0


def test_the_cost_is_measured_for_our_hands_alone(table: dict[str, dict[str, float]]) -> None:
    assert table["ours"]["ms_a_hop"] > 0.0 and math.isnan(table["true"]["ms_a_hop"])


def test_the_command_prints_the_share_of_each_style(tmp_path: Path) -> None:
    save_piece(tmp_path, piece(0))
    words = ["playing", "--cache", str(tmp_path), "--corpus", "lieder", "--styles"]
    told = CliRunner().invoke(evaluate, [*words, "--json", str(tmp_path / "styles.json")], catch_exceptions=False)
    assert told.exit_code == 0, told.output
    saved = json.loads((tmp_path / "styles.json").read_text())["lieder"]
    assert set(saved) == {*NAMED_STYLES, LED, LED_BY_CHANCE} and saved["oom-pah"] > 0.8
    assert f"oom-pah    {saved['oom-pah']:.3f}" in told.output


def test_an_empty_cache_is_refused(tmp_path: Path) -> None:
    told = CliRunner().invoke(evaluate, ["playing", "--cache", str(tmp_path)])
    assert "training prepare" in str(told.exception)
