"""`python -m deploy` runs the workstation's commands that install and control the box over SSH."""

from __future__ import annotations

import click

from device.commands.group import Commands

COMMANDS = {
    "provision": "deploy.provision:provision",
    "unprovision": "deploy.provision:unprovision",
    "lock": "deploy.lock:lock",
    "keygen": "deploy.cli:keygen",
    "flash": "deploy.cli:flash",
    "rollback": "deploy.cli:rollback",
    "slots": "deploy.cli:slots",
    "logs": "deploy.cli:logs",
    "doctor": "deploy.cli:doctor",
}
"""Maps the name of each command to module:function. The module is imported when the command is called."""


@click.group(cls=Commands, places=COMMANDS, speaker="deploy")
def main() -> None:
    """Set up a Raspberry Pi as the box and send it new models, with your own SSH configuration."""


if __name__ == "__main__":
    main(prog_name="deploy")
