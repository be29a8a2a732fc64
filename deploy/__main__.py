"""`python -m deploy`: what a workstation does to the box, over SSH."""

from __future__ import annotations

import click

from device.commands.group import Commands

COMMANDS = {
    "provision": "deploy.provision:provision",
    "unprovision": "deploy.provision:unprovision",
    "keygen": "deploy.cli:keygen",
    "flash": "deploy.cli:flash",
    "rollback": "deploy.cli:rollback",
    "slots": "deploy.cli:slots",
    "logs": "deploy.cli:logs",
    "doctor": "deploy.cli:doctor",
}
"""name -> module:function of the click command, imported when it is named."""


@click.group(cls=Commands, places=COMMANDS, speaker="deploy")
def main() -> None:
    """A Raspberry Pi that plays, and new models for it, over SSH as you have it configured."""


if __name__ == "__main__":
    main(prog_name="deploy")
