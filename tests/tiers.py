"""The tiers of the tests: folders of tests that need the same tools.

`pytest` runs the unit tier. Another one runs where its folder or its marker is named:
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
TIERS = (UNIT, "ssh", "host", "box", "pi")
"""Each is a folder here and a marker that all its tests have."""
TIER_OF_MARKER = {**{tier: tier for tier in TIERS}, "quiet": "host"}
PROGRAMS = {"ssh": ("sshd", "ssh", "ssh-keygen"), "host": ("jackd",)}
MODULES = {"host": ("pyaudio", "rtmidi", "jack", "soundfile", "soxr")}
"""Modules and programs that the tests of a tier need at import or start. The tiers box and pi check the rest."""
SYSTEM_PATH = ":/usr/sbin:/sbin"
"""Debian keeps sshd there, and not every account has that in its PATH."""
ASKED_FOR_PI = "LEFTHAND_TEST_PI"
"""The virtual Pi takes an hour, so that its folder or marker alone does not start it."""


def missing_of(tier: str) -> str:
    """One sentence that names what a tier needs and this machine lacks; empty if nothing is missing."""
    if tier == "pi" and not os.environ.get(ASKED_FOR_PI):
        return f"tests/pi needs {ASKED_FOR_PI}=bookworm or trixie in the environment: run `make test-pi`."
    path = os.environ.get("PATH", os.defpath) + SYSTEM_PATH
    lacking = [f"the program {name}" for name in PROGRAMS.get(tier, ()) if not shutil.which(name, path=path)]
    lacking += [f"the Python module {name}" for name in MODULES.get(tier, ()) if not importlib.util.find_spec(name)]
    return f"tests/{tier} needs {', '.join(lacking)}: run `make setup`." if lacking else ""


def tier_of(path: Path) -> str | None:
    """The tier that a file or folder is in, None for what is in none."""
    parts = path.relative_to(HERE).parts if path.is_relative_to(HERE) else ()
    return parts[0] if parts and parts[0] in TIERS else None


def chosen_tiers(arguments: Iterable[str], here: Path, marker_expression: str) -> set[str]:
    """The tiers to run, of pytest's arguments (paths relative to `here`) and its `-m`.

    Tiers that the marker expression names are chosen, or all but those that it names after `not`. Where it names none,
    the tiers of the named files and folders run, and the unit tier where a folder above the tiers is named.
    """
    named: dict[bool, set[str]] = {False: set(), True: set()}
    for without, marker in re.findall(r"(\bnot\s+)?\b(\w+)\b", marker_expression):
        # `not quiet` is a part of the host tier, and does not speak of the tiers
        if marker in TIER_OF_MARKER and not (without and marker not in TIERS):
            named[bool(without)].add(TIER_OF_MARKER[marker])
    if named[False]:
        return named[False]
    if named[True]:
        return set(TIERS) - named[True]
    paths = [(here / argument.split("::")[0]).resolve() for argument in arguments]
    return {tier_of(path) or UNIT for path in paths} or {UNIT}
