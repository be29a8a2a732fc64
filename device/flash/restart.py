"""Takes the two steps of a flash that need root: it restarts the service, and it lets systemd start the self-test.

A flash is the installation of a bundle. `Restarter` is created before anything else. If the process is root, it forks a
small process that keeps root and can only take these two steps. The process itself then changes to the service's
account for good. So the archive and its models, which come from outside, are never read as root.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from dataclasses import asdict

from device.errors import UserError
from device.flash.preflight import Ran, Run, in_a_child
from device.flash.sandbox import self_test
from device.system.account import become, exists

TIMEOUT_S = 30.0
"""Longest time in seconds for one command."""
LENGTH = 4
"""Bytes of the length of a message."""
LONGEST_MESSAGE = 2**20
"""Bytes of a message. The longest one holds the output of a self-test, whose length is limited."""
LONGEST_ANSWER = 1000
"""Bytes of a command's error message that are passed on."""


class Restarter:
    """Runs `commands`, which cannot be changed later. If this process is root, it continues as `account`.

    Raises UserError if this process is root and the account does not exist.
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

    @property
    def self_test(self) -> Run:
        """Return the function that runs the self-test.

        On a box it runs the test in systemd's sandbox, else as a child of this process.
        """
        return in_a_child if self._socket is None else self._self_test

    def _self_test(self, folder: str, slowest: float, limit_s: float) -> Ran:
        try:
            ran = json.loads(self._ask({"folder": folder, "slowest": slowest, "limit_s": limit_s}))
        except (OSError, ValueError) as error:
            raise UserError(f"The self-test cannot be run: the process that may start it is gone ({error}).") from None
        return Ran(**ran)

    def _ask(self, request: dict[str, object]) -> bytes:
        """Send a request to the process that stays root, and return its answer.

        Raises OSError if that process is gone.
        """
        assert self._socket is not None
        _send(self._socket, json.dumps(request).encode())
        return _receive(self._socket)

    def restart(self) -> None:
        """Restart the service without waiting for it. Raises UserError with the error message of the command."""
        if self._socket is None:
            said = _run(self._commands)
        else:
            try:
                said = self._ask({}).decode("utf-8", "replace")
            except OSError as error:
                said = f"the process that may restart it is gone ({error})"
        if said:
            raise UserError(f"The service cannot be restarted: {said}")


def _serve(asked: socket.socket, commands: tuple[tuple[str, ...], ...]) -> None:
    """Serve requests in the process that stays root: each runs `commands` or a self-test, nothing else.

    Never returns.
    """
    status = 1
    try:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGTSTP):
            signal.signal(number, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        os.chdir("/")
        with contextlib.suppress(OSError):
            while True:
                request = json.loads(_receive(asked))
                if request:
                    ran = self_test(str(request["folder"]), float(request["slowest"]), float(request["limit_s"]))
                    _send(asked, json.dumps(asdict(ran)).encode())
                else:
                    _send(asked, _run(commands).encode()[:LONGEST_ANSWER])
        status = 0
    finally:
        # the fork must never return into the code of its parent process
        os._exit(status)


def _run(commands: tuple[tuple[str, ...], ...]) -> str:
    """Run `commands`. Returns the error message of the last one, or "" if it succeeded."""
    said = ""
    for command in commands:
        try:
            ran = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            said = " ".join(str(error).split())
        else:
            said = " ".join(ran.stderr.split()) or f"{command[0]} exited with {ran.returncode}"
            said = said if ran.returncode else ""
    return said


def _send(target: socket.socket, content: bytes) -> None:
    # the length comes first, so that a part of a message is not taken for all of it
    target.sendall(len(content).to_bytes(LENGTH) + content)


def _receive(source: socket.socket) -> bytes:
    length = int.from_bytes(_exactly(source, LENGTH))
    if length > LONGEST_MESSAGE:
        raise OSError("its message is too long")
    return _exactly(source, length)


def _exactly(source: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        block = source.recv(count - len(content))
        if not block:
            raise OSError("it ended")
        content += block
    return content
