"""`lefthand`: the one command on the box and beside it."""

from __future__ import annotations

import click

from device.commands import Commands
from device.version import VERSION

COMMANDS = {
    "play": "device.cli_play:play",
    "run": "device.cli_run:run",
    "status": "device.cli_status:status",
    "doctor": "device.cli_doctor:doctor",
    "calibrate": "device.cli_calibrate:calibrate",
    "synth": "device.cli_synth:synth",
    "devices": "device.cli_run:devices",
    "panic": "device.cli_panic:panic",
    "verify": "device.cli_verify:verify",
    "slot": "device.cli_slot:slot",
}
"""name -> module:function of the click command, imported when it is named."""


@click.group(cls=Commands, places=COMMANDS, speaker="lefthand")
@click.version_option(VERSION, prog_name="lefthand")
def main() -> None:
    """You play the right hand; it plays the left."""


if __name__ == "__main__":
    main(prog_name="lefthand")
