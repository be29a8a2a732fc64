"""The status file is complete at every moment, and readers of other versions understand it."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from device.status.schema import (
    FILE,
    AudioStatus,
    NoteStatus,
    Status,
    SteeringStatus,
    read_status,
    remove_status,
    write_status,
)
from device.status.writer import Reporter

STATUS = Status(
    state="playing",
    message="listening",
    since="2026-01-01T00:00:00+00:00",
    pid=os.getpid(),
    version="0.1.0",
    audio=AudioStatus("mic [ALSA]", 48_000, -20.5, 3),
    heard=[NoteStatus(60, 64, 0.9, 0.5)],
    faults={"stalls": 1},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_status(tmp_path / "run", STATUS)
    assert read_status(tmp_path / "run") == STATUS
    assert STATUS.alive


def test_the_file_holds_every_field_of_the_status(tmp_path: Path) -> None:
    write_status(tmp_path, STATUS)
    assert json.loads((tmp_path / FILE).read_text()) == asdict(STATUS)


def test_there_is_none_before_the_first_and_after_the_last(tmp_path: Path) -> None:
    assert read_status(tmp_path) is None
    write_status(tmp_path, STATUS)
    remove_status(tmp_path)
    assert read_status(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"schema": 2}', '{"schema": 1}', '{"schema": 1, "heard": 3}', "\x00", "[" * 50_000),
        '{"state": "playing", "message": "", "since": "", "pid": "1", "version": "1"}',
        '{"state": "playing", "message": "", "since": "", "pid": 99999999999999999999, "version": "1"}',
        '{"state": "playing", "message": "", "since": "", "pid": -1, "version": "1"}',
        '{"state": "playing", "message": "", "since": "", "pid": 1, "version": "1", "tempo": "fast"}',
        '{"state": "singing", "message": "", "since": "", "pid": 1, "version": "1"}',
    ],
)
def test_a_file_that_is_none_counts_as_none(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    assert read_status(tmp_path) is None


def test_without_a_folder_it_is_said_once_and_playing_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    failures: list[Exception] = []
    Reporter(None, lambda: STATUS, failures.append).close()
    assert [record.message for record in caplog.records] == [
        "there is no folder for the status that belongs to this account alone: playing goes on"
    ]
    assert not failures and read_status(None) is None


def test_what_a_newer_box_tells_beyond_is_left_out(tmp_path: Path) -> None:
    write_status(tmp_path, STATUS)
    data = json.loads((tmp_path / FILE).read_text())
    data["mood"] = "good"
    data["audio"]["colour"] = "red"
    (tmp_path / FILE).write_text(json.dumps(data))
    assert read_status(tmp_path) == STATUS


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    write_status(tmp_path, STATUS)
    done = threading.Event()

    def write() -> None:
        for i in range(300):
            write_status(tmp_path, replace(STATUS, message="x" * (i * 37 % 5000)))
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        assert read_status(tmp_path) is not None
    thread.join()


def test_a_folder_that_cannot_be_written_is_told_of_once_and_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from device.status import writer

    monkeypatch.setattr(writer, "PERIOD_S", 0.001)
    (tmp_path / "run").write_text("no folder")
    asked, failures = threading.Event(), []
    calls = 0

    def status() -> Status:
        nonlocal calls
        calls += 1
        if calls > 5:
            asked.set()
        return STATUS

    writing = Reporter(tmp_path / "run", status, failures.append)
    assert asked.wait(10)
    writing.close()
    assert len(caplog.records) == 1
    assert failures == []


def test_a_failure_of_the_thread_is_told(tmp_path: Path) -> None:
    failed = threading.Event()

    def status() -> Status:
        raise ZeroDivisionError

    Reporter(tmp_path, status, lambda error: failed.set())
    assert failed.wait(10)


def test_a_status_with_the_steering_of_a_left_hand_is_read_back(tmp_path: Path) -> None:
    status = Status(state="playing", message="", since="", pid=1, version="1", steering=SteeringStatus(hold=True))
    write_status(tmp_path, status)
    assert read_status(tmp_path) == status
