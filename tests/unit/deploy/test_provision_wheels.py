"""Tests of the choice of wheels for a Pi, made on a machine with another architecture."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.tags import parse_tag

from deploy.target import Target
from deploy.wheels import closure
from device.errors import UserError

TRIXIE = Target("aarch64", (3, 13), (2, 41), {"numpy": "2.2.4", "pyaudio": "0.2.13"})
BOOKWORM = Target("aarch64", (3, 11), (2, 36), {"numpy": "1.24.2", "pyaudio": "0.2.13"})
OWN = (
    "click>=8.2",
    'numpy<2,>=1.26; python_version < "3.12"',
    'numpy>=2; python_version >= "3.12"',
    'tflite-runtime==2.14.0; python_version < "3.12"',
    'ai-edge-litert>=2.1; python_version >= "3.12"',
    'pyaudio>=0.2.14; extra == "live"',
    'soundfile>=0.12; extra == "live"',
    'matplotlib; extra == "play"',
)


def wheel(folder: Path, name: str, version: str, *asks: str) -> Path:
    path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", text + "".join(f"Requires-Dist: {a}\n" for a in asks))
    return path


class Registry:
    """Stand-in for pip. It returns the named packages and their dependencies, and ignores the target, like pip."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[list[str], list[str]]] = []
        for name, version in [("click", "8.3.0"), ("soundfile", "0.13.1"), ("tflite-runtime", "2.14.0")]:
            wheel(folder, name, version, *(["numpy"] if name != "click" else []))
        wheel(folder, "ai-edge-litert", "2.3.0", "numpy", 'typing-extras; python_version >= "3.13"')

    def __call__(self, wanted: Sequence[Requirement], constraints: Sequence[str], target: Target) -> Path:
        self.asked.append(([requirement.name for requirement in wanted], list(constraints)))
        if "numpy" in self.asked[-1][0]:
            wheel(self.folder, "numpy", "1.26.4")
        if "typing-extras" in self.asked[-1][0]:
            wheel(self.folder, "typing-extras", "4.0")
        return self.folder


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    (tmp_path / "registry").mkdir()
    return Registry(tmp_path / "registry")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return wheel(tmp_path, "lefthand", "0.1.0", *OWN)


def carried(own: Path, target: Target, registry: Registry) -> set[str]:
    return {one.name for one in closure(own, ("live",), target, registry)}


def test_on_python_3_11_the_runtime_is_tflite_and_numpy_is_carried_for_debian_s_is_too_old(
    own: Path, registry: Registry
) -> None:
    assert carried(own, BOOKWORM, registry) == {"lefthand", "click", "numpy", "tflite-runtime", "soundfile"}


def test_on_python_3_13_the_runtime_is_litert_and_numpy_is_debian_s(own: Path, registry: Registry) -> None:
    assert carried(own, TRIXIE, registry) == {"lefthand", "click", "ai-edge-litert", "soundfile", "typing-extras"}


def test_what_debian_has_binds_what_is_chosen_beside_it(own: Path, registry: Registry) -> None:
    closure(own, ("live",), TRIXIE, registry)
    assert all("numpy==2.2.4" in constraints for _, constraints in registry.asked)


def test_what_pip_left_out_for_its_own_machine_s_sake_is_asked_for_again(own: Path, registry: Registry) -> None:
    closure(own, ("live",), TRIXIE, registry)
    assert len(registry.asked) == 2
    assert "typing-extras" in registry.asked[1][0]


def test_pyaudio_is_never_looked_for_as_a_wheel_where_debian_has_it(own: Path, registry: Registry) -> None:
    closure(own, ("live",), BOOKWORM, registry)
    assert all("pyaudio" not in names for names, _ in registry.asked)


def test_what_is_not_to_be_had_is_named(tmp_path: Path, registry: Registry) -> None:
    own = wheel(tmp_path, "lefthand", "0.1.0", "no-such-thing>=3")
    with pytest.raises(UserError, match="no-such-thing>=3"):
        closure(own, (), BOOKWORM, registry)


def test_an_extra_that_was_not_asked_for_brings_nothing(own: Path, registry: Registry) -> None:
    assert "soundfile" not in {one.name for one in closure(own, (), BOOKWORM, registry)}


@given(st.integers(17, 60), st.sampled_from(["aarch64", "x86_64"]))
def test_no_wheel_for_a_newer_c_library_is_asked_for(minor: int, arch: str) -> None:
    platforms = Target(arch, (3, 11), (2, minor)).platforms
    assert platforms[0] == f"manylinux_2_{minor}_{arch}"
    assert f"manylinux_2_{minor + 1}_{arch}" not in platforms
    assert all(parse_tag(f"cp311-cp311-{platform}") for platform in platforms)


PROBE = {"arch": "aarch64", "bits": 64, "python": [3, 11], "glibc": [2, 36], "distributions": {"PyAudio": "0.2.13"}}


def test_a_pi_is_taken_as_it_says() -> None:
    target = Target.of(PROBE, "pi")
    assert (target.arch, target.python_version) == ("aarch64", "3.11")
    assert target.has(Requirement("pyaudio>=0.2.14")), "of any age, for there is no other"


@pytest.mark.parametrize(
    ("differs", "says"),
    [
        ({"arch": "armv7l", "bits": 32}, "armv7l"),
        ({"bits": 32}, "32-bit"),
        ({"python": [3, 9]}, "Python 3.9"),
    ],
)
def test_a_machine_that_cannot_run_it_is_refused_with_what_to_do(differs: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says) as refused:
        Target.of(PROBE | differs, "pi")
    assert "64-bit" in str(refused.value) or "Bookworm" in str(refused.value)
