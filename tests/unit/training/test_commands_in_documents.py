"""Every command of the workstation that stands in a document parses: no figure stands beside a stale command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from tests.unit.helpers.command_lines import parsed
from training.__main__ import main as training

ROOT = Path(__file__).parents[3]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CALLED = re.compile(r"python -m training ((?!COMMAND)[a-z].*)")
"""A call of the workstation's command, with its arguments. COMMAND stands for any of its subcommands."""


def commands(path: Path) -> list[str]:
    """Return the arguments of every call in the document's indented blocks and code spans."""
    text = path.read_text(encoding="utf-8")
    spans = re.findall(r"^ {4,}(\S.*)$", text, re.MULTILINE) + re.findall(r"`([^`\n]+)`", text)
    return [found[1] for span in spans if (found := CALLED.search(span))]


WRITTEN = sorted({(path.name, command) for path in DOCUMENTS for command in commands(path)})


def test_there_are_commands_on_many_pages() -> None:
    assert len(WRITTEN) > 80 and len({name for name, _ in WRITTEN}) > 8


@pytest.mark.parametrize(("page", "command"), WRITTEN, ids=[f"{page}: {command[:60]}" for page, command in WRITTEN])
def test_the_command_parses(page: str, command: str) -> None:
    try:
        parsed(training, shlex.split(command, comments=True))
    except click.BadParameter as error:
        # the documents name files and folders of the reader's own
        assert "does not exist" in error.message, f"{page}: {error.message}"


def test_a_stale_command_does_not_parse() -> None:
    for stale in ("evaluate hearing --nothing", "evaluate nothing", "beeps --seconds twelve"):
        with pytest.raises(click.ClickException):
            parsed(training, shlex.split(stale))
