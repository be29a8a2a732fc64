"""The tuning survives a restart, and a damaged file is measured again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from device.assemble import engine_of
from device.calibration.tuning_file import FILE, TuningKeeper, read_tuning, write_tuning
from device.settings.config import parse_config
from tests.unit.helpers.shipped import bundle

GOOD = '[audio]\ninput = "mic"\n{}[midi]\noutput = "synth"\n'


def test_a_tuning_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_tuning(tmp_path) == 0.0
    write_tuning(-38.5, tmp_path)
    assert read_tuning(tmp_path) == -38.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": 1}',
        '{"schema": 1, "cents": true}',
        '{"schema": 2, "cents": 3}',
        '{"schema": 1, "cents": 1e9}',
        '{"schema": 1, "cents": NaN}',
        "[" * 9999,
    ],
)
def test_a_damaged_file_counts_as_none_and_is_named(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text(text)
    assert read_tuning(tmp_path) == 0.0
    assert FILE in caplog.text


@pytest.mark.parametrize("kind", ["pipe", "endless link", "gigabyte"])
def test_a_file_that_is_no_small_plain_file_is_refused_at_once(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    if kind == "pipe":
        os.mkfifo(tmp_path / FILE)
    elif kind == "endless link":
        (tmp_path / FILE).symlink_to("/dev/zero")
    else:
        with (tmp_path / FILE).open("wb") as file:
            file.truncate(2**30)
    assert read_tuning(tmp_path) == 0.0
    assert FILE in caplog.text
    write_tuning(-20.0, tmp_path)
    assert read_tuning(tmp_path) == -20.0


@pytest.mark.parametrize(("line", "tuning", "adapts"), [("", -38.5, True), ("tuning = 12\n", 12.0, False)])
def test_the_settings_take_precedence_over_the_stored_tuning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, tuning: float, adapts: bool
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    write_tuning(-38.5)
    hearing = engine_of(parse_config(GOOD.format(line), "test"), bundle()).hearing
    assert hearing is not None and (hearing.tuning, hearing.adapts) == (tuning, adapts)


def test_a_changed_tuning_is_stored_once_and_a_full_disk_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    keeper = TuningKeeper(0.0)
    keeper.keep(0.0)
    assert not (tmp_path / FILE).exists()
    keeper.keep(-20.0)
    assert read_tuning() == -20.0
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / FILE / "below"))
    caplog.clear()
    for _ in range(3):
        keeper.keep(-30.0)
    assert caplog.text.count("cannot be stored") == 1
