"""The machine at hand: commands, files that are whole or not there, and what is said about it all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from pathlib import Path


class StepError(Exception):
    """A step that did not succeed: a sentence for the person at the workstation."""


class Report:
    """Says what is done, or with `dry` what would be, and remembers what changed."""

    def __init__(self, dry: bool) -> None:
        self.dry = dry
        self.changes: list[str] = []

    def say(self, text: str) -> None:
        """One line, at once; whoever listened may be gone."""
        with contextlib.suppress(OSError):
            print(text, flush=True)

    def change(self, what: str) -> bool:
        """Tell of a change; whether it is to be made."""
        self.changes.append(what)
        self.say(f"  {'would ' if self.dry else ''}{what}")
        return not self.dry


def run(*command: str, timeout_s: float | None = None, settings: dict[str, str] | None = None) -> str:
    """The stdout of `command`; StepError with the end of what it said where it fails."""
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
    """A command as far as a person wants to read it."""
    return " ".join(" ".join(command).split())[:100]


def succeeds(*command: str) -> bool:
    """Whether `command` ends with 0."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def content(path: Path) -> bytes | None:
    """The bytes of a file, None where there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put a file there whole, for good even if the power fails right after."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # sudo reads no file whose name has a dot
    part = path.with_name(f".{path.name}.lefthand-part")
    with part.open("wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    settle(path.parent)


def link(path: Path, target: str) -> None:
    """Make `path` a symlink to `target` in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.lefthand-part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(path)
    settle(path.parent)


def settle(folder: Path) -> None:
    """Bring the names in `folder` to the card."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
