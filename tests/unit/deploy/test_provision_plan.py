"""Tests of the files that provisioning installs, and of the files of the owner, which it must keep."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from deploy import payload
from deploy.appliance import files
from deploy.appliance.machine import Report, StepError, link, write
from deploy.target import Target
from deploy.wheels import Wheel
from device.settings.config import parse_config

TARGET = Target("aarch64", (3, 11), (2, 36))


@pytest.fixture
def wheels(tmp_path: Path) -> list[Wheel]:
    path = tmp_path / "lefthand-0.1.0-py3-none-any.whl"
    path.write_bytes(b"a wheel")
    return [Wheel.of(path)]


def test_every_file_of_the_tables_is_in_the_checkout_and_goes_to_a_place_of_its_own() -> None:
    brought = [*payload.WITH_THE_SOFTWARE, *payload.THE_OWNERS]
    assert all((payload.ROOT / file.source).is_file() for file in brought)
    assert len({file.target for file in brought}) == len({file.name for file in brought}) == len(brought)


def test_every_unit_of_the_checkout_is_brought() -> None:
    units = {path.name for path in (payload.ROOT / "deploy" / "units").iterdir()}
    assert units <= {file.name for file in payload.WITH_THE_SOFTWARE}
    assert set(payload.UNITS) <= units


def test_the_settings_that_a_fresh_pi_gets_can_be_read() -> None:
    (settings,) = payload.THE_OWNERS
    assert parse_config((payload.ROOT / settings.source).read_text(), settings.source).midi.output


def test_a_release_is_named_by_all_that_it_is_made_of(wheels: list[Wheel], monkeypatch: pytest.MonkeyPatch) -> None:
    name = payload.release(wheels, TARGET)
    assert payload.release(wheels, TARGET) == name
    assert payload.release([Wheel(wheels[0].path, "0" * 64)], TARGET) != name
    assert payload.release(wheels, Target("aarch64", (3, 13), (2, 41))) != name
    monkeypatch.setattr(payload, "WITH_THE_SOFTWARE", payload.WITH_THE_SOFTWARE[:-1])
    assert payload.release(wheels, TARGET) != name


ASKED = [Requirement(text) for text in ("numpy>=1.26,<2", "mido>=1.3", "pyaudio>=0.2.14", "systemd-python>=235")]


def test_debian_s_packages_are_taken_where_they_are_new_enough() -> None:
    chosen, target = payload.packages(ASKED, replace(TARGET, distributions={"pillow": "11"}))
    assert chosen[:3] == ["python3-venv", "python3-pyaudio", "python3-systemd"]
    assert chosen[3:] == ["fluidsynth", "timgm6mb-soundfont", "alsa-utils"]
    assert target.distributions == {"pyaudio": "0.2.13", "systemd-python": "235"}


def test_debian_13_has_more_that_is_new_enough() -> None:
    asked = [Requirement("numpy>=2"), *ASKED[1:]]
    chosen, target = payload.packages(asked, Target("aarch64", (3, 13), (2, 41)))
    assert {"python3-numpy", "python3-mido"} <= set(chosen)
    assert target.distributions["numpy"] == "2.2.4"


def test_what_is_installed_there_counts_as_it_is() -> None:
    chosen, _ = payload.packages(ASKED, replace(TARGET, distributions={"mido": "1.3.2", "numpy": "1.26.4"}))
    assert {"python3-numpy", "python3-mido"} <= set(chosen)


def test_a_package_that_does_not_know_its_version_is_the_one_of_the_table() -> None:
    asked, bare = [Requirement("mido>=1.3")], Target("aarch64", (3, 13), (2, 41))
    # importlib.metadata reads version 0.0.0 from Trixie's python3-mido
    assert payload.packages(asked, replace(bare, distributions={"mido": "0.0.0"})) == payload.packages(asked, bare)


def test_what_is_sent_runs_by_itself_with_the_standard_library(tmp_path: Path) -> None:
    for name, source in payload.scripts({}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(source if isinstance(source, bytes) else source.read_bytes())
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, '.'); import appliance.__main__"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


# The owner's files


def plan_for(folder: Path, *, mode: str = "644") -> dict[str, Any]:
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "settings").write_text("as shipped")
    return {
        "first": [{"source": "settings", "target": str(folder / "etc" / "settings"), "mode": mode, "check": None}],
        "lines": [{"target": str(folder / "etc" / "keys"), "mode": "644", "line": "mine", "what": "a key"}],
    }


def test_settings_are_written_once_and_then_the_owner_s(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, mode="640")
    files.settle_owners(plan, tmp_path, Report(dry=False))
    settings = tmp_path / "etc" / "settings"
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    settings.write_text("as I like it")
    again = Report(dry=False)
    files.settle_owners(plan, tmp_path, again)
    assert settings.read_text() == "as I like it"
    assert again.changes == []


@pytest.mark.parametrize("there", ["", "another's\n", "another's, without an end of line"])
def test_a_key_is_added_to_those_of_other_workstations(tmp_path: Path, there: str) -> None:
    plan = plan_for(tmp_path)
    keys = tmp_path / "etc" / "keys"
    write(keys, there.encode())
    for _ in range(2):
        files.settle_owners(plan, tmp_path, Report(dry=False))
    assert keys.read_text().splitlines() == [*there.splitlines(), "mine"]


def test_a_dry_run_says_what_it_would_do_and_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(dry=True)
    files.settle_owners(plan_for(tmp_path), tmp_path, report)
    assert not (tmp_path / "etc").exists()
    assert len(report.changes) == 2
    assert "would write" in capsys.readouterr().out


def test_a_file_that_its_check_refuses_is_not_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "sudoers"
    write(target, b"the good one", 0o440)
    one = {"source": "sudoers", "target": str(target), "mode": "440", "check": "false"}
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "sudoers").write_text("the bad one")
    (tmp_path / "plan.json").write_text(json.dumps({"files": [one]}))
    monkeypatch.setattr(files, "SOFTWARE", tmp_path / "opt")
    monkeypatch.setattr(files, "CHECKED_IN", tmp_path)
    with pytest.raises(StepError, match="false"):
        files.install("0.1.0", tmp_path, Report(dry=False))
    assert target.read_bytes() == b"the good one"
    assert {path.name for path in tmp_path.iterdir()} == {"sudoers", "files", "plan.json"}


def test_a_link_is_switched_in_one_step(tmp_path: Path) -> None:
    link(tmp_path / "current", "old")
    link(tmp_path / "current", "new")
    assert (tmp_path / "current").readlink() == Path("new")
    assert [path.name for path in tmp_path.iterdir()] == ["current"]
