"""Two slots for bundles and a link to the active one, so that a new bundle never overwrites the one in use.

    bundles/a, bundles/b       one whole bundle each, with its signature
    bundles/current -> a       the active slot; without this link the shipped bundle plays
    bundles/trial.json         marker of a trial; it exists until the new bundle has shown that it plays
    bundles/verdicts.json      results of the trials, for people to read
    bundles/newest.json        creation time of the newest bundle that passed a trial
    bundles/incoming-ID/       an upload in progress
    bundles/lock               held by the one process that may change these files

If the marker exists and no process holds the lock, the trial was cut short. The next process that looks ends it: the
bundle that played before the trial plays again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from device.bundles.bundle import MANIFEST_SUM, Bundle, default_bundle
from device.bundles.signature import SIGNERS
from device.errors import UserError
from device.printable import printable
from device.system import durable_files
from device.system.paths import state_dir
from device.system.untrusted_files import read_small

Name: TypeAlias = Literal["a", "b"]
NAMES: tuple[Name, ...] = get_args(Name)
CURRENT, TRIAL, VERDICTS, LOCK, INCOMING = "current", "trial.json", "verdicts.json", "lock", "incoming-"
NEWEST = "newest.json"
LOCK_WAIT_S = 2.0
"""Seconds to wait for the lock.

A starting daemon holds the lock for less than this while it looks for a trial that was cut short.
"""
LOCK_MODE = 0o600
"""Only the service's account may open the lock. Members of lefthand-flash use it through lefthand-slot."""
SHORT = 12
"""Number of hexadecimal digits of a sha256 that name a bundle."""


class LockedError(UserError):
    """Raised when another process is changing the slots."""


@dataclass(frozen=True)
class Trial:
    """Describes a running trial: the bundle in `slot` plays, and has not yet shown that it works.

    `before` is the slot that was active before the trial, or None for the shipped bundle. `began` is an ISO 8601 time
    in UTC.
    """

    slot: Name
    before: Name | None
    began: str


@dataclass(frozen=True)
class Verdict:
    """Holds the result of a trial. `id` is the first 12 hex digits of the sha256 of the bundle's manifest.

    `good` says whether the bundle passed, `why` is the reason, and `at` is the ISO 8601 time in UTC.
    """

    id: str
    good: bool
    why: str
    at: str


