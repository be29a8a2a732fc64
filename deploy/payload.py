"""Tables of the packages and files that provisioning installs on a Pi. Each file has one line."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.target import Target
from deploy.wheels import Wheel
from device.version import VERSION

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "python3-venv": None,
    "python3-pyaudio": "pyaudio",
    "python3-rtmidi": "python-rtmidi",
    "python3-systemd": "systemd-python",
    "python3-numpy": "numpy",
    "python3-mido": "mido",
    "python3-soundfile": "soundfile",
    # lefthand status --watch
    "python3-rich": "rich",
    # [play] sound = "synth"
    "fluidsynth": None,
    "timgm6mb-soundfont": None,
    # aconnect connects the synthesiser to the box
    "alsa-utils": None,
}
"""Debian package → its Python distribution. The package is installed if that distribution is new enough."""
IN_DEBIAN = {
    "3.11": {
        "pyaudio": "0.2.13",
        "python-rtmidi": "1.4.7",
        "systemd-python": "235",
        "numpy": "1.24.2",
        "mido": "1.2.10",
        "soundfile": "0.12.1",
        "rich": "13.3.1",
    },
    "3.13": {
        "pyaudio": "0.2.13",
        "python-rtmidi": "1.5.8",
        "systemd-python": "235",
        "numpy": "2.2.4",
        "mido": "1.3.3",
        "soundfile": "0.13.1",
        "rich": "13.9.4",
    },
}
"""Python version → versions in its Debian release. They are assumed until the packages are installed."""
UNSTATED = "0.0.0"
"""Version that a package states if it was built without one, such as Trixie's python3-mido. The table is used then."""
EXTRAS = ("live",)
GROUPS = ("lefthand-flash",)
UNITS = ("lefthand.service", "lefthand-synth.service")
"""Units that start at boot. The second ends at once if the settings ask for no synthesiser."""
SIGNERS = "/etc/lefthand/allowed_signers"
SPACE_OF_WHEELS = 6
"""Needed space as a multiple of the wheels' size: wheels, their environment, and a reserve."""


@dataclass(frozen=True)
class File:
    """A file of the checkout and its target. `check`: a command that must accept the file before it is installed."""

    source: str
    target: str
    mode: str = "644"
    check: str | None = None

    @property
    def name(self) -> str:
        return Path(self.source).name

    def stated(self) -> dict[str, str | None]:
        return {"source": self.name, "target": self.target, "mode": self.mode, "check": self.check}


WITH_THE_SOFTWARE = (
    File("deploy/units/lefthand.service", "/etc/systemd/system/lefthand.service"),
    File("deploy/units/lefthand-synth.service", "/etc/systemd/system/lefthand-synth.service"),
    File("deploy/units/70-lefthand.rules", "/etc/udev/rules.d/70-lefthand.rules"),
    File("docs/lefthand.1", "/usr/local/share/man/man1/lefthand.1"),
    File("deploy/lefthand-slot", "/usr/local/sbin/lefthand-slot", "755"),
    File("deploy/lefthand.sudoers", "/etc/sudoers.d/lefthand", "440", "visudo -cqf"),
)
"""Files that are switched together with the environment, forwards and back."""
THE_OWNERS = (File("docs/lefthand.toml", "/etc/lefthand.toml"),)
"""Files that are written only if they do not exist."""


def packages(own: list[Requirement], target: Target) -> tuple[list[str], Target]:
    """Return those of PACKAGES that meet a requirement of the wheel, and `target` with only their distributions.

    All other requirements are sent as wheels. Debian packages that are too old are not installed.
    """
    in_debian = IN_DEBIAN.get(target.python_version, IN_DEBIAN["3.13"])
    stated = {name: version for name, version in target.distributions.items() if version != UNSTATED}
    offered = replace(target, distributions={**in_debian, **stated})
    serving = {str(canonicalize_name(requirement.name)) for requirement in own if offered.has(requirement)}
    chosen = {package: name for package, name in PACKAGES.items() if name is None or name in serving}
    brought = {name: offered.distributions[name] for name in chosen.values() if name is not None}
    return list(chosen), replace(target, distributions=brought)


def release(wheels: list[Wheel], target: Target) -> str:
    """Return the name of the environment: the version, and a hash of its wheels and files."""
    digest = hashlib.sha256(f"{target.arch} {target.python_version}\n".encode())
    for wheel in wheels:
        digest.update(f"{wheel.path.name} {wheel.sha256}\n".encode())
    for file in WITH_THE_SOFTWARE:
        digest.update(f"{file}\n".encode() + (ROOT / file.source).read_bytes())
    return f"{VERSION}-{digest.hexdigest()[:12]}"


def plan(
    name: str,
    packages: list[str],
    wheels: list[Wheel],
    staged: str,
    signers: str,
    operator: str,
    ready_within_s: float,
) -> dict[str, Any]:
    """Return the plan for `appliance apply`.

    `staged`: folder in which the wheels arrive. `signers`: a line of allowed_signers. `operator`: user who may flash.
    """
    return {
        "schema": 1,
        "release": name,
        "packages": packages,
        "groups": list(GROUPS),
        "operator": operator,
        "staged": staged,
        "wheels": [{"file": wheel.path.name, "sha256": wheel.sha256} for wheel in wheels],
        "files": [file.stated() for file in WITH_THE_SOFTWARE],
        "first": [file.stated() for file in THE_OWNERS],
        "lines": [{"target": SIGNERS, "mode": "644", "line": signers.strip(), "what": "the key of this workstation"}],
        "units": list(UNITS),
        "ready_within_s": ready_within_s,
    }


def scripts(stated: dict[str, Any]) -> dict[str, Path | bytes]:
    """Return the scripts and plan files to send: name → content."""
    sent: dict[str, Path | bytes] = {
        f"appliance/{path.name}": path for path in sorted((ROOT / "deploy" / "appliance").glob("*.py"))
    }
    for file in (*WITH_THE_SOFTWARE, *THE_OWNERS):
        sent[f"plan/files/{file.name}"] = ROOT / file.source
    sent["plan/plan.json"] = json.dumps(stated).encode()
    return sent
