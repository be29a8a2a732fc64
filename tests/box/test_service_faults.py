"""Faults caused by systemd, the disk or the owner: the silence they cause, and the time until it plays again."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stage import CONFIG, JACK_ENV, KEYS, LISTENS_S, SERVICE, Player, Stage
from systemd_box import until

from tests.pace import in_time

SILENT_S = 1.0
WATCHDOG_S = 3.0
BACK_S = 3.0
BAD = KEYS.replace("tempo = 120", "tempo = 1200")

Figure = Callable[[str], None]


@pytest.fixture(scope="module")
def instrument(stage: Stage) -> Player:
    return stage.instrument()


@pytest.fixture
def synth(stage: Stage, instrument: Player) -> Player:
    """Return the left hand's instrument while the service plays."""
    stage.configure(KEYS)
    stage.start()
    stage.state("playing")
    instrument.struck(time.monotonic())
    return instrument


def restarts(stage: Stage) -> int:
    return int(stage.box.show("NRestarts"))


def test_killed_with_notes_held(stage: Stage, synth: Player, figure: Figure) -> None:
    held = synth.held()
    pid = stage.box.main_pid()
    killed_s = stage.box.kill(signal.SIGKILL)
    silent_s = synth.silent(killed_s) - killed_s
    back_s = stage.back(pid) - killed_s
    note_s = synth.struck(killed_s + silent_s) - killed_s
    figure(
        f"SIGKILL with {len(held)} notes held: silent after {silent_s:.2f} s, back after {back_s:.2f} s, "
        f"the first note after {note_s:.2f} s"
    )
    in_time("to silence", silent_s, SILENT_S)
    in_time("to playing again", back_s, BACK_S)
    in_time("to the next note", note_s, BACK_S + LISTENS_S)
    assert restarts(stage) == 1
    let_go = {key for at_s, kind, key, _ in synth.received if kind == "note_off" and at_s > killed_s}
    assert held <= let_go


def test_killed_again_and_again_it_never_gives_up(stage: Stage, synth: Player) -> None:
    for _ in range(7):
        pid = until("it runs", lambda: stage.box.main_pid())
        stage.box.kill(signal.SIGKILL)
        until("it is restarted", lambda pid=pid: stage.box.main_pid() not in (0, pid))
    stage.state("playing")
    assert synth.struck(time.monotonic())


def test_stopped_in_order(stage: Stage, synth: Player, figure: Figure) -> None:
    synth.held()
    asked_s = time.monotonic()
    stage.box.run("systemctl", "stop", SERVICE)
    silent_s = synth.silent(asked_s) - asked_s
    ended = {name: int(stage.box.show(name)) for name in ("ExecMainExitTimestampMonotonic", "ExecMainStatus")}
    ended_s = ended["ExecMainExitTimestampMonotonic"] / 1e6 - asked_s
    figure(
        f"SIGTERM with notes held: silent after {silent_s:.2f} s, exit {ended['ExecMainStatus']} after {ended_s:.2f} s"
    )
    assert ended["ExecMainStatus"] == 0
    assert stage.box.show("Result") == "success"
    in_time("to silence", silent_s, SILENT_S)
    in_time("to the exit", ended_s, SILENT_S)


def test_a_process_that_hangs_is_ended_by_the_watchdog(stage: Stage, synth: Player, figure: Figure) -> None:
    synth.held()
    pid = stage.box.main_pid()
    hung_s = stage.box.kill(signal.SIGSTOP)
    silent_s = synth.silent(hung_s) - hung_s
    back_s = stage.back(pid) - hung_s
    note_s = synth.struck(hung_s + silent_s) - hung_s
    figure(
        f"hung with notes held: silent after {silent_s:.2f} s, back after {back_s:.2f} s, "
        f"the first note after {note_s:.2f} s"
    )
    assert any("Watchdog timeout" in message for message in stage.box.messages())
    in_time("to silence", silent_s, WATCHDOG_S + SILENT_S)
    in_time("to playing again", back_s, WATCHDOG_S + BACK_S)
    in_time("to the next note", note_s, WATCHDOG_S + BACK_S + LISTENS_S)


def test_bad_settings_at_the_start(stage: Stage, synth: Player) -> None:
    stage.box.run("systemctl", "stop", SERVICE)
    stage.configure(BAD)
    ran = stage.box.run("systemctl", "start", SERVICE, check=False)
    assert ran == ""
    stage.state("waiting")
    assert stage.box.show("ActiveState") == "active"
    sentence = next(message for message in reversed(stage.box.messages()) if "tempo" in message)
    assert CONFIG in sentence and "[clock] tempo = 1200" in sentence and "20 to 400" in sentence
    # the pause before a restart is a fifth of a second
    time.sleep(1.0)
    assert stage.box.show("ActiveState") == "active" and restarts(stage) == 0
    stage.configure(KEYS)
    stage.box.run("systemctl", "reload", SERVICE)
    stage.state("playing")


