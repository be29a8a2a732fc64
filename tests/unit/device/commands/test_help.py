"""What `--help` prints: no sentence is cut, no option has the name of a type, and `lefthand do` explains each word."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from device.cli import COMMANDS, main
from device.commands.do import ACTIONS, SETTINGS
from device.settings.choices import (
    HIGHEST_REGISTER,
    LEAST_CONFIDENCE,
    LEAST_DENSITY,
    LOWEST_REGISTER,
    MOST_CONFIDENCE,
    MOST_DENSITY,
)
from device.settings.controls import SWITCHED


def help_of(*words: str) -> str:
    result = CliRunner().invoke(main, [*words, "--help"], terminal_width=80)
    assert result.exit_code == 0
    return result.output


def explained(word: str) -> str:
    """Return the line of `lefthand do --help` that begins with `word`."""
    lines = re.findall(rf"^ {{4}}({re.escape(word)}(?: .*)?)$", help_of("do"), re.MULTILINE)
    assert len(lines) == 1, f"{word}: {lines}"
    return str(lines[0])


def test_the_list_of_commands_has_a_whole_sentence_for_each() -> None:
    told = help_of()
    assert all(re.search(rf"^ +{name} +\S", told, re.MULTILINE) for name in COMMANDS)
    assert "..." not in told.partition("Commands:")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_told_by_the_name_of_its_type(name: str) -> None:
    assert not re.search(r"\b(TEXT|INTEGER|FLOAT|RANGE|PATH|FILENAME)\b", help_of(name))


@pytest.mark.parametrize("word", [*ACTIONS, *SETTINGS])
def test_do_explains_each_word(word: str) -> None:
    line = explained(word)
    assert ("[on|off]" in line) == (word in SWITCHED)
    # a kept setting names its value before the explanation
    assert bool(re.match(rf"{word} [A-Z]+ {{2,}}", line)) == (word in SETTINGS)


@pytest.mark.parametrize(
    ("word", "least", "most"),
    [
        ("density", LEAST_DENSITY, MOST_DENSITY),
        ("register", LOWEST_REGISTER, HIGHEST_REGISTER),
        ("confidence", LEAST_CONFIDENCE, MOST_CONFIDENCE),
    ],
)
def test_do_names_the_range_of_a_number(word: str, least: float, most: float) -> None:
    assert explained(word).endswith(f"{least:g} to {most:g}")


def test_an_unknown_word_is_answered_with_those_that_there_are() -> None:
    result = CliRunner().invoke(main, ["do", "jump"])
    assert result.exit_code == click.UsageError.exit_code
    assert "do [OPTIONS] ACTION [VALUE]" in result.stderr
    assert all(f"'{word}'" in result.stderr for word in (*ACTIONS, *SETTINGS))
