"""`lefthand play` measures the tuning of a sound before it hears it, and a capture is heard as it was live."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import soundfile
from click.testing import CliRunner

from device.cli import main
from device.commands.play_request import Request
from device.files.play import measured_tuning
from device.files.sound_file import SoundFile
from device.hearing.features import FeatureSpec
from device.recording.capture import CaptureSettings
from tests.unit.device.hearing.test_tuning import detuned
from tests.unit.helpers.shipped import demo

HOW = CaptureSettings("follow", None, "4/4", 4, "", hears_itself=False, tuning=-38.0, adapts=True)


def write(path: Path, cents: float, seconds: float = 10.0) -> Path:
    soundfile.write(path, detuned(demo(seconds), cents), 16_000)
    return path


def test_the_tuning_of_a_file_is_known_before_its_first_note(tmp_path: Path) -> None:
    flat = SoundFile(write(tmp_path / "flat.wav", -40))
    assert measured_tuning(flat, FeatureSpec()) == pytest.approx(-40, abs=9)
    assert measured_tuning(SoundFile(write(tmp_path / "right.wav", 0)), FeatureSpec()) == 0.0


def test_a_tuning_is_told_and_can_be_given(tmp_path: Path) -> None:
    flat = str(write(tmp_path / "flat.wav", -40, 6.0))
    table = tmp_path / "notes.csv"
    measured = CliRunner().invoke(main, ["play", flat, "--listen", "--notes", str(table)])
    assert measured.exit_code == 0 and "flat.wav is tuned -3" in measured.output
    heard = table.read_text().splitlines()
    given = CliRunner().invoke(main, ["play", flat, "--listen", "--tuning", "-36", "--notes", str(table)])
    assert given.exit_code == 0 and "is tuned" not in given.output
    assert [row.split(",")[2] for row in table.read_text().splitlines()] == [row.split(",")[2] for row in heard]


def test_a_capture_is_heard_with_the_tuning_of_its_beginning_and_follows_as_it_did(tmp_path: Path) -> None:
    write(tmp_path / "capture.wav", 0, 1.0)
    (tmp_path / "capture.json").write_text(json.dumps(asdict(HOW)))
    plain = Request(tmp_path / "capture.wav", *[None] * 5, False, None, None, None)  # type: ignore[arg-type]
    assert (plain.as_captured().tuning, plain.as_captured().adapts) == (-38.0, True)
    given = Request(tmp_path / "capture.wav", *[None] * 5, False, None, None, None, tuning=5.0)  # type: ignore[arg-type]
    assert (given.as_captured().tuning, given.as_captured().adapts) == (5.0, False)


def test_a_keyboard_has_no_tuning(tmp_path: Path) -> None:
    (tmp_path / "keys.mid").write_bytes(b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 1, 0xE0]) + b"MTrk" + bytes(4))
    ran = CliRunner().invoke(main, ["play", str(tmp_path / "keys.mid"), "--tuning", "5"])
    assert ran.exit_code and "--tuning" in ran.output
