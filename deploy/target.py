"""The properties of a Pi that decide which wheels it can run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from device.errors import UserError

ARCHITECTURES = ("aarch64", "x86_64")
"""Machines, as `uname -m` names them, that TFLite's runtimes have wheels for."""
OLDEST_PYTHON = (3, 11)
OLDEST_GLIBC_MINOR = 17
"""Minor number of the oldest glibc (2.17) for which wheels are built. Machines with an older one can run no wheel."""
TAKEN_AS_THEY_ARE = frozenset({"pyaudio"})
"""Distributions that only Debian builds for a Pi. Any version is accepted, because the code uses old calls only."""


@dataclass(frozen=True)
class Target:
    """A Linux machine: `arch` as in `uname -m`, `python` and `glibc` as (major, minor), and installed distributions."""

    arch: str
    python: tuple[int, int]
    glibc: tuple[int, int]
    distributions: dict[str, str] = field(default_factory=dict)
    """Canonical name → version of the distributions in the system's own Python, from apt."""

    @classmethod
    def of(cls, probe: dict[str, Any], host: str) -> Target:
        """Build the target from the facts in `probe`. Raises UserError if the software cannot run on the machine."""
        arch, python, glibc = probe["arch"], tuple(probe["python"]), tuple(probe["glibc"])
        if arch not in ARCHITECTURES:
            raise UserError(
                f"{host} is a {arch}, which has no TFLite runtime: write a 64-bit Raspberry Pi OS on its card."
            )
        if probe["bits"] != 64:
            raise UserError(f"{host} runs 32-bit programs: write a 64-bit Raspberry Pi OS on its card.")
        if python < OLDEST_PYTHON:
            raise UserError(
                f"{host} has Python {python[0]}.{python[1]}, but 3.11 is needed: write Raspberry Pi OS "
                f"Bookworm or newer on its card."
            )
        seen = {str(canonicalize_name(name)): version for name, version in probe["distributions"].items()}
        return cls(arch, (python[0], python[1]), (glibc[0], glibc[1]), seen)

    @property
    def python_version(self) -> str:
        """Version of the machine's Python as text, for example `3.11`."""
        return f"{self.python[0]}.{self.python[1]}"

    @property
    def platforms(self) -> list[str]:
        """The platform tags of wheels that run on the machine, the newest first."""
        newer = [f"manylinux_2_{minor}_{self.arch}" for minor in range(self.glibc[1], OLDEST_GLIBC_MINOR - 1, -1)]
        return [*newer, f"manylinux2014_{self.arch}"]

    def wants(self, requirement: Requirement, extra: str = "") -> bool:
        """Return True if the marker of `requirement` (such as `python_version < "3.12"`) is true on this machine.

        `extra` is the name of the extra that is installed. pip cannot answer this, because it evaluates markers for the
        machine on which it runs.
        """
        environment = {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python_version}.0",
            "os_name": "posix",
            "platform_machine": self.arch,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{self.python_version}.0",
            "python_version": self.python_version,
            "sys_platform": "linux",
            "extra": extra,
        }
        return requirement.marker is None or requirement.marker.evaluate(environment)

    def has(self, requirement: Requirement) -> bool:
        """Return True if the system's own Python already meets `requirement`."""
        name = canonicalize_name(requirement.name)
        version = self.distributions.get(name)
        if version is None:
            return False
        try:
            return name in TAKEN_AS_THEY_ARE or requirement.specifier.contains(Version(version), prereleases=True)
        except InvalidVersion:
            return False
