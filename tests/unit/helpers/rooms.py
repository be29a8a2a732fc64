"""Tables of the rooms and of the imports that each may have, and functions that find the imports in the code.

A room is a package with one subject. The tables must equal the imports that are found. A commit that adds or removes
an import between rooms changes the table too.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
LEAST_FILES = {"device": 120, "training": 75, "export": 15, "deploy": 25, "device/files": 35}
"""Least number of Python files in each package. A test that finds fewer has looked in the wrong place."""
NO_ROOM = {"utils", "common", "helpers", "misc", "base"}
"""Forbidden names: a room with such a name has no subject."""


@dataclasses.dataclass(frozen=True)
class Row:
    """The rooms and files of its own package that a room, or a file beside the rooms, may import."""

    rooms: str = ""
    files: str = ""

    @property
    def all(self) -> set[str]:
        return {*self.rooms.split(), *self.files.split()}


DEVICE_ROOMS = {
    "hearing": Row("settings", "errors events"),
    "clock": Row("", "errors events printable"),
    "following": Row("clock", "events"),
    "left_hand": Row("clock settings system", "events"),
    "settings": Row("clock system", "errors events printable"),
    "ports": Row("system", "errors printable"),
    "inputs": Row("clock hearing ports settings status system", "errors events printable stream_time"),
    "outputs": Row("ports settings status system", "errors events stream_time"),
    "files": Row("clock hearing system", "engine errors events printable"),
    "recording": Row("clock files hearing inputs left_hand settings system", "engine errors events make_clock"),
    "bundles": Row("hearing system", "errors printable version"),
    "live": Row(
        "calibration inputs left_hand outputs ports recording settings status system",
        "engine errors events stream_time",
    ),
    "service": Row(
        "bundles calibration clock control hearing inputs live outputs ports recording settings status system",
        "assemble engine errors printable version",
    ),
    "demo": Row("files hearing inputs live outputs ports recording settings", "engine errors stream_time"),
    "status": Row("system", "events printable"),
    "page": Row("control settings system", "errors printable"),
    "control": Row("settings status system", "errors"),
    "system": Row(),
    "calibration": Row("hearing inputs outputs ports settings system", "errors events stream_time"),
    "flash": Row("bundles status system", "errors printable"),
    "doctor": Row(
        "bundles calibration clock flash outputs ports settings status system",
        "assemble engine errors make_clock printable",
    ),
    "commands": Row(
        "bundles calibration clock control demo doctor files flash following hearing outputs page ports recording "
        "service settings status system",
        "assemble engine errors make_clock printable",
    ),
}
DEVICE_FILES = {
    "__init__": Row(),
    "cli": Row("commands", "version"),
    "engine": Row("clock hearing left_hand settings", "events"),
    "assemble": Row("bundles calibration clock hearing left_hand settings", "engine errors make_clock"),
    "make_clock": Row("clock following", "errors"),
    "events": Row(),
    "errors": Row("", "printable"),
    "printable": Row(),
    "stream_time": Row(),
    "version": Row(),
}
FILES_ROOMS = {
    "sound": Row("", "input_present"),
    "midi": Row("", "input_present"),
    "results": Row("midi sound", "performance"),
}
"""The rooms inside `device/files`, and below the files beside them."""
FILES_FILES = {
    "__init__": Row(),
    "play": Row("sound", "input_end performance real_time"),
    "midi_run": Row("midi", "performance play real_time"),
    "input_end": Row("", "performance"),
    "performance": Row(),
    "real_time": Row(),
    "input_kind": Row("midi sound", "foreign_kinds"),
    "foreign_kinds": Row(),
    "input_present": Row("", "near_names"),
    "near_names": Row(),
}
TRAINING_ROOMS = {
    "corpora": Row("", "options"),
    "pianos": Row("", "options"),
    "scenes": Row("corpora pianos", "options"),
    "transcriber": Row("scenes", "fitting note_scores options"),
    "remote": Row("corpora pianos scenes transcriber", "options"),
    "accompanist": Row("corpora", "fitting options"),
    "hearing_figures": Row("corpora pianos scenes transcriber", "note_scores options"),
    "figure_bank": Row("accompanist corpora playing_figures", "options"),
    "playing_figures": Row("accompanist corpora hearing_figures pianos scenes", "options"),
    "beat_net": Row("corpora playing_figures", "fitting options scored_hands"),
    "lock_net": Row("beat_net playing_figures", "options scored_hands"),
    "evaluate": Row("accompanist corpora hearing_figures playing_figures", "options"),
    "experiments": Row(
        "corpora hearing_figures pianos playing_figures scenes transcriber", "fitting note_scores options"
    ),
}  # fmt: skip
TRAINING_FILES = {
    "__init__": Row(),
    "__main__": Row(),
    "rhythm": Row("accompanist corpora", "options"),
    "scored_hands": Row("corpora playing_figures"),
    "beat_gaps": Row("corpora", "options scored_hands"),
    "place_net": Row("corpora", "options scored_hands"),
    "grid_net": Row("corpora playing_figures", "options scored_hands"),
    "fitting": Row(),
    "note_scores": Row(),
    "options": Row(),
    "demo": Row(),
    "resamplers": Row(),
}
TABLES = {
    "device": (DEVICE_ROOMS, DEVICE_FILES),
    "device/files": (FILES_ROOMS, FILES_FILES),
    "training": (TRAINING_ROOMS, TRAINING_FILES),
}
DATA_FOLDERS = {"device": {"bundles/default", "page/static"}, "device/files": set(), "training": {"fits"}}
"""Folders below a package that hold data and no code."""


def files_of(package: str) -> list[Path]:
    """Return all Python files of a package."""
    found = sorted((ROOT / package).rglob("*.py"))
    assert len(found) >= LEAST_FILES[package], f"{package} has only {len(found)} files: is this the right folder?"
    return found


def place_of(path: Path, package: str = "") -> str:
    """Return the room of a package that holds a file, or the file's own name if it is in no room.

    Without a name, `package` is the folder at the top level that holds the file.
    """
    parts = path.relative_to(ROOT / (package or path.relative_to(ROOT).parts[0])).parts
    return parts[0] if len(parts) > 1 else path.stem


@cache
def imports_of(path: Path) -> tuple[tuple[int, str], ...]:
    """Return line and full name of everything that a file imports, also in functions and type checks.

    `from device.clock import meter` is `device.clock.meter`. Relative imports are made absolute.
    """
    return tuple(_imports_in(path))


def _imports_in(path: Path) -> Iterator[tuple[int, str]]:
    package = path.relative_to(ROOT).parent.as_posix().replace("/", ".")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                start = importlib.util.resolve_name("." * node.level + start, package)
            for alias in node.names:
                yield node.lineno, f"{start}.{alias.name}"


def arrows_of(package: str) -> dict[tuple[str, str], list[str]]:
    """Return (importing room, imported room) -> lines with the import. Imports within a room are left out."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in files_of(package):
        place = place_of(path, package)
        for line, name in imports_of(path):
            inside = name.removeprefix(f"{package.replace('/', '.')}.")
            other = inside.partition(".")[0]
            if inside != name and other != place:
                found[place, other].append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    return found


def allowed(package: str) -> set[tuple[str, str]]:
    """Return every allowed pair (importing room, imported room) of a package's two tables."""
    rooms, files = TABLES[package]
    return {(place, other) for place, row in {**rooms, **files}.items() for other in row.all}


@cache
def classes_of(path: Path) -> tuple[str, ...]:
    """Return the names of the public classes that a file defines at its top level."""
    top = ast.parse(path.read_text(encoding="utf-8")).body
    return tuple(node.name for node in top if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))


def python(code: str) -> str:
    """Run `code` in a separate process and return its output."""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
