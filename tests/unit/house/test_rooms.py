"""Checks of the rooms: their list, their imports, their `__init__.py` files, and that class names are unique."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from tests.unit.helpers.rooms import (
    DATA_FOLDERS,
    DEVICE_ROOMS,
    FILES_ROOMS,
    LEAST_FILES,
    NO_ROOM,
    ROOT,
    TABLES,
    TRAINING_ROOMS,
    allowed,
    arrows_of,
    classes_of,
    files_of,
    imports_of,
    place_of,
    python,
)

MOST_LINES = 400
"""A longer file has more than one subject: split it."""


@pytest.mark.parametrize("folder", ["device", "training", "export", "deploy", "tests"])
def test_no_file_is_too_long(folder: str) -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert len(lines) > 10
    assert not {str(path.relative_to(ROOT)): count for path, count in lines.items() if count > MOST_LINES}


# imports between rooms


@pytest.mark.parametrize("package", TABLES)
def test_a_room_imports_only_what_its_row_allows(package: str) -> None:
    found = arrows_of(package)
    assert len(found) > 15
    forbidden = [line for arrow, lines in found.items() if arrow not in allowed(package) for line in lines]
    assert not forbidden, "the table does not allow:\n" + "\n".join(forbidden)


@pytest.mark.parametrize("package", TABLES)
def test_every_import_that_the_table_allows_is_used(package: str) -> None:
    unused = allowed(package) - set(arrows_of(package))
    assert not unused, f"take these out of the table: {sorted(unused)}"


@pytest.mark.parametrize("package", TABLES)
def test_the_table_has_no_circle(package: str) -> None:
    rooms, files = TABLES[package]
    below = {place: row.all for place, row in {**rooms, **files}.items()}
    order = list(graphlib.TopologicalSorter(below).static_order())
    assert set(order) == set(below), "a row allows a room that has no row"


@pytest.mark.parametrize("package", LEAST_FILES)
def test_files_do_not_import_each_other_in_a_circle(package: str) -> None:
    modules = {path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): path for path in files_of(package)}
    below: dict[str, set[str]] = {}
    for module, path in modules.items():
        names = {name for _, name in imports_of(path)}
        targets = {name if name in modules else name.rpartition(".")[0] for name in names}
        below[module] = (targets & set(modules)) - {module}
    assert sum(map(len, below.values())) > len(below) / 2, "hardly an import was found"
    tuple(graphlib.TopologicalSorter(below).static_order())


def test_the_files_of_two_rooms_are_told_apart() -> None:
    assert place_of(ROOT / "device" / "clock" / "meter.py") == "clock"
    assert place_of(ROOT / "training" / "experiments" / "seeds" / "net.py") == "experiments"
    assert place_of(ROOT / "device" / "engine.py") == "engine"
    assert place_of(ROOT / "device" / "files" / "midi" / "hands.py", "device/files") == "midi"
    assert place_of(ROOT / "device" / "files" / "play.py", "device/files") == "play"
    names = {name for _, name in imports_of(ROOT / "device" / "engine.py")}
    assert any(name.startswith("device.hearing.") for name in names)


# folders and files


@pytest.mark.parametrize("package", TABLES)
def test_a_package_holds_its_rooms_and_files_and_nothing_else(package: str) -> None:
    rooms, files = TABLES[package]
    entries = [entry for entry in (ROOT / package).iterdir() if entry.name != "__pycache__"]
    folders = {entry.name for entry in entries if entry.is_dir()} - DATA_FOLDERS[package]
    assert folders == set(rooms)
    assert {entry.name for entry in entries if entry.is_file()} == {f"{name}.py" for name in files}


def test_no_room_is_a_drawer() -> None:
    names = {part for package in LEAST_FILES for path in files_of(package) for part in path.relative_to(ROOT).parts}
    stems = {name.removesuffix(".py") for name in names}
    assert "hearing" in stems
    assert not stems & NO_ROOM


def faces() -> list[Path]:
    """The `__init__.py` of every room, and of every room inside a room."""
    found = [
        path
        for package in ("device", "training", "export")
        for path in sorted((ROOT / package).rglob("__init__.py"))
        if path.parent != ROOT / package
    ]
    code = {folder / "__init__.py" for folder in code_folders()}
    return [path for path in found if path in code]


def code_folders() -> set[Path]:
    """Folders below the three packages that hold Python files besides an `__init__.py`."""
    own = {path.parent for package in ("device", "training", "export") for path in files_of(package)}
    above = {parent for folder in own for parent in folder.parents if parent.is_relative_to(ROOT) and parent != ROOT}
    return {
        folder
        for folder in own | above
        if [path for path in folder.rglob("*.py") if path.name != "__init__.py"] and folder.parent != ROOT
    }


def test_every_folder_with_code_has_a_face() -> None:
    folders = code_folders()
    assert len(folders) >= len(DEVICE_ROOMS) + len(TRAINING_ROOMS) + len(FILES_ROOMS) + 1
    assert {path.parent for path in faces()} == folders


def named(path: Path) -> str:
    return path.parent.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("face", faces(), ids=named)
def test_a_rooms_face_is_a_docstring_that_says_in_out_and_where_to_begin(face: Path) -> None:
    tree = ast.parse(face.read_text(encoding="utf-8"))
    text = ast.get_docstring(tree)
    assert text is not None and len(tree.body) == 1, "a docstring and nothing else"
    lines = text.splitlines()
    assert lines[0].endswith("."), "the first line is a sentence that says what the room does"
    assert sum(line.startswith("In: ") for line in lines) == 1
    assert sum(line.startswith("Out: ") for line in lines) == 1
    begin = re.search(r"^Begin at (\S+\.py)\.$", text, re.MULTILINE)
    assert begin is not None, "a line `Begin at FILE.py.`"
    assert (face.parent / begin[1]).is_file(), begin[1]


@pytest.mark.parametrize("package", LEAST_FILES)
def test_the_face_of_a_package_imports_nothing(package: str) -> None:
    tree = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) and not list(imports_of(ROOT / package / "__init__.py"))


def test_the_face_of_the_device_names_every_room() -> None:
    text = ast.get_docstring(ast.parse((ROOT / "device" / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert set(DEVICE_ROOMS) <= set(re.findall(r"`(\w+)`", text))


# loaded modules


def test_the_process_that_silences_the_instrument_loads_neither_numpy_nor_mido_nor_click() -> None:
    loaded = python("import device.service.panic, sys; print(*sys.modules)").split()
    assert "device.service.panic" in loaded
    assert not {name.partition(".")[0] for name in loaded} & {"numpy", "mido", "click"}


# names


def test_no_public_class_name_is_used_twice_in_the_device() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in files_of("device"):
        for name in classes_of(path):
            places[name].append(str(path.relative_to(ROOT)))
    assert len(places) > 80
    assert not {name: where for name, where in places.items() if len(where) > 1}


def test_no_public_class_name_of_the_device_is_used_again_elsewhere() -> None:
    owner = {name: path for path in files_of("device") for name in classes_of(path)}
    again = [
        f"{name} in {path.relative_to(ROOT)} and {owner[name].relative_to(ROOT)}"
        for package in ("training", "export", "deploy")
        for path in files_of(package)
        for name in classes_of(path)
        if name in owner
    ]
    assert not again


def test_the_top_level_holds_the_folders_that_were_agreed_and_no_other() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this checkout has no git")
    top = {path.split("/")[0] for path in listed.stdout.splitlines() if not path.startswith(".")}
    files = {"LICENSE", "Makefile", "README.md", "pyproject.toml"}
    assert top == files | {"demo", "deploy", "device", "docs", "export", "tests", "training"}
