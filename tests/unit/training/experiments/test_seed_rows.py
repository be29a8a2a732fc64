"""The rows of the seeds' table: which are there, what they say, and which of them should play and do not."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import mido
import numpy as np
import pytest
from click.testing import CliRunner

os.environ.setdefault("KERAS_BACKEND", "jax")

from device.errors import UserError
from tests.unit.helpers.songs import STEPS, invented
from training.__main__ import main
from training.experiments.seed_table import other_pages
from training.experiments.seeds.data import roll_of_keys, songs
from training.experiments.seeds.figures import EXAMPLE, PANEL, SHOWN, silent, track
from training.experiments.seeds.seeds import seeds
from training.experiments.seeds.setup import CHORALES, SEEDS, Seed
from training.playing_figures.panel import Roll

PAGES = other_pages(Path(__file__).parents[4] / "docs")


def said(*arguments: object, code: int = 0) -> str:
    ran = CliRunner().invoke(main, ["seeds", *map(str, arguments)], catch_exceptions=False)
    assert ran.exit_code == code, ran.output
    return ran.output


def keep(cache: Path, name: str, pcs: float, names: list[str]) -> None:
    folder = cache / "fits" / "seeds" / name
    folder.mkdir(parents=True)
    figures = dict.fromkeys(SHOWN, pcs)
    about = {"about": f"about {name}", "parameters": 1234, "cpu_s": 7.4}
    (folder / PANEL).write_text(json.dumps({"about": about, "songs": names, "figures": figures}))


def test_the_table_says_what_was_measured_and_nothing_else(tmp_path: Path) -> None:
    assert "No seed has been fitted" in said("--action", "table", "--cache", tmp_path, code=2)
    keep(tmp_path, "lstm", 0.5126, ["780"])
    keep(tmp_path, "truth", float("nan"), ["780"])
    rows = said("--action", "table", "--cache", tmp_path).splitlines()
    assert len(rows) == 4 and rows[2].startswith("| `truth` |") and rows[2].count("–") == len(SHOWN)
    assert rows[3].startswith("| `lstm` | about lstm | 1,234 | 7 | 0.513 |")
    keep(tmp_path, "gru", 0.5, ["781"])
    assert "gru" not in said("--action", "table", "--cache", tmp_path)
    keep(tmp_path, "conv", 0.5, ["781"])
    assert "different songs" in said("--action", "table", "--cache", tmp_path, code=2)


def test_without_pieces_the_fit_is_refused(tmp_path: Path) -> None:
    assert "run `python -m training prepare` first" in said(
        "--action", "fit", "--family", "truth", "--cache", tmp_path, code=2
    )
    with pytest.raises(UserError, match="prepare"):
        songs(tmp_path, "train")


def test_every_command_and_configuration_of_the_pages_of_experiments_is_there() -> None:
    commands = re.findall(r"python -m training seeds ([^`\n#|]+)", PAGES)
    assert commands
    for command in commands:
        assert seeds.make_context("seeds", shlex.split(command)).params["action"]
    table = PAGES.split("| configuration | what it is | weights |", 1)[1].split("\n\n", 1)[0]
    named = re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE)
    assert set(named) >= {*SEEDS, *CHORALES}
    assert set(named) <= {"truth", "shipped", "tonic", "rolled", *SEEDS, *CHORALES}
    for name, row in zip(named, re.findall(r"^\| `.*$", table, re.MULTILINE), strict=True):
        if "not measured" in row:
            continue
        density = row.rstrip(" |").rsplit("|", 1)[1]
        plays = float(density) > 0 or name == "tonic"
        assert plays != (name in SEEDS and SEEDS[name].silent), row
        assert ("(silent)" in row) == (not plays), row


def test_an_example_is_read_back_as_two_hands(tmp_path: Path) -> None:
    from training.experiments.seeds.page import hands_of

    song = invented(1)
    file = mido.MidiFile(type=1, ticks_per_beat=480)
    file.tracks.append(track("Right hand", roll_of_keys(song.right_sounding, song.right_struck), 78))
    file.tracks.append(track("Left hand", Roll(np.zeros((STEPS, 128), bool), np.zeros((STEPS, 128), bool)), 58))
    file.save(str(tmp_path / EXAMPLE))
    right, left = hands_of(tmp_path / EXAMPLE, 2.0)
    assert left == [] and len(right) == song.right_struck[:15].sum()


def test_a_changed_size_is_a_row_of_its_own(tmp_path: Path) -> None:
    changed = SEEDS["keys"].changed(units=128, layers=None, steps=1600, rate=3e-3)
    assert (changed.name, changed.units, changed.steps) == ("keys@units=128,steps=1600", 128, 1600)
    assert SEEDS["keys"].changed(units=64) is SEEDS["keys"]
    assert Seed.from_dict({**json.loads(json.dumps(changed.to_dict())), "cpu_s": 3.0}) == changed
    with pytest.raises(UserError, match="takes only --steps and --rate"):
        SEEDS["softmax"].changed(units=8)
    for name in ("keys", changed.name, "lstm"):
        keep(tmp_path, name, 0.5, ["780"])
    rows = said("--action", "table", "--cache", tmp_path).splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == ["keys", changed.name, "lstm"]


def test_a_row_without_a_left_hand_is_named(tmp_path: Path) -> None:
    song = invented(1)
    for name, left in (
        ("lstm", song.left_sounding),
        ("conv", 0 * song.left_sounding),
        ("both", 0 * song.left_sounding),
    ):
        keep(tmp_path, name, 0.5, ["780"])
        folder = tmp_path / "fits" / "seeds" / name
        row = json.loads((folder / PANEL).read_text())
        (folder / PANEL).write_text(json.dumps({**row, "about": {**row["about"], "silent": name == "both"}}))
        file = mido.MidiFile(type=1, ticks_per_beat=480)
        file.tracks.append(track("Right hand", roll_of_keys(song.right_sounding, song.right_struck), 58))
        file.tracks.append(track("Left hand", roll_of_keys(left.astype(bool), left.astype(bool)), 58))
        file.save(str(folder / EXAMPLE))
    assert silent(tmp_path / "fits" / "seeds") == ["conv"]
