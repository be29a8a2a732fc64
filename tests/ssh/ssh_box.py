"""A box behind a real sshd on this machine. Its slots, service and keys are in one folder."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from device.bundles.bundle import Bundle
from device.bundles.choice import open_current
from device.bundles.slots import Slots
from device.status.schema import Status, read_status

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PATIENCE_S = 120.0
RULES = "slowest = 50\nhops = 40\nwaiting_s = 1\nstart_s = 60\nself_test_s = 60\n"


def until(true: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until a condition is true."""
    until_s = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < until_s, f"waited {patience_s} s for {what}"
        time.sleep(0.02)


def free_port() -> int:
    """Return a free port of the loopback."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Box:
    """One box. `host` is its name for ssh, `env` is the environment of programs that flash it."""

    host = "box"

    def __init__(self, folder: Path, bundles: Path | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        for name in ("run", "keys"):
            (folder / name).mkdir(parents=True)
        if bundles is None:
            (folder / "bundles").mkdir()
        else:
            (folder / "bundles").symlink_to(bundles)
        (folder / "flash.toml").write_text(RULES)
        self.slots = Slots(folder / "bundles", signers=folder / "allowed_signers")
        self._make_keys()
        self._sshd: subprocess.Popen[bytes] | None = None
        ssh_config = folder / "ssh_config"
        self.connect_to(self.port)
        helper = f"{shlex.quote(sys.executable)} {shlex.quote(str(HERE / 'helper.py'))}"
        self.env = {**os.environ, "LEFTHAND_SSH": f"-F {ssh_config}", "LEFTHAND_SLOT": helper}

    def connect_to(self, port: int) -> None:
        """Let ssh use `port` for this box."""
        keys = self.folder / "keys"
        (self.folder / "ssh_config").write_text(
            f"Host {self.host} *\n HostName 127.0.0.1\n Port {port}\n User {getpass.getuser()}\n"
            f" IdentityFile {keys / 'user'}\n IdentitiesOnly yes\n UserKnownHostsFile {keys / 'known_hosts'}\n"
            f" HostKeyAlias box\n BatchMode yes\n"
            f" StrictHostKeyChecking yes\n LogLevel ERROR\n"
        )

    def start(self, service: bool = True) -> None:
        """Power the box on."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        sshd = shutil.which("sshd") or "/usr/sbin/sshd"
        # the box runs this checkout, whichever is installed
        env = {"PATH": os.environ["PATH"], "LEFTHAND_BOX": str(self.folder), "PYTHONPATH": str(REPOSITORY)}
        log = (self.folder / "sshd.log").open("ab")
        self._sshd = subprocess.Popen(
            [sshd, "-D", "-e", "-f", str(self.folder / "sshd_config")], stdout=log, stderr=log, env=env
        )
        until(self._answers, "sshd")
        if service:
            subprocess.run([sys.executable, str(HERE / "standin.py"), "start", str(self.folder)], env=env, check=True)
            until(lambda: self.status() is not None and self.plays(), "the service")

    def cut_power(self) -> None:
        """Kill every process of the box at once."""

        def ended() -> bool:
            # parents first, because they would start their children again
            left = self.processes()
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
            return not left

        until(ended, "the end of all processes")
        if self._sshd is not None:
            self._sshd.wait(PATIENCE_S)
            self._sshd = None
        for left in ("run/status.json", "supervisor.pid"):
            (self.folder / left).unlink(missing_ok=True)

    def processes(self) -> list[int]:
        """Return the processes of the box."""
        mark = f"LEFTHAND_BOX={self.folder}".encode()
        # sshd overwrites its environment with its title, so its processes are found by their parent
        parents: dict[int, int] = {}
        found = {self._sshd.pid} if self._sshd is not None and self._sshd.poll() is None else set()
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text().rpartition(") ")[2].split()[:2]
                if state == "Z":
                    continue
                parents[int(entry.name)] = int(parent)
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.add(int(entry.name))
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return sorted(found)

    def status(self) -> Status | None:
        return read_status(self.folder / "run")

    def plays(self) -> bool:
        """Return whether the service plays the current bundle or waits with it for its ports."""
        status = self.status()
        if status is None or not status.alive or status.bundle.id != self.slots.id(self.slots.active()):
            return False
        return status.state == "waiting" or status.hop.count > 0

    def current(self) -> Bundle:
        """Return the current bundle, fully checked. It must not be the next best one."""
        bundle = open_current(self.slots)
        assert bundle.path == self.slots.current().resolve()
        return bundle

    def settled(self) -> None:
        """Wait until no flash runs and the box plays."""
        until(lambda: not self.slots.in_use(), "the end of the flash")
        until(self.plays, "the box to play")

    def command(self, *words: str) -> list[str]:
        """Return a command line of `python -m deploy`."""
        return [sys.executable, "-m", "deploy", *words]

    def deploy(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m deploy WORDS` to its end."""
        return subprocess.run(
            self.command(*words), env=self.env, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
        )

    def flash(self, bundle: Path, host: str = "box", key: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Flash a bundle and wait for the end."""
        return self.deploy("flash", "--host", host, "--bundle", str(bundle), "--key", str(key or self.key))

    @property
    def key(self) -> Path:
        """Return the file of the key that the box trusts."""
        return self.folder / "keys" / "flash_key"

    def new_key(self, name: str) -> Path:
        """Make another key and return its file."""
        path = self.folder / "keys" / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        return path

    def _answers(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def _make_keys(self) -> None:
        from deploy.keys import ensure_key, signers_line

        keys = self.folder / "keys"
        (self.folder / "allowed_signers").write_text(signers_line(ensure_key(keys / "flash_key")))
        for name in ("host", "user"):
            self.new_key(name)
        (keys / "authorized_keys").write_text((keys / "user.pub").read_text())
        (keys / "known_hosts").write_text(f"box {(keys / 'host.pub').read_text()}")
        (self.folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {keys / 'host'}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {keys / 'authorized_keys'}\nStrictModes no\nPermitRootLogin yes\n"
            f"PasswordAuthentication no\nMaxStartups 100\n"
            # the second level of a shell reads no .bashrc: each command would start what this account has there
            f"SetEnv LEFTHAND_BOX={self.folder} PYTHONPATH={REPOSITORY} SHLVL=1\n"
        )


@contextlib.contextmanager
def powered(folder: Path, bundles: Path | None = None, service: bool = True) -> Iterator[Box]:
    """Power a box on for the context and off afterwards."""
    box = Box(folder, bundles)
    try:
        box.start(service)
        yield box
    finally:
        box.cut_power()
