"""Bundles that nobody signed, handed to `verify`, to `play --bundle` and to a capture: refused in one sentence."""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from device.bundles.bundle import LARGEST_BUNDLE, Bundle, default_bundle, manifest_sum
from device.cli import main
from device.errors import BundleError, UserError
from device.printable import printable
from device.recording.capture import how_captured
from device.system import account

ROOT = Path(__file__).parents[4]
MEMORY = 2**30
"""Bytes of data that the attacked process may have. A good bundle takes a twentieth."""

PATIENCE_S = 120.0
"""Seconds after which a command counts as held up."""
EVIL = "\x1b[2J\x1b[31m\nforged"


def hostile(folder: Path, change: Callable[[dict[str, Any]], None], files: dict[str, bytes] | None = None) -> Path:
    """A copy of the shipped bundle with another manifest and other files, all with the right sums."""
    shutil.copytree(default_bundle(), folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, content in (files or {}).items():
        (folder / name).write_bytes(content)
        manifest["files"][name] = hashlib.sha256(content).hexdigest()
    change(manifest)
    text = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(text)
    (folder / "manifest.sha256").write_bytes(manifest_sum(text))
    return folder


def lefthand(*words: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own with limited memory."""
    return subprocess.run(
        [sys.executable, "-m", "device.cli", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY)),
    )


def nothing(manifest: dict[str, Any]) -> None:
    return None


def packed_zeros(size: int) -> bytes:
    """golden.npz with an array of `size` zeros, which packs to a thousandth."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("x.npy", "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (size,)})
        for _ in range(size // 2**20):
            file.write(bytes(2**20))
    return content.getvalue()


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "a hop that fills the memory": lambda m: (m.update(hop=10**12), m["features"].update(hop=10**12))[0],
    "a hop of 0": lambda m: (m.update(hop=0), m["features"].update(hop=0))[0],
    "a hop that is text": lambda m: m["features"].update(hop="256"),
    "windows that fill the memory": lambda m: m["features"].update(window_lengths=[10**12] * 3),
    "a window of text": lambda m: m["features"].update(window_lengths=["4096", "2048", "768"]),
    "windows that are no list": lambda m: m["features"].update(window_lengths=7),
    "bins that fill the memory": lambda m: m["features"].update(bins=10**12),
    "bins of an octave of 0": lambda m: m["features"].update(bins_per_octave=0),
    "a lowest tone of 0": lambda m: m["features"].update(lowest_hz=0),
    "a floor that is a list": lambda m: m["features"].update(floor_db=[]),
    "a delay below 0": lambda m: m.update(label_delay_frames=-1),
    "a tolerance of a thousand": lambda m: m["models"]["transcriber"]["tolerance"].update(litert=1000.0),
    "a name with escape codes": lambda m: m.update(name="\x1b[2K\x1b[1Gsignature   good, by SHA256:x"),
    "a version with a line feed": lambda m: m.update(version="1\nsignature   good, by SHA256:x"),
    "a name of a million letters": lambda m: m.update(name="a" * 10**6),
    "a thousand files": lambda m: m["files"].update({f"{i}": "0" * 64 for i in range(1000)}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_manifest_with_a_value_out_of_range_is_refused(name: str, tmp_path: Path) -> None:
    folder = hostile(tmp_path / "bundle", CHANGES[name])
    with pytest.raises(BundleError) as refused:
        Bundle.open(folder)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 2000


def test_four_times_the_largest_bundle_packed_in_half_a_megabyte_is_not_unpacked(tmp_path: Path) -> None:
    content = packed_zeros(4 * LARGEST_BUNDLE)
    assert len(content) < 2**19
    folder = hostile(tmp_path / "bundle", nothing, {"golden.npz": content})
    with pytest.raises(BundleError, match=f"golden.npz unpacks to more than {LARGEST_BUNDLE} bytes"):
        Bundle.open(folder)
    for words in (("verify", folder), ("play", ROOT / "demo" / "right-hand.flac", "--bundle", folder)):
        ran = lefthand(*words)
        assert ran.returncode == 2 and "Traceback" not in ran.stderr, ran.stderr


@pytest.mark.parametrize("cut", [1, 100, 10_000, 200_000])
def test_a_damaged_archive_of_arrays_is_a_sentence(cut: int, tmp_path: Path) -> None:
    content = bytearray((default_bundle() / "golden.npz").read_bytes())
    for at in range(cut, len(content), 5_003):
        content[at] ^= 0xFF
    folder = hostile(tmp_path / "bundle", nothing, {"golden.npz": bytes(content)})
    with pytest.raises(BundleError):
        Bundle.open(folder)


def test_an_array_that_only_claims_to_be_huge_is_a_sentence(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed, packed.open("x.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (10**15,)})
    folder = hostile(tmp_path / "bundle", nothing, {"golden.npz": content.getvalue()})
    with pytest.raises(BundleError, match="is not readable as arrays"):
        Bundle.open(folder)


def test_the_files_together_have_a_limit(tmp_path: Path) -> None:
    files = {f"more{i}": bytes(LARGEST_BUNDLE // 2) for i in range(3)}
    with pytest.raises(BundleError, match=f"has more than {LARGEST_BUNDLE} bytes of files"):
        Bundle.open(hostile(tmp_path / "bundle", nothing, files))


@pytest.mark.parametrize("command", ["verify", "play"])
def test_a_model_that_crashes_its_interpreter_crashes_no_command(command: str, tmp_path: Path) -> None:
    crash = (ROOT / "tests" / "fixtures" / "bad" / "crash.tflite").read_bytes()
    folder = hostile(tmp_path / "bundle", nothing, {"transcriber.tflite": crash})
    words = ["verify", folder] if command == "verify" else ["play", ROOT / "demo/right-hand.flac", "--bundle", folder]
    ran = lefthand(*words)
    assert ran.returncode == 2, (ran.returncode, ran.stderr)
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("setting", [
    {"tempo": "fast"}, {"tempo": 1e9}, {"clock": ["fixed"]}, {"meter": 4}, {"count_in": -1}, {"bundle": 7},
    {"steering": {"style": "loud"}}, {"steering": {"listen": True}}, {"steering": []}, {"split": True},
    {"confidence": float("nan")}, {"hears_itself": "yes"}, {"weather": "fair"},
])  # fmt: skip
def test_a_captures_settings_have_their_types_and_ranges_checked(setting: dict[str, object], tmp_path: Path) -> None:
    good = {"clock": "fixed", "tempo": 100.0, "meter": "4/4", "count_in": None, "bundle": "", "hears_itself": True}
    (tmp_path / "capture.json").write_text(json.dumps(good))
    assert how_captured(tmp_path / "capture.wav") is not None
    (tmp_path / "capture.json").write_text(json.dumps({**good, **setting}))
    with pytest.raises(UserError, match=r"capture\.json cannot be read"):
        how_captured(tmp_path / "capture.wav")


def test_a_captures_settings_of_deep_nesting_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "capture.json").write_text("[" * 30_000)
    with pytest.raises(UserError, match=r"capture\.json cannot be read"):
        how_captured(tmp_path / "capture.wav")


def test_a_manifest_without_end_is_a_sentence(tmp_path: Path) -> None:
    folder = hostile(tmp_path / "bundle", nothing)
    with (folder / "manifest.json").open("wb") as manifest:
        manifest.truncate(2**40)
    (folder / "manifest.json.sig").write_text("signed")
    (tmp_path / "signers").write_text("nobody")
    for more in ([], ["--signers", tmp_path / "signers"]):
        ran = lefthand("verify", folder, *more)
        assert ran.returncode == 2 and "manifest.json" in ran.stderr and "Traceback" not in ran.stderr, ran.stderr


@pytest.mark.parametrize("kind", ["pipe", "endless link", "large", "deep"])
def test_odd_files_of_the_slots_hold_up_nobody_who_lists_them(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    slots = tmp_path / "bundles"
    (slots / "a").mkdir(parents=True)
    for path in (*(slots / name for name in ("trial.json", "verdicts.json", "newest.json")),
                 slots / "a" / "manifest.sha256", slots / "a" / "manifest.json"):  # fmt: skip
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "endless link":
            path.symlink_to("/dev/zero")
        elif kind == "deep":
            path.write_text("[" * 60_000)
        else:
            with path.open("wb") as file:
                file.truncate(2**40)
    ran = lefthand("slot", "list", "--json")
    assert ran.returncode == 0, ran.stderr
    assert [entry["slot"] for entry in json.loads(ran.stdout)["slots"]] == ["a", "b", "shipped"]


def test_words_that_somebody_put_into_a_slot_are_listed_as_printable_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    folder = tmp_path / "bundles" / "a"
    folder.mkdir(parents=True)
    (folder / "manifest.sha256").write_text(EVIL)
    verdict = {"id": printable(EVIL[:12]), "good": True, "why": EVIL, "at": EVIL}
    (folder.parent / "verdicts.json").write_text(json.dumps({"a": verdict, "b": {**verdict, "why": [EVIL]}}))
    ran = lefthand("slot", "list")
    assert ran.returncode == 0 and "good: " in ran.stdout, ran.stderr
    assert all(line.isprintable() for line in ran.stdout.splitlines()) and len(ran.stdout.splitlines()) == 3


def test_root_of_a_box_runs_no_models_that_a_recording_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = hostile(tmp_path / "bundle", nothing)
    how = {"clock": "fixed", "tempo": 100.0, "meter": "4/4", "count_in": None, "hears_itself": True}
    (tmp_path / "capture.json").write_text(json.dumps({**how, "bundle": str(folder)}))
    shutil.copy(ROOT / "demo" / "right-hand.flac", tmp_path / "capture.wav")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(account, "exists", lambda name: True)
    opened: list[object] = []
    monkeypatch.setattr(Bundle, "open", lambda *arguments: opened.append(arguments))
    for words in ([tmp_path / "capture.wav"], [ROOT / "demo" / "right-hand.flac", "--bundle", folder]):
        ran = CliRunner().invoke(main, ["play", *map(str, words)])
        assert ran.exit_code == 2 and "Root runs no models" in ran.stderr, ran.output
    assert not opened
