"""Names that no type checker checks: faults, modules in units and scripts, the build's packages, rooms in documents."""

from __future__ import annotations

import ast
import configparser
import importlib
import importlib.util
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from device.status.faults import Fault
from tests.unit.helpers.rooms import DEVICE_ROOMS, LEAST_FILES, ROOT, TABLES, files_of, place_of, python

# faults


@cache
def fault_names() -> tuple[set[str], set[str]]:
    """Names of faults that the device counts, and those that it asks for, from the syntax trees.

    Counted is what is given to `.count(name)` of something called `faults`; asked for is `faults[name]` and
    `faults.get(name)`. A name may be a constant of the same file. The type checker refuses a name that is no `Fault`.
    """
    counted: set[str] = set()
    asked: set[str] = set()
    for path in files_of("device"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = constants_of(tree)
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=owner, attr="count"), args=[name, *_]) if are_faults(owner):
                    counted |= strings_in(name, constants)
                case ast.Call(func=ast.Attribute(value=owner, attr="get"), args=[name, *_]) if are_faults(owner):
                    asked |= strings_in(name, constants)
                case ast.Subscript(value=owner, slice=name) if are_faults(owner):
                    asked |= strings_in(name, constants)
    return counted, asked


def are_faults(owner: ast.expr) -> bool:
    return ast.unparse(owner).lower().endswith("faults")


def constants_of(tree: ast.Module) -> dict[str, object]:
    """Name and value of each constant that a file defines at its top level."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }


def strings_in(node: ast.AST, constants: Mapping[str, object]) -> set[str]:
    """The strings in an expression, also those that a name in `constants` stands for."""
    values = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant)]
    values += [constants.get(inner.id) for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    return {value for value in values if isinstance(value, str)}


def strings_of_the_device() -> Counter[str]:
    """Count each string in the device's code, without `status`, which only shows faults."""
    found: Counter[str] = Counter()
    for path in files_of("device"):
        if place_of(path) != "status":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found[node.value] += 1
    return found


def test_every_fault_that_is_counted_or_asked_for_is_a_fault() -> None:
    counted, asked = fault_names()
    assert len(counted) >= 5
    assert counted | asked <= set(get_args(Fault))


def test_every_fault_is_counted_somewhere() -> None:
    names = set(get_args(Fault))
    counted, asked = fault_names()
    assert len(names) >= 8
    assert asked <= names
    # the daemon and the foot switch count the name that an error carries, so the name is found at its `raise`
    strings = strings_of_the_device()
    uncounted = {name for name in names - counted if not strings[name] or (name in asked and strings[name] < 2)}
    assert not uncounted, f"no code counts {sorted(uncounted)}"


# the wheel


def test_the_settings_of_the_build_take_every_file_of_code_and_every_table() -> None:
    """`test_environments.py` builds the wheel and checks its files. This test finds the same error within a second."""
    from setuptools import find_packages  # only this test needs it, and its import takes longer than the test

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packages = set(find_packages(str(ROOT), include=settings["packages"]["find"]["include"]))
    folders = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in files_of("device")}
    assert folders <= packages
    assert {name.partition(".")[0] for name in packages} == {"device"}
    taken = {path for pattern in settings["package-data"]["device"] for path in (ROOT / "device").glob(pattern)}
    tables = set((ROOT / "device").rglob("*.npz"))
    assert ROOT / "device" / "following" / "rhythm.npz" in tables
    assert tables <= taken


def test_every_module_of_the_device_can_be_imported() -> None:
    code = (
        "import importlib, pkgutil, device\n"
        "names = [m.name for m in pkgutil.walk_packages(device.__path__, 'device.')]\n"
        "[importlib.import_module(name) for name in names]\n"
        "print(len(names))"
    )
    assert int(python(code)) >= LEAST_FILES["device"] - len(DEVICE_ROOMS)


# modules that are named outside Python


def module_is_there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def modules_run_by(text: str) -> list[str]:
    """Modules of ours that a command line runs with `-m`."""
    return re.findall(r"-m ((?:device|training|export|deploy)[\w.]*)", text)


def test_the_service_ends_with_a_module_that_is_there() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(ROOT / "deploy" / "units" / "lefthand.service", encoding="utf-8")
    (module,) = modules_run_by(unit["Service"]["ExecStopPost"])
    assert module_is_there(module), module


def test_the_command_that_root_runs_is_a_module_that_is_there() -> None:
    (module,) = modules_run_by((ROOT / "deploy" / "lefthand-slot").read_text(encoding="utf-8"))
    assert module_is_there(module), module


def test_the_command_that_is_installed_is_there() -> None:
    """Names used as an entry point of the build, or in a script that imports one of our functions."""
    text = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    places = dict(text["project"].get("scripts", {}))
    for name in text["tool"]["setuptools"].get("script-files", []):
        script = (ROOT / name).read_text(encoding="utf-8")
        ((module, function),) = re.findall(r"from (device[\w.]*) import (main)\b", script)
        places[Path(name).name] = f"{module}:{function}"
    assert set(places) == {"lefthand"}
    for place in places.values():
        module, _, function = place.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_modules_that_command_lines_run_are_there() -> None:
    """In every text file of the repository: units, scripts, the Makefile, documents."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    seen: dict[str, str] = {}
    for name in listed:
        path = ROOT / name
        if path.suffix in {".md", ".service", ".sh", ".toml", ".py", ""} and path.is_file():
            for module in modules_run_by(path.read_text(encoding="utf-8", errors="ignore")):
                seen.setdefault(module.rstrip("."), name)
    assert len(seen) >= 5
    assert not {module: name for module, name in seen.items() if not module_is_there(module)}


def test_the_preflight_starts_itself_by_its_own_name() -> None:
    text = (ROOT / "device" / "flash" / "preflight.py").read_text(encoding="utf-8")
    strings = {
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value
    }
    assert not any(string.startswith("device.") for string in strings), "a module's path as a string goes stale"


# documents


DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_map_names_every_room_once() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = Counter(re.findall(r"^\| `([\w/.]+)` \|", text, re.MULTILINE))
    rooms = {f"{package}/{room}" for package, (rooms_of_it, _) in TABLES.items() for room in rooms_of_it}
    assert {row: number for row, number in rows.items() if row in rooms} == dict.fromkeys(rooms, 1)
    folders = {row for row in rows if "/" in row and not row.endswith(".py")}
    assert not {folder for folder in folders if not (ROOT / folder).is_dir()}
    files = {row for row in rows if row.endswith(".py")}
    assert not {file for file in files if not (ROOT / file).is_file()}


def anchors_of(path: Path) -> set[str]:
    """Return the anchors that GitHub makes from a document's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = path.parent / file if file else path
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            assert anchor in anchors_of(there), target


def test_all_documents_are_looked_at() -> None:
    assert len(DOCUMENTS) >= 10
    links = [re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")) for path in DOCUMENTS]
    assert sum(map(len, links)) > 20
