"""The shipped unit is hardened, accepted by systemd, and quickly ready."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable

import pytest
from stage import KEYS, UNIT, UNITS, Player, Stage
from systemd_box import HERE, until

from tests.pace import in_time

READY_S = 2.0
BACK_S = 3.0
EXPOSURE = 1.5


@pytest.fixture(scope="module")
def stage(set_stage: Callable[..., Stage]) -> Stage:
    return set_stage()


@pytest.fixture(scope="module")
def synth(stage: Stage) -> Player:
    """Start JACK, a keyboard that plays without end, and the left hand's instrument."""
    stage.jack()
    return stage.instrument()


@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.glob("*.service")))
def test_systemd_knows_every_key_and_is_content_with_the_hardening(
    stage: Stage, unit: str, figure: Callable[[str], None]
) -> None:
    shipped = f"/tmp/{unit.replace('@', '@reboot')}"
    stage.box.write(shipped, (UNITS / unit).read_bytes())
    # a service that is started by a socket names it
    stage.box.run("sh", "-c", f"cp {UNIT}/lefthand-page.socket /tmp")
    assert stage.box.run("sh", "-c", f"systemd-analyze verify --man=no {shipped} 2>&1") == ""
    security = (
        "systemd-analyze",
        "security",
        "--offline=yes",
        f"--threshold={EXPOSURE * 10:.0f}",
        "--no-pager",
        shipped,
    )
    *_, overall = stage.box.run(*security).strip().splitlines()
    figure(overall.strip("→ "))


def test_nothing_is_there_yet_it_is_ready_and_says_what_it_waits_for(
    stage: Stage, figure: Callable[[str], None]
) -> None:
    took_s = stage.start()
    status = stage.state("waiting")
    assert '"keys out"' in status["message"] and "not connected" in status["message"]
    until("systemctl says it too", lambda: stage.box.show("StatusText") == status["message"])
    figure(f"start with nothing connected, to READY: {took_s:.2f} s")
    in_time("start to READY", took_s, READY_S)


def test_it_begins_when_everything_is_there(stage: Stage, synth: Player, figure: Callable[[str], None]) -> None:
    there_s = time.monotonic()
    stage.state("playing")
    waited_s = time.monotonic() - there_s
    figure(f"from waiting to playing, after the last port came: {waited_s:.2f} s")
    in_time("from waiting to playing", waited_s, BACK_S)
    assert synth.held()


def test_cold_start_to_ready(stage: Stage, synth: Player, figure: Callable[[str], None]) -> None:
    took_s = sorted(stage.start() for _ in range(3))
    figure(f"cold start to READY, of three: {', '.join(f'{s:.2f}' for s in took_s)} s")
    in_time("cold start to READY", took_s[0], READY_S)
    stage.state("playing")


def test_one_process_of_the_service_s_own_user_without_any_capability(stage: Stage, synth: Player) -> None:
    pid = stage.box.main_pid()
    assert stage.box.run("ps", "-o", "user=", "-p", str(pid)).strip() == "lefthand"
    told = dict(
        line.split(":\t", 1) for line in stage.box.run("cat", f"/proc/{pid}/status").splitlines() if ":\t" in line
    )
    assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 0
    assert told["NoNewPrivs"] == "1" and told["Seccomp"] == "2"
    tasks = (stage.box.cgroup / "system.slice" / "lefthand.service" / "cgroup.procs").read_text().split()
    assert len(tasks) == 1


def test_its_largest_memory_is_far_below_the_limit(stage: Stage, synth: Player, figure: Callable[[str], None]) -> None:
    synth.held()
    told = stage.box.run("cat", f"/proc/{stage.box.main_pid()}/status")
    largest_mb = int(told.split("VmHWM:")[1].split()[0]) / 1024
    limit_mb = int(stage.box.show("MemoryMax")) / 2**20
    figure(f"largest memory of the service: {largest_mb:.0f} MB of {limit_mb:.0f} MB")
    assert largest_mb <= limit_mb / 2


def test_folders_are_as_systemd_gives_them(stage: Stage, synth: Player) -> None:
    for folder in ("/var/lib/lefthand", "/run/lefthand"):
        assert stage.box.run("stat", "--format=%U:%G %a", folder).strip() == "lefthand:lefthand 755"
    assert stage.box.path("/run/lefthand/status.json").stat().st_mode & stat.S_IROTH


def test_the_journal_has_a_line_for_each_change_of_state_with_fields(stage: Stage, synth: Player) -> None:
    stage.start()
    stage.state("playing")
    synth.held()
    ours = [entry for entry in stage.box.journal() if entry.get("_PID") == str(stage.box.main_pid())]
    states = [entry["LEFTHAND_STATE"] for entry in ours if "LEFTHAND_STATE" in entry]
    assert states[-1] == "playing"
    assert any(entry["MESSAGE"].startswith("listening to keys out") and entry["PRIORITY"] == "6" for entry in ours)
    assert all(first != second for first, second in zip(states, states[1:], strict=False))
    assert len(ours) < 12, [entry["MESSAGE"] for entry in ours]


def test_in_real_time_where_it_is_permitted(stage: Stage, synth: Player) -> None:
    stage.drop_in("realtime", (HERE / "realtime.conf").read_text())
    stage.start()
    stage.state("playing")
    synth.held()
    scheduled = [line.split() for line in _threads(stage)]
    assert ["FF", "50"] in scheduled
    # the thread for signals and the threads that write files do not run with real-time priority
    assert ["TS", "-"] in scheduled


def test_without_that_permission_it_plays_and_says_so(stage: Stage, synth: Player) -> None:
    stage.drop_in("realtime", "[Service]\nLimitRTPRIO=0\n")
    stage.start()
    stage.state("playing")
    after_s = time.monotonic()
    synth.struck(after_s)
    assert all(line.split() == ["TS", "-"] for line in _threads(stage))
    assert any("no real-time priority is permitted" in message for message in stage.box.messages())


def _threads(stage: Stage) -> list[str]:
    pid = stage.box.main_pid()
    return stage.box.run("ps", "-L", "-o", "cls=,rtprio=", "-p", str(pid)).strip().splitlines()


def test_it_works_on_a_read_only_root_with_a_var_lib_that_can_be_written(stage: Stage, synth: Player) -> None:
    box = stage.box
    stage.configure(KEYS)
    box.run("mount", "-t", "tmpfs", "tmpfs", "/var/lib")
    box.run("mount", "-o", "remount,bind,ro", "/")
    try:
        assert box.run("sh", "-c", "touch /etc/x 2>/dev/null || echo refused").strip() == "refused"
        stage.start()
        stage.state("playing")
        assert synth.struck(time.monotonic())
        box.run("runuser", "-u", "lefthand", "--", "touch", "/var/lib/lefthand/kept")
    finally:
        box.run("mount", "-o", "remount,bind,rw", "/")


def test_the_rule_for_usb_sound_is_one_that_udev_reads(stage: Stage) -> None:
    stage.box.write("/etc/udev/rules.d/70-lefthand.rules", (UNITS / "70-lefthand.rules").read_bytes())
    told = stage.box.run("sh", "-c", "udevadm test /sys/devices/virtual/mem/null 2>&1")
    about = [line for line in told.splitlines() if "70-lefthand" in line]
    assert about and not [line for line in about if "Reading rules file" not in line], about
