"""Files in places where another account may have put something else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from device.system.paths import run_dir
from device.system.untrusted_files import SMALL, own_folder, read_small, replace_file


def test_a_plain_small_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * SMALL)
    assert read_small(tmp_path / "file") == b"x" * SMALL


def test_a_pipe_a_link_a_folder_a_device_and_a_large_file_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "plain").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "plain")
    with (tmp_path / "large").open("wb") as large:
        large.truncate(2**40)
    for path in (tmp_path / "pipe", tmp_path / "link", tmp_path, Path("/dev/zero"), tmp_path / "large"):
        with pytest.raises(OSError):
            read_small(path)


def test_a_folder_is_made_for_this_account_alone_and_files_in_it_are_replaced(tmp_path: Path) -> None:
    folder = own_folder(tmp_path / "deep" / "run")
    try:
        for content in (b"one", b"two"):
            replace_file(folder, "file", content)
    finally:
        os.close(folder)
    assert (tmp_path / "deep" / "run").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (tmp_path / "deep" / "run").iterdir()] == ["file"]
    assert (tmp_path / "deep" / "run" / "file").read_bytes() == b"two"


def test_a_folder_that_others_may_write_or_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("own")
    for name in ("shared", "link"):
        with pytest.raises(OSError):
            own_folder(tmp_path / name)


@pytest.mark.parametrize("name", ["file", ".file.new"])
def test_a_link_in_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path, name: str) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "run" / name).symlink_to(tmp_path / "precious")
    folder = own_folder(tmp_path / "run")
    replace_file(folder, "file", b"new")
    os.close(folder)
    assert (tmp_path / "precious").read_text() == "kept"
    assert (tmp_path / "run" / "file").read_bytes() == b"new" and not (tmp_path / "run" / "file").is_symlink()


def test_the_run_directory_is_never_in_a_folder_that_is_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setattr("device.system.paths.SERVICE_RUN", tmp_path / "no service")
    home, session, shared = (tmp_path / name for name in ("home", "session", "shared"))
    for folder, mode in ((home, 0o700), (session, 0o700), (shared, 0o777)):
        folder.mkdir()
        folder.chmod(mode)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    assert run_dir() == session / "lefthand"
    for elsewhere in (str(shared), ""):
        monkeypatch.setenv("XDG_RUNTIME_DIR", elsewhere)
        assert run_dir() == home / ".local" / "state" / "lefthand" / "run"
    monkeypatch.setenv("HOME", str(shared))
    assert run_dir() is None
