"""The profiles of NetworkManager: which are written, and that a second run keeps the password."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.__main__ import main
from deploy.appliance import hotspot
from deploy.appliance.machine import Report, StepError


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A NetworkManager's folder, without a NetworkManager that runs."""
    folder = tmp_path / "NetworkManager" / "system-connections"
    folder.mkdir(parents=True)
    monkeypatch.setattr(hotspot, "PROFILES", folder)
    monkeypatch.setattr(hotspot, "CABLE", folder / hotspot.CABLE.name)
    monkeypatch.setattr(hotspot, "HOTSPOT", folder / hotspot.HOTSPOT.name)
    monkeypatch.setattr(hotspot, "succeeds", lambda *command: "is-enabled" in command)
    return folder


def read(path: Path) -> configparser.ConfigParser:
    profile = configparser.ConfigParser()
    profile.read_string(path.read_text())
    return profile


def test_without_a_name_only_the_cable_is_prepared(profiles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(dry=False)
    hotspot.settle(None, report)
    assert [path.name for path in profiles.iterdir()] == ["lefthand-cable.nmconnection"]
    assert hotspot.CABLE.stat().st_mode & 0o777 == 0o600
    again = Report(dry=False)
    hotspot.settle(None, again)
    assert len(report.changes) == 1 and again.changes == []
    assert "password" not in capsys.readouterr().out


def test_the_access_point_is_wpa2_with_a_password_that_stays(
    profiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hotspot.settle("Left hand", Report(dry=False))
    profile = read(hotspot.HOTSPOT)
    password = profile["wifi-security"]["psk"]
    assert profile["wifi"]["ssid"] == "Left hand" and profile["wifi-security"]["proto"] == "rsn"
    assert profile["connection"]["autoconnect"] == "false", "the unit opens it"
    assert re.fullmatch(rf"[{hotspot.ALPHABET}]{{12}}", password)
    again = Report(dry=False)
    hotspot.settle("Left hand", again)
    hotspot.settle("Other", Report(dry=False))
    assert again.changes == []
    assert read(hotspot.HOTSPOT)["wifi-security"]["psk"] == password
    assert capsys.readouterr().out.count(password) == 3


def test_a_dry_run_writes_nothing(profiles: Path) -> None:
    report = Report(dry=True)
    hotspot.settle("Left hand", report)
    assert len(report.changes) == 2 and list(profiles.iterdir()) == []


def test_removing_takes_both(profiles: Path) -> None:
    hotspot.settle("Left hand", Report(dry=False))
    hotspot.remove(Report(dry=False))
    assert list(profiles.iterdir()) == []


def test_without_network_manager_an_access_point_is_refused(profiles: Path) -> None:
    profiles.rmdir()
    profiles.parent.rmdir()
    hotspot.settle(None, Report(dry=False))
    with pytest.raises(StepError, match="no NetworkManager here"):
        hotspot.settle("Left hand", Report(dry=False))


@pytest.mark.parametrize("name", ["", "x", "a" * 33, "line\nbreak", "semi;colon", "Öl", " space"])
def test_a_name_that_not_every_phone_shows_is_refused(name: str) -> None:
    ran = CliRunner().invoke(main, ["provision", "--host", "nowhere.invalid", "--hotspot", name])
    assert ran.exit_code == 2 and "name of the access point" in ran.output
