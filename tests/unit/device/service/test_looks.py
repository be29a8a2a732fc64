"""The ports and the findings for the owner: the processes that look, and what happens when they fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from device.errors import UserError
from device.service import looks as looks_module
from device.service.looks import Looks, PortWatch
from tests.unit.helpers.patience import patiently

PRINTS = """
import json, sys, time
number = 0
while True:
    number += 1
    print(json.dumps({"sound_inputs": [{"name": f"{number} {'--open' in sys.argv}"}]}), flush=True)
    time.sleep(0.05)
"""


def watch(code: str = PRINTS) -> PortWatch:
    return PortWatch((sys.executable, "-c", code))


def test_the_list_is_renewed_by_one_process_while_somebody_asks() -> None:
    ports = watch()
    try:
        first = ports.ports(opens=True)["sound_inputs"][0]["name"]
        assert first.endswith("True")
        child = ports._child
        patiently(lambda: ports.ports(opens=True)["sound_inputs"][0]["name"] != first)
        assert ports._child is child
    finally:
        ports.close()


def test_when_the_box_begins_to_play_the_inputs_are_closed_at_once() -> None:
    ports = watch()
    try:
        ports.ports(opens=True)
        child = ports._child
        assert child is not None
        assert ports.ports(opens=False)["sound_inputs"][0]["name"].endswith("False")
        assert child.poll() is not None
    finally:
        ports.close()


def test_the_process_ends_when_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_module, "LEAVE_S", 0.2)
    ports = watch()
    ports.ports(opens=False)
    child = ports._child
    assert child is not None
    patiently(lambda: ports._child is None and child.poll() is not None)


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "print('no list'); raise SystemExit"])
def test_a_process_that_fails_is_a_sentence(code: str) -> None:
    ports = watch(code)
    with pytest.raises(UserError, match="lefthand devices"):
        ports.ports(opens=False)


def test_a_process_that_hangs_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_module, "FIRST_S", 0.2)
    ports = watch("import time; time.sleep(600)")
    with pytest.raises(UserError, match="lefthand devices"):
        ports.ports(opens=False)
    ports.close()


def test_the_ports_of_a_demo_are_added(tmp_path: Path) -> None:
    looks = Looks(tmp_path / "lefthand.toml", lambda: False, {"sound_inputs": [{"name": "tape"}]})
    looks._watch = watch()
    assert looks.at("ports")["sound_inputs"][1] == {"name": "tape"}
    looks.close()


def test_the_doctor_has_findings_also_for_settings_that_cannot_be_used(tmp_path: Path) -> None:
    settings = tmp_path / "lefthand.toml"
    settings.write_text("[midi]\nchannel = 17\n")
    found = Looks(settings, lambda: False).at("doctor")["findings"]
    assert found[0]["level"] == "broken" and "from 1 to 16" in found[0]["text"]


def test_a_doctor_that_hangs_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_module, "DOCTOR_S", 0.01)
    with pytest.raises(UserError, match="lefthand doctor"):
        Looks(tmp_path / "lefthand.toml", lambda: False).at("doctor")
