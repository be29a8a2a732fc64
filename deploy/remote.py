"""One shared connection to a Pi, for the many small commands of provisioning; over ssh as in `deploy.ssh`."""

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

from deploy.ssh import NO_CONNECTION, Host
from device.errors import UserError

CHUNK = 1 << 16


class Remote:
    """One connection, shared by all commands; `connected` is the way to get one."""

    def __init__(self, host: Host, control: Path) -> None:
        self.name = host.name
        self._host = host
        self._shared = ("-o", "ControlMaster=auto", "-o", f"ControlPath={control}", "-o", "ControlPersist=60")

    def command(self, *words: str, tty: bool = False) -> list[str]:
        """The local command that runs `words` there."""
        ssh, *rest = self._host.argv(*words)
        return [ssh, *self._shared, *(["-t"] if tty else []), *rest]

    def run(self, *words: str) -> str:
        """The stdout of `words`; UserError with what they said where they fail."""
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
        """Whether `words` end with 0 there."""
        ran = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, check=False)
        self._judge(ran.returncode, ran.stderr.decode(errors="replace"))
        return ran.returncode == 0

    def show(self, *words: str, tty: bool = False) -> int:
        """The exit status of `words`, their output passed on as it comes. `tty`: they may ask for a password."""
        with_input = None if tty else subprocess.DEVNULL
        ran = subprocess.run(self.command(*words, tty=tty), stdin=with_input, check=False)
        self._judge(ran.returncode, "the connection was lost")
        return ran.returncode

    def put(
        self, files: Mapping[str, Path | bytes], folder: str, progress: Callable[[int], object] | None = None
    ) -> None:
        """Write `files`, by their names under `folder`, which is made; `progress` is told how many bytes were sent.

        A lost connection leaves what arrived, and one file that may not be whole.
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
    """A connection to `host`, made by its first command."""
    # the path of a socket may not be long, which $TMPDIR may be
    with tempfile.TemporaryDirectory(prefix="lefthand-", dir="/tmp") as folder:  # noqa: S108
        remote = Remote(host, Path(folder) / "ssh")
        try:
            yield remote
        finally:
            remote.close()


class _Counted(io.RawIOBase):
    """Passes bytes on and tells how many."""

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
