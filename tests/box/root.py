"""The root file systems of the boxes: Debian 12 as on a Pi, and our software as it is installed there.

Both are built once and never changed. They are kept in the user's cache, because all checkouts share them.
The name of each is the hash of its ingredients.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lefthand" / "box"
SUITE = "bookworm"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "udev", "procps", "openssh-server", "sudo", "netcat-openbsd", "kmod"),
    *("python3", "python3-venv", "python3-pyaudio", "python3-rtmidi", "python3-systemd", "python3-mido"),
    *("python3-numpy", "python3-click", "python3-soundfile", "python3-rich", "fluidsynth"),
    *("timgm6mb-soundfont", "alsa-utils"),
    # the sound system of the box, and the programs that play into it
    *("jackd2", "python3-jack-client"),
    # the network of a Raspberry Pi OS, for the box's own access point; SETUP keeps it off in the other tests
    *("network-manager", "iproute2"),
    # announces the page, and asks for it as another machine does; SETUP keeps it off in the other tests
    *("avahi-daemon", "avahi-utils"),
)
WHEELS = (
    "ai-edge-litert>=2.1",
    "tflite-runtime==2.14.0",
    "numpy>=1.26,<2",
    "mido>=1.3",
    "click>=8.2",
    "segno>=1.6",
    "tornado>=6.2",
)
"""Packages for the box's Python 3.11 that Debian lacks or has in a version that is too old."""
INSTALLED = ("lefthand", "ai-edge-litert", "segno", "tornado")
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_27_x86_64", "manylinux_2_28_x86_64", "any")
PYTHON = "3.11"
SETUP = """
useradd --create-home --shell /bin/bash --groups audio,sudo pi
echo 'pi ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/010_pi-nopasswd
useradd --system --user-group --groups audio --home-dir /nonexistent --shell /usr/sbin/nologin lefthand
systemctl disable --quiet NetworkManager.service NetworkManager-wait-online.service NetworkManager-dispatcher.service \
    wpa_supplicant.service avahi-daemon.service avahi-daemon.socket
systemctl mask --quiet getty@tty1.service console-getty.service systemd-timesyncd.service apt-daily.timer \
    apt-daily-upgrade.timer e2scrub_all.timer dpkg-db-backup.timer
echo box > /etc/hostname
echo '127.0.0.1 localhost box' > /etc/hosts
: > /etc/machine-id
ssh-keygen -A
"""
UNUSED_S = 4 * 3600
"""Age after which an old root is deleted. Test runs that use it have ended by then."""
APART = (
    *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
    *("--propagation", "private"),
)
"""Command prefix. A process started with it ends together with this process and leaves no mount behind."""


def bare_root() -> Path:
    """Return a folder with Debian's systemd, sshd, Python and its packages, the user `pi`, and none of our software."""
    return _kept("root", f"{SUITE} {PACKAGES} {SETUP}".encode(), _bootstrap)


def software() -> Path:
    """Return the content of /opt/lefthand: a virtual environment with this checkout's wheel, and the link `current`."""
    root = bare_root()
    sources = hashlib.sha256(f"{WHEELS} {root}".encode() + Path(__file__).read_bytes())
    for path in sorted(
        [REPOSITORY / "pyproject.toml", REPOSITORY / "deploy" / "lefthand", *(REPOSITORY / "device").rglob("*")]
    ):
        if path.is_file() and "__pycache__" not in path.parts:
            sources.update(str(path.relative_to(REPOSITORY)).encode() + path.read_bytes())
    return _kept("software", sources.digest(), lambda folder: _install(root, folder))


def _bootstrap(folder: Path) -> None:
    """Install Debian's packages, then run SETUP inside the root."""
    mmdebstrap = [
        *(*APART, "mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"),
        '--aptopt=APT::Install-Recommends "false"',
        f'--customize-hook=chroot "$1" sh -euc {shlex.quote(SETUP)}',
        *(SUITE, str(folder)),
    ]
    _do(mmdebstrap)
    # other users must be able to read and execute it, as in any root file system
    folder.chmod(0o755)


def _install(root: Path, folder: Path) -> None:
    """Make a virtual environment in `folder`, inside `root` at the path where a box will see it."""
    folder.mkdir()
    name = "box"
    (folder / name).mkdir()
    with _scratch("build") as build:
        copy = build / "source"
        copy.mkdir()
        shutil.copy(REPOSITORY / "pyproject.toml", copy)
        shutil.copy(REPOSITORY / "README.md", copy)
        (copy / "deploy").mkdir()
        shutil.copy(REPOSITORY / "deploy" / "lefthand", copy / "deploy")
        shutil.copytree(REPOSITORY / "device", copy / "device", ignore=shutil.ignore_patterns("__pycache__"))
        wheels = build / "wheels"
        _do([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(copy)])
        for wheel in _wheelhouse().glob("*.whl"):
            shutil.copy(wheel, wheels)
        inside = f"""
        python3 -m venv --system-site-packages /opt/lefthand/{name}
        /opt/lefthand/{name}/bin/pip install --quiet --no-index --no-cache-dir --find-links /mnt {" ".join(INSTALLED)}
        """
        script = f"""
        mount -t tmpfs tmpfs {root}/opt
        mkdir -p {root}/opt/lefthand/{name}
        mount --bind {folder / name} {root}/opt/lefthand/{name}
        mount --bind {wheels} {root}/mnt
        mount -t proc proc {root}/proc
        chroot {root} sh -euc {shlex.quote(inside)}
        """
        _do([*APART, "unshare", "--net", "sh", "-euc", script])
    (folder / "current").symlink_to(name)


def _wheelhouse() -> Path:
    def download(folder: Path) -> None:
        platforms = [f"--platform={platform}" for platform in PLATFORMS]
        target = [f"--python-version={PYTHON}", "--implementation=cp", "--only-binary=:all:", *platforms]
        _do([sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder), *target, *WHEELS])

    return _kept("wheels", f"{WHEELS} {PLATFORMS} {PYTHON}".encode(), download)


def _kept(kind: str, made_of: bytes, make: Callable[[Path], None]) -> Path:
    """Return the folder of this kind and recipe and make it if it is missing. Concurrent callers wait."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / f"{kind}-{hashlib.sha256(made_of).hexdigest()[:12]}"
    with (CACHE / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            half = folder.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            make(half)
            half.rename(folder)
        os.utime(folder)
        for other in CACHE.glob(f"{kind}-*"):
            if other.stat().st_mtime < time.time() - UNUSED_S:
                shutil.rmtree(other, ignore_errors=True)
    return folder


@contextlib.contextmanager
def _scratch(name: str) -> Iterator[Path]:
    folder = CACHE / f"{name}-{os.getpid()}.tmp"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _do(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise AssertionError(
            f"{' '.join(command)[:200]} ended with {ran.returncode}: {(ran.stdout + ran.stderr)[-2000:]}"
        )
