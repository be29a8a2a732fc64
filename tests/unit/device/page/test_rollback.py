"""The way back to the models before: what the page asks for, and the steps that it shows."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from device.errors import UserError
from device.page.rollback import REQUEST, Rollback


def steps(path: Path, *lines: object) -> None:
    path.unlink(missing_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


@pytest.fixture
def rollback(tmp_path: Path) -> Rollback:
    (tmp_path / "page").mkdir()
    return Rollback(tmp_path / "page", tmp_path / "steps")


def test_it_asks_with_an_empty_file_and_shows_the_steps_until_the_last(tmp_path: Path, rollback: Rollback) -> None:
    file = tmp_path / "steps"
    steps(file, {"step": "done", "said": "Slot a plays again"})
    assert rollback.possible and rollback.said() == {"text": "", "over": False}
    rollback.ask()
    assert (tmp_path / "page" / REQUEST).read_bytes() == b""
    # the steps of the time before are not shown
    assert rollback.said() == {"text": "", "over": False}
    steps(file)
    assert rollback.said() == {"text": "", "over": False}
    steps(file, {"step": "self-test", "said": "the models\nfit"})
    assert rollback.said() == {"text": "the models fit", "over": False}
    with file.open("a") as half:
        half.write('{"step": "swi')
    assert rollback.said() == {"text": "the models fit", "over": False}
    for last in ("done", "refused"):
        steps(file, {"step": last, "said": "the end"})
        assert rollback.said() == {"text": "the end", "over": True}


def test_a_page_that_is_no_service_cannot_ask(tmp_path: Path) -> None:
    rollback = Rollback(tmp_path / "none", tmp_path / "steps")
    assert not rollback.possible
    with pytest.raises(UserError, match="make rollback"):
        rollback.ask()


def test_no_link_and_no_endless_file_is_read(tmp_path: Path, rollback: Rollback) -> None:
    file = tmp_path / "steps"
    rollback.ask()
    file.symlink_to("/etc/passwd")
    assert rollback.said()["text"] == ""
    file.unlink()
    os.mkfifo(file)
    assert rollback.said()["text"] == ""
