"""Reactions of systemd and the box's threads to a hanging loop, a slowed processor and a dead synthesiser."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import pytest
from stage import KEYS, LISTENS_S, SERVICE, Player, Stage
from systemd_box import HERE, PATIENCE_S, Box, until

from tests.pace import in_time

SILENT_S = 1.0
WATCHDOG_S = 3.0
BACK_S = 3.0
HANGING = "/opt/hanging"
HANG = "/run/lefthand/hang"
SYNTH = "lefthand-synth.service"
BOTH = KEYS + '[play]\nsound = "both"\n[synth]\ndevice = "jack"\nsoundfont = "/usr/share/sounds/sf2/TimGM6mb.sf2"\n'
SLOW_S = 5.0
STOPPED_S, RUNNING_S = 0.030, 0.005
"""Slows the processor to a seventh of its speed. JACK drops a client that is stopped for 50 ms."""

Figure = Callable[[str], None]


@pytest.fixture(scope="module")
def synth(stage: Stage) -> Player:
    return stage.instrument()


@pytest.fixture
def hanging(stage: Stage) -> Iterator[None]:
    """Install hang.py, so that a test can make the service's engine hang."""
    stage.box.write(f"{HANGING}/sitecustomize.py", (HERE / "hang.py").read_bytes())
    stage.drop_in("hanging", f"[Service]\nEnvironment=PYTHONPATH={HANGING}\n")
    yield
    stage.drop_in("hanging", "")


def test_an_engine_that_hangs_is_silenced_at_once_and_restarted(
    stage: Stage, synth: Player, hanging: None, figure: Figure
) -> None:
    stage.start()
    stage.state("playing")
    held, pid = synth.held(), stage.box.main_pid()
    hung_s = time.monotonic()
    stage.box.write(HANG, "")
    silent_s = synth.silent(hung_s) - hung_s
    until("the stall is told", lambda: stage.status().get("faults", {}).get("stalls"))
    until("the watchdog ends it", lambda: stage.box.main_pid() != pid, 2 * PATIENCE_S)
    # the run directory may have been removed together with the service
    stage.box.path(HANG).unlink(missing_ok=True)
    back_s = stage.back(pid) - hung_s
    note_s = synth.struck(hung_s + silent_s) - hung_s
    figure(
        f"engine hung with {len(held)} notes held: silent after {silent_s:.2f} s, back after {back_s:.2f} s, "
        f"the first note after {note_s:.2f} s"
    )
    assert any("Watchdog timeout" in message for message in stage.box.messages())
    assert silent_s < back_s, "the watchdog silenced it, not the box itself"
    in_time("to silence", silent_s, SILENT_S)
    in_time("to playing again", back_s, WATCHDOG_S + BACK_S)
    in_time("to the next note", note_s, WATCHDOG_S + BACK_S + LISTENS_S)


def throttle(box: Box, seconds: float) -> float:
    """Let the service run only part of the time, as on a processor that is too hot. Return the longest stop in seconds.

    A busy machine may stop the test itself meanwhile.
    """
    end_s, longest_s = time.monotonic() + seconds, 0.0
    while time.monotonic() < end_s:
        stopped_s = box.kill(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        longest_s = max(longest_s, box.kill(signal.SIGCONT) - stopped_s)
        time.sleep(RUNNING_S)
    return longest_s


def test_a_processor_at_a_seventh_of_its_speed_is_told_and_no_note_hangs(
    stage: Stage, synth: Player, figure: Figure
) -> None:
    stage.start()
    stage.state("playing")
    synth.held()
    pid = stage.box.main_pid()
    longest_s = throttle(stage.box, SLOW_S)
    fast_s = time.monotonic()
    late = stage.state("playing")
    back_s = synth.struck(fast_s) - fast_s
    late_ms = late["send_p99_ms"] or 0.0
    figure(
        f"a seventh of the processor for {SLOW_S:g} s: messages up to {late_ms:.0f} ms late (99 in 100), "
        f"faults {late['faults']}, the next note after {back_s:.2f} s"
    )
    assert stage.box.main_pid() == pid or longest_s > WATCHDOG_S - 1.0, "the watchdog has ended it"
    in_time("to playing again", back_s, LISTENS_S)
    stopped_s = time.monotonic()
    stage.box.run("systemctl", "stop", SERVICE)
    in_time("to silence", synth.silent(stopped_s) - stopped_s, SILENT_S)


@pytest.fixture
def synthesiser(stage: Stage, synth: Player) -> Iterator[None]:
    """Let the synthesiser's unit play the left hand too."""
    stage.drop_in("jack", (HERE / "jack.conf").read_text(), unit=SYNTH)
    stage.configure(BOTH)
    stage.box.run("systemctl", "enable", "--quiet", SYNTH)
    stage.start()
    yield
    stage.box.run("systemctl", "disable", "--now", "--quiet", SYNTH)
    stage.configure(KEYS)


def test_a_synthesiser_that_is_killed_is_there_again_and_the_box_plays_on(
    stage: Stage, synth: Player, synthesiser: None, figure: Figure
) -> None:
    def joined() -> int:
        return sum("is joined to" in message for message in stage.box.messages(SYNTH))

    until("the synthesiser is joined to the box", joined)
    # the box listens for a bar and a beat after its start, so it may still be silent when the synthesiser is joined
    synth.held()
    pid = stage.box.main_pid()
    before = joined()
    killed_s = stage.box.kill(signal.SIGKILL, SYNTH)
    until("it is joined again", lambda: joined() > before)
    figure(f"synthesiser killed: joined to the box again after {time.monotonic() - killed_s:.2f} s")
    in_time("to the next note", synth.struck(killed_s) - killed_s, LISTENS_S)
    assert stage.box.main_pid() == pid
    assert stage.status()["state"] == "playing"
