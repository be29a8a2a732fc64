"""`python -m deploy.manpage [FILE]` (`make man`) writes docs/lefthand.1 from the commands' own help."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from device.cli import main
from device.version import VERSION

PAGE = Path(__file__).parents[1] / "docs" / "lefthand.1"
ABOUT = """
You play the right hand on a keyboard; the box hears it through a sound input, or reads it as MIDI, decides a left hand
in time with you, and plays it on a MIDI port or in a synthesiser of its own. On a Raspberry Pi `lefthand run --wait`
runs as the service lefthand.service, and `lefthand synth` as lefthand-synth.service.
"""
FILES = {
    "/etc/lefthand.toml": "The settings, each explained in docs/lefthand.toml.",
    "/etc/lefthand/allowed_signers": "Keys that bundles may be signed with.",
    "/var/lib/lefthand": "Data that a restart keeps: bundles in slots, and calibration.json, which calibrate writes.",
    "/run/lefthand/status.json": "The state of the running box, written four times a second.",
}
VARIABLES = {
    "STATE_DIRECTORY, RUNTIME_DIRECTORY": "Stand for /var/lib/lefthand and /run/lefthand, as systemd gives them.",
}
STATUSES = {
    "0": "All is well.",
    "1": "doctor found something broken; status found a box that has died or hangs.",
    "2": "Something that you can repair: one sentence says what, and how.",
    "78": "The settings cannot be used: the sentence names file, key, and what the key may be.",
}
EXAMPLES = {
    "lefthand devices": "Lists device names for the settings.",
    "sudo lefthand doctor": "Shows what works and what does not.",
    "lefthand status --watch": "Shows the notes that are heard and played now.",
    "journalctl -u lefthand -e": "Shows the log of the service.",
}
KEPT_LINES = "\b\n"
"""First line of a paragraph of a help whose lines click does not wrap."""


def page() -> str:
    """Return the text of the manual page, written in the macros of man(7)."""
    lines = [
        f'.TH LEFTHAND 1 "" "lefthand {VERSION}" "User commands"',
        ".SH NAME",
        r"lefthand \- plays the left hand to your right hand at the piano",
        ".SH SYNOPSIS",
        r".B lefthand",
        ".I COMMAND",
        r"[OPTIONS] [ARGUMENTS]",
        ".SH DESCRIPTION",
        _text(ABOUT),
        ".SH COMMANDS",
    ]
    context = click.Context(main, info_name="lefthand")
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        lines += _command(command, f"lefthand {name}")
    lines += [".SH OPTIONS", *_options(main)]
    for title, entries in (
        ("FILES", FILES),
        ("ENVIRONMENT", VARIABLES),
        ("EXIT STATUS", STATUSES),
        ("EXAMPLES", EXAMPLES),
    ):
        lines.append(f".SH {title}")
        for term, text in entries.items():
            lines += [".TP", rf"\fB{_text(term)}\fR", _text(text)]
    lines += [
        ".SH SEE ALSO",
        ".BR fluidsynth (1),\n.BR journalctl (1),\n.BR systemctl (1),\n.BR aplay (1),\n.BR amidi (1)",
    ]
    return "\n".join(lines) + "\n"


def _command(command: click.Command, name: str) -> Iterator[str]:
    """Yield the lines of the manual page for a command and its subcommands.

    Each command has its own subsection, with its help and its options.
    """
    arguments = [
        parameter.make_metavar(click.Context(command)) for parameter in command.params if _positional(parameter)
    ]
    yield f'.SS "{_text(" ".join([name, *arguments]))}"'
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield from _paragraph(paragraph)
    yield from _options(command)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from _command(below, f"{name} {below.name}")


def _paragraph(text: str) -> Iterator[str]:
    """Yield the lines of a paragraph of a help. The lines of one that click must not wrap stay as they are."""
    if text.startswith(KEPT_LINES):
        yield from (".PP", ".nf", *(_line(line) for line in text.splitlines()[1:]), ".fi", ".PP")
    else:
        yield _text(text)


def _options(command: click.Command) -> Iterator[str]:
    for parameter in command.get_params(click.Context(command)):
        if isinstance(parameter, click.Option):
            record = parameter.get_help_record(click.Context(command))
            if record is not None:
                yield ".TP"
                yield rf"\fB{_text(record[0])}\fR"
                yield _text(record[1])


def _positional(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Argument)


def _text(text: str) -> str:
    """Return `text` on one line, with escapes so that troff does not change it."""
    return _line(" ".join(text.split()))


def _line(text: str) -> str:
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace("`", "")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE).write_text(page(), encoding="utf-8")
