"""`-a` is `--action` in every experiment, and a fit that is too short is refused before anything is read."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from training.__main__ import main
from training.experiments.older_transcribers.notes import notes


@pytest.mark.parametrize("command", ["seeds", "notes", "levers"])
def test_the_short_form_names_the_action(command: str) -> None:
    for option in ("-a", "--action"):
        ran = CliRunner().invoke(main, [command, option, "no such action"])
        assert ran.exit_code == 2
        assert "'no such action' is not one of" in ran.output


@pytest.mark.parametrize("option", ["-a", "--action"])
def test_several_values_end_at_the_short_form(option: str) -> None:
    context: click.Context = notes.make_context("notes", ["--thresholds", "0.2", "0.4", option, "test"])
    assert context.params["thresholds"] == (0.2, 0.4)
    assert context.params["action"] == "test"


def test_a_fit_of_six_steps_is_one_sentence_at_once(tmp_path: Path) -> None:
    # the cache is empty, so a command that reads it first would say so
    ran = CliRunner().invoke(main, ["play", "--steps", "6", "--cache", str(tmp_path / "cache")])
    assert ran.exit_code == 2
    (sentence,) = ran.stderr.strip().splitlines()
    assert "--steps 6 is too few" in sentence and "give 101 or more" in sentence
    assert not (tmp_path / "cache").exists()
