"""Runs OpenSSH with the user's own configuration. ssh itself handles hosts, agents, jump hosts and passwords."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from typing import IO

import click

from device.errors import UserError
from device.printable import printable

OPTIONS = "LEFTHAND_SSH"
"""Environment variable with further options of ssh, in shell syntax: `-F file -p 2222`."""
NO_CONNECTION = 255
"""Exit status of ssh if it has no connection. Every other status is that of the remote command."""
LONGEST_LINE = 1 << 16
"""Bytes of a line of a host that are shown at once. The rest follows as another line."""
_ALIVE = ("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3", "-o", "ConnectTimeout=15")
_PLAUSIBLE = re.compile(r"[A-Za-z0-9_][\w.@:%+\[\]/-]*")


@dataclass(frozen=True)
class Host:
    """A host in the form that ssh takes: `pi@lefthand.local`, or a name in ~/.ssh/config.

    Raises UserError for a name that ssh could take for an option.
    """

    name: str

    def __post_init__(self) -> None:
        if not _PLAUSIBLE.fullmatch(self.name):
            raise UserError(f"{self.name!r} is not a host: give what you give to ssh, like pi@lefthand.local.")

    def argv(self, *words: str, program: str = "ssh") -> list[str]:
        """Return the local command that runs `words` on the host. Each word stays one word."""
        options = shlex.split(os.environ.get(OPTIONS, ""))
        return [program, *options, *_ALIVE, self.name, "--", shlex.join(words)]

    def run(self, *words: str, stdin: bytes = b"", timeout_s: float | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command `words` on the host and wait for its end. The output is text.

        Raises subprocess.TimeoutExpired if it takes longer than `timeout_s` seconds.
        """
        ran = subprocess.run(self.argv(*words), input=stdin, capture_output=True, timeout=timeout_s, check=False)
        out, err = (output.decode("utf-8", "replace") for output in (ran.stdout, ran.stderr))
        return subprocess.CompletedProcess(ran.args, ran.returncode, out, err)

    def show(self, *words: str) -> int:
        """Run the command `words` on the host, print its output line by line, and return its exit status."""
        return shown(self.argv(*words))

    def popen(self, *words: str, stderr: IO[bytes] | int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Start the command `words` on the host, with pipes to its three standard streams."""
        return subprocess.Popen(self.argv(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr)

    def unreachable(self, said: str) -> UserError:
        """Return the error for a connection that could not be made, with ssh's message `said`."""
        lines = [line for line in said.splitlines() if line.strip()]
        why = lines[-1].strip() if lines else "ssh gave no reason"
        return UserError(f"{self.name} cannot be reached ({why}): try `ssh {self.name}` by itself first.")


def shown(command: list[str]) -> int:
    """Run the local `command` without input, print its output and errors as printable lines, return its exit status.

    A host that is not yours could otherwise send codes that the terminal obeys.
    """
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        while line := process.stdout.readline(LONGEST_LINE):
            click.echo(printable(line.decode("utf-8", "replace").rstrip("\r\n")))
    return process.returncode
