"""Runs `lefthand slot ...` for a box in the folder `$LEFTHAND_BOX`, which belongs to the account that runs it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from device.bundles.slots import Slots
from device.commands.slot import slot
from device.flash.box import Box, read_rules

BOX = Path(os.environ["LEFTHAND_BOX"])
STANDIN = Path(__file__).with_name("standin.py")

if __name__ == "__main__":
    site = Box(
        slots=Slots(BOX / "bundles", signers=BOX / "allowed_signers"),
        run=BOX / "run",
        restart=((sys.executable, str(STANDIN), "restart", str(BOX)),),
        account=None,
        rules=read_rules(BOX / "flash.toml"),
    )
    slot(obj=site)
