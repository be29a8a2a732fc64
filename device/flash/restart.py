"""The one thing that a flash needs root for: starting the service anew.

`Restarter` is made first; as root it leaves a small process behind that can do this alone, and then gives up root for
good. What comes from outside, the archive and its models, is only ever seen by the account of the service.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess

from device.errors import UserError

TIMEOUT_S = 30.0
LONGEST_ANSWER = 1000


def exists(account: str) -> bool:
    """Whether there is such an account here."""
    try:
        pwd.getpwnam(account)
    except KeyError:
        return False
    return True


def become(account: str) -> None:
    """Gives up root for good; this process is that account's from now on."""
    user = pwd.getpwnam(account)
    os.initgroups(account, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.umask(0o022)
    os.environ["HOME"] = "/"
    os.chdir("/")


class Restarter:
    """Runs `commands`, fixed when it is made; `account` is who this process becomes where it is root.

    Raises UserError where it is root and there is no such account.
    """

    def __init__(self, commands: tuple[tuple[str, ...], ...], account: str | None) -> None:
        self._commands = commands
        self._socket: socket.socket | None = None
        if account is None or os.geteuid() != 0:
            return
        if not exists(account):
            raise UserError(f"There is no account {account} here: provision this box first.")
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            ours.close()
            _serve(theirs, commands)
        theirs.close()
        self._socket = ours
        become(account)

    def restart(self) -> None:
        """Starts the service anew, without waiting for it. Raises UserError with what was said against it."""
        if self._socket is None:
            said = _run(self._commands)
        else:
            try:
                self._socket.sendall(b"r")
                # the length comes first, so that an answer in parts is not taken for a whole one
                length = int.from_bytes(_exactly(self._socket, 2))
                said = _exactly(self._socket, length).decode("utf-8", "replace")
            except OSError as error:
                said = f"the process that may do it is gone ({error})"
        if said:
            raise UserError(f"The service cannot be started anew: {said}")


def _serve(asked: socket.socket, commands: tuple[tuple[str, ...], ...]) -> None:
    """In the process that stays root: runs `commands` for every byte that comes, whatever it is, and nothing else."""
    status = 1
    try:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        os.chdir("/")
        with contextlib.suppress(OSError):
            while asked.recv(1):
                said = _run(commands).encode()[:LONGEST_ANSWER]
                asked.sendall(len(said).to_bytes(2) + said)
        status = 0
    finally:
        # never back into the code of the process that this was forked from
        os._exit(status)


def _run(commands: tuple[tuple[str, ...], ...]) -> str:
    """What the last of `commands` said when it failed, nothing when it did not."""
    said = ""
    for command in commands:
        try:
            ran = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            said = " ".join(str(error).split())
        else:
            said = " ".join(ran.stderr.split()) or f"{command[0]} exited with {ran.returncode}"
            said = said if ran.returncode else ""
    return said


def _exactly(source: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        block = source.recv(count - len(content))
        if not block:
            raise OSError("it ended")
        content += block
    return content
