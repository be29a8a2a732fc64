"""`lefthand`: the one command, on the box and on a computer."""

from __future__ import annotations

import os
import sys
from types import ModuleType

import click

from device.commands.group import Commands
from device.version import VERSION

COMMANDS = {
    "play": "device.commands.play:play",
    "run": "device.commands.run:run",
    "do": "device.commands.do:do",
    "settings": "device.commands.settings:settings",
    "page": "device.commands.page:page",
    "status": "device.commands.status:status",
    "doctor": "device.commands.doctor:doctor",
    "calibrate": "device.commands.calibrate:calibrate",
    "synth": "device.commands.synth:synth",
    "devices": "device.commands.devices:devices",
    "panic": "device.commands.panic:panic",
    "verify": "device.commands.verify:verify",
    "slot": "device.commands.slot:slot",
}
"""The place of each command: its module, a colon, and the click command in it. The keys are the commands' names.

A module is imported only when its command is called.
"""

# OpenBLAS reads it when numpy is imported, which each command does later. With more threads, every product with the
# matrices of the clock's net wakes a thread on each core, and these threads then turn in a loop for a while.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# When mido is imported, it looks up its own version, and loads Python's mail library and `packaging` for it: 2 MB. No
# command asks for the version, so mido finds an empty one here.
_version = ModuleType("mido.version")
vars(_version).update(__version__="0", version_info=())
sys.modules.setdefault("mido.version", _version)


@click.group(cls=Commands, places=COMMANDS, speaker="lefthand")
@click.version_option(VERSION, prog_name="lefthand")
def main() -> None:
    """You play the right hand; it plays the left."""


if __name__ == "__main__":
    main(prog_name="lefthand")
