"""`lefthand status`: the report of a box, and that a dead or silent box is never reported as running."""

from __future__ import annotations

import io
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner, Result

from device.cli import main
from device.commands import status
from device.events import DoubtKind
from device.status import live_view
from device.status.schema import FILE, AudioStatus, DoubtStatus, HopStatus, MidiStatus, NoteStatus, Status, write_status
from device.status.text import DOUBTS, bar, doubt_in_words, note_name, one_line

rich = pytest.importorskip("rich.console")

NO_SUCH_PID = 2**22 + 1
PLAYING = Status(
    state="playing",
    message="listening to USB Audio, playing on Piano",
    since="2026-11-01T12:00:00+00:00",
    pid=os.getpid(),
    version="1.2.3",
    audio=AudioStatus("USB Audio [ALSA]", 48_000, -18.5, 2),
    midi=MidiStatus(output="Piano [ALSA]"),
    tempo=96.4,
    beat=2,
    lock=0.83,
    chord="Am7",
    heard=[NoteStatus(72, 80, 0.97, 0.2), NoteStatus(76, 70, 0.9, 0.1)],
    played=[NoteStatus(45, 60, 1.0, 0.1), NoteStatus(52, 60, 1.0, -0.05)],
    hop=HopStatus(1000, 0.7, 1.9, 16.0),
    send_p99_ms=0.4,
    faults={"xruns": 2},
    rss_mb=58.0,
)


@pytest.fixture(autouse=True)
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    return tmp_path


def told(run_dir: Path, status: Status, age_s: float = 0.0) -> None:
    write_status(run_dir, status)
    at_s = time.time() - age_s
    os.utime(run_dir / FILE, (at_s, at_s))


def lefthand(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["status", *arguments])


def test_no_box_is_one_sentence_with_the_remedy(run_dir: Path) -> None:
    ran = lefthand()
    assert ran.exit_code == 2
    assert "No box runs here" in ran.stderr and "systemctl start lefthand" in ran.stderr
    (run_dir / FILE).write_text("{")
    assert lefthand().exit_code == 2


def test_all_that_a_box_tells_is_shown(run_dir: Path) -> None:
    told(run_dir, PLAYING)
    ran = lefthand()
    assert ran.exit_code == 0, ran.output
    for word in ("playing: listening", "USB Audio", "-18.5 dB", "C5 E5", "3 at 96, lock 83%", "Am7", "A2 E3", "1.90"):
        assert word in ran.stdout


def test_a_dead_box_is_said_to_be_dead(run_dir: Path) -> None:
    told(run_dir, replace(PLAYING, pid=NO_SUCH_PID), 12)
    ran = lefthand()
    assert ran.exit_code == 1
    assert f"has ended (process {NO_SUCH_PID})" in ran.stderr and "12 s old" in ran.stderr


def test_a_box_that_tells_nothing_any_more_is_said_to_hang(run_dir: Path) -> None:
    told(run_dir, PLAYING, 12)
    ran = lefthand()
    assert ran.exit_code == 1
    assert "reported nothing for 12 s" in ran.stderr


def test_json_has_the_file_and_whether_to_believe_it(run_dir: Path) -> None:
    told(run_dir, PLAYING)
    data = json.loads(lefthand("--json").stdout)
    assert (data["state"], data["chord"], data["alive"]) == ("playing", "Am7", True)
    assert 0 <= data["age_s"] < 60
    told(run_dir, replace(PLAYING, pid=NO_SUCH_PID), 12)
    ran = lefthand("--json")
    assert ran.exit_code == 1
    assert json.loads(ran.stdout)["alive"] is False


