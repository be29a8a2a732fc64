"""Parses a written command as the real command line does, without running it."""

from __future__ import annotations

from typing import Any

import click


def parsed(group: click.Command, arguments: list[str]) -> dict[str, Any]:
    """Parse arguments down to the last subcommand of `group`, and return its values by parameter name.

    Nothing is run. `--help` returns no values. Raises click.ClickException for a command, an option or a value that
    there is not.
    """
    command, context = group, click.Context(group)
    while isinstance(command, click.Group):
        name, found, arguments = command.resolve_command(context, arguments)
        assert name is not None and found is not None
        # no group here has options of its own
        command, context = found, click.Context(found, info_name=name, parent=context)
    try:
        return dict(command.make_context(context.info_name, list(arguments)).params)
    except click.exceptions.Exit:
        return {}
