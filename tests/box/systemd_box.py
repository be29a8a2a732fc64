"""A machine with systemd as PID 1 in its own namespaces, without a container manager and without a network."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).parent
CGROUPS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
PREFIX = "lefthand-box"
PATIENCE_S = 120.0
"""Timeout in seconds for a condition in a box, long enough for a machine that is busy with other work."""
POLL_S = 0.02
UNSHARE = (
    *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"),
    *("--fork", "--kill-child", "--propagation", "private"),
)
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup")

T = TypeVar("T")


def why_not() -> str:
    """Return the reason why no box can be booted here, or "" if one can."""
    if os.geteuid() != 0:
        return "a box needs root: run `sudo make box`"
    missing = [program for program in ("mmdebstrap", "unshare", "nsenter", "setpriv") if not shutil.which(program)]
    if missing:
        return f"a box needs {', '.join(missing)}: run `deploy/system-packages.sh all`"
    mount = [*UNSHARE, "mount", "-t", "proc", "proc", "/proc"]
    tried = subprocess.run(mount, capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"no namespaces are to be had here: {tried.stderr.strip()}"
    if _cgroup2() is None:
        return "no cgroup2 is mounted here"
    return ""


def until(what: str, true: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """Call `true` until it returns a true value, and return that. Raises AssertionError with `what` on a timeout."""
    end_s = time.monotonic() + patience_s
    while not (found := true()):
        if time.monotonic() > end_s:
            raise AssertionError(f"not within {patience_s:.0f} s: {what}; at last it was {found!r}")
        time.sleep(POLL_S)
    return found


class Box:
    """A booted machine. `software` is the content of its /opt/lefthand, None for a bare machine."""

    def __init__(self, root: Path, software: Path | None, folder: Path, name: str) -> None:
        self._folder = folder
        self.cgroup = _join(name)
        self._mount = folder / "root"
        self._mount.mkdir()
        self._console = (folder / "console.log").open("wb")
        command = ["sh", str(HERE / "boot.sh"), str(root), str(self._mount), *([str(software)] if software else [])]
        enter = f"echo $$ > {self.cgroup}/cgroup.procs && exec {shlex.join([*UNSHARE, *command])}"
        self._unshare = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "sh", "-c", enter],
            stdin=subprocess.DEVNULL,
            stdout=self._console,
            stderr=subprocess.STDOUT,
        )
        try:
            self.pid = until(f"systemd is PID 1; {self.console}", self._init)
            """Return the host's process number of the box's PID 1."""
            until("systemd answers", lambda: self.run("systemctl", "is-system-running", check=False).strip())
            self.run("systemctl", "is-system-running", "--wait", check=False)
        except BaseException:
            self.close()
            raise

    def _init(self) -> int:
        """Return the pid of systemd, or 0 until it exists."""
        if self._unshare.poll() is not None:
            raise AssertionError(f"the box does not boot: {self.console}")
        for pid in _children(self._unshare.pid):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                    return pid
        return 0

    @property
    def console(self) -> str:
        """Return the lines that were printed before the journal existed."""
        return (self._folder / "console.log").read_text(errors="replace")

    # Commands inside the box

    def command(self, *command: str) -> list[str]:
        """Return the host's command line that runs `command` as root inside the box."""
        return ["nsenter", "--target", str(self.pid), *NAMESPACES, "--wdns=/", "--", *_CLEAN, *command]

    def run(self, *command: str, check: bool = True, input: str | None = None) -> str:  # noqa: A002
        """Run `command` inside as root and return its stdout. Raises AssertionError with its whole output."""
        ran = subprocess.run(
            self.command(*command), capture_output=True, text=True, check=False, timeout=PATIENCE_S, input=input
        )
        if check and ran.returncode:
            raise AssertionError(f"{shlex.join(command)} ended with {ran.returncode}: {ran.stdout}{ran.stderr}")
        return ran.stdout

    def path(self, inside: str) -> Path:
        """Return the host's path to a file of the box."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def write(self, inside: str, text: str | bytes, mode: int = 0o644) -> None:
        """Put a file into the box."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)

    def journal(self, unit: str = "lefthand.service") -> list[dict[str, Any]]:
        """Return the journal entries from `unit` or about it, oldest first."""
        said = self.run("journalctl", f"--unit={unit}", "--output=json", "--no-pager", "--quiet", "--all")
        return [json.loads(line) for line in said.splitlines()]

    def messages(self, unit: str = "lefthand.service") -> list[str]:
        """Return the journal's messages from `unit` or about it."""
        return [str(entry.get("MESSAGE", "")) for entry in self.journal(unit)]

    def show(self, name: str, unit: str = "lefthand.service") -> str:
        """Return a property of a unit as `systemctl show` prints it."""
        return self.run("systemctl", "show", f"--property={name}", "--value", unit).strip()

    def main_pid(self, unit: str = "lefthand.service") -> int:
        """Return the pid of the unit's main process inside the box, 0 if it has none."""
        return int(self.show("MainPID", unit))

    def kill(self, number: int, unit: str = "lefthand.service") -> float:
        """Send a signal from outside to all processes of a unit. Return the time in monotonic seconds."""
        processes = (self.cgroup / "system.slice" / unit / "cgroup.procs").read_text().split()
        assert processes, f"{unit} has no process"
        for pid in processes:
            # a child may end between the listing and the signal
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), number)
        return time.monotonic()

    # Shutdown

    def close(self) -> None:
        """Cut the power. Afterwards no process, mount or cgroup of the box is left."""
        children = _children(self._unshare.pid)
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # it reaps its child and then ends by itself
        if not children:
            self._unshare.kill()
        self._unshare.wait(PATIENCE_S)
        self._console.close()
        until("the cgroup is empty", lambda: _gone(self.cgroup))
        self._mount.rmdir()


@contextlib.contextmanager
def booted(root: Path, software: Path | None, folder: Path) -> Iterator[Box]:
    """Boot a box that logs to `folder`. It ends with the context."""
    _sweep()
    box = Box(root, software, folder, f"{PREFIX}-{os.getpid()}-{time.monotonic_ns()}")
    try:
        yield box
    finally:
        box.close()


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CLEAN = ("env", "-i", f"PATH={_PATH}", "LC_ALL=C.UTF-8", "HOME=/root")


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _cgroup2() -> Path | None:
    return next((place for place in CGROUPS if (place / "cgroup.controllers").exists()), None)


def _join(name: str) -> Path:
    place = _cgroup2()
    assert place is not None
    cgroup = place / name
    cgroup.mkdir()
    return cgroup


def _gone(cgroup: Path) -> bool:
    """Return whether the cgroup and all below it are removed. A group goes once its processes are reaped."""
    folders = sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True)
    for folder in [*folders, cgroup]:
        with contextlib.suppress(OSError):
            folder.rmdir()
    return not cgroup.exists()


def _sweep() -> None:
    """Remove the cgroups of test runs that were killed."""
    place = _cgroup2()
    for cgroup in place.glob(f"{PREFIX}-*") if place else ():
        if not Path("/proc", cgroup.name.split("-")[2]).exists():
            _gone(cgroup)
