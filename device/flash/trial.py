"""Watches the status of the restarted service to decide whether a new bundle plays."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from device.flash.box import Rules
from device.status.faults import Fault
from device.status.schema import FILE, STALE_S, Status, read_status

POLL_S = 0.02
"""Seconds between two looks at the status."""
TICK_S = 0.01
"""Resolution of a process's start time in /proc, in seconds."""
NOT_A_NUMBER: Fault = "not_a_number"
"""The fault that the service counts if its models return values that are not finite."""


@dataclass(frozen=True)
class Outcome:
    """Holds the result of a trial: whether the bundle plays, and why it passed or failed."""

    good: bool
    why: str
    gap_s: float | None = None
    """Seconds from the restart until the first hop or until waiting for ports. None if neither was reached."""


def now() -> float:
    """Return the seconds since boot. /proc gives the start times of processes on the same clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def started(pid: int) -> float | None:
    """Return the start time of a process in seconds since boot; None if the process is gone."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # proc(5): start time is field 22; field 2 is a name in brackets that may contain spaces and brackets
    return int(told.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")


def watch(run: Path, wanted: str, rules: Rules, began_s: float) -> Outcome:
    """Watch the service until it is clear whether it plays the bundle with the id `wanted`, and return the outcome.

    `run` is the folder of its status file. `began_s` is the time of the restart by `now`. The status of a process that
    started earlier is ignored. `rules` limit how long this takes.
    """
    watcher = _Watcher(wanted, rules, began_s)
    while True:
        report = watcher.see(read_status(run), _written(run), now())
        if report is not None:
            return report
        time.sleep(POLL_S)


def _written(run: Path) -> int:
    """Return the time of the last write of the status file in ns; -1 if there is no file.

    This time changes even if the content does not.
    """
    try:
        return (run / FILE).lstat().st_mtime_ns
    except OSError:
        return -1


class _Watcher:
    """Keeps the state of one trial. It follows the first new process that writes a status."""

    def __init__(self, wanted: str, rules: Rules, began_s: float) -> None:
        self._wanted, self._rules, self._began_s = wanted, rules, began_s
        self._pid: int | None = None
        self._gap_s: float | None = None
        self._waiting_since_s: float | None = None
        self._first_hop: int | None = None
        self._written = -1
        self._changed_s = began_s

    def see(self, status: Status | None, written: int, now_s: float) -> Outcome | None:
        """Judge the trial by `status`, written at `written` (ns) and read at `now_s`.

        Returns None until the outcome is known.
        """
        if status is None or (status.pid != self._pid and not self._is_new(status.pid)):
            return self._absent(now_s)
        if self._pid is None:
            self._pid = status.pid
            self._changed_s = now_s
        if status.pid != self._pid:
            return self._bad(f"it ended and was started again {now_s - self._began_s:.1f} s into its trial")
        if written != self._written:
            self._written, self._changed_s = written, now_s
        elif now_s - self._changed_s > STALE_S:
            end = "hangs" if status.alive else "ended"
            return self._bad(f"it {end}: no sign of life for {STALE_S:g} s")
        if not status.bundle.id:
            return self._late(now_s)
        if status.bundle.id != self._wanted:
            return self._bad(
                f"the service plays the bundle {status.bundle.id} in {status.bundle.path}: remove [play] bundle from "
                f"/etc/lefthand.toml, so that the slots are used"
            )
        if status.state == "playing":
            return self._playing(status, now_s)
        if status.state == "waiting":
            return self._waiting(status, now_s)
        return self._late(now_s)

    def _is_new(self, pid: int) -> bool:
        start_s = started(pid)
        return start_s is not None and start_s >= self._began_s - TICK_S

    def _playing(self, status: Status, now_s: float) -> Outcome | None:
        """Judge a service that plays. None as long as it has not played enough hops."""
        self._waiting_since_s = None
        if status.faults.get(NOT_A_NUMBER):
            return self._bad("its models give values that are not numbers")
        if not status.hop.count:
            return self._late(now_s)
        if self._gap_s is None:
            self._gap_s = now_s - self._began_s
        if self._first_hop is None:
            self._first_hop = status.hop.count
        played = status.hop.count - self._first_hop
        if played < self._rules.hops:
            return self._stuck(status, now_s)
        if status.hop.p99_ms > self._rules.slowest * status.hop.length_ms:
            return self._bad(
                f"it is too slow: 1 % of its hops took more than {status.hop.p99_ms:.1f} ms of "
                f"{status.hop.length_ms:.0f} ms, at most {self._rules.slowest:.0%} is allowed"
            )
        return Outcome(True, f"played {played} hops, 99 % within {status.hop.p99_ms:.1f} ms", self._gap_s)

    def _waiting(self, status: Status, now_s: float) -> Outcome | None:
        if self._waiting_since_s is None:
            self._waiting_since_s = now_s
        if self._gap_s is None:
            self._gap_s = now_s - self._began_s
        if now_s - self._waiting_since_s < self._rules.waiting_s:
            return None
        return Outcome(True, f"up for {self._rules.waiting_s:g} s, {status.message}", self._gap_s)

    def _stuck(self, status: Status, now_s: float) -> Outcome | None:
        """Return a failure if the service needs too long for the trial's hops, else None.

        The limit is `start_s` plus twice the real time of these hops.
        """
        length_s = max(status.hop.length_ms, 1.0) / 1e3
        if now_s - self._began_s > self._rules.start_s + 2 * self._rules.hops * length_s:
            return self._bad(f"it is too slow: {status.hop.count} hops in {now_s - self._began_s:.0f} s")
        return None

    def _absent(self, now_s: float) -> Outcome | None:
        # the status file was there and is gone: the service was stopped, or no longer writes it
        if self._pid is not None and now_s - self._changed_s > STALE_S:
            return self._bad(f"it ended {self._changed_s - self._began_s:.1f} s into its trial")
        return self._late(now_s)

    def _late(self, now_s: float) -> Outcome | None:
        if now_s - self._began_s <= self._rules.start_s:
            return None
        return self._bad(f"it did not begin to play within {self._rules.start_s:g} s")

    def _bad(self, why: str) -> Outcome:
        return Outcome(False, why, self._gap_s)
