"""Installs a bundle, from the first byte received to the end of its trial.

An interruption at any point leaves the box with a bundle that plays. `docs/flashing.md` lists the steps and the effect
of an interruption at each.
"""

from __future__ import annotations

import errno
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from device.bundles.bundle import MANIFEST_SUM
from device.bundles.manifest import MANIFEST, Manifest, read_manifest
from device.bundles.signature import SIGNATURE, check_signature
from device.bundles.slots import INCOMING, SHORT, Name
from device.errors import BundleError, UserError
from device.flash.age import check_age, made_at
from device.flash.box import Box
from device.flash.preflight import preflight
from device.flash.receive import check_space, receive
from device.flash.restart import Restarter
from device.flash.trial import Outcome, now, watch
from device.flash.unpack import unpack
from device.system import durable_files

ARCHIVE, UNPACKED = "archive.tar", "bundle"


class Tell(Protocol):
    """Receives a report of each step: its short name, a sentence, and more values by name. It returns nothing."""

    def __call__(self, step: str, said: str, **facts: object) -> None: ...


class Install:
    """Installs bundles on `box`. `restarter` restarts its service, and `tell` receives a report of each step."""

    def __init__(self, box: Box, restarter: Restarter, tell: Tell) -> None:
        self._box, self._slots, self._restarter, self._tell = box, box.slots, restarter, tell

    def receive(self, stream: int, digest: str, size: int) -> None:
        """Read an archive from the descriptor `stream`, check it and switch to its bundle.

        `digest` is the archive's SHA-256 in hex, `size` its length in bytes. Raises UserError if the bundle is refused
        or fails its trial. The previous bundle then plays again.
        """
        with self._slots.locked():
            self._recover()
            incoming = self._slots.root / f"{INCOMING}{digest[:SHORT]}"
            for other in self._slots.root.glob(f"{INCOMING}*"):
                if other != incoming:
                    durable_files.discard(other)
            try:
                name, created = self._prepare(incoming, stream, digest, size)
            except OSError as error:
                durable_files.discard(incoming)
                raise _no_room(error, self._slots.root) from error
            except BundleError:
                durable_files.discard(incoming)
                raise
            self._try(name, created)

    def rollback(self) -> None:
        """Switch back to the bundle that played before the current one, test it and restart the service.

        If it fails its self-test, the bundle that was shipped with the device is used. Raises UserError if there is
        nothing to switch back to, or if the chosen bundle does not play.
        """
        with self._slots.locked():
            recovered = self._recover()
            name = self._slots.active() if recovered else self._before()
            try:
                checked = self._self_test(self._slots.folder(name))
            except BundleError as error:
                if name is None:
                    raise
                self._tell("damaged", str(error))
                name = None
                checked = self._self_test(self._slots.folder(name))
            self._tell("self-test", checked[-1])
            self._slots.switch(name)
            self._tell("switch", f"{self._slots.named(name)} is current again")
            report = self._start(name)
            if not report.good:
                raise UserError(
                    f"{self._named(name)} is current again, but does not play: {report.why}; see "
                    f"`lefthand doctor` and the logs."
                )
            self._done(name, f"{self._named(name)} plays again: {report.why}", report)

    def _prepare(self, incoming: Path, stream: int, digest: str, size: int) -> tuple[Name, str]:
        """Receive and check the archive, and fill the free slot with its bundle.

        Returns the name of the slot, and the time at which the bundle was made.
        """
        incoming.mkdir(exist_ok=True)
        archive, bundle = incoming / ARCHIVE, incoming / UNPACKED
        durable_files.discard(bundle)
        there = archive.stat().st_size if archive.is_file() else 0
        # the archive needs its size twice: once packed and once unpacked
        check_space(self._slots.root, 2 * size - min(there, size))
        receive(
            *(stream, archive, digest, size),
            lambda n: self._tell("have", f"{n} bytes are here already", bytes=n),
            self._box.rules.upload_s,
        )
        self._tell("received", f"{size} bytes, checksum correct")
        files = unpack(archive, bundle)
        text = _manifest_text(bundle)
        signer = check_signature(text, bundle / SIGNATURE, self._slots.signers)
        self._tell("signature", f"signed by {signer}")
        manifest = read_manifest(text, str(bundle / MANIFEST))
        _check_files(files, manifest)
        check_age(self._slots, manifest, hashlib.sha256(text).hexdigest())
        self._tell("self-test", self._self_test(bundle)[-1])
        name = self._slots.inactive()
        durable_files.unlink(archive)
        self._slots.fill(name, bundle)
        durable_files.discard(incoming)
        self._tell("filled", f"slot {name} holds {self._slots.id(name)}")
        return name, manifest.created

    def _try(self, name: Name, created: str) -> None:
        """Play with the bundle in the slot `name` on trial, and keep it if the trial is good.

        Else the bundle before plays again, and BundleError is raised. `created` is the time of the new bundle.
        """
        self._slots.begin_trial(name)
        self._tell("switch", f"slot {name} is current, on trial")
        report = self._start(name)
        if report.good:
            report = self._keep_age(created, report)
        if report.good:
            self._slots.mark_good(report.why)
            self._done(name, f"{self._named(name)} plays: {report.why}", report)
            return
        failed = self._named(name)
        self._slots.flip_back(report.why)
        before = self._slots.active()
        self._tell("flipped", f"{self._named(before)} is current again, for {failed} failed: {report.why}")
        back = self._start(before)
        plays = (
            "plays again" if back.good else f"is current again, but does not play ({back.why}; see `lefthand doctor`)"
        )
        raise BundleError(
            f"{failed} failed its trial and was flipped back: {report.why}. {self._named(before)} {plays}. Mend "
            f"the bundle and flash it again; the logs have more."
        )

    def _keep_age(self, created: str, report: Outcome) -> Outcome:
        """Store the time `created` of a bundle that plays, if it is newer than all that have passed a trial.

        Returns `report`, changed to a failure if the disk refuses.
        """
        newest = self._slots.newest()
        try:
            if newest is None or made_at(created) > made_at(newest):
                self._slots.keep_newest(created)
        except OSError as error:
            return replace(report, good=False, why=f"the disk of {self._slots.root} refuses a file ({error.strerror})")
        return report

    def _self_test(self, bundle: Path) -> list[str]:
        return preflight(bundle, self._box.rules.slowest, self._box.rules.self_test_s, self._restarter.self_test)

    def _start(self, name: Name | None) -> Outcome:
        """Restart the service and return the outcome: whether it plays the bundle in slot `name`, and why.

        If the restart fails, the outcome is bad. `name` None means the shipped bundle.
        """
        wanted = self._slots.id(name) or ""
        began_s = now()
        try:
            self._restarter.restart()
        except UserError as error:
            return Outcome(False, str(error))
        self._tell("restart", "the service restarts")
        return watch(self._box.run, wanted, self._box.rules, began_s)

    def _recover(self) -> bool:
        said = self._slots.recover()
        if said is not None:
            self._tell("recovered", said)
        return said is not None

    def _before(self) -> Name | None:
        """Return the slot to roll back to: the one that is not active. Return None for the shipped bundle.

        The shipped bundle is the choice if that slot is empty or if its bundle failed its trial.
        Raises UserError if the shipped bundle plays now.
        """
        active = self._slots.active()
        if active is None:
            raise UserError("The shipped bundle plays: there is nothing to roll back to; flash a bundle.")
        other = self._slots.inactive()
        verdict = self._slots.verdict(other)
        # a bundle that failed its trial would fail again, so the shipped bundle is used instead
        return other if self._slots.folder(other).is_dir() and (verdict is None or verdict.good) else None

    def _named(self, name: Name | None) -> str:
        return f"{self._slots.named(name)} ({self._slots.id(name)})".capitalize()

    def _done(self, name: Name | None, said: str, report: Outcome) -> None:
        self._tell("done", said, slot=name, id=self._slots.id(name), gap_s=report.gap_s)


def _manifest_text(bundle: Path) -> bytes:
    try:
        return (bundle / MANIFEST).read_bytes()
    except FileNotFoundError:
        raise BundleError(f"The archive holds no {MANIFEST}: pack and send the bundle again.") from None


def _check_files(files: list[str], manifest: Manifest) -> None:
    wanted = {MANIFEST, MANIFEST_SUM, SIGNATURE, *manifest.files}
    if unknown := sorted(set(files) - wanted):
        raise BundleError(f"The archive holds {unknown[0]}, which the manifest does not list: pack the bundle again.")


def _no_room(error: OSError, root: Path) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"The disk of {root} is full: make room on the box and flash again.")
    return UserError(
        f"{error.filename or root} cannot be written ({error.strerror}): check the box's disk and try again."
    )
