"""Runs commands on this machine, writes files atomically and reports changes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from pathlib import Path


class StepError(Exception):
    """A step of the work on this machine failed. The text is a sentence for the person at the workstation."""


class Report:
    """Prints and records each change. If `dry` is true, the changes are only printed and recorded, not made."""

    def __init__(self, dry: bool) -> None:
        self.dry = dry
        self.changes: list[str] = []

    def say(self, text: str) -> None:
        """Print one line at once. A closed connection is ignored."""
        with contextlib.suppress(OSError):
            print(text, flush=True)

    def change(self, what: str) -> bool:
        """Print and record the change `what`. Returns True if the caller must make it, False in a dry run."""
        self.changes.append(what)
        self.say(f"  {'would ' if self.dry else ''}{what}")
        return not self.dry


def run(*command: str, timeout_s: float | None = None, settings: dict[str, str] | None = None) -> str:
    """Run `command` and return its stdout. Raises StepError if it fails, is missing or takes too long.

    The error quotes the end of the command's error output. `timeout_s` is the longest time in seconds, or None for no
    limit. `settings` are additional environment variables.
    """
    try:
        ran = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout_s,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(settings or {})},
        )
    except FileNotFoundError:
        raise StepError(f"{command[0]} is not installed there.") from None
    except subprocess.TimeoutExpired:
        raise StepError(f"{_shown(command)} did not end within {timeout_s:.0f} s.") from None
    if ran.returncode:
        said = (ran.stderr.strip() or ran.stdout.strip())[-800:]
        raise StepError(f"{_shown(command)} failed: {said}")
    return ran.stdout


def _shown(command: tuple[str, ...]) -> str:
    """Return the first words of a command as text that is short enough for an error message."""
    return " ".join(" ".join(command).split())[:100]


def succeeds(*command: str) -> bool:
    """Run `command`. Returns True if it exits with 0, and False if it fails or is not installed."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def content(path: Path) -> bytes | None:
    """Return the bytes of a file, or None if it does not exist."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write `data` to the file `path` with the permissions `mode`, in one step.

    After a power cut the file holds either its old or its new content. The folder is created if it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The temporary name has a dot, because sudo ignores files in sudoers.d with a dot in their name.
    part = path.with_name(f".{path.name}.lefthand-part")
    with part.open("wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    settle(path.parent)


def link(path: Path, target: str) -> None:
    """Make `path` a symlink to `target` in one step. A file or link that is there already is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.lefthand-part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(path)
    settle(path.parent)


def settle(folder: Path) -> None:
    """Make sure that new and renamed files in `folder` survive a power cut (fsync of the folder)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
