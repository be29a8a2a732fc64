"""The wheel in separate environments: bare, and with the libraries for files, on every installed Python."""

from __future__ import annotations

import contextlib
import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mido
import pytest

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "demo" / "right-hand.flac"
GOLDEN = ROOT / "tests" / "fixtures" / "features.npz"
VERSIONS = ("3.11", "3.13")
"""Python versions: the box with tflite-runtime, and the next one with LiteRT and numpy 2."""
NOT_OF_THE_PROJECT = (".git", ".venv", ".cache", "build", "dist", "out", "*.egg-info", "__pycache__", ".*_cache")
HOP_S = 0.016
FULL_SCALE_TOLERANCE = 1e-4
FEWEST_MODULES, FEWEST_ARRAYS = 120, 2
"""`device` has at least so many .py and .npz files. A search that finds fewer looks in the wrong place."""

pytestmark = pytest.mark.timeout(900)


def interpreters() -> dict[str, Path]:
    """Return version → executable for the working Pythons in PATH or under pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found: dict[str, Path] = {}
    for version in VERSIONS:
        on_path = shutil.which(f"python{version}")
        candidates = [*sorted(pyenv.glob(f"{version}*/bin/python{version}")), *([Path(on_path)] if on_path else [])]
        for candidate in candidates:
            # a shim may name a Python that is not installed, and Debian may leave out venv
            works = subprocess.run([candidate, "-c", "import venv, ensurepip"], capture_output=True, check=False)
            if works.returncode == 0:
                found[version] = candidate
                break
    return found


PYTHONS = interpreters()


def found_in_device(pattern: str, fewest: int) -> list[Path]:
    """Return the files of `device` in the checkout, at any depth, whose names match a pattern: at least `fewest`."""
    found = sorted((ROOT / "device").rglob(pattern))
    assert len(found) >= fewest, f"only {len(found)} files {pattern} below device"
    return found


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel and without the checkout."""

    path: Path

    def run(self, *command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        program = self.path / "bin" / command[0]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        return subprocess.run(
            [program, *command[1:]], cwd=cwd or self.path, env=clean, capture_output=True, text=True, check=False
        )

    def install(self, *arguments: str | Path) -> str:
        """Install with the pip of the tests, because a pip in each environment takes seconds. Return what pip says."""
        pip = (Path(sys.executable), "-m", "pip", "--python", self.path / "bin" / "python")
        ran = self.run(*pip, "install", *arguments)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout + ran.stderr

    def python(self, code: str, *arguments: str | Path) -> str:
        ran = self.run("python", "-c", code, *arguments)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, to build from."""
    copy = tmp_path_factory.mktemp("source") / "lefthand"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_OF_THE_PROJECT))
    return copy


@pytest.fixture(scope="session")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [next(iter(PYTHONS.values())), "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, checkout],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (made,) = folder.glob("*.whl")
    return made


@contextlib.contextmanager
def environment(version: str, extras: str, wheel: Path) -> Iterator[Environment]:
    """Make an environment of this Python with the wheel's requirements, outside the checkout. It is temporary."""
    with tempfile.TemporaryDirectory(prefix="lefthand-env-") as folder:
        subprocess.run([PYTHONS[version], "-m", "venv", "--without-pip", folder], check=True)
        made = Environment(Path(folder))
        made.install("--quiet", "--disable-pip-version-check", "--no-compile", f"{wheel}{extras}")
        yield made


@pytest.fixture(scope="session", params=PYTHONS)
def bare(request: pytest.FixtureRequest, wheel: Path) -> Iterator[Environment]:
    """The wheel and its requirements, without an extra."""
    with environment(request.param, "", wheel) as made:
        yield made


@pytest.fixture(scope="session", params=PYTHONS)
def with_files(request: pytest.FixtureRequest, wheel: Path) -> Iterator[Environment]:
    """The wheel with the libraries for sound files."""
    with environment(request.param, "[play]", wheel) as made:
        yield made


@pytest.fixture
def hand(tmp_path: Path) -> Path:
    """Eight bars of a right hand as a MIDI file."""
    track = mido.MidiTrack()
    for key in [72, 74, 76, 79, 77, 76, 74, 72] * 4:
        track.append(mido.Message("note_on", note=key, velocity=70))
        track.append(mido.Message("note_on", note=key, velocity=0, time=480))
    mido.MidiFile(tracks=[track]).save(tmp_path / "hand.mid")
    return tmp_path / "hand.mid"


def test_a_python_is_here_for_each_runtime_that_must_be_tested() -> None:
    assert PYTHONS, f"none of Python {', '.join(VERSIONS)} is installed"


def test_the_wheel_holds_the_device_alone_with_its_bundle(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"device", "lefthand"}
    bundle = {Path(name).name for name in names if name.startswith("device/bundles/default/")}
    files = (
        "manifest.json",
        "manifest.sha256",
        "transcriber.tflite",
        "accompanist.tflite",
        "golden.npz",
        "MODEL_CARD.md",
    )
    assert set(files) <= bundle
    shipped = {
        path.relative_to(ROOT).as_posix()
        for pattern, fewest in (("*.py", FEWEST_MODULES), ("*.npz", FEWEST_ARRAYS))
        for path in found_in_device(pattern, fewest)
    }
    assert shipped <= set(names), f"not in the wheel: {sorted(shipped - set(names))}"
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert wheel.stat().st_size < 20e6


def test_an_editable_install_warns_of_nothing_and_finds_the_checkout(checkout: Path, tmp_path: Path) -> None:
    subprocess.run([next(iter(PYTHONS.values())), "-m", "venv", "--without-pip", tmp_path], check=True)
    made = Environment(tmp_path)
    # an older pip prints the build's output only with -v
    said = made.install("--verbose", "--no-deps", "--editable", checkout).splitlines()
    assert any("Building editable for lefthand" in line for line in said)
    # setuptools puts a warning between rows of asterisks
    assert not [line for line in said if "*" * 20 in line or re.search(r"[A-Z]\w*Warning", line)]
    assert Path(made.python("import device; print(device.__file__)")).parent == checkout / "device"


@pytest.mark.parametrize("how", ["overwrites ours", "comes before ours", "is there alone"])
def test_a_device_that_is_not_ours_is_told_in_one_sentence_and_not_run(how: str, wheel: Path, tmp_path: Path) -> None:
    # a path with a space: a script whose first line names the interpreter would not run there
    made = Environment(tmp_path / "an environment")
    subprocess.run([next(iter(PYTHONS.values())), "-m", "venv", "--without-pip", made.path], check=True)
    made.install("--quiet", "--no-deps", wheel)
    ours = Path(made.python("import sysconfig; print(sysconfig.get_path('purelib'))")) / "device"
    theirs = ours
    if how == "comes before ours":
        theirs = tmp_path / "theirs" / "device"
        (ours.parent / "theirs.pth").write_text(f"import sys; sys.path.insert(0, {str(theirs.parent)!r})\n")
    elif how == "is there alone":
        shutil.rmtree(ours)
    theirs.mkdir(parents=True, exist_ok=True)
    (theirs / "__init__.py").write_text('"""Devices of another project."""\nprint("theirs runs")\n')
    ran = made.run("lefthand", "--version")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"lefthand: The Python package `device` here ({theirs / '__init__.py'}) is not lefthand's: "
        "install lefthand into a virtual environment of its own.\n"
    )