def test_bad_settings_at_a_reload_change_nothing(stage: Stage, synth: Player) -> None:
    pid = stage.box.main_pid()
    stage.configure(BAD)
    reloaded_s = time.monotonic()
    stage.box.run("systemctl", "reload", SERVICE)
    said = until("it is refused", lambda: [message for message in stage.box.messages() if "1200" in message][-1:])
    assert "[clock] tempo" in said[0] and "20 to 400" in said[0]
    assert synth.struck(reloaded_s + 1.0)
    assert stage.box.main_pid() == pid
    assert stage.status()["state"] == "playing"


def test_good_settings_at_a_reload_are_taken(stage: Stage, synth: Player) -> None:
    pid = stage.box.main_pid()
    stage.configure(KEYS + "[play]\nlisten = true\n")
    stage.box.run("systemctl", "reload", SERVICE)
    until("it only listens", lambda: stage.status().get("midi", {}).get("output") is None)
    # the instrument's own thread takes the last releases in a moment after they were sent
    until("the instrument is silent", lambda: not synth.sounding)
    assert stage.box.main_pid() == pid


def test_a_corrupt_file_of_its_state_is_moved_aside(stage: Stage, synth: Player) -> None:
    stage.box.run("systemctl", "stop", SERVICE)
    state = stage.box.path("/var/lib/lefthand")
    (state / "calibration.json").write_bytes(b"\x00{ not what it was")
    stage.start()
    stage.state("playing")
    assert synth.struck(time.monotonic())
    assert (state / "calibration.json.bad").exists() and not (state / "calibration.json").exists()
    assert any("calibration.json" in message for message in stage.box.messages())


@pytest.fixture
def full_disks(stage: Stage, synth: Player) -> Iterator[list[Path]]:
    """Let the service play while its folders are on separate file systems without free space."""
    box = stage.box
    folders = ["/var/lib/lefthand", "/run/lefthand"]
    box.run("systemctl", "stop", SERVICE)
    for folder in folders:
        box.run("mkdir", "-p", folder)
        box.run("mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", folder)
    stage.start()
    stage.state("playing")
    fillers = [box.path(folder) / "filler" for folder in folders]
    for filler in fillers:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(512))
    yield fillers
    box.run("systemctl", "stop", SERVICE)
    for folder in folders:
        box.run("umount", folder)


def test_a_full_disk_is_not_heard(stage: Stage, synth: Player, full_disks: list[Path]) -> None:
    pid = stage.box.main_pid()
    full_s = time.monotonic()
    for after_s in (1.0, 2.0, 3.0):
        synth.struck(full_s + after_s)
        # the file is replaced completely or not at all
        assert stage.status()["state"] == "playing"
    for filler in full_disks:
        filler.unlink()
    counted = stage.status()["hop"]["count"]
    until("the status goes on", lambda: stage.status()["hop"]["count"] > counted)
    assert stage.box.main_pid() == pid


def test_it_starts_with_a_full_disk(stage: Stage, synth: Player, full_disks: list[Path]) -> None:
    stage.start()
    assert synth.struck(time.monotonic())


JOURNALD = ("systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald-audit.socket")


def test_without_journald_it_plays(stage: Stage, synth: Player) -> None:
    pid = stage.box.main_pid()
    stage.box.run("systemctl", "stop", *JOURNALD, "systemd-journald.service", check=False)
    try:
        assert stage.box.show("ActiveState", "systemd-journald.service") == "inactive"
        gone_s = time.monotonic()
        _log(stage, 5)
        assert synth.struck(gone_s + 1.0)
        assert stage.box.main_pid() == pid
    finally:
        stage.box.run("systemctl", "start", *JOURNALD[:2], "systemd-journald.service")


def test_a_journald_that_hangs_does_not_hold_it_up(stage: Stage, synth: Player) -> None:
    pid = stage.box.main_pid()
    stage.box.kill(signal.SIGSTOP, "systemd-journald.service")
    try:
        hung_s = time.monotonic()
        _log(stage, 40)
        assert synth.struck(hung_s + WATCHDOG_S + 1.0)
        assert stage.box.main_pid() == pid
    finally:
        stage.box.kill(signal.SIGCONT, "systemd-journald.service")


def _log(stage: Stage, times: int) -> None:
    """Make the service log something."""
    stage.configure(BAD)
    for _ in range(times):
        stage.box.kill(signal.SIGHUP)
        time.sleep(0.05)


def test_panic_where_the_port_has_gone_is_a_sentence_and_no_failure(
    stage: Stage, synth: Player, figure: Figure
) -> None:
    stage.box.run("systemctl", "stop", SERVICE)
    stage.configure(KEYS.replace("synth in", "another in"))
    environment = ("env", *JACK_ENV)
    began_s = time.monotonic()
    said = stage.box.run(*environment, "SERVICE_RESULT=signal", "sh", "-c", "lefthand panic 2>&1")
    took_s = time.monotonic() - began_s
    figure(f"lefthand panic without its port: {took_s:.2f} s")
    assert '"another in"' in said and len(said.splitlines()) == 1
    assert stage.box.run(*environment, "sh", "-c", "lefthand panic 2>/dev/null || echo failed").strip() == "failed"
    in_time("panic without its port", took_s, SILENT_S)
