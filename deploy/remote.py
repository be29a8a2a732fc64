"""One shared ssh connection to a Pi, for the many small commands of provisioning. See also `deploy.ssh`."""

from __future__ import annotations

import contextlib
import io
import shlex
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from deploy.ssh import NO_CONNECTION, Host, shown
from device.errors import UserError

CHUNK = 1 << 16
"""Bytes that are read or written at once."""


class Remote:
    """One ssh connection to a host, shared by all commands. Use `connected` to make one."""

    def __init__(self, host: Host, control: Path) -> None:
        self.name = host.name
        self._host = host
        self._shared = ("-o", "ControlMaster=auto", "-o", f"ControlPath={control}", "-o", "ControlPersist=60")

    def command(self, *words: str, tty: bool = False) -> list[str]:
        """Return the local command that runs `words` on the host."""
        ssh, *rest = self._host.argv(*words)
        return [ssh, *self._shared, *(["-t"] if tty else []), *rest]

    def run(self, *words: str) -> str:
        """Run the command `words` on the host and return its stdout.

        Raises UserError with the command's error output if it fails, or if the host cannot be reached.
        """
        ran = subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        self._judge(ran.returncode, ran.stderr)
        if ran.returncode:
            raise UserError(f"{self.name}: {' '.join(words)[:80]} failed: {ran.stderr.strip() or ran.stdout.strip()}")
        return ran.stdout

    def succeeds(self, *words: str) -> bool:
        """Run the command `words` on the host. Returns True if it exits with 0.

        Raises UserError if the host cannot be reached.
        """
        ran = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, check=False)
        self._judge(ran.returncode, ran.stderr.decode(errors="replace"))
        return ran.returncode == 0

    def show(self, *words: str, tty: bool = False) -> int:
        """Run the command `words` on the host, show its output and return its exit status.

        If `tty` is true, the command has a terminal, on which it can ask for a password. Otherwise each line becomes
        printable text. Raises UserError if the connection is lost.
        """
        command = self.command(*words, tty=tty)
        code = subprocess.run(command, check=False).returncode if tty else shown(command)
        self._judge(code, "the connection was lost")
        return code

    def put(
        self, files: Mapping[str, Path | bytes], folder: str, progress: Callable[[int], object] | None = None
    ) -> None:
        """Write `files` (name -> path or content) into `folder` on the host. The folder is created if it is missing.

        `progress` is called with the number of bytes sent since the last call. Raises UserError if this fails. If the
        connection is lost, the files that have arrived remain there, and the last of them may be incomplete.
        """
        unpack = f"mkdir -p {shlex.quote(folder)} && tar -x -C {shlex.quote(folder)} --no-same-owner"
        with subprocess.Popen(
            self.command("sh", "-c", unpack), stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        ) as sending:
            assert sending.stdin is not None and sending.stderr is not None
            counted = _Counted(sending.stdin, progress or (lambda _: None))
            with contextlib.suppress(BrokenPipeError):
                with tarfile.open(mode="w|", fileobj=counted, bufsize=CHUNK) as archive:
                    for name, source in files.items():
                        _add(archive, name, source)
                sending.stdin.close()
            said = sending.stderr.read().decode(errors="replace")
            code = sending.wait()
        self._judge(code, said)
        if code:
            raise UserError(f"{self.name}: the files could not be written: {said.strip()}")

    def close(self) -> None:
        """End the shared connection."""
        ssh, *rest = self._host.argv()
        options = rest[: rest.index("--")]
        subprocess.run([ssh, *self._shared, "-O", "exit", *options], capture_output=True, check=False)

    def _judge(self, code: int, said: str) -> None:
        if code == NO_CONNECTION:
            raise self._host.unreachable(said)


@contextlib.contextmanager
def connected(host: Host) -> Iterator[Remote]:
    """Yield a connection to `host`, and close it after the `with` block.

    It is opened when its first command runs.
    """
    # The path of a socket must be short, and $TMPDIR can be long.
    with tempfile.TemporaryDirectory(prefix="lefthand-", dir="/tmp") as folder:  # noqa: S108
        remote = Remote(host, Path(folder) / "ssh")
        try:
            yield remote
        finally:
            remote.close()


class _Counted(io.RawIOBase):
    """Passes written bytes on to the stream `to`, and calls `progress` with their number."""

    def __init__(self, to: IO[bytes], progress: Callable[[int], object]) -> None:
        self._to, self._progress = to, progress

    def writable(self) -> bool:
        return True

    def write(self, block: bytes) -> int:  # type: ignore[override]
        self._to.write(block)
        self._progress(len(block))
        return len(block)


def _add(archive: tarfile.TarFile, name: str, source: Path | bytes) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    if isinstance(source, bytes):
        info.size = len(source)
        archive.addfile(info, io.BytesIO(source))
    else:
        info.size = source.stat().st_size
        with source.open("rb") as file:
            archive.addfile(info, file)
