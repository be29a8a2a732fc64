"""Root is given up for good. The process that stays can restart the service and nothing else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from device.errors import UserError
from device.flash import restart
from device.flash.restart import Restarter

ROOT = Path(__file__).parents[4]
AS_NOBODY = """
import os, sys
from device.flash.restart import Restarter
restarter = Restarter((("sh", "-c", "id -u >> " + sys.argv[1]),), "nobody")
assert os.getuid() == os.geteuid() != 0 and 0 not in os.getgroups(), os.getgroups()
try:
    os.setuid(0)
except PermissionError:
    print("no way back")
restarter.restart()
restarter.restart()
"""


def test_the_last_command_counts(tmp_path: Path) -> None:
    done = tmp_path / "done"
    Restarter((("false",), ("touch", str(done))), None).restart()
    assert done.exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [(("sh", "-c", "echo no such unit >&2; exit 5"), "no such unit"), (("/no/program",), "No such file")],
)
def test_what_cannot_be_started_is_said(command: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=f"The service cannot be restarted: .*{said}"):
        Restarter((command,), None).restart()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")
def test_root_is_given_up_and_the_service_is_started_by_root(tmp_path: Path) -> None:
    # the account must be able to read the checkout's Python: this one is root's own, so it imports before it gives up
    done = tmp_path / "done"
    ran = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(done)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "no way back\n"
    assert done.read_text() == "0\n0\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")
def test_a_box_that_is_not_provisioned_is_told_so() -> None:
    with pytest.raises(UserError, match="There is no account nobody-of-ours here: provision this box first"):
        Restarter((), "nobody-of-ours")


def test_no_message_is_longer_than_a_megabyte() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall((2**32 - 1).to_bytes(4))
        with pytest.raises(OSError, match="too long"):
            restart._receive(theirs)
