"""Replaces standard streams that cannot be used.

`lefthand play my.wav 2>&-` closes stderr before the program begins, and the disk on which stdout is kept may be full.
"""

from __future__ import annotations

import errno
import os
import sys

STREAMS = (0, 1, 2)
"""File descriptors of stdin, stdout and stderr."""
FULL = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors that say that a disk, or an account's share of it, is full."""


def open_closed_streams() -> None:
    """Connect each closed standard stream to /dev/null. Call this before the program opens a file.

    The first file that the program opens would otherwise become its stderr. What a library prints would be written into
    it, and it could not be read while stderr is silenced. The programs that it starts get the stream too.
    """
    for stream in STREAMS:
        try:
            os.fstat(stream)
        except OSError:
            # the lowest free number is this one, because those below it are open
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    # Python has no object for a stream that was closed
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def drop_output(stream: int = 1) -> None:
    """Send what `stream`, stdout or stderr, still holds to /dev/null, because its disk is full.

    Python would otherwise end with a traceback on it, or with an exit code of its own.
    """
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream)
    os.close(nothing)
