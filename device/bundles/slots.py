"""Two slots for bundles and a link to the one that plays, so that a new bundle never lies over the one in use.

    bundles/a, bundles/b       each a whole bundle with its signature
    bundles/current -> a       the one that plays; without it the shipped bundle plays
    bundles/trial.json         there while a new bundle must still show that it plays
    bundles/verdicts.json      what the trials found, for people to read
    bundles/incoming-ID/       what is being uploaded
    bundles/lock               held by the one process that may change all this

A trial whose marker is there while nobody holds the lock was cut short: whoever looks next flips it back.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from device.bundles.bundle import MANIFEST_SUM, Bundle, default_bundle
from device.errors import BundleError, UserError
from device.system import durable_files
from device.system.paths import state_dir

Name: TypeAlias = Literal["a", "b"]
NAMES: tuple[Name, ...] = get_args(Name)
CURRENT, TRIAL, VERDICTS, LOCK, INCOMING = "current", "trial.json", "verdicts.json", "lock", "incoming-"
LOCK_WAIT_S = 2.0
"""Longer than a starting daemon holds the lock while it looks for a trial that was cut short."""
SHORT = 12

log = logging.getLogger("lefthand")


class LockedError(UserError):
    """Another process changes the slots."""


@dataclass(frozen=True)
class Trial:
    """A trial under way: `slot` was switched to, `before` is what to flip back to, None for the shipped bundle."""

    slot: Name
    before: Name | None
    began: str


@dataclass(frozen=True)
class Verdict:
    """What a trial found of the bundle `id`."""

    id: str
    good: bool
    why: str
    at: str


class Slots:
    """The slots in the folder `root`; `shipped` is the bundle that plays where none of them does."""

    def __init__(self, root: Path | None = None, shipped: Path | None = None) -> None:
        self.root = root or state_dir() / "bundles"
        self.shipped = shipped or default_bundle()

    def folder(self, name: Name | None) -> Path:
        """Where the bundle of a slot lies; None is the shipped one."""
        return self.shipped if name is None else self.root / name

    def active(self) -> Name | None:
        """The slot that `current` names, None where the shipped bundle plays."""
        try:
            target = os.fspath((self.root / CURRENT).readlink())
        except OSError:
            return None
        return next((name for name in NAMES if name == target and self.folder(name).is_dir()), None)

    def inactive(self) -> Name:
        """The slot that may be filled: an empty one first."""
        active = self.active()
        free = [name for name in NAMES if name != active]
        return next((name for name in free if not self.folder(name).exists()), free[0])

    def current(self) -> Path:
        """The bundle that plays, its link resolved."""
        return self.folder(self.active())

    def fill(self, name: Name, bundle: Path) -> None:
        """Moves the folder `bundle`, whose files are on the disk, into the slot `name`, which is not the active one."""
        if name == self.active():
            raise ValueError(f"slot {name} plays")
        old = self.root / f".{name}.old"
        durable_files.discard(old)
        if self.folder(name).exists():
            durable_files.move(self.folder(name), old)
        durable_files.move(bundle, self.folder(name))
        durable_files.discard(old)

    def switch(self, name: Name | None) -> None:
        """Lets `current` name a slot, or the shipped bundle."""
        if name is None:
            durable_files.unlink(self.root / CURRENT)
        else:
            durable_files.point(self.root / CURRENT, name)

    def begin_trial(self, name: Name) -> Trial:
        """Switches to the slot `name`, which must show from now on that it plays."""
        trial = Trial(name, self.active(), _now())
        durable_files.write_durably(self.root / TRIAL, json.dumps(asdict(trial)).encode())
        self.switch(name)
        return trial

    def trial(self) -> Trial | None:
        """The trial whose marker is there."""
        said = _read_json(self.root / TRIAL)
        try:
            trial = Trial(**said)
        except TypeError:
            return None
        return trial if trial.slot in NAMES and trial.before in (*NAMES, None) else None

    def mark_good(self, why: str) -> None:
        """Ends the trial: its slot stays."""
        if (trial := self.trial()) is not None:
            self._record(trial.slot, True, why)
            durable_files.unlink(self.root / TRIAL)

    def flip_back(self, why: str) -> Trial | None:
        """Ends a trial, if there is one: what played before it plays again."""
        trial = self.trial()
        if trial is not None:
            # the link first: as long as the marker is there, this is done again by whoever looks next
            try:
                self.switch(trial.before if trial.before is None or self.folder(trial.before).is_dir() else None)
            except OSError:
                # a full disk has no room for a link, but the shipped bundle needs none
                self.switch(None)
            self._record(trial.slot, False, why)
        durable_files.unlink(self.root / TRIAL)
        return trial

    def verdict(self, name: Name) -> Verdict | None:
        """What the trial of the bundle in a slot found, if it had one."""
        try:
            verdict = Verdict(**_read_json(self.root / VERDICTS).get(name, {}))
        except TypeError:
            return None
        return verdict if verdict.id == self.id(name) else None

    def id(self, name: Name | None) -> str | None:
        """The first digits of the sum of a slot's manifest; it tells bundles apart and is not checked here."""
        try:
            with (self.folder(name) / MANIFEST_SUM).open("rb") as file:
                return file.read(SHORT).decode("ascii", "replace")
        except OSError:
            return None

    @contextlib.contextmanager
    def locked(self, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
        """Alone with the slots; raises LockedError after `wait_s` seconds of waiting for another."""
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            self._lock(descriptor, time.monotonic() + wait_s)
            yield
        finally:
            os.close(descriptor)

    def in_use(self) -> bool:
        """Whether a process holds the lock; needs no right to write."""
        try:
            descriptor = os.open(self.root / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def recover(self) -> str | None:
        """Flips a trial back that was cut short: what was done, in a sentence. For the one who holds the lock."""
        if not (self.root / TRIAL).exists():
            return None
        trial = self.flip_back("its trial was cut short")
        if trial is None:
            return None
        return f"The trial of slot {trial.slot} was cut short, {self.named(self.active())} plays again."

    def named(self, name: Name | None) -> str:
        """A slot in words."""
        return "the shipped bundle" if name is None else f"slot {name}"

    def _lock(self, descriptor: int, until_s: float) -> None:
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until_s:
                    raise LockedError(
                        "Another flash or rollback is going on on this box: try again when it has come to its end."
                    ) from None
                time.sleep(0.05)

    def _record(self, name: Name, good: bool, why: str) -> None:
        verdicts = {**_read_json(self.root / VERDICTS), name: asdict(Verdict(self.id(name) or "", good, why, _now()))}
        # for people alone: a full disk must not keep a trial from its end
        with contextlib.suppress(OSError):
            durable_files.write_durably(self.root / VERDICTS, json.dumps(verdicts, indent=1).encode())


def current_bundle() -> Path:
    """The bundle that plays: the link `current` resolved once, the shipped bundle where there is none."""
    return Slots().current()


def open_current(slots: Slots | None = None) -> Bundle:
    """The bundle to play, opened: a trial that was cut short is flipped back first, and where the current bundle is
    damaged the other slot's, if it was good, or the shipped one plays, with a sentence in the log.
    """
    slots = slots or Slots()
    if (slots.root / TRIAL).exists():
        try:
            with slots.locked(0):
                if (said := slots.recover()) is not None:
                    log.warning("%s", said)
        except LockedError:
            pass  # its trial goes on: this very start is part of it
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOSPC):
                raise
            log.warning("A trial was cut short and cannot be flipped back: %s cannot be written.", slots.root)
    active = slots.active()
    if active is None:
        return Bundle.open(slots.shipped)
    others = [name for name in NAMES if name != active and (found := slots.verdict(name)) is not None and found.good]
    for name in (active, *others):
        try:
            return Bundle.open(slots.folder(name))
        except BundleError as error:
            log.error("%s The next best bundle plays; flash a whole one.", error)
    return Bundle.open(slots.shipped)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_json(path: Path) -> dict[str, Any]:
    """The object in a file of our own; an empty one for what is missing or damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
