"""Cuts a box's power at the n-th change of its disk: `python power.py PACKAGES FOLDER` prints the results.

Every change goes through `os`, where it is counted. At the cut the process ends at once. With `lose` all unsynced data
is lost as well: unsynced files are cut in half, and unsynced names go back to their old state.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import device.flash.install
from device.bundles.bundle import Bundle
from device.bundles.choice import open_current
from device.bundles.slots import Slots
from device.errors import UserError
from device.flash.box import Box, Rules
from device.flash.install import Install
from device.flash.preflight import in_a_child
from device.flash.trial import Outcome

CUT = 77
CHANGES = ("open", "write", "ftruncate", "fsync", "rename", "replace", "unlink", "rmdir", "mkdir", "symlink")
REAL: dict[str, Any] = {name: getattr(os, name) for name in (*CHANGES, "close")}


class Power:
    """Counts the changes of the disk and cuts the power at number `last`."""

    def __init__(self, last: int, lose: bool) -> None:
        self.count, self._last, self._lose = 0, last, lose
        self._unsynced: dict[int, Path] = {}
        self._undo: list[tuple[Path, Callable[[], None]]] = []
        for name in CHANGES:
            setattr(os, name, self._counted(name))
        os.close = self._close

    def _counted(self, name: str) -> Callable[..., Any]:
        def changed(*arguments: Any, **keywords: Any) -> Any:
            writes = name != "open" or arguments[1] & (os.O_WRONLY | os.O_RDWR)
            if writes:
                self.count += 1
                if self.count == self._last:
                    self._cut()
            undo = None if "dir_fd" in keywords else self._undo_of(name, *arguments)
            result = REAL[name](*arguments, **keywords)
            if undo is not None:
                self._undo.append((Path(arguments[0 if name == "unlink" else 1]).parent, undo))
            if name == "open" and writes:
                self._unsynced[result] = Path(arguments[0])
            elif name == "fsync":
                self._synced(arguments[0])
            return result

        return changed

    def _undo_of(self, name: str, *arguments: Any) -> Callable[[], None] | None:
        """Return a function that restores the names that the next change affects."""
        if name in ("rename", "replace"):
            source, target = map(Path, arguments[:2])
            before = _remembered(target)

            def back() -> None:
                REAL["rename"](target, source)
                before()

            return back
        if name == "unlink":
            return _remembered(Path(arguments[0]))
        if name == "symlink":
            link = Path(arguments[1])
            return lambda: REAL["unlink"](link)
        return None

    def _synced(self, descriptor: int) -> None:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            self._unsynced.pop(descriptor, None)
            return
        folder = Path(f"/proc/self/fd/{descriptor}").readlink()
        self._undo = [(where, undo) for where, undo in self._undo if where.resolve() != folder]

    def _close(self, descriptor: int) -> None:
        path = self._unsynced.pop(descriptor, None)
        # the lock file has no content, and an interrupted upload is incomplete anyway
        assert path is None or path.name in ("lock", "archive.tar"), f"{path} was closed without fsync"
        REAL["close"](descriptor)

    def _cut(self) -> None:
        if self._lose:
            for descriptor in self._unsynced:
                REAL["ftruncate"](descriptor, os.fstat(descriptor).st_size // 2)
            for _, undo in reversed(self._undo):
                undo()
        os._exit(CUT)


def _remembered(path: Path) -> Callable[[], None]:
    """Return a function that restores a file or link before its removal; None for a folder or a missing file."""
    if path.is_symlink():
        pointed = path.readlink()
        return lambda: REAL["symlink"](pointed, path)
    if path.is_file():
        content = path.read_bytes()

        def write() -> None:
            descriptor = REAL["open"](path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            REAL["write"](descriptor, content)
            REAL["close"](descriptor)

        return write
    return lambda: None


class NoService:
    """Stand-in for the service, which is not tested here."""

    self_test = staticmethod(in_a_child)

    def restart(self) -> None:
        pass


def site(folder: Path) -> Box:
    return Box(slots_of(folder), folder, (), None, Rules())


def slots_of(folder: Path) -> Slots:
    return Slots(folder / "bundles", signers=folder.parent / "signers")


def flash(folder: Path, package: Path, size: int | None = None) -> None:
    """Flash a package of which only the first `size` bytes arrive."""
    digest, content = package.name.split("-")[1], package.read_bytes()
    reading, writing = os.pipe()
    senders: list[int] = []

    def tell(step: str, said: str, **facts: Any) -> None:
        if step == "have":
            senders.append(os.fork())
            if senders[-1] == 0:
                send(writing, reading, memoryview(content)[facts["bytes"] : size])
            REAL["close"](writing)

    try:
        install = Install(site(folder), NoService(), tell)  # type: ignore[arg-type]
        install.receive(reading, digest, len(content))
    except UserError as error:
        print(error, file=sys.stderr)
    finally:
        REAL["close"](reading)
        for sender in senders:
            os.waitpid(sender, 0)


def send(writing: int, reading: int, left: memoryview) -> None:
    """Runs in the sender's process."""
    REAL["close"](reading)
    # the sender does not hold the box's lock, as if on another machine
    for descriptor in range(3, 64):
        if descriptor != writing:
            with contextlib.suppress(OSError):
                REAL["close"](descriptor)
    with contextlib.suppress(OSError):
        while left:
            left = left[REAL["write"](writing, left) :]
    os._exit(0)


