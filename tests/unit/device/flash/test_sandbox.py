"""The sandbox of the self-test is at least as tight as the service's, and what systemd tells is understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.errors import BundleError, ConfigError
from device.flash import sandbox
from device.flash.box import read_rules
from device.flash.preflight import REFUSED, Ran, preflight
from device.flash.sandbox import SANDBOX, in_sandbox, judged, self_test

UNIT = Path(__file__).parents[4] / "deploy" / "units" / "lefthand.service"
RESTRICTS = (
    "Private",
    "Protect",
    "Restrict",
    "NoNew",
    "Capability",
    "Ambient",
    "Keyring",
    "Lock",
    "MemoryDeny",
    "IPAdd",
)
SYSTEMD_252 = "Running as unit: run-u7.service\nFinished with result: {}\nMain processes terminated with: code={}\n"


def test_what_the_service_may_not_do_the_self_test_may_not_do_either() -> None:
    lines = [
        line for line in UNIT.read_text().splitlines() if line.startswith((*RESTRICTS, "SystemCall", "DevicePolicy"))
    ]
    assert len(lines) > 20
    tighter = {"SystemCallFilter=sched_setscheduler sched_setattr sched_setparam"}
    missing = [line for line in lines if line not in SANDBOX and not any(line.startswith(one) for one in tighter)]
    assert missing == []
    assert "SystemCallFilter=~@network-io" in SANDBOX and "DynamicUser=yes" in SANDBOX
    assert not [line for line in SANDBOX if line.startswith("DeviceAllow")]


def test_the_time_is_limited_by_systemd() -> None:
    command = in_sandbox("python", "x.py", limit_s=60.0)
    assert "--property=RuntimeMaxSec=60" in command and command[-3:] == ["--", "python", "x.py"]


@pytest.mark.parametrize(
    ("code", "result", "ended", "wanted"),
    [
        (0, "success", "exited/status=0", Ran(0, "exit status 0", "x")),
        (3, "exit-code", "exited/status=3", Ran(3, "exit status 3", "x")),
        (255, "signal", "killed/status=SEGV", Ran(255, "SIGSEGV", "x")),
        (255, "core-dump", "dumped, status=6/ABRT", Ran(255, "SIGABRT", "x")),
        (255, "timeout", "killed/status=TERM", Ran(None, "", "x")),
    ],
)
def test_the_end_of_the_test_is_read_from_what_systemd_tells(code: int, result: str, ended: str, wanted: Ran) -> None:
    assert judged(code, SYSTEMD_252.format(result, ended), "x") == wanted


def test_without_a_sandbox_no_bundle_is_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refused = judged(1, "Failed to start transient service unit: Access denied\n", "all is well\n")
    assert refused.code == 1 and refused.said == "" and "Access denied" in refused.how
    monkeypatch.setattr(sandbox, "SYSTEMD_RUN", str(tmp_path / "nothing"))
    with pytest.raises(BundleError, match="crashed .*nothing cannot be run, No such file"):
        preflight(tmp_path, run=self_test)


@pytest.mark.parametrize("folder", ["relative", "/var/lib/a b", "/x; true", "--property=User=root", "/$HOME", "/a\nb"])
def test_only_a_plain_path_reaches_systemd(folder: str) -> None:
    assert self_test(folder, 1.0, 1.0).said.endswith("is not a folder of a bundle")


def test_a_refusal_of_the_test_is_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="^too slow$"):
        preflight(tmp_path, run=lambda *_: Ran(REFUSED, "exit status 3", "one line\ntoo slow\n"))
    with pytest.raises(BundleError, match="did not finish within 5 s"):
        preflight(tmp_path, limit_s=5, run=lambda *_: Ran(None, "", ""))
    assert preflight(tmp_path, run=lambda *_: Ran(0, "", "good\x1b[2J\n")) == ["good?[2J"]


def test_deep_rules_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "flash.toml").write_text("hops = " + "[" * 100_000)
    with pytest.raises(ConfigError, match="nested too deeply: give one number for each key"):
        read_rules(tmp_path / "flash.toml")