def test_where_nothing_can_be_drawn_watch_says_a_line_at_a_time(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def then(*steps: Callable[[], None]) -> Callable[[float], None]:
        left = iter(steps)

        def wait(seconds: float) -> None:
            step = next(left, None)
            if step is None:
                raise KeyboardInterrupt
            step()

        return wait

    told(run_dir, PLAYING)
    wait = then(
        lambda: told(run_dir, replace(PLAYING, state="waiting", message="waiting for MIDI output")),
        lambda: told(run_dir, replace(PLAYING, pid=NO_SUCH_PID)),
        lambda: None,
        lambda: (run_dir / FILE).unlink(),
    )
    with pytest.raises(KeyboardInterrupt):
        status._print(False, status._Look(), wait=wait)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert "heard C5 E5" in lines[0] and "chord Am7" in lines[0] and "xruns 2" in lines[0]
    assert lines[1] == "waiting: waiting for MIDI output"
    assert "has ended" in lines[2]
    assert "No box runs here" in lines[3]


def drawn(found: tuple[Status, float] | str, height: int | None = None) -> str:
    from device.status.live_view import drawn as panel

    console = rich.Console(file=io.StringIO(), width=100, force_terminal=False)
    console.print(panel(found, height))
    text = console.file.getvalue()
    assert isinstance(text, str)
    return text


def test_the_live_view_shows_what_matters_at_the_piano() -> None:
    text = drawn((PLAYING, 0.1))
    for word in ("playing", "-18.5 dB", "C5", "E5", "3 at 96", "Am7", "A2", "E3", "1.90", "xruns", "2"):
        assert word in text


def test_the_live_view_says_when_the_box_is_gone() -> None:
    assert "gone" in drawn((replace(PLAYING, pid=NO_SUCH_PID), 4.0))
    assert "hangs" in drawn((PLAYING, 9.0))
    assert "lefthand [/x]: playing" in drawn((replace(PLAYING, version="[/x]"), 0.1)), "no markup of rich"
    assert "No box" in drawn("No box runs here.")


def test_the_live_view_has_room_for_a_box_that_has_just_begun() -> None:
    text = drawn((Status("starting", "loading the models", "", os.getpid(), "1.2.3"), 0.0))
    assert "loading the models" in text


def test_the_live_view_in_few_rows_shows_what_matters_most() -> None:
    text = drawn((PLAYING, 0.1), 8)
    assert len(text.splitlines()) <= 8
    for word in (PLAYING.message, "-18.5 dB", "C5", "3 at 96", "A2"):
        assert word in text
    assert "hangs" in drawn((PLAYING, 9.0), 4)
    assert len(drawn((PLAYING, 0.1), 1).splitlines()) == 3


def test_the_live_view_goes_on_until_ctrl_c() -> None:
    from device.status.live_view import show

    looks: list[int] = []

    def look() -> tuple[Status, float]:
        looks.append(1)
        return PLAYING, 0.1

    def wait(seconds: float) -> None:
        if len(looks) > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        show(look, rich.Console(file=io.StringIO(), width=80), wait)
    assert len(looks) == 4


@pytest.mark.parametrize(("pitch", "name"), [(60, "C4"), (21, "A0"), (108, "C8"), (61, "C#4")])
def test_notes_have_a_pianists_names(pitch: int, name: str) -> None:
    assert note_name(pitch) == name


def test_a_meter_never_leaves_its_place() -> None:
    assert bar(-200, -60, 0, 10) == "." * 10
    assert bar(12, -60, 0, 10) == "#" * 10
    assert bar(-30, -60, 0, 10) == "#####....."


def test_a_line_of_a_box_that_has_heard_nothing_yet() -> None:
    assert "heard -" in one_line(Status("playing", "listening", "", os.getpid(), "1"))


@pytest.mark.parametrize("kind", get_args(DoubtKind))
def test_why_the_lock_is_low_is_said_in_words(run_dir: Path, kind: DoubtKind) -> None:
    doubt = DoubtStatus(kind, 6 if kind == "silence" else None)
    told(run_dir, replace(PLAYING, lock=0.31, doubt=doubt))
    words = doubt_in_words(doubt)
    assert f"3 at 96, lock 31%: {words}" in lefthand().stdout
    assert json.loads(lefthand("--json").stdout)["doubt"] == {"kind": kind, "beats": doubt.beats}
    console = rich.Console(file=io.StringIO(), width=100)
    console.print(live_view.drawn((replace(PLAYING, lock=0.31, doubt=doubt), 0.0)))
    assert words in console.file.getvalue()


def test_a_terminal_and_the_page_say_why_the_lock_is_low_in_the_same_words() -> None:
    texts = (resources.files("device.page") / "static" / "texts.js").read_text(encoding="utf-8")
    told = re.search(r"^  doubts: \{$(.*?)^  \},$", texts, re.M | re.S)
    assert told is not None
    of_the_page = {
        kind.strip('"'): words[0].lower() + words[1:]
        for kind, words in re.findall(r'^    ("[a-z -]+"|[a-z]+): "(.*)",$', told[1], re.M)
    }
    assert of_the_page == DOUBTS


def test_a_silence_is_counted_in_beats_and_a_sure_lock_needs_no_words(run_dir: Path) -> None:
    assert doubt_in_words(DoubtStatus("silence", 6)) == "no note for 6 beats"
    told(run_dir, PLAYING)
    assert "lock 83%\n" in lefthand().stdout
