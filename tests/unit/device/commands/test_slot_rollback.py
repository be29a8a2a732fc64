"""`lefthand slot rollback` tells its steps as sentences on a terminal, and as JSON to a program."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROLLED = """
import sys
from pathlib import Path

from device.bundles.slots import Slots
from device.commands.slot import slot
from device.flash import install
from device.flash.box import Box, Rules


class Rolled(install.Install):
    def rollback(self):
        self._tell("switch", "slot a is current again")
        if "refused" in sys.argv:
            raise install.UserError("slot a does not play: see the logs.")
        self._tell("done", "slot a plays again", gap_s=0.5)


install.Install = Rolled
folder = Path(sys.argv[1])
slot(["rollback"], obj=Box(Slots(folder), folder, (), None, Rules()))
"""


def rolled(folder: Path, *words: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run a rollback without models. Its standard output is `stdout`."""
    command = [sys.executable, "-c", ROLLED, str(folder), *words]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def on_a_terminal(folder: Path, *words: str) -> tuple[int, str, str]:
    """Return the exit status of a rollback on a terminal, and what it printed there and on stderr."""
    mine, its = os.openpty()
    try:
        ran = rolled(folder, *words, stdout=its)
    finally:
        os.close(its)
    said = b""
    with contextlib.suppress(OSError):
        while more := os.read(mine, 4096):
            said += more
    os.close(mine)
    return ran.returncode, said.decode().replace("\r\n", "\n"), ran.stderr


def test_a_person_reads_sentences(tmp_path: Path) -> None:
    assert on_a_terminal(tmp_path) == (0, "slot a is current again.\nslot a plays again.\n", "")
    refused = on_a_terminal(tmp_path, "refused")
    assert refused == (2, "slot a is current again.\n", "lefthand: slot a does not play: see the logs.\n")


def test_a_program_reads_json(tmp_path: Path) -> None:
    steps = [json.loads(line) for line in rolled(tmp_path).stdout.splitlines()]
    assert [step["step"] for step in steps] == ["switch", "done"] and steps[-1]["gap_s"] == 0.5
    ran = rolled(tmp_path, "refused")
    assert ran.returncode == 2 and json.loads(ran.stdout.splitlines()[-1])["step"] == "refused"
