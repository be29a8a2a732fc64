"""A measured latency is kept whole, is not used when its file is damaged, and gives way to the settings."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.calibration.latency import FILE, Calibration, midi_lead_s, read_calibration, synth_lead_s, write_calibration
from device.settings.config import Config, parse_config

MEASURED = Calibration(
    measured="2026-01-01T12:00:00+00:00",
    round_trip_ms=40.0,
    spread_ms=1.0,
    leak_db=32.0,
    synth_round_trip_ms=60.0,
)


def config(text: str = "", audio: str = 'input = "mic"') -> Config:
    midi = '[midi]\noutput = "out"\ninput = "keys"\n'
    return parse_config(f"[audio]\n{audio}\n{midi}{text}", "test")


def test_nothing_measured_is_nothing_known(tmp_path: Path) -> None:
    assert read_calibration(tmp_path) is None
    assert midi_lead_s(config(), None) == synth_lead_s(config(), None) == 0


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = write_calibration(MEASURED, tmp_path / "new" / "state")
    assert read_calibration(written.parent) == MEASURED
    assert [path.name for path in written.parent.iterdir()] == [FILE]


@given(latency=st.floats(0, 1000), leak=st.floats(-200, 200) | st.none())
def test_every_measurement_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory, latency: float, leak: float | None
) -> None:
    folder = tmp_path_factory.mktemp("state")
    measured = dataclasses.replace(MEASURED, round_trip_ms=latency, leak_db=leak)
    write_calibration(measured, folder)
    assert read_calibration(folder) == measured


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe\x00",
        b"null",
        b'{"schema": 2, "measured": "now"}',
        b'{"schema": 1}',
        json.dumps({**dataclasses.asdict(MEASURED), "round_trip_ms": -4}).encode(),
        json.dumps({**dataclasses.asdict(MEASURED), "round_trip_ms": 1e9}).encode(),
        json.dumps({**dataclasses.asdict(MEASURED), "synth_spread_ms": True}).encode(),
        b'{"schema": 1, "measured": "now", "round_trip_ms": NaN}',
        b'{"schema": 1, "measured": "now", "leak_db": "loud"}',
        b"[" * 30_000,
        b'{"schema": 1, "measured": "now", "leak_db": 1' + b"0" * 400 + b"}",
    ],
)
def test_a_damaged_file_is_moved_aside_and_told_in_one_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / FILE).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert read_calibration(tmp_path) is None
    assert (tmp_path / f"{FILE}.bad").read_bytes() == content
    assert not (tmp_path / FILE).exists()
    assert len(caplog.messages) == 1
    assert "damaged" in caplog.messages[0] and "lefthand calibrate" in caplog.messages[0]
    assert read_calibration(tmp_path) is None
    assert len(caplog.messages) == 1


def test_a_file_that_cannot_be_read_is_left_where_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).mkdir()
    assert read_calibration(tmp_path) is None
    assert (tmp_path / FILE).is_dir()
    assert "cannot be read" in caplog.messages[0]


@pytest.mark.parametrize("kind", ["pipe", "link", "large file"])
def test_what_is_no_small_plain_file_is_refused_at_once(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    if kind == "pipe":
        os.mkfifo(tmp_path / FILE)
    elif kind == "link":
        (tmp_path / FILE).symlink_to("/dev/zero")
    else:
        with (tmp_path / FILE).open("wb") as file:
            file.truncate(2**40)
    assert read_calibration(tmp_path) is None
    assert "cannot be read" in caplog.messages[0]


def test_a_key_of_a_later_version_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({**dataclasses.asdict(MEASURED), "weather": "fair"}))
    assert read_calibration(tmp_path) == MEASURED


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_calibration(MEASURED, tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_calibration(dataclasses.replace(MEASURED, round_trip_ms=1.0), tmp_path)
    monkeypatch.undo()
    assert read_calibration(tmp_path) == MEASURED
    write_calibration(MEASURED, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("settings", "midi_s", "synth_s"),
    [
        (config(), 0.040, 0.060),
        (config("latency_ms = 12\n"), 0.012, 0.060),
        (config(audio='input = "mic"\nlatency_ms = 7'), 0.007, 0.060),
        (config("latency_ms = 12\n[synth]\nlatency_ms = 30\n", 'input = "mic"\nlatency_ms = 7'), 0.019, 0.037),
        (config("latency_ms = 0\n[synth]\nlatency_ms = 0\n"), 0.0, 0.0),
        (config(audio='input = "midi"'), 0.040, 0.060),
    ],
    ids=["unset", "midi set", "audio set", "all set", "set to none", "a right hand as MIDI"],
)
def test_the_settings_come_before_what_was_measured(settings: Config, midi_s: float, synth_s: float) -> None:
    assert midi_lead_s(settings, MEASURED) == pytest.approx(midi_s)
    assert synth_lead_s(settings, MEASURED) == pytest.approx(synth_s)
