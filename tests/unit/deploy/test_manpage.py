"""The manual page lists every command and option, and troff reads it without a warning."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

import click
import pytest

from deploy.manpage import PAGE, page
from device.cli import COMMANDS, main


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context := click.Context(command)):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, f"{path} {name}")


def plain(roff: str) -> str:
    return re.sub(r"\\f[BIR]|\\&", "", roff).replace(r"\-", "-").replace(r"\e", "\\")


@pytest.mark.parametrize("written", [PAGE.read_text(encoding="utf-8"), page()], ids=["the file", "made again"])
def test_every_command_and_option_is_in_it(written: str) -> None:
    text = plain(written)
    found = 0
    for path, command in commands(main, "lefthand"):
        if path != "lefthand":
            section = text.split(f'.SS "{path}', 1)
            assert len(section) == 2, f"{path} is missing: run `make man`"
            part = section[1].split("\n.S", 1)[0]
        else:
            part = text
        for parameter in command.params:
            for option in [*parameter.opts, *parameter.secondary_opts]:
                if isinstance(parameter, click.Option):
                    assert re.search(rf"{re.escape(option)}(?![\w-])", part), f"{path} {option}: run `make man`"
                    found += 1
    assert found > 25
    assert len(COMMANDS) >= 9


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_troff_has_nothing_to_say() -> None:
    ran = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", str(PAGE)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
