"""Builds and removes environments. An environment is one version of the software in its own folder in /opt/lefthand.

An environment whose build was interrupted is incomplete. It is removed and built again.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from .machine import Report, StepError, run, settle, sha256, write
from .places import COMPLETE, FILES, PLAN, SOFTWARE, USER, WHEELS, complete, current

KEPT = (WHEELS.name, "current", "trial")
PIP = Path("/usr/share/python-wheels/pip-*.whl")
CHECK_S = 600.0
"""Longest time in seconds for the check of the models' outputs. The slowest machine needs less."""
CHECK = """
import pyaudio, rtmidi, soundfile, systemd.daemon, device.service.foreground
from device.bundles.bundle import Bundle, default_bundle
from device.bundles.golden import verify
# this check does not judge speed
print(*verify(Bundle.open(default_bundle()), slowest=float("inf")), sep="\\n")
"""


def plan_of(name: str) -> dict[str, Any] | None:
    """Return the plan from which the environment `name` was built, or None if it cannot be read."""
    try:
        found: dict[str, Any] = json.loads((SOFTWARE / name / PLAN).read_text())
    except (OSError, ValueError):
        return None
    return found


def build(plan: dict[str, Any], staged: Path, folder: Path, report: Report) -> None:
    """Build the environment that `plan` names, unless it is complete already.

    The wheels are taken from WHEELS, or from `staged`, the folder into which they were sent. The other files are taken
    from `folder`.

    Raises StepError if a wheel is missing or damaged, or if the new environment does not work.
    """
    name = plan["release"]
    if complete(name):
        return
    if not report.change(f"install {name}, {len(plan['wheels'])} wheels, beside {current() or 'nothing'}"):
        return
    SOFTWARE.mkdir(parents=True, exist_ok=True)
    for wheel in plan["wheels"]:
        _keep(wheel["file"], wheel["sha256"], staged)
    place = SOFTWARE / name
    shutil.rmtree(place, ignore_errors=True)
    run("python3", "-m", "venv", "--system-site-packages", "--without-pip", str(place))
    # pip compares the hash of each file again at the moment at which it installs the file
    pinned = "".join(f"{WHEELS / wheel['file']} --hash=sha256:{wheel['sha256']}\n" for wheel in plan["wheels"])
    listed = place / "wheels.txt"
    listed.write_text(pinned)
    pip = (str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "--quiet")
    # The workstation has chosen exactly these wheels. pip must not look elsewhere and must not skip any.
    exactly = ("--no-index", "--no-deps", "--ignore-installed", "--no-warn-script-location", "--require-hashes")
    run(*pip, "install", *exactly, "--requirement", str(listed), settings={"PYTHONPATH": str(_pip())})
    (place / FILES).mkdir(parents=True)
    for one in plan["files"]:
        shutil.copyfile(folder / "files" / one["source"], place / FILES / one["source"])
    write(place / PLAN, json.dumps(plan, indent=1).encode())
    _check(place)
    os.sync()
    write(place / COMPLETE, b"")


def prune(keep: set[str], report: Report) -> None:
    """Remove all environments except those named in `keep`. Remove the wheels that no kept environment uses."""
    if not SOFTWARE.is_dir():
        return
    for place in sorted(SOFTWARE.iterdir()):
        if place.name in (*KEPT, *keep) or place.is_symlink() or not place.is_dir():
            continue
        if report.change(f"remove {place}"):
            # The mark goes first, so that an environment that is half removed does not count as complete.
            (place / COMPLETE).unlink(missing_ok=True)
            shutil.rmtree(place)
    used = {wheel["file"] for name in keep for wheel in (plan_of(name) or {"wheels": []})["wheels"]}
    for wheel in sorted(WHEELS.glob("*")) if not report.dry else ():
        if wheel.name not in used:
            wheel.unlink()


def _keep(file: str, digest: str, staged: Path) -> None:
    """Copy the wheel `file` from `staged` to WHEELS, where only root can write.

    Raises StepError if the wheel is missing, or if the SHA-256 of the copy is not `digest`.
    """
    kept = WHEELS / file
    if kept.is_file() and sha256(kept) == digest:
        return
    if not (staged / file).is_file():
        raise StepError(f"The wheel {file} has not arrived: provision again.")
    WHEELS.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(".part")
    shutil.copyfile(staged / file, part)
    if sha256(part) != digest:
        part.unlink()
        raise StepError(f"The wheel {file} has arrived damaged: provision again.")
    part.replace(kept)
    settle(WHEELS)


def _pip() -> Path:
    """Return the path of the wheel of pip that python3-venv installs. Raises StepError if there is none.

    pip runs from this wheel, so environments need no pip of their own.
    """
    found = sorted(PIP.parent.glob(PIP.name))
    if not found:
        raise StepError(f"There is no {PIP}, which python3-venv should have brought: `apt install python3-pip-whl`.")
    return found[-1]


def _check(place: Path) -> None:
    """Check that the environment in the folder `place` can run the software. If not, remove it and raise StepError."""
    python = str(place / "bin" / "python")
    try:
        run("runuser", "-u", USER, "--", python, "-I", "-c", CHECK, timeout_s=CHECK_S)
    except StepError as failure:
        shutil.rmtree(place, ignore_errors=True)
        raise StepError(f"The new software does not work here and is not used: {failure}") from None