def trial_that(good: bool) -> None:
    """Give every trial this result."""
    device.flash.install.watch = lambda *_: Outcome(good, "as it was asked for", 0.1)  # type: ignore[assignment]


def compare_features_once() -> None:
    """Compare the features of a bundle with its golden frames once in a run.

    Hundreds of boxes hold the same two bundles. Their sums, checked each time, prove that the bytes are the same.
    """
    compare, compared = Bundle._check_features, set[str]()

    def once(bundle: Bundle, golden: Any) -> None:
        if bundle.digest not in compared:
            compare(bundle, golden)
            compared.add(bundle.digest)

    Bundle._check_features = once  # type: ignore[method-assign]


def first(folder: Path, one: Path, two: Path) -> None:
    """Make the first flash of a new box."""
    flash(folder, one)


def next_one(folder: Path, one: Path, two: Path) -> None:
    """Flash a second bundle over the first."""
    flash(folder, two)


def bad_trial(folder: Path, one: Path, two: Path) -> None:
    """Flash a bundle that fails its trial, so that the box goes back to the old one."""
    trial_that(False)
    flash(folder, two)


def in_parts(folder: Path, one: Path, two: Path) -> None:
    """Flash with an upload that is cut and continued."""
    flash(folder, two, 300_000)
    flash(folder, two)


def rolled_back(folder: Path, one: Path, two: Path) -> None:
    """Roll back to the previous bundle."""
    Install(site(folder), NoService(), lambda *_, **__: None).rollback()  # type: ignore[arg-type]


SCENES = {
    "first flash": (first, 0),
    "next flash": (next_one, 1),
    "bad trial": (bad_trial, 1),
    "upload in parts": (in_parts, 1),
    "rollback": (rolled_back, 2),
}


def cut(work: Callable[[Path, Path, Path], None], folder: Path, one: Path, two: Path, last: int, lose: bool) -> None:
    """Do `work` on a box whose power is cut."""
    Power(last, lose)
    work(folder, one, two)


def in_child(work: Callable[[], object]) -> int:
    """Do `work` in a separate process and return its exit status."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(packages: Path, root: Path) -> None:
    device.flash.install.preflight = lambda *_, **__: ["as it was asked for"]  # type: ignore[assignment]
    one, two = sorted(packages.glob("*-*"))
    shutil.copy(packages / "signers", root / "signers")
    trial_that(True)
    compare_features_once()
    found: dict[str, dict[str, int]] = {}
    for scene, (work, flashes) in SCENES.items():
        start = root / f"{scene} before"
        (start / "bundles").mkdir(parents=True)
        for package in (one, two)[:flashes]:
            flash(start, package)
        cuts = {"cuts": 0, "old": 0, "new": 0}
        # the case of a process that was only killed, without lost data, is tried once
        for lose in (False, True) if scene == "next flash" else (True,):
            for last in range(1, 10_000):
                folder = root / "box"
                shutil.rmtree(folder, ignore_errors=True)
                shutil.copytree(start, folder, symlinks=True)

                code = in_child(partial(cut, work, folder, one, two, last, lose))
                assert code in (0, CUT), f"{scene}, cut {last}: exit status {code}"
                if code == 0:
                    break
                cuts["cuts"] += 1
                slots = slots_of(folder)
                old = slots_of(start)
                bundle = open_current(slots)
                # the bundle that `current` names, not the next best one
                assert bundle.path == slots.current().resolve(), f"{scene}, cut {last}: {bundle.path} plays"
                assert slots.trial() is None, f"{scene}, cut {last}: a trial is left"
                cuts["old" if bundle.digest[:12] == old.id(old.active()) else "new"] += 1
                if last % 7:
                    continue
                flash(folder, two)
                again = open_current(slots)
                assert again.digest[:12] == two.name.split("-")[2], (
                    f"{scene}, cut {last}: it cannot be flashed any more"
                )
        found[scene] = cuts
        print(json.dumps({scene: cuts}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
