"""Imports run one way, and the device loads no more than it needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import mido
import pytest

ROOT = Path(__file__).parents[3]
OURS = ("device", "training", "export", "deploy")
MAY_IMPORT = {
    "device": {"device"},
    "training": {"device", "training"},
    "export": {"device", "training", "export"},
    "deploy": {"device", "deploy"},
}
ON_THE_DEVICE = {"numpy", "mido", "click", "device"}
"""Packages of a bare installation, besides the TFLite runtime, which is chosen when a model is opened."""
EXTRAS = {
    "soundfile",
    "matplotlib",
    "tinysoundfont",
    "tqdm",
    "pyaudio",
    "rtmidi",
    "jack",
    "rich",
    "systemd",
    "ai_edge_litert",
    "tflite_runtime",
    "segno",
    "tornado",
}
PAGE_AT_ONCE = {"tornado"}
"""The page is a process of its own, and `lefthand page` imports it when it begins."""
WORKSTATION = {
    "tensorflow",
    "keras",
    "jax",
    "jaxlib",
    "partitura",
    "mir_eval",
    "music21",
    "scipy",
    "soxr",
    "samplerate",
    "pysfizz",
    "sklearn",
    "torch",
}
MOST_RSS_MB = 100

MODULES = [path for package in OURS for path in sorted((ROOT / package).rglob("*.py"))]


def names_in(nodes: Iterator[ast.AST]) -> set[str]:
    """Return the top-level packages that these nodes import. Relative imports do not count."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.split(".")[0])
    return found


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> set[str]:
    """Return everything that a module imports, at any place in the file."""
    return names_in(ast.walk(parsed(path)))


def imported_at_once(path: Path) -> set[str]:
    """Return the imports that run when the module is imported: none in functions and none for type checkers only."""

    def walk(node: ast.AST) -> Iterator[ast.AST]:
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    return names_in(walk(parsed(path)))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_package_is_looked_at() -> None:
    for package in ("device", "training", "export"):
        assert sum(named(path).startswith(f"{package}/") for path in MODULES) > 5


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_imports_run_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    assert imported(path) & set(OURS) <= MAY_IMPORT[package]


@pytest.mark.parametrize("path", [p for p in MODULES if named(p).startswith("device/")], ids=named)
def test_the_device_imports_extras_only_where_they_are_used(path: Path) -> None:
    assert not imported(path) & WORKSTATION
    assert imported(path) <= set(sys.stdlib_module_names) | ON_THE_DEVICE | EXTRAS
    page = PAGE_AT_ONCE if named(path).startswith("device/page/") else set()
    assert imported_at_once(path) <= set(sys.stdlib_module_names) | ON_THE_DEVICE | page


def python(code: str, *arguments: object) -> str:
    """Run `code` in a separate process and return its output."""
    ran = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


LOADED = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"


def test_the_command_line_loads_none_of_the_extras() -> None:
    loaded = set(python(f"import device.cli; {LOADED}").split())
    assert "device" in loaded and "click" in loaded
    assert not loaded & (EXTRAS | WORKSTATION)


def test_a_live_box_loads_nothing_that_reads_files_of_music() -> None:
    modules = "import sys; print(*sorted(sys.modules))"
    loaded = set(python(f"import device.service.daemon, device.commands.run; {modules}").split())
    assert {"device.live.session", "device.recording.recorder"} <= loaded
    readers = ("play", "midi_run", "midi.file", "midi.hands", "sound.file")
    assert not loaded & {f"device.files.{name}" for name in readers}


def test_a_live_box_loads_no_mail_library_for_the_version_of_mido() -> None:
    code = "import device.cli, device.service.daemon, device.commands.run, mido; mido.Message('clock').bytes()"
    loaded = set(python(f"{code}; import sys; print(*sorted(sys.modules))").split())
    assert "mido.messages" in loaded and not loaded & {"email", "packaging", "importlib.metadata"}


def test_a_live_box_does_not_keep_the_files_of_its_bundle(tmp_path: Path) -> None:
    (tmp_path / "lefthand.toml").write_text('[audio]\ninput = "microphone"\n[midi]\noutput = "synth"\n')
    code = (
        "import gc, sys; from pathlib import Path; from device.assemble import set_up; "
        "from device.bundles.bundle import Bundle; setup = set_up(Path(sys.argv[1])); gc.collect(); "
        "print(setup.models.path, sum(isinstance(thing, Bundle) for thing in gc.get_objects()))"
    )
    path, number = python(code, tmp_path / "lefthand.toml").split()
    assert Path(path).is_dir() and number == "0"


def test_listening_to_a_midi_file_loads_none_of_the_extras(tmp_path: Path) -> None:
    on = mido.Message("note_on", note=60, velocity=64)
    mido.MidiFile(tracks=[mido.MidiTrack([on, on.copy(velocity=0, time=480)])]).save(tmp_path / "hand.mid")
    code = f"import sys; from device.cli import main; main(sys.argv[1:], standalone_mode=False); {LOADED}"
    summary, _, loaded = python(code, "play", tmp_path / "hand.mid", "--listen").splitlines()
    assert "1 note read" in summary
    assert "mido" in loaded.split() and not set(loaded.split()) & (EXTRAS | WORKSTATION)


def test_playing_to_sound_stays_below_a_hundred_megabytes_and_loads_no_tensorflow(tmp_path: Path) -> None:
    # the peak of this process alone: rusage would count the memory of the process that forked it
    peak = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    code = f"import sys; from device.cli import main; main(sys.argv[1:], standalone_mode=False); {peak}; {LOADED}"
    outputs = ("--midi", tmp_path / "left.mid", "--notes", tmp_path / "notes.csv", "--report", tmp_path / "report.json")
    summary, kilobytes, loaded = python(code, "play", ROOT / "demo" / "right-hand.flac", *outputs).splitlines()
    assert "notes heard" in summary
    assert not set(loaded.split()) & (WORKSTATION | {"matplotlib"})
    assert int(kilobytes) / 1024 < MOST_RSS_MB
