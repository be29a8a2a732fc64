"""Finds and downloads the wheels for a Pi on the workstation. pip on the Pi never goes online.

pip can resolve and download wheels for another machine. But it evaluates markers such as `python_version < "3.12"` for
the machine on which it runs. So the markers are evaluated again for the Pi, and pip is called again for the wheels that
it left out.
"""

from __future__ import annotations

import email
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from deploy.target import Target
from device.errors import UserError

Resolve = Callable[[Sequence[Requirement], Sequence[str], Target], Path]
"""Function (requirements, constraints, target) -> a folder with wheels that meet the requirements on the target."""
TRIES = 5
"""pip is called at most this number of times to complete one set of wheels."""


@dataclass(frozen=True)
class Wheel:
    """A wheel to send: the file and its SHA-256."""

    path: Path
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Wheel:
        """Return the wheel that is the file `path`. Raises OSError if it cannot be read."""
        return cls(path, hashlib.sha256(path.read_bytes()).hexdigest())

    @property
    def name(self) -> str:
        """The distribution's canonical name."""
        return str(parse_wheel_filename(self.path.name)[0])

    @property
    def version(self) -> str:
        """The distribution's version."""
        return str(parse_wheel_filename(self.path.name)[1])


def closure(
    own: Path, extras: tuple[str, ...], target: Target, resolve: Resolve, pins: Sequence[str] = ()
) -> list[Wheel]:
    """Return the wheel `own` and all wheels that it needs on `target`, sorted by name.

    `extras` are the optional parts of `own` to install. `resolve` finds wheels for requirements. `pins` are constraints
    on versions. Distributions that the target's own Python has already are left out. Raises UserError if no complete
    set of wheels is found.
    """
    direct = requirements(own, target, extras)
    wanted = [requirement for requirement in direct if not target.has(requirement)]
    # the system's distributions are part of the resolution, but they are not sent
    held = {canonicalize_name(requirement.name) for requirement in direct if target.has(requirement)}
    constraints = sorted({*pins, *(f"{name}=={target.distributions[name]}" for name in held)})
    for _ in range(TRIES):
        folder = resolve(wanted, constraints, target)
        found = {wheel.name: wheel for wheel in map(Wheel.of, sorted(folder.glob("*.whl")))}
        chosen, missing = _walk(Wheel.of(own), direct, found, target)
        if not missing:
            return [chosen[name] for name in sorted(chosen)]
        wanted += missing
    raise UserError(f"No set of wheels for {target.arch} is complete: {', '.join(map(str, missing))} is missing.")


def requirements(wheel: Path, target: Target, extras: tuple[str, ...] = ()) -> list[Requirement]:
    """Return the requirements in the metadata of `wheel` that apply on `target`, including those of `extras`.

    Their markers are removed, because they have been evaluated here.
    """
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        stated = email.message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []
    asked = [Requirement(line) for line in stated]
    wanted = [requirement for requirement in asked if any(target.wants(requirement, extra) for extra in ("", *extras))]
    for requirement in wanted:
        requirement.marker = None
    return wanted


def _walk(
    own: Wheel, direct: Sequence[Requirement], found: dict[str, Wheel], target: Target
) -> tuple[dict[str, Wheel], list[Requirement]]:
    """Return those wheels of `found` that `own` needs on `target`, and the requirements that no wheel meets.

    `direct` are the requirements of `own` itself.
    """
    chosen, missing = {own.name: own}, []
    open_ = deque(direct)
    while open_:
        requirement = open_.popleft()
        wheel = chosen.get(canonicalize_name(requirement.name)) or found.get(canonicalize_name(requirement.name))
        if wheel is None or not requirement.specifier.contains(wheel.version, prereleases=True):
            if not target.has(requirement):
                missing.append(requirement)
        elif wheel.name not in chosen and not target.has(requirement):
            chosen[wheel.name] = wheel
            open_ += requirements(wheel.path, target, tuple(requirement.extras))
    return chosen, missing


class Downloads:
    """Downloads wheels from the registry that pip is configured for. `cache` holds a folder for each request.

    If `fresh` is true, the registry is asked even if the cache has an answer.
    """

    def __init__(self, cache: Path, fresh: bool = False) -> None:
        self._cache, self._fresh = cache, fresh

    def __call__(self, wanted: Sequence[Requirement], constraints: Sequence[str], target: Target) -> Path:
        """Return a folder with wheels for `wanted`, and for everything that these need on `target`.

        The folder comes from the cache if the same request was made before. Raises UserError if there are no such
        wheels, or if the registry cannot be reached.
        """
        asked = [str(requirement) for requirement in wanted]
        key = hashlib.sha256("\n".join([*asked, "", *constraints, "", *target.platforms]).encode()).hexdigest()[:12]
        folder = self._cache / f"{target.arch}-cp{target.python[0]}{target.python[1]}-{key}"
        if folder.is_dir() and not self._fresh:
            return folder
        half = folder.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        (half / "constraints.txt").write_text("\n".join(constraints))
        ran = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"),
                *(f"--python-version={target.python_version}", "--implementation=cp"),
                *(f"--platform={platform}" for platform in target.platforms),
                *("--constraint", str(half / "constraints.txt"), "--dest", str(half), *asked),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            said = next((line for line in reversed(ran.stderr.splitlines()) if line.strip()), "pip said nothing")
            raise UserError(
                f"The wheels for Python {target.python_version} on {target.arch} could not be downloaded ({said}): "
                f"check that the package registry can be reached."
            )
        shutil.rmtree(folder, ignore_errors=True)
        half.rename(folder)
        return folder
