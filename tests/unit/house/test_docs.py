"""The owner's documents name real commands and settings, and quote the box's messages exactly."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import click
import pytest

from device.cli import COMMANDS, main
from device.settings.config import Config

ROOT = Path(__file__).parents[3]
PAPERS = [ROOT / "docs" / name for name in ("wiring.md", "first-ten-minutes.md", "trouble.md")]
READ_FIRST = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
"""The pages that an owner or a new developer opens, without the histories below `docs`."""
READ_LATER = sorted((ROOT / "docs").glob("*/*.md"))
"""The pages of figures and of experiments. Their commands may be long."""
WIDEST = 120
"""Columns of a line, as in the code. The lines of tables are not limited."""
FEWEST_MODULES = 120
"""`device` has more modules than this: a search that finds fewer looks in the wrong place."""
MODULES = sorted((ROOT / "device").rglob("*.py"))
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in MODULES)
SAID = re.sub(r'"\s*\n\s*f?"', "", SOURCE)
"""The device's source, with strings over several lines joined."""

WORDS = SAID + "waiting for audio input; waiting for MIDI input; waiting for MIDI output; Watchdog timeout"
"""SAID, the messages that are put together at run time, and systemd's own."""


def named(path: Path) -> str:
    return path.name


def code(text: str) -> list[str]:
    """Return the code spans and the lines of indented blocks."""
    return re.findall(r"`([^`]+)`", text) + re.findall(r"^ {4,}(\S.*)$", text, re.MULTILINE)


def test_the_sentences_of_every_module_are_known() -> None:
    assert len(MODULES) > FEWEST_MODULES
    assert len(READ_LATER) > 15


@pytest.mark.parametrize("path", READ_FIRST, ids=named)
def test_no_line_outside_a_table_is_wider_than_a_screen(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    wide = [number for number, line in enumerate(lines, 1) if len(line) > WIDEST and not line.startswith("|")]
    assert not wide, f"{path.name}: wrap the lines {wide}"


@pytest.mark.parametrize("path", READ_LATER, ids=named)
def test_no_line_of_a_page_of_figures_is_wider_than_a_screen(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    wide = [n for n, line in enumerate(lines, 1) if len(line) > WIDEST and not line.startswith(("|", "    "))]
    assert not wide, f"{path.name}: wrap the lines {wide}"


@pytest.mark.parametrize("path", PAPERS, ids=named)
def test_every_command_and_option_that_is_named_is_there(path: Path) -> None:
    context = click.Context(main)
    found = 0
    for span in code(path.read_text(encoding="utf-8")):
        for name, rest in re.findall(r"(?<![\w/.-])lefthand ([a-z]+)([^;|#`]*)", span):
            if name not in COMMANDS:
                assert "systemctl" in span or "journalctl" in span, span
                continue
            command = main.get_command(context, name)
            assert command is not None
            options = {option for parameter in command.params for option in parameter.opts}
            assert set(re.findall(r"--[a-z-]+", rest)) <= options, span
            found += 1
    assert found


@pytest.mark.parametrize("path", PAPERS, ids=named)
def test_every_setting_that_is_named_is_there(path: Path) -> None:
    sections = {f.name: {key.name for key in dataclasses.fields(f.default_factory)} for f in dataclasses.fields(Config)}  # type: ignore[arg-type]
    text = path.read_text(encoding="utf-8")
    for section, key in re.findall(r"\[([a-z]+)\] ([a-z_]+)", text):
        assert key in sections.get(section, set()), f"[{section}] {key}"
    section = ""
    for line in re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE):
        if found := re.match(r"\[([a-z]+)\]$", line):
            section = found[1]
        elif found := re.match(r"([a-z_]+) = ", line):
            assert found[1] in sections[section], line


@pytest.mark.parametrize("path", PAPERS, ids=named)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_what_the_box_and_its_setup_are_quoted_with_they_say() -> None:
    setup = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "deploy").rglob("*.py")))
    said = SAID + re.sub(r'"\s*\n\s*f?"', "", setup)
    text = (ROOT / "docs" / "trouble.md").read_text(encoding="utf-8")
    quoted = [
        quote
        for row in text.splitlines()
        if row.startswith("| ")
        for quote in re.findall(r'"([^"]+)"', row.split(" | ")[0])
    ]
    assert len(quoted) > 15
    for quote in quoted:
        for piece in quote.split("…"):
            assert piece.strip(" :.") in said, quote


def test_every_fault_has_tests_that_are_there() -> None:
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    rows = [row for row in text.splitlines() if row.startswith("| ") and not row.startswith("| what happens")]
    assert len(rows) > 30
    for row in rows:
        places = re.findall(r"((?:\w+/)+test_\w+\.py) ((?:`test_\w+`(?:, )?)+)", row.rsplit(" | ", 1)[1])
        assert places, row
        for path, names in places:
            source = (ROOT / "tests" / path).read_text(encoding="utf-8")
            for name in re.findall(r"`(test_\w+)`", names):
                assert f"def {name}(" in source, f"{path}: {name}"


def _tests_are_there(text: str, fewest: int) -> None:
    """Check that each test that `text` names is in its file, and that it names tests at `fewest` places."""
    rows = re.findall(r"((?:\w+/)+test_\w+\.py) ((?:`test_\w+`(?:, )?)+)", text)
    assert len(rows) >= fewest
    for path, names in rows:
        source = (ROOT / "tests" / path).read_text(encoding="utf-8")
        for name in re.findall(r"`(test_\w+)`", names):
            assert f"def {name}(" in source, f"{path}: {name}"


def test_every_test_that_the_page_on_security_names_is_there() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    _tests_are_there(text, fewest=16)
    quoted = re.findall(r'"([^"]+)"', text)
    assert quoted
    for quote in quoted:
        assert quote.strip(" .") in SAID, quote


def test_every_test_that_the_page_on_the_page_names_is_there() -> None:
    text = (ROOT / "docs" / "page.md").read_text(encoding="utf-8")
    _tests_are_there(text, fewest=41)


def test_what_the_box_says_of_a_fault_it_says() -> None:
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    quoted = re.findall(r'"([^"]+)"', text)
    assert len(quoted) > 10
    for quote in quoted:
        for piece in quote.split("…"):
            assert piece.strip(" :.") in WORDS, quote
