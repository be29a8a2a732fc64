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
"""Debian package -> the Python distribution in it, or None if it holds none that the box imports.

The package is installed on the Pi if its distribution is new enough for the box's software.
"""
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
"""Python version -> (distribution -> version) in the Debian release with that Python.

These versions are assumed for packages that are not installed on the Pi yet.
"""
UNSTATED = "0.0.0"
"""Version that a package reports if its builders set none, such as Debian Trixie's python3-mido.

The version in `IN_DEBIAN` is then used instead.
"""
EXTRAS = ("live", "page")
GROUPS = ("lefthand-flash",)
UNITS = (
    *("lefthand.service", "lefthand-synth.service"),
    *("lefthand-page.socket", "lefthand-poweroff.path", "lefthand-reboot.path", "lefthand-rollback.path"),
)
"""systemd units that start at boot. lefthand-synth.service ends at once if the settings ask for no synthesiser.

lefthand-page.socket starts lefthand-page.service with the first browser.
"""
SIGNERS = "/etc/lefthand/allowed_signers"
SPACE_OF_WHEELS = 6
"""Space that an installation needs on the Pi, as a multiple of the wheels' size.

It holds the wheels, the environment that is built from them, and a reserve.
"""


@dataclass(frozen=True)
class File:
    """A file of this repository, and the path on the Pi at which it is installed.

    `check` is a command that must accept the file before it is installed, or None.
    """

    source: str
    target: str
    mode: str = "644"
    check: str | None = None

    @property
    def name(self) -> str:
        """The name of the file without its folder. Under this name it is sent to the Pi."""
        return Path(self.source).name

    def stated(self) -> dict[str, str | None]:
        """Return the file as an entry of the JSON that tells the Pi what to install where."""
        return {"source": self.name, "target": self.target, "mode": self.mode, "check": self.check}


WITH_THE_SOFTWARE = (
    File("deploy/units/lefthand.service", "/etc/systemd/system/lefthand.service"),
    File("deploy/units/lefthand-synth.service", "/etc/systemd/system/lefthand-synth.service"),
    *(
        File(f"deploy/units/{name}", f"/etc/systemd/system/{name}")
        for name in (
            *("lefthand-page.socket", "lefthand-page.service", "lefthand-power@.service"),
            *("lefthand-poweroff.path", "lefthand-reboot.path"),
            *("lefthand-rollback.path", "lefthand-rollback.service"),
        )
    ),
    File("deploy/lefthand-hotspot.service", "/etc/systemd/system/lefthand-hotspot.service"),
    File("deploy/lefthand-hotspot", "/usr/local/sbin/lefthand-hotspot", "755"),
    File("deploy/lefthand-page-settings", "/usr/local/lib/systemd/system-generators/lefthand-page-settings", "755"),
    File("deploy/lefthand-page.avahi", "/etc/avahi/services/lefthand-page.service"),
    File("deploy/units/70-lefthand.rules", "/etc/udev/rules.d/70-lefthand.rules"),
    File("docs/lefthand.1", "/usr/local/share/man/man1/lefthand.1"),
    File("deploy/lefthand-slot", "/usr/local/sbin/lefthand-slot", "755"),
    File("deploy/lefthand.sudoers", "/etc/sudoers.d/lefthand", "440", "visudo -cqf"),
)
"""Files that belong to one version of the software. They are replaced whenever the Pi changes to another version."""
THE_OWNERS = (File("docs/lefthand.toml", "/etc/lefthand.toml"),)
"""Files that belong to the owner of the box. They are written only if they do not exist."""


def packages(own: list[Requirement], target: Target) -> tuple[list[str], Target]:
    """Return the Debian packages to install, and `target` with only the distributions in these packages.

    `own` are the requirements of the box's wheel. A package of PACKAGES is chosen if its distribution is new enough for
    them, or if it has no distribution. All other requirements are sent to the Pi as wheels.
    """
    in_debian = IN_DEBIAN.get(target.python_version, IN_DEBIAN["3.13"])
    stated = {name: version for name, version in target.distributions.items() if version != UNSTATED}
    offered = replace(target, distributions={**in_debian, **stated})
    serving = {str(canonicalize_name(requirement.name)) for requirement in own if offered.has(requirement)}
    chosen = {package: name for package, name in PACKAGES.items() if name is None or name in serving}
    brought = {name: offered.distributions[name] for name in chosen.values() if name is not None}
    return list(chosen), replace(target, distributions=brought)


def release(wheels: list[Wheel], target: Target) -> str:
    """Return the name of the environment with these wheels. It holds the version and a hash of all wheels and files."""
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
    hotspot: str | None = None,
) -> dict[str, Any]:
    """Return the plan: a dict with everything that the code in `deploy.appliance` installs on the Pi.

    `name` is the name of the environment. `staged` is the folder into which the wheels are sent. `signers` is a line of
    allowed_signers, with the key whose bundles the box accepts. `operator` is the user who may send bundles.
    `ready_within_s` is the number of seconds in which the service must report READY. `hotspot` is the name of the box's
    own access point, or None.
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
        "hotspot": hotspot,
    }


def scripts(stated: dict[str, Any]) -> dict[str, Path | bytes]:
    """Return the files to send to the Pi (name -> content): the scripts of `deploy.appliance` and the plan `stated`."""
    sent: dict[str, Path | bytes] = {
        f"appliance/{path.name}": path for path in sorted((ROOT / "deploy" / "appliance").glob("*.py"))
    }
    for file in (*WITH_THE_SOFTWARE, *THE_OWNERS):
        sent[f"plan/files/{file.name}"] = ROOT / file.source
    sent["plan/plan.json"] = json.dumps(stated).encode()
    return sent
