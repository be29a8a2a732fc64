"""The table of all seeds in docs/experiments: no row is missing, its commands exist, its figures are the pages' own."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from device.cli import main as lefthand
from device.errors import UserError
from tests.unit.helpers.command_lines import parsed
from training.__main__ import main as training
from training.experiments.classroom.classes import UMAP
from training.experiments.older_transcribers import notes as notes_command
from training.experiments.older_transcribers.chunks import OVERLAP
from training.experiments.seed_table import COUNTS, NOT_MEASURED, figure, filled, other_pages, read_rows, table

ROOT = Path(__file__).parents[4]
DOCS = ROOT / "docs"
PAGE = (DOCS / "experiments" / "seed-by-seed.md").read_text(encoding="utf-8")
ROWS = read_rows(DOCS / "seeds.tsv")


def test_no_row_is_missing_and_the_page_has_what_the_script_writes() -> None:
    assert len(ROWS) == sum(COUNTS.values()) == 146
    assert filled(PAGE, ROWS, other_pages(DOCS)) == PAGE, "run `python -m training seeds --action rows`"
    for name, *_ in ROWS:
        assert f"\n| {name} | " in PAGE


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the files that the rows name as the user's own, and with the repository's demo."""
    for name in ("my.wav", "my.flac", "demo/right-hand.flac"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "FOLDER").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_command_of_every_row_parses(row: list[str], files: None) -> None:
    first, *arguments = shlex.split(row[2])
    if first == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        named = re.search(r"\[(.*)\]", arguments[-1])
        assert arguments[0] == "install" and named and set(named[1].split(",")) <= set(extras)
    elif first == "make":
        assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), row
    elif first == "ls":
        assert arguments and all((ROOT / name).exists() for name in arguments)
    else:
        words = arguments if first == "lefthand" else [first, *arguments]
        values = parsed(lefthand if first == "lefthand" else training, words)
        if first in ("seeds", "notes", "levers") and "--help" not in arguments:
            assert values["action"], row


def test_a_command_that_is_not_there_does_not_parse() -> None:
    for wrong in ("notes -a no-action", "seeds -a fit --family none", "play --stepz 6", "evaluate nothing", "nothing"):
        with pytest.raises(click.ClickException):
            parsed(training, shlex.split(wrong))
    with pytest.raises(click.ClickException):
        parsed(lefthand, ["play", "--confidence", "0.7"])


def test_figures_that_the_rows_state_of_the_code_are_true() -> None:
    figures = {row[0]: row[3] for row in ROWS}
    assert figures["S1-4"] == f"{len(notes_command.ACTIONS)} actions"
    assert figures["S1-22"] == f"{OVERLAP:.2f} on each side".removeprefix("0")
    assert f"n_neighbors {UMAP['n_neighbors']}, min_dist {UMAP['min_dist']:g}".replace("0.", ".") == figures["S2-24"]
    assert (ROOT / figures["S1-1"].removeprefix("cited in ")).read_text().count("1611.09827") == 1


def test_a_missing_doubled_or_broken_row_is_named(tmp_path: Path) -> None:
    lines = (DOCS / "seeds.tsv").read_text(encoding="utf-8").splitlines()
    path = tmp_path / "seeds.tsv"
    path.write_text("\n".join(line for line in lines if not line.startswith("S3-7\t")))
    with pytest.raises(UserError, match=r"missing: S3-7\."):
        read_rows(path)
    path.write_text("\n".join([*lines[:5], lines[4], *lines[5:]]))
    with pytest.raises(UserError, match="in order"):
        read_rows(path)
    path.write_text("\n".join([lines[0].rsplit("\t", 1)[0], *lines[1:]]))
    with pytest.raises(UserError, match="S0-1 has not five"):
        read_rows(path)
    with pytest.raises(UserError, match="needs the marks"):
        filled("no marks", ROWS, "")


def test_a_figure_is_that_of_the_pages_table() -> None:
    page = (
        "| configuration | what it is | weights | PCS | coupling | density |\n|---|---|---|---|---|---|\n"
        "| `conv` | about | 1 | 0.6 | 0.2 | 1.4 |\n\n| class-room | figure |\n|---|---|\n| knn | 91 % |\n"
    )
    assert figure("on@50 3; now @conv", page) == "on@50 3; now PCS 0.6, coupling 0.2, density 1.4"
    assert figure("&knn", page) == "91 %" and figure("%mg-final", page) == NOT_MEASURED
    assert "| S4-12 |" in table(ROWS, page)
    assert figure("~ensemble", page) == figure("~best", page) == NOT_MEASURED
    page += (
        "\n| way | nets | calibration error |\n|---|---|---|\n| one net | 1 | .05 |\n| dropout, 8 runs | 1 | .04 |\n"
        "| ensemble of 5 | 5 | .03 |\n\n"
        "| fit | on@50 | frame |\n|---|---|---|\n| `hand-made` | 1 | 2 |\n| `best` | 3 | 4 |\n"
    )
    assert figure("~ensemble", page) == "calibration error .03; one net .05, dropout .04"
    assert figure("~best", page) == "on@50 3, frame 4; made by hand: on@50 1, frame 2"
