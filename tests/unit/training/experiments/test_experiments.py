"""Every configuration that docs/experiments/older-transcribers.md names can be asked for."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from training.experiments.older_transcribers.notes import notes

TEXT = (Path(__file__).parents[4] / "docs" / "experiments" / "older-transcribers.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"python -m training notes ([^`\n#|]+)", TEXT)))
ROWS = sorted(set(re.findall(r"\| `(--[^`]+)` \|", TEXT)))


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 3 and len(ROWS) > 3


@pytest.mark.parametrize("command", [*COMMANDS, *(f"--action train-val {row}" for row in ROWS)])
def test_a_command_has_only_options_and_values_that_there_are(command: str) -> None:
    assert notes.make_context("notes", shlex.split(command)).params["action"]
