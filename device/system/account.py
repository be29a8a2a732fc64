"""Gives up root for the service's account, so that no file of that account and no model is used with root's rights."""

from __future__ import annotations

import contextlib
import os
import pwd
import resource

from device.system.paths import NAME

REAL_TIME_PRIORITY = 60
"""Highest real-time priority that a process keeps after root. It is LimitRTPRIO of the unit."""
LOCKED_BYTES = 64 * 2**20
"""Bytes of memory that a process may lock after root. It is LimitMEMLOCK of the unit."""


def exists(account: str) -> bool:
    """Return whether this machine has the account `account`."""
    try:
        pwd.getpwnam(account)
    except KeyError:
        return False
    return True


def become(account: str) -> None:
    """Give up root for good and continue as `account`.

    The home folder and the working folder become "/", and new files are not writable for others. Raises KeyError if
    there is no such account, and OSError if this process may not change accounts.
    """
    user = pwd.getpwnam(account)
    os.initgroups(account, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.umask(0o022)
    os.environ["HOME"] = "/"
    os.chdir("/")


def is_root_of_a_box() -> bool:
    """Return whether this process is root on a machine that has the service's account."""
    return os.geteuid() == 0 and exists(NAME)


def leave_root() -> None:
    """If this process is root on a box, continue as the service's account, with the same limits as the service.

    Does nothing for other accounts, and on a machine without the service's account. Call this before the first file of
    the service is read. A relative path has no meaning afterwards.
    """
    if not is_root_of_a_box():
        return
    limits = ((resource.RLIMIT_RTPRIO, REAL_TIME_PRIORITY), (resource.RLIMIT_MEMLOCK, LOCKED_BYTES))
    for limit, wanted in limits:
        # a container's root may not raise limits
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (wanted, wanted))
    become(NAME)
