"""`python -m deploy`: the workstation's commands for the box, over SSH."""

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
"""name -> module:function of the click command, which is imported when it is called."""


@click.group(cls=Commands, places=COMMANDS, speaker="deploy")
def main() -> None:
    """Set up a Raspberry Pi as the box and send it new models, with your own SSH configuration."""


if __name__ == "__main__":
    main(prog_name="deploy")
