"""What provisioning brings to a Pi: one table of packages, one of files. A further file is one further line."""

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
    # aconnect joins the synthesiser to the box
    "alsa-utils": None,
}
"""Debian package → the Python distribution in it, for which it is taken where it is new enough."""
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
"""Python → the version of each that its Debian has: what is to be reckoned with before the packages are there."""
UNSTATED = "0.0.0"
"""What a package says of itself that was built without its version, as Trixie's python3-mido: the table knows it."""
EXTRAS = ("live",)
GROUPS = ("lefthand-flash",)
UNITS = ("lefthand.service", "lefthand-synth.service")
"""Started at boot; the second ends at once where the settings want no synthesiser."""
SIGNERS = "/etc/lefthand/allowed_signers"
SPACE_OF_WHEELS = 6
"""Times the wheels' size that their environment takes, with themselves and a card's slack."""


@dataclass(frozen=True)
class File:
    """A file of the checkout and where it goes. `check`: a command that must accept the file before it is put there."""

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
"""Switched together with the environment, forwards and back."""
THE_OWNERS = (File("docs/lefthand.toml", "/etc/lefthand.toml"),)
"""Written where there is none."""


def packages(own: list[Requirement], target: Target) -> tuple[list[str], Target]:
    """Those of PACKAGES that serve what the wheel asks for, and `target` with what they bring to it alone.

    The rest is carried as wheels: what Debian has too old would only lie beside them.
    """
    in_debian = IN_DEBIAN.get(target.python_version, IN_DEBIAN["3.13"])
    stated = {name: version for name, version in target.distributions.items() if version != UNSTATED}
    offered = replace(target, distributions={**in_debian, **stated})
    serving = {str(canonicalize_name(requirement.name)) for requirement in own if offered.has(requirement)}
    chosen = {package: name for package, name in PACKAGES.items() if name is None or name in serving}
    brought = {name: offered.distributions[name] for name in chosen.values() if name is not None}
    return list(chosen), replace(target, distributions=brought)


def release(wheels: list[Wheel], target: Target) -> str:
    """The name of the environment: the version and a hash of all that it is made of."""
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
    """What `appliance apply` is to do.

    `staged`: where the wheels arrive; `signers`: a line of allowed_signers; `operator`: who may flash.
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
    """The files that are sent to be run: name → content."""
    sent: dict[str, Path | bytes] = {
        f"appliance/{path.name}": path for path in sorted((ROOT / "deploy" / "appliance").glob("*.py"))
    }
    for file in (*WITH_THE_SOFTWARE, *THE_OWNERS):
        sent[f"plan/files/{file.name}"] = ROOT / file.source
    sent["plan/plan.json"] = json.dumps(stated).encode()
    return sent