def test_a_bare_environment_has_numpy_a_runtime_mido_and_click_and_no_extra(bare: Environment) -> None:
    code = "import importlib.metadata as m; print(*(d.name.lower().replace('_', '-') for d in m.distributions()))"
    installed = set(bare.python(code).split())
    assert {"lefthand", "numpy", "mido", "click"} <= installed
    assert installed & {"tflite-runtime", "ai-edge-litert"}
    assert not installed & {
        "soundfile",
        "soxr",
        "matplotlib",
        "tinysoundfont",
        "pyaudio",
        "python-rtmidi",
        "tensorflow",
        "keras",
    }


NEED_TORNADO = tuple(
    f"device.page.{name}"
    for name in ("box_page", "checked", "languages", "recordings", "rollback", "server", "web_server")
)
"""Modules that need the extra `page`. Only `lefthand page` imports them."""


def test_every_module_imports_in_a_bare_environment(bare: Environment) -> None:
    code = (
        "import importlib, pkgutil, device\n"
        "names = [m.name for m in pkgutil.walk_packages(device.__path__, 'device.')]\n"
        f"[importlib.import_module(name) for name in names if name not in {NEED_TORNADO}]\n"
        "print(len(names), device.__file__)"
    )
    count, where = bare.python(code).split(maxsplit=1)
    # walk_packages does not count `device` itself
    assert int(count) == len(found_in_device("*.py", FEWEST_MODULES)) - 1
    assert Path(where).is_relative_to(bare.path), "from the wheel, not from the checkout"


