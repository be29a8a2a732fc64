"""The outcome of a trial for each status of the service."""

from __future__ import annotations

import pytest

import device.flash.trial
from device.flash.box import Rules
from device.flash.trial import Outcome, _Watcher
from device.status.schema import BundleStatus, HopStatus, State, Status

NEW, OLD = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
BEGAN_S = 100.0
STARTS = {1: 50.0, 2: 100.4, 3: 101.0}
"""Process 1 played before; 2 and 3 were started for the trial."""


@pytest.fixture(autouse=True)
def starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.flash.trial, "started", STARTS.get)


def told(
    hops: int = 0,
    state: State = "playing",
    pid: int = 2,
    bundle: str = NEW,
    p99_ms: float = 1.0,
    faults: dict[str, int] | None = None,
) -> Status:
    hop = HopStatus(hops, 0.5, p99_ms, 16.0)
    return Status(state, "waits for it", "", pid, "0", BundleStatus("/x", bundle), hop=hop, faults=faults or {})


def seen(
    *statuses: Status | None, every_s: float = 0.5, rules: Rules | None = None, silent: bool = False
) -> Outcome | None:
    """The trial's outcome after these statuses, or before the last. `silent`: the file is written only once."""
    watcher = _Watcher(NEW, rules or Rules(), BEGAN_S)
    for number, status in enumerate(statuses, 1):
        report = watcher.see(status, 0 if silent else number, BEGAN_S + number * every_s)
        if report is not None:
            return report
    return None


def test_enough_hops_in_time_are_good_and_the_pause_is_up_to_the_first() -> None:
    report = seen(told(pid=1, bundle=OLD), None, told(state="starting", bundle=""), told(1), told(100), told(252))
    assert report == Outcome(True, "played 251 hops, 99 % within 1.0 ms", 2.0)


def test_what_was_started_before_has_no_say() -> None:
    assert seen(*[told(1000 + i, pid=1, bundle=OLD) for i in range(50)]) is None


def test_waiting_for_ports_without_trouble_is_good() -> None:
    report = seen(*[told(state="waiting", hops=0)] * 6, rules=Rules(waiting_s=2))
    assert report is not None and report.good and report.why == "up for 2 s, waits for it"


@pytest.mark.parametrize(
    ("statuses", "why"),
    [
        ([told(1), told(5), told(1, pid=3)], "it ended and was started again"),
        (
            [told(state="starting", bundle=""), told(state="starting", bundle="", pid=3)],
            "it ended and was started again",
        ),
        ([told(1), *[None] * 9], "it ended 0.5 s into its trial"),
        ([None] * 200, "it did not begin to play within 60 s"),
        ([told(1), told(5, faults={"not_a_number": 1})], "not numbers"),
        ([told(1), told(300, p99_ms=8.1)], "1 % of its hops took more than 8.1 ms of 16 ms, at most 50%"),
        ([told(1, bundle=OLD)], "remove [play] bundle from /etc/lefthand.toml"),
    ],
)
def test_what_is_bad_is_said(statuses: list[Status | None], why: str) -> None:
    report = seen(*statuses)
    assert report is not None and not report.good and why in report.why


def test_a_service_that_writes_no_more_hangs_and_one_that_says_the_same_does_not() -> None:
    report = seen(*[told(5)] * 9, silent=True)
    assert report is not None and not report.good and "no sign of life for 3 s" in report.why
    assert seen(*[told(0, state="starting", bundle="")] * 100) is None


def test_a_service_that_crawls_comes_to_an_end_too() -> None:
    report = seen(*[told(1 + i) for i in range(200)])
    assert report is not None and "it is too slow" in report.why


def test_the_start_of_a_process_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.undo()
    begun = device.flash.trial.started(os.getpid())
    assert begun is not None and 0 < begun < device.flash.trial.now()
    assert device.flash.trial.started(2**22 + 1) is None
