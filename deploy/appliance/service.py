"""Controls the service with systemctl."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .machine import Report, run, succeeds
from .places import UNIT

POLL_S = 0.5
"""Seconds between two queries of the service's state."""
HOLD_S = 3.0
"""Seconds for which one process of the service must stay ready before the start counts as a success."""
CRASHES = 4
"""The start counts as failed after this number of restarts without READY."""
LAST_WORDS = 4
"""Number of the service's log lines that an error message quotes."""


def reload_units() -> None:
    """Make systemd and udev read their configuration files again."""
    run("systemctl", "daemon-reload")
    if succeeds("udevadm", "control", "--ping"):
        run("udevadm", "control", "--reload")


def enable(units: Sequence[str], report: Report) -> None:
    """Make systemd start the units at boot. `report` prints each change. Raises StepError if systemctl fails."""
    for unit in units:
        if not succeeds("systemctl", "is-enabled", "--quiet", unit) and report.change(f"enable {unit}"):
            run("systemctl", "enable", "--quiet", unit)


def disable(units: Sequence[str], report: Report) -> None:
    """Stop those of `units` that are installed, and do not start them at boot.

    `report` prints each change. Raises StepError if systemctl fails.
    """
    for unit in units:
        if succeeds("systemctl", "cat", unit) and report.change(f"stop and disable {unit}"):
            run("systemctl", "disable", "--quiet", "--now", unit)
            succeeds("systemctl", "reset-failed", unit)


def refresh(units: Sequence[str], report: Report) -> None:
    """Restart those of `units` that are no services (sockets and paths), so that they use their present files.

    A service whose socket is restarted is stopped first. Raises StepError if systemctl fails.
    """
    waiting = [unit for unit in units if not unit.endswith(".service")]
    if not waiting or not report.change(f"start {', '.join(waiting)}"):
        return
    # a socket cannot be opened again while its service runs
    for unit in waiting:
        if unit.endswith(".socket"):
            succeeds("systemctl", "stop", unit.replace(".socket", ".service"))
    run("systemctl", "restart", *waiting)


def is_ready() -> bool:
    """Return True if the service has reported READY and runs."""
    return _show()["ActiveState"] == "active"


def restarted(limit_s: float) -> str:
    """Restart the service and wait up to `limit_s` seconds for READY.

    Returns "" on success, else the reason of the failure.
    """
    before = _show()["InvocationID"]
    succeeds("systemctl", "reset-failed", UNIT)
    run("systemctl", "restart", "--no-block", UNIT)
    end_s = time.monotonic() + limit_s
    ready: tuple[str, float] | None = None
    crashes = None
    while time.monotonic() < end_s:
        now = _show()
        crashes = min(crashes, int(now["NRestarts"])) if crashes is not None else int(now["NRestarts"])
        if now["InvocationID"] == before:
            pass
        elif now["ActiveState"] == "active":
            if ready is None or ready[0] != now["MainPID"]:
                ready = (now["MainPID"], time.monotonic())
            elif time.monotonic() - ready[1] >= HOLD_S:
                return ""
        elif now["ActiveState"] == "failed":
            return f"it ended ({now['Result']}, exit status {now['ExecMainStatus']}){last_words()}"
        else:
            ready = None
        if int(now["NRestarts"]) - crashes >= CRASHES:
            return f"it keeps ending (exit status {now['ExecMainStatus']}){last_words()}"
        time.sleep(POLL_S)
    return f"it reported no READY within {limit_s:.0f} s{last_words()}"


def last_words() -> str:
    """Return the last lines that the service itself logged, as the end of an error message.

    systemd's lines about the service are left out. Returns "" if the service logged nothing.
    """
    said = run("journalctl", f"_SYSTEMD_UNIT={UNIT}", "--no-pager", "--quiet", "--output=cat", f"--lines={LAST_WORDS}")
    return "; its last words:\n" + "\n".join(f"    {line}" for line in said.splitlines()) if said.strip() else ""


def _show() -> dict[str, str]:
    names = "ActiveState,MainPID,InvocationID,NRestarts,Result,ExecMainStatus"
    said = run("systemctl", "show", f"--property={names}", UNIT)
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