def test_the_page_in_a_bare_environment_is_refused_with_the_name_of_the_extra(bare: Environment) -> None:
    ran = bare.run("lefthand", "page", "--no-code")
    assert ran.returncode != 0
    assert "[page]" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_sound_in_a_bare_environment_is_refused_with_the_name_of_the_extra(bare: Environment) -> None:
    ran = bare.run("lefthand", "play", DEMO)
    assert ran.returncode != 0
    (sentence,) = ran.stderr.strip().splitlines()
    assert "lefthand[play]" in sentence and "soundfile" in sentence


def test_live_ports_in_a_bare_environment_are_refused_with_the_name_of_the_extra(bare: Environment) -> None:
    ran = bare.run("lefthand", "devices")
    assert ran.returncode != 0
    assert "lefthand[live]" in ran.stderr and "Traceback" not in ran.stderr


def test_a_midi_file_is_played_to_in_a_bare_environment(bare: Environment, hand: Path) -> None:
    out = hand.with_name("left.mid")
    ran = bare.run("lefthand", "play", hand, "--midi", out)
    assert ran.returncode == 0, ran.stderr
    notes = [m for track in mido.MidiFile(out).tracks for m in track if m.type == "note_on" and m.velocity > 0]
    assert len(notes) >= 4


def test_features_are_the_same_everywhere(bare: Environment) -> None:
    code = (
        "import sys, numpy as np; from device.hearing.features import Features, FeatureSpec\n"
        "golden = np.load(sys.argv[1])\n"
        "found = Features(FeatureSpec()).frames(golden['samples'])[::int(golden['every'])]\n"
        "print(float(np.max(np.abs(found - golden['frames']))))"
    )
    assert float(bare.python(code, GOLDEN)) <= FULL_SCALE_TOLERANCE


def test_the_bundle_is_itself_in_the_environment_s_runtime(bare: Environment) -> None:
    code = (
        "from device.bundles.bundle import Bundle, default_bundle; from device.bundles.golden import verify\n"
        "print(*verify(Bundle.open(default_bundle())), sep='\\n')"
    )
    assert "golden frames agree" in bare.python(code)


Notes = list[tuple[int, float]]


def heard(environment: Environment, folder: Path) -> Notes:
    """Return (pitch, onset) of the notes heard in the demo in that environment."""
    out = folder / "notes.csv"
    ran = environment.run("lefthand", "play", DEMO, "--notes", out)
    assert ran.returncode == 0, ran.stderr
    with out.open(newline="") as file:
        return [(int(r["midi_pitch"]), float(r["onset_s"])) for r in csv.DictReader(file)]


@pytest.fixture(scope="session")
def heard_first() -> Notes:
    """The notes that the first Python heard; empty before that."""
    return []


def test_the_same_notes_are_heard_on_every_python(with_files: Environment, heard_first: Notes, tmp_path: Path) -> None:
    found = heard(with_files, tmp_path)
    heard_first[:] = wanted = heard_first or found
    left = list(found)
    matched = 0
    for pitch, onset_s in wanted:
        near = [note for note in left if note[0] == pitch and abs(note[1] - onset_s) <= HOP_S + 1e-6]
        if near:
            left.remove(near[0])
            matched += 1
    assert len(wanted) >= 30
    assert 2 * matched / (len(wanted) + len(found)) >= 0.99
