"""Paths as they are handed over: addresses of files, addresses of the web, loops of symbolic links."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from device.bundles.bundle import Bundle
from device.cli import main
from device.errors import BundleError
from device.files.results import outputs
from device.files.results.replacing import replacing
from tests.unit.helpers.midi_bytes import clean


def lefthand(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def refused(result: Result, sentence: str, exit_code: int = 2) -> None:
    assert result.exit_code == exit_code, result.output
    (line,) = result.stderr.splitlines()
    assert sentence in line


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    """Return the path of a link that leads back to itself over another one."""
    (tmp_path / "loop").symlink_to("other")
    (tmp_path / "other").symlink_to("loop")
    return tmp_path / "loop"


@pytest.mark.parametrize("begin", ["file://", "file://localhost", "file:", "FILE://"])
def test_the_address_of_a_file_is_a_path(tmp_path: Path, begin: str) -> None:
    (tmp_path / "my song é.mid").write_bytes(clean())
    address = f"{begin}{tmp_path}/my%20song%20%C3%A9.mid"
    result = lefthand("play", address, "--listen", "--notes", f"{begin}{tmp_path}/the%20notes.csv")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "the notes.csv").is_file()


def test_the_sign_of_the_home_folder_is_read_where_a_shell_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    (work / "~").mkdir(parents=True)
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    for folder in (home, work / "~"):
        (folder / "a.mid").write_bytes(clean())
    assert lefthand("play", "~/a.mid", "--listen", "--notes=~/b.csv").exit_code == 0
    assert (home / "b.csv").is_file()
    (work / "~" / "a.mid").unlink()
    assert lefthand("play", "~/a.mid", "--listen").exit_code == 0
    refused(lefthand("play", "~/gone.mid"), f"{home}/gone.mid does not exist")


def test_a_file_whose_name_looks_like_an_address_is_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file:").mkdir()
    (tmp_path / "file:" / "a%20b.mid").write_bytes(clean())
    assert lefthand("play", "file:/a%20b.mid", "--listen").exit_code == 0


def test_other_addresses_are_refused_with_a_remedy(tmp_path: Path) -> None:
    refused(lefthand("play", "https://example.org/a.mid"), "is an address of the web: download the file")
    refused(lefthand("play", f"file://{tmp_path}/gone.mid"), f"{tmp_path}/gone.mid does not exist: check the name.")
    refused(lefthand("play", "file:///a%00b.mid"), "cannot be the name of a file: check the name.")
    refused(lefthand("page", "--demo", "http://example.org/a.flac"), "is an address of the web")


def test_an_input_that_is_a_loop_of_links_or_leads_nowhere_is_refused(tmp_path: Path, loop: Path) -> None:
    refused(lefthand("play", loop), "give the file itself.")
    (tmp_path / "gone.wav").symlink_to("nowhere")
    refused(lefthand("play", tmp_path / "gone.wav"), "is a link to a file that does not exist: give the file itself.")


def test_an_output_that_is_a_loop_of_links_is_refused(tmp_path: Path, loop: Path) -> None:
    (tmp_path / "a.mid").write_bytes(clean())
    refused(lefthand("play", tmp_path / "a.mid", "--midi", loop), "leads back to itself: remove it, or name another")
    with pytest.raises(OSError, match="symbolic links"), replacing(loop):
        pass
    assert loop.is_symlink()


def test_a_bundle_or_settings_that_are_a_loop_of_links_are_refused(loop: Path) -> None:
    with pytest.raises(BundleError, match="loop is not a bundle"):
        Bundle.open(loop)
    refused(lefthand("settings", "--config", loop), "loop cannot be read", exit_code=78)


@pytest.mark.parametrize("words", [("play", ""), ("play", "{song}", "--midi", ""), ("verify", "")])
def test_an_empty_name_is_told_and_is_not_the_present_folder(tmp_path: Path, words: tuple[str, ...]) -> None:
    song = tmp_path / "a.mid"
    song.write_bytes(clean())
    refused(lefthand(*(word.format(song=song) for word in words)), "An empty text names no file: check the name.")


def test_in_a_folder_that_was_removed_a_relative_output_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mid").write_bytes(clean())
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    shutil.rmtree(tmp_path / "gone")
    result = lefthand("play", tmp_path / "a.mid", "--notes", "notes.csv")
    monkeypatch.undo()
    refused(result, "The folder in which you work was removed: change to another one.")


def test_a_file_that_somebody_protected_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mid").write_bytes(clean())
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    kept.chmod(0o444)
    # the superuser may write everywhere, and would not be refused
    monkeypatch.setattr(
        outputs.os, "access", lambda path, mode: mode != os.W_OK or bool(Path(path).stat().st_mode & 0o200)
    )
    refused(lefthand("play", tmp_path / "a.mid", "--notes", kept), "kept.csv is write-protected")
    assert kept.read_text() == "mine"
    kept.chmod(0o644)
    assert lefthand("play", tmp_path / "a.mid", "--notes", kept).exit_code == 0


def test_a_home_that_cannot_be_written_gives_no_line_of_the_plot_s_library(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(clean())
    command = [sys.executable, "-m", "device.cli", "play", str(tmp_path / "a.mid"), "--listen"]
    homeless = {**os.environ, "HOME": "/proc/none", "MPLCONFIGDIR": "/proc/none"}
    ran = subprocess.run(
        [*command, "--plot", str(tmp_path / "roll.png")], env=homeless, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0 and (tmp_path / "roll.png").exists()
    assert ran.stderr == ""
