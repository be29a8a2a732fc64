"""The list of recordings: lengths, dates, room, and what is deleted."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import UserError
from device.recording import library as library_module
from device.recording.capture import Capture
from device.recording.library import Library
from device.service.tapes import Tapes

RATE = 48_000
ROW = "onset_s,offset_s,midi_pitch,velocity,confidence,decided_s,hand\n1.0,2.0,60,80,0.9,1.100000,right\n"


def recording(folder: Path, number: str, sound_s: float | None = 2.0) -> Path:
    made = folder / number
    made.mkdir(parents=True)
    (made / "capture.json").write_text("{}")
    (made / "sent.mid").write_bytes(b"MThd")
    (made / "notes.csv").write_text(ROW)
    (made / "beats.csv").write_text("time_s,position,lock\n1.000,0,0.900\n")
    if sound_s is not None:
        soundfile.write(made / "capture.wav", np.zeros(int(sound_s * RATE), np.float32), RATE, subtype="FLOAT")
    else:
        (made / "capture.mid").write_bytes(b"MThd")
    return made


def age(made: Path) -> None:
    """Make the files of a recording as old as those of a finished one."""
    past_s = time.time() - 2 * library_module.FINISHED_S
    for file in made.iterdir():
        os.utime(file, (past_s, past_s))


def test_the_newest_comes_first_with_its_length_and_kind(tmp_path: Path) -> None:
    recording(tmp_path, "001")
    recording(tmp_path, "002", None)
    (tmp_path / "other").mkdir()
    (tmp_path / "003").symlink_to(tmp_path / "001")
    shown = Library(tmp_path).shown("002")
    assert [(one["number"], one["sound"], one["seconds"]) for one in shown["recordings"]] == [
        ("002", False, 1.1), ("001", True, 2.0)
    ]  # fmt: skip
    assert shown["current"] == "002" and shown["recordings"][1]["bytes"] > 2 * 4 * RATE
    assert shown["room_s"] >= 0


def test_a_new_recording_is_the_newest_also_after_others_were_deleted(tmp_path: Path) -> None:
    assert Capture(tmp_path / "not there").next().folder.name == "001"
    for number in ("001", "002", "003"):
        recording(tmp_path, number)
    (tmp_path / "20261129").mkdir()
    Library(tmp_path).delete("002", None)
    assert Capture(tmp_path).next().folder.name == "004"
    for number in ("999", "1000"):
        recording(tmp_path, number)
    assert Capture(tmp_path).next().folder.name == "1001"
    assert [one["number"] for one in Library(tmp_path).shown(None)["recordings"]] == ["1000", "999", "003", "001"]


def test_a_recording_that_was_cut_off_has_the_length_of_its_sound(tmp_path: Path) -> None:
    path = recording(tmp_path, "001") / "capture.wav"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert Library(tmp_path).shown(None)["recordings"][0]["seconds"] == pytest.approx(1.0, abs=0.1)


def test_a_finished_recording_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in ("001", "002", "003"):
        age(recording(tmp_path, number))
    recording(tmp_path, "004")
    age(recording(tmp_path, "005"))
    read: list[str] = []
    real = library_module._plain_files

    def counted(folder: Path) -> dict[str, os.stat_result]:
        read.append(folder.name)
        return real(folder)

    monkeypatch.setattr(library_module, "_plain_files", counted)
    monkeypatch.setattr(library_module, "read_small", lambda path: read.append(path.parent.name) or b"")
    library = Library(tmp_path)
    first = library.shown("005")
    read.clear()
    # 004 has just changed, and 005 is being made
    assert library.shown("005")["recordings"] == first["recordings"]
    assert set(read) == {"004", "005"}
    read.clear()
    library.delete("002", None)
    recording(tmp_path, "002", 1.0)
    library.delete("003", None)
    shown = library.shown("005")["recordings"]
    assert [(one["number"], one["seconds"]) for one in shown[-2:]] == [("002", 1.0), ("001", 2.0)]
    assert set(read) == {"002", "004", "005"}


def test_without_a_folder_there_is_no_recording(tmp_path: Path) -> None:
    assert Library(tmp_path / "not" / "there").shown(None)["recordings"] == []


def test_the_date_is_kept_only_where_the_machine_knows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording(tmp_path, "001")
    recording(tmp_path, "002")
    timesync = tmp_path / "timesync"
    timesync.mkdir()
    monkeypatch.setattr(library_module, "SYNCHRONIZED", timesync / "synchronized")
    library = Library(tmp_path)
    library.note_the_time("001")
    (timesync / "synchronized").touch()
    library.note_the_time("002")
    second, first = library.shown(None)["recordings"]
    assert first["began"] is None and second["began"].startswith("20")


@pytest.mark.parametrize("number", ["002", "..", "", "001/../001", "link"])
def test_only_a_recording_is_deleted(tmp_path: Path, number: str) -> None:
    made = recording(tmp_path, "001")
    (tmp_path / "link").symlink_to(made)
    with pytest.raises(UserError, match="no recording"):
        Library(tmp_path).delete(number, None)
    assert (made / "capture.wav").exists()


def test_a_recording_is_deleted_whole_but_not_while_it_is_made(tmp_path: Path) -> None:
    made = recording(tmp_path, "001")
    library = Library(tmp_path)
    with pytest.raises(UserError, match="stop it first"):
        library.delete("001", "001")
    library.delete("001", None)
    assert not made.exists()


def test_a_file_that_is_not_ours_is_not_removed(tmp_path: Path) -> None:
    made = recording(tmp_path, "001")
    (made / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="cannot be removed"):
        Library(tmp_path).delete("001", None)
    assert (made / "mine.txt").read_text() == "keep"


def test_a_recording_that_may_not_be_read_or_that_is_odd_leaves_the_others_listed(tmp_path: Path) -> None:
    recording(tmp_path, "001")
    shut = recording(tmp_path, "002")
    odd = tmp_path / "003"
    odd.mkdir()
    for name in ("capture.wav", "notes.csv", "began.txt"):
        os.mkfifo(odd / name)
    linked = tmp_path / "004"
    linked.mkdir()
    for name in ("capture.wav", "notes.csv", "began.txt"):
        (linked / name).symlink_to("/dev/zero")
    child = os.fork()
    if child == 0:
        # root reads every folder
        status = 1
        try:
            shut.chmod(0)
            tmp_path.chmod(0o755)
            if os.geteuid() == 0:
                os.chown(shut, 0, 0)
                # the folders above are closed to other accounts, so the way to the recordings is a relative one
                os.chdir(tmp_path)
                os.setuid(65534)
            shown = Library(Path() if os.geteuid() == 65534 else tmp_path).shown(None)["recordings"]
            seconds = {one["number"]: (one["seconds"], one["bytes"] > 0) for one in shown}
            status = 0 if seconds == {
                "001": (2.0, True), "002": (0.0, False), "003": (0.0, False), "004": (0.0, False)
            } else 2  # fmt: skip
        finally:
            os._exit(status)
    try:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        shut.chmod(0o700)


def test_a_folder_that_cannot_be_used_ends_no_session(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # a name that is too long is refused by the system as a folder of another account is
    folder = tmp_path / ("x" * 300)
    tapes = Tapes(Library(folder), lambda: None)
    tapes.record(True)
    assert tapes.next() is None and not tapes.on
    assert "cannot be used" in caplog.text
    with pytest.raises(UserError, match="cannot be used"):
        Tapes(Library(folder), lambda: None, Capture(folder)).next()
