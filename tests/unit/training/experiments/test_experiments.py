"""Every configuration that docs/experiments/older-transcribers.md names can be asked for."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from training.experiments.older_transcribers.actions import ACTIONS
from training.experiments.older_transcribers.cache import SCENES
from training.experiments.older_transcribers.notes import notes
from training.experiments.older_transcribers.request import NotesRequest

TEXT = (Path(__file__).parents[4] / "docs" / "experiments" / "older-transcribers.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"python -m training notes ([^`\n#|]+)", TEXT)))
ROWS = sorted(set(re.findall(r"\| `(--[^`]+)` \|", TEXT)))


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 3 and len(ROWS) > 3


@pytest.mark.parametrize("command", [*COMMANDS, *(f"--action train-val {row}" for row in ROWS)])
def test_a_command_has_only_options_and_values_that_there_are(command: str) -> None:
    asked = requested(command)
    assert asked.action in ACTIONS and asked.test_sets


@pytest.mark.parametrize(
    ("options", "kind", "corpus", "sets"),
    [
        ("", "log", SCENES, ("right",)),
        ("--family crnn", "cqt", SCENES, ("right",)),
        ("--spectrum mel --family crnn", "mel", SCENES, ("right",)),
        ("--pairs mine", "log", "pairs", ("pairs",)),
        ("--corpus musicnet", "log", "musicnet", ("musicnet",)),
        ("--corpus musicnet --on maestro right", "log", "musicnet", ("maestro", "right")),
    ],
)
def test_what_is_not_asked_for_follows_from_the_rest(
    options: str, kind: str, corpus: str, sets: tuple[str, ...], tmp_path: Path
) -> None:
    for folder in ("mine", "musicnet"):
        (tmp_path / folder).mkdir()
    asked = requested(f"-a train-val --data {tmp_path} {options.replace('mine', str(tmp_path / 'mine'))}")
    assert (asked.spectrum.kind, asked.corpus_of_fit, asked.test_sets) == (kind, corpus, sets)


def test_maps_is_measured_too_where_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "maps-enstdkcl").mkdir()
    assert requested(f"-a test --data {tmp_path}").test_sets == ("right", "maps")


def requested(command: str) -> NotesRequest:
    return NotesRequest(**notes.make_context("notes", shlex.split(command)).params)
