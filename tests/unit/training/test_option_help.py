"""Every option of a command says in its help what it does."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from deploy.__main__ import main as deploy
from device.cli import main as lefthand
from export.__main__ import main as export
from training.__main__ import main as training


def options(command: click.Command, name: str) -> Iterator[tuple[str, click.Option]]:
    """Return each option of a command and of the commands below it, with the words that one types for it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from options(found, f"{name} {below}")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield f"{name} {parameter.opts[-1]}", parameter


@pytest.mark.parametrize(
    ("name", "command", "least"),
    [("training", training, 200), ("export", export, 5), ("deploy", deploy, 10), ("lefthand", lefthand, 50)],
)
def test_no_option_lacks_a_help(name: str, command: click.Command, least: int) -> None:
    found = dict(options(command, name))
    assert len(found) >= least, "the commands below were not found"
    assert [words for words, option in found.items() if not option.help] == []


def test_an_option_without_a_help_is_found() -> None:
    silent = click.Group("silent", commands=[click.Command("below", params=[click.Option(["--mute"])])])
    assert [words for words, option in options(silent, "silent") if not option.help] == ["silent below --mute"]