class Slots:
    """Manages the slots in the folder `root`. `shipped` is the folder of the bundle that plays if no slot is active.

    `signers` is the file of the keys that may sign the bundle of a slot. The shipped bundle needs no signature, because
    it belongs to the software.
    """

    def __init__(self, root: Path | None = None, shipped: Path | None = None, signers: Path = SIGNERS) -> None:
        self.root = root or state_dir() / "bundles"
        self.shipped = shipped or default_bundle()
        self.signers = signers

    def folder(self, name: Name | None) -> Path:
        """Return the folder of a slot's bundle. None means the shipped bundle."""
        return self.shipped if name is None else self.root / name

    def open(self, name: Name | None) -> Bundle:
        """Open, check and return the bundle in a slot, signature included. None means the shipped bundle.

        Raises UserError if the bundle is missing, damaged or not signed, or if the signature cannot be checked.
        """
        return Bundle.open(self.folder(name), None if name is None else self.signers)

    def active(self) -> Name | None:
        """Return the active slot, to which the link bundles/current points; None if the shipped bundle plays."""
        try:
            target = os.fspath((self.root / CURRENT).readlink())
        except OSError:
            return None
        return next((name for name in NAMES if name == target and self.folder(name).is_dir()), None)

    def inactive(self) -> Name:
        """Return a slot that is not active and may therefore be filled. An empty slot comes first."""
        active = self.active()
        free = [name for name in NAMES if name != active]
        return next((name for name in free if not self.folder(name).exists()), free[0])

    def current(self) -> Path:
        """Return the folder of the bundle that plays, with its link resolved."""
        return self.folder(self.active())

    def fill(self, name: Name, bundle: Path) -> None:
        """Move the folder `bundle` into the slot `name`, in place of the bundle there.

        The new files must already be synced to the disk. Raises ValueError if the slot is the active one, and OSError
        if the disk refuses the change.
        """
        if name == self.active():
            raise ValueError(f"slot {name} plays")
        old = self.root / f".{name}.old"
        durable_files.discard(old)
        if self.folder(name).exists():
            durable_files.move(self.folder(name), old)
        durable_files.move(bundle, self.folder(name))
        durable_files.discard(old)

    def switch(self, name: Name | None) -> None:
        """Make the slot `name` the active one. None makes the shipped bundle play.

        Raises OSError if the disk refuses the change.
        """
        if name is None:
            durable_files.unlink(self.root / CURRENT)
        else:
            durable_files.point(self.root / CURRENT, name)

    def begin_trial(self, name: Name) -> Trial:
        """Start a trial of the bundle in the slot `name` and return it.

        Writes the marker of the trial and makes the slot active. Raises OSError if the disk refuses the change.
        """
        trial = Trial(name, self.active(), _now())
        durable_files.write_durably(self.root / TRIAL, json.dumps(asdict(trial)).encode())
        self.switch(name)
        return trial

    def trial(self) -> Trial | None:
        """Return the running trial, or None if there is no valid marker."""
        said = _read_json(self.root / TRIAL)
        try:
            trial = Trial(**said)
        except TypeError:
            return None
        return trial if trial.slot in NAMES and trial.before in (*NAMES, None) else None

    def mark_good(self, why: str) -> None:
        """End the running trial as passed, for the reason `why`. Its slot stays active. Does nothing without trial."""
        if (trial := self.trial()) is not None:
            self._record(trial.slot, why, good=True)
            durable_files.unlink(self.root / TRIAL)

    def flip_back(self, why: str) -> Trial | None:
        """End the running trial as failed: the bundle that played before the trial plays again.

        Returns the ended trial, or None if no trial was running. If the folder of the earlier bundle is missing or
        cannot be linked, the shipped bundle plays.
        """
        trial = self.trial()
        if trial is not None:
            # the link comes first: if this is cut short, the marker still exists and the next process repeats it
            try:
                self.switch(trial.before if trial.before is None or self.folder(trial.before).is_dir() else None)
            except OSError:
                # a full disk has no room for a link, but the shipped bundle needs none
                self.switch(None)
            self._record(trial.slot, why, good=False)
        durable_files.unlink(self.root / TRIAL)
        return trial

    def newest(self) -> str | None:
        """Return the creation time (ISO 8601) of the newest bundle that passed a trial here, or None if none did."""
        created = _read_json(self.root / NEWEST).get("created")
        try:
            datetime.fromisoformat(created)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return None
        return str(created)

    def keep_newest(self, created: str) -> None:
        """Store `created`, the ISO 8601 creation time of a bundle that passed its trial.

        Older bundles are then refused. Raises OSError if the disk refuses it.
        """
        durable_files.write_durably(self.root / NEWEST, json.dumps({"created": created}).encode())

    def verdict(self, name: Name) -> Verdict | None:
        """Return the result of the trial of the bundle in a slot, or None if it had no trial."""
        try:
            verdict = Verdict(**_read_json(self.root / VERDICTS).get(name, {}))
        except TypeError:
            return None
        if not all(isinstance(text, str) for text in (verdict.id, verdict.why, verdict.at)):
            return None
        verdict = replace(verdict, good=verdict.good is True, why=printable(verdict.why), at=printable(verdict.at))
        return verdict if verdict.id == self.id(name) else None

    def id(self, name: Name | None) -> str | None:
        """Return the first 12 hex digits of the sha256 of a slot's manifest, or None if there is no bundle.

        They name the bundle and are not checked here.
        """
        try:
            return printable(read_small(self.folder(name) / MANIFEST_SUM)[:SHORT].decode("ascii", "replace"))
        except OSError:
            return None

    @contextlib.contextmanager
    def locked(self, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
        """Hold the lock of the slots while the `with` block runs. Make the folder of the slots if it is missing.

        Raises LockedError if another process still holds the lock after `wait_s` seconds.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, LOCK_MODE)
        try:
            self._close_to_others(descriptor)
            self._lock(descriptor, time.monotonic() + wait_s)
            yield
        finally:
            os.close(descriptor)

    def in_use(self) -> bool | None:
        """Return whether a process holds the lock, or None if this account may not open it."""
        try:
            descriptor = os.open(self.root / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except PermissionError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def recover(self) -> str | None:
        """End a trial that was cut short. The caller must hold the lock.

        Returns a sentence that names the trial and the bundle that plays now, or None if there was no trial.
        """
        if not (self.root / TRIAL).exists():
            return None
        trial = self.flip_back("its trial was cut short")
        if trial is None:
            return None
        return f"The trial of slot {trial.slot} was cut short, {self.named(self.active())} plays again."

    def named(self, name: Name | None) -> str:
        """Return the name of a slot in words."""
        return "the shipped bundle" if name is None else f"slot {name}"

    def _close_to_others(self, descriptor: int) -> None:
        """Forbid other accounts to open the lock's file: a process that opens it could hold the lock for ever."""
        found = os.fstat(descriptor)
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != LOCK_MODE:
            os.fchmod(descriptor, LOCK_MODE)

    def _lock(self, descriptor: int, until_s: float) -> None:
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until_s:
                    raise LockedError(
                        "Another flash or rollback is running on this box: try again when it has finished."
                    ) from None
                time.sleep(0.05)

    def _record(self, name: Name, why: str, *, good: bool) -> None:
        verdicts = {**_read_json(self.root / VERDICTS), name: asdict(Verdict(self.id(name) or "", good, why, _now()))}
        # only people read this file, so a full disk must not stop the end of a trial
        with contextlib.suppress(OSError):
            durable_files.write_durably(self.root / VERDICTS, json.dumps(verdicts, indent=1).encode())


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of the slots, or an empty one if the file is missing or damaged."""
    try:
        found = json.loads(read_small(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
