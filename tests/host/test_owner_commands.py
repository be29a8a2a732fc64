"""`lefthand doctor` and `lefthand status` while a box runs on a JACK server, and while none runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rig import REPOSITORY, Ensemble, Instrument, Service, until

from device.status.schema import FILE

SETTINGS = '[audio]\ninput = "system"\n[midi]\noutput = "{output}"\n'
PLAYS_S = 60.0


@pytest.fixture
def ask(jack: dict[str, str], tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Runs `lefthand` beside the box of this test and returns its exit status and stdout."""
    env = {**jack, "STATE_DIRECTORY": str(tmp_path / "state"), "RUNTIME_DIRECTORY": str(tmp_path / "run")}

    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "device.cli", *arguments]
        ran = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert "Traceback" not in ran.stderr, ran.stderr
        return ran.returncode, ran.stdout + (ran.stderr if ran.returncode == 2 else "")

    return run


@pytest.fixture
def service(ensemble: Ensemble, tmp_path: Path) -> Service:
    ensemble.instrument("module")
    running = ensemble.service(SETTINGS.format(output="module in"), tmp_path)
    running.wait_until("playing", seconds=PLAYS_S)
    return running


def findings(said: str) -> dict[str, dict[str, Any]]:
    return {finding["name"]: finding for finding in json.loads(said)["findings"]}


def test_doctor_names_what_is_there_and_what_is_not(
    ask: Callable[..., tuple[int, str]], instrument: Callable[..., Instrument], tmp_path: Path
) -> None:
    instrument("piano one")
    instrument("piano two")
    settings = tmp_path / "lefthand.toml"
    settings.write_text(SETTINGS.format(output="piano"))
    status, said = ask("doctor", "--json", "--config", str(settings))
    found = findings(said)
    assert status == 1
    assert found["MIDI out"]["level"] == "broken"
    assert "piano one in" in found["MIDI out"]["text"] and "piano two in" in found["MIDI out"]["text"]
    assert found["sound"]["level"] == "good" and "system [JACK] at 48000 Hz" in found["sound"]["text"]
    assert found["runtime"]["level"] == found["bundle"]["level"] == "good"
    settings.write_text(SETTINGS.format(output="piano one in"))
    _, said = ask("doctor", "--json", "--config", str(settings))
    found = findings(said)
    assert found["MIDI out"]["level"] == "good"
    # the speed of a busy machine is not tested here
    assert "a hop of 16 ms takes" in found["speed"]["text"]


def test_doctor_and_status_tell_of_the_box_that_plays(service: Service, ask: Callable[..., tuple[int, str]]) -> None:
    # the status names the bundle before the first hop
    until(lambda: service.status.hop.count > 0, PLAYS_S, "a hop is heard")
    status, said = ask("status")
    assert status == 0
    assert "playing: listening to system [JACK]" in said and "system [JACK] at 48000 Hz" in said
    told = json.loads(ask("status", "--json")[1])
    assert told["pid"] == service.child.pid and told["alive"]
    assert told["hop"]["count"] > 0 and told["hop"]["length_ms"] == 16
    found = findings(ask("doctor", "--json", "--config", str(service.settings))[1])
    assert "in use by the running box" in found["sound"]["text"]
    assert found["service"]["level"] == "good" and "playing" in found["service"]["text"]
    status, said = ask("calibrate", "--config", str(service.settings))
    assert status == 2 and f"The box plays (process {service.child.pid})" in said
    # a killed box leaves its last status file; a real kill would hold up the JACK server
    left = (service.run_dir / FILE).read_bytes()
    assert service.end(signal.SIGTERM) == 0
    assert ask("status")[0] == 2
    (service.run_dir / FILE).write_bytes(left)
    status, said = ask("status", "--json")
    assert status == 1 and json.loads(said)["alive"] is False
    found = findings(ask("doctor", "--json", "--config", str(service.settings))[1])
    assert found["service"]["level"] == "broken" and "has ended" in found["service"]["text"]
