"""The table of all seeds in docs/experiments.md: no row is missing, its commands exist, its figures are the page's."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from device.errors import UserError
from training.experiments.older_transcribers.notes import notes
from training.experiments.seed_table import COUNTS, NOT_MEASURED, OTHERS, figure, filled, read_rows, table
from training.experiments.seeds.seeds import seeds

DOCS = Path(__file__).parents[4] / "docs"
DOCUMENT = (DOCS / "experiments.md").read_text(encoding="utf-8")
ROWS = read_rows(DOCS / "seeds.tsv")


def test_no_row_is_missing_and_the_page_has_what_the_script_writes() -> None:
    assert len(ROWS) == sum(COUNTS.values()) == 146
    assert filled(DOCUMENT, ROWS) == DOCUMENT, "run `python -m training seeds --action rows`"
    for name, *_ in ROWS:
        assert f"\n| {name} | " in DOCUMENT


def test_the_command_of_every_row_exists() -> None:
    for row in ROWS:
        first, *arguments = shlex.split(row[2])
        if first in ("seeds", "notes") and "--help" not in arguments:
            command = seeds if first == "seeds" else notes
            assert command.make_context(first, arguments).params["action"], row
        else:
            assert first in (*OTHERS, "notes", "listen", "levers", "evaluate", "play"), row


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
        filled("no marks", ROWS)


def test_a_figure_is_that_of_the_pages_table() -> None:
    page = (
        "| configuration | what it is | weights | PCS | coupling | density |\n|---|---|---|---|---|---|\n"
        "| `conv` | about | 1 | 0.6 | 0.2 | 1.4 |\n\n| class-room | figure |\n|---|---|\n| knn | 91 % |\n"
    )
    assert figure("on@50 3; now @conv", page) == "on@50 3; now PCS 0.6, coupling 0.2, density 1.4"
    assert figure("&knn", page) == "91 %" and figure("%mg-final", page) == NOT_MEASURED
    assert "| S4-12 |" in table(ROWS, page)
