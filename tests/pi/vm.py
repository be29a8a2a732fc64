"""A Debian arm64 under qemu in place of a Pi: only what it does is tested, never how fast."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
CACHE = REPOSITORY / ".cache" / "pi"
RECIPE = ("image.sh", "settle.sh", "init")
HOST = "virtual-pi"
PATIENCE_S = 900.0
"""Everything takes a hundred times as long as on the machine around it, which may be busy as well."""
POLL_S = 2.0
NEEDED = ("qemu-system-aarch64", "mmdebstrap", "mke2fs", "depmod", "cpio", "arch-test")
KERNEL = (
    "root=/dev/vda rw quiet audit=0 panic=-1 mitigations=off nokaslr console=ttyAMA0 "
    # on a busy machine Debian's own services would give up
    "systemd.service_watchdogs=0 systemd.default_timeout_start_sec=1800"
)


def why_not() -> str:
    """Why no virtual Pi can be had here; "" where it can."""
    missing = [program for program in NEEDED if not shutil.which(program)]
    if os.geteuid() != 0:
        return "building a root file system needs root: run `sudo make test-pi`"
    return f"a virtual Pi needs {', '.join(missing)}: run `deploy/system-packages.sh pi`" if missing else ""


def image(suite: str) -> Path:
    """The folder with kernel, disk and key of a bare `suite`, built where the recipe is new (minutes)."""
    recipe = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in RECIPE)).hexdigest()[:12]
    folder = CACHE / f"{suite}-{recipe}"
    if not folder.is_dir():
        half = folder.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        subprocess.run(["nice", "-n", "15", str(HERE / "image.sh"), suite, str(half)], check=True)
        half.rename(folder)
    return folder


class VirtualPi:
    """A running one. `online`: whether it reaches what this machine reaches; else ssh to it is all there is."""

    def __init__(self, image: Path, disk: Path, folder: Path, online: bool) -> None:
        self.log = folder / "console.log"
        self.config = folder / "ssh_config"
        port = _free_port()
        net = f"user,id=n,{'' if online else 'restrict=on,'}hostfwd=tcp:127.0.0.1:{port}-:22"
        self._qemu = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "qemu-system-aarch64"),
                *("-M", "virt,gic-version=3", "-cpu", "cortex-a72", "-accel", "tcg,thread=multi", "-m", "1024"),
                *("-smp", "2", "-nographic", "-no-reboot", "-monitor", "none", "-serial", f"file:{self.log}"),
                *("-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd.gz"), "-append", KERNEL),
                *("-drive", f"if=none,id=d,file={disk},format=raw,cache=unsafe", "-device", "virtio-blk-pci,drive=d"),
                *("-netdev", net, "-device", "virtio-net-pci,netdev=n", "-device", "virtio-rng-pci"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        key = folder / "key"
        shutil.copy(image / "key", key)
        key.chmod(0o600)
        self.config.write_text(
            f"Host {HOST}\n  HostName 127.0.0.1\n  Port {port}\n  User pi\n  IdentityFile {key}\n  IdentitiesOnly yes\n"
            "  IdentityAgent none\n  BatchMode yes\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n"
            f"  LogLevel ERROR\n  ConnectTimeout {PATIENCE_S:.0f}\n"
        )

    def run(self, command: str, check: bool = True) -> str:
        """The stdout of a shell command as pi; AssertionError with all it said where it fails."""
        line = ["ssh", "-F", str(self.config), HOST, command]
        ran = subprocess.run(line, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        assert not (check and ran.returncode), f"{command} ended with {ran.returncode}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def write(self, path: str, text: str) -> None:
        """Put a file of root's there."""
        command = f"sudo mkdir -p {Path(path).parent} && sudo tee {path} >/dev/null"
        line = ["ssh", "-F", str(self.config), HOST, command]
        subprocess.run(line, input=text, text=True, check=True, timeout=PATIENCE_S)

    def until(self, what: str, command: str) -> str:
        """Wait until `command` prints something and return it. Raises AssertionError with `what` if it never does."""
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            assert self._qemu.poll() is None, f"the virtual Pi ended: {self.log.read_text(errors='replace')[-2000:]}"
            if found := self.run(f"{command} || true", check=False).strip():
                return found
            time.sleep(POLL_S)
        raise AssertionError(f"not within {PATIENCE_S:.0f} s: {what}")

    def cut(self) -> None:
        """Cut the power."""
        self._qemu.kill()
        self._qemu.wait(60)

    def halt(self) -> None:
        """Shut it down in order."""
        self.run("sudo systemctl poweroff", check=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._qemu.wait(120)
        self.cut()


@contextlib.contextmanager
def booted(image: Path, disk: Path, folder: Path, online: bool) -> Iterator[VirtualPi]:
    """One whose sshd answers, until the context ends."""
    pi = VirtualPi(image, disk, folder, online)
    try:
        pi.until("sshd answers", "echo up")
        yield pi
    finally:
        pi.cut()


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port
