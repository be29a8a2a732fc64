"""Runs on the Pi: `python3 -m appliance probe | apply FOLDER | remove FOLDER [--purge]`.

`probe` prints facts about the Pi. `apply` installs the box from the plan in FOLDER. `remove` removes the box. `apply`
and `remove` need root or --dry-run.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from .apply import apply
from .machine import Report, StepError
from .probe import probe
from .remove import remove

LOCK = Path("/run/lefthand-provision.lock")
"""Path of the file that is locked during a change of this machine.

It lies in /run, where only root can write. In /run/lock every account could make this file first and hold the lock.
"""


def main() -> int:
    """Run the command on the command line. Returns 0, or 1 after printing one sentence on the reason of a failure."""
    parser = argparse.ArgumentParser(prog="appliance")
    commands = parser.add_subparsers(dest="command", required=True)
    asking = commands.add_parser("probe")
    asking.add_argument("packages", nargs="*")
    applying = commands.add_parser("apply")
    removing = commands.add_parser("remove")
    removing.add_argument("--purge", action="store_true")
    for changing in (applying, removing):
        changing.add_argument("folder", type=Path)
        changing.add_argument("--dry-run", action="store_true")
    given = parser.parse_args()
    if given.command == "probe":
        print(probe(given.packages))
        return 0

    # A lost connection must not stop the work half-way.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    report = Report(given.dry_run)
    try:
        with contextlib.nullcontext() if given.dry_run else _alone():
            if given.command == "apply":
                apply(given.folder, report)
            else:
                remove(given.folder, given.purge, report)
    except StepError as failure:
        report.say(str(failure))
        return 1
    return 0


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock on `LOCK` during a `with` block, so that only one process changes this machine.

    Raises StepError if another process holds the lock.
    """
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StepError("Another workstation is provisioning this machine: try again when that is done.") from None
        yield


if __name__ == "__main__":
    sys.exit(main())
