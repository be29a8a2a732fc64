"""`lefthand play` measures the tuning of a sound before it hears it, and a capture is heard as it was live."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from device.assemble import hearing_of
from device.cli import main
from device.commands.play_request import Request
from device.events import Note
from device.files.play import measured_tuning
from device.files.results.render import render
from device.files.sound.file import SoundFile
from device.hearing.features import FeatureSpec, Samples
from device.hearing.pipeline import Hearing
from device.hearing.resample import Hops
from device.recording.capture import CaptureSettings
from tests.unit.device.hearing.test_tuning import detuned
from tests.unit.helpers.shipped import bundle, demo, hear, notes

HOW = CaptureSettings("follow", None, "4/4", 4, "", hears_itself=False, tuning=-38.0, adapts=True)

WHITE = [72, 74, 76, 77, 76, 74, 72, 79]


def hearing_at(cents: float) -> Hearing:
    return hearing_of(bundle(), tuning=cents)


def never(cents: float) -> Hearing:
    raise AssertionError(f"{cents} cents is near to half a semitone")


def moved(sound: Samples, cents: float) -> Samples:
    """Return `sound` of 44.1 kHz at the rate of the models, `cents` higher."""
    hops = Hops(round(44_100 * 2 ** (cents / 1200)), 16_000, 256)
    return np.concatenate([hop for hop, _ in hops.push(sound)])


def write(path: Path, cents: float, seconds: float = 10.0) -> Path:
    soundfile.write(path, detuned(demo(seconds), cents), 16_000)
    return path


def test_the_tuning_of_a_file_is_known_before_its_first_note(tmp_path: Path) -> None:
    flat, right = SoundFile(write(tmp_path / "flat.wav", -40)), SoundFile(write(tmp_path / "right.wav", 0))
    assert measured_tuning(flat, FeatureSpec(), never) == pytest.approx(-40, abs=9)
    assert measured_tuning(right, FeatureSpec(), never) == 0.0


@pytest.mark.parametrize("cents", [-50, -46, 46, 50])
def test_half_a_semitone_flat_and_sharp_are_told_apart_by_music_on_white_keys(tmp_path: Path, cents: int) -> None:
    strikes = [Note(0.4 * i, 0.4 * i + 0.3, pitch, 80, 1.0, 0.0, "right") for i, pitch in enumerate(4 * WHITE)]
    sound = render(strikes, 44_100).mean(axis=1, dtype=np.float32) * 0.5
    # a sampling rate that is off by so much moves every tone
    soundfile.write(tmp_path / "half.wav", sound, round(44_100 * 2 ** (cents / 1200)))
    tuning = measured_tuning(SoundFile(tmp_path / "half.wav"), FeatureSpec(), hearing_at)
    assert tuning == pytest.approx(cents, abs=6)
    heard = notes(hear(hearing_of(bundle(), tuning=tuning), moved(sound, cents)))
    assert [note.pitch for note in heard][:20] == (4 * WHITE)[:20]


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
    plain = Request(input=tmp_path / "capture.wav")
    assert (plain.as_captured().tuning, plain.as_captured().adapts) == (-38.0, True)
    given = Request(input=tmp_path / "capture.wav", tuning=5.0)
    assert (given.as_captured().tuning, given.as_captured().adapts) == (5.0, False)


def test_a_keyboard_has_no_tuning(tmp_path: Path) -> None:
    (tmp_path / "keys.mid").write_bytes(b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 1, 0xE0]) + b"MTrk" + bytes(4))
    ran = CliRunner().invoke(main, ["play", str(tmp_path / "keys.mid"), "--tuning", "5"])
    assert ran.exit_code and "--tuning" in ran.output
