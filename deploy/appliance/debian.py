"""Installs Debian packages from the Pi's own mirrors."""

from __future__ import annotations

import subprocess

from .machine import Report, run

NO_QUESTIONS = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "a"}
LOCK_WAIT_S = 300
"""Seconds to wait for another apt process."""


def missing(packages: list[str]) -> list[str]:
    """Return those of `packages` that are not installed, or only half installed."""
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    there = {line.split()[0] for line in asked.stdout.splitlines() if line.endswith(" installed")}
    return [package for package in packages if package not in there]


def install(packages: list[str], report: Report) -> None:
    """Install those of the Debian packages `packages` that are missing. If none is missing, no network is needed.

    Raises StepError if apt or dpkg fails.
    """
    lacking = missing(packages)
    if not lacking or not report.change(f"install the Debian packages {', '.join(lacking)}"):
        return
    # completes packages that a power cut has left half installed
    run("dpkg", "--configure", "-a", settings=NO_QUESTIONS)
    wait = f"DPkg::Lock::Timeout={LOCK_WAIT_S}"
    run("apt-get", "-q", "-o", wait, "update", settings=NO_QUESTIONS)
    run("apt-get", "-q", "-y", "-o", wait, "install", "--no-install-recommends", *lacking, settings=NO_QUESTIONS)
