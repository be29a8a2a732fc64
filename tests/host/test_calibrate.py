"""`lefthand calibrate` on a JACK server, with instruments that sound after a known time."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rig import HERE, REPOSITORY, Bare, Process

from device.calibration import FILE

pytestmark = pytest.mark.quiet

SETTINGS = '[audio]\ninput = "{name}"\n[midi]\noutput = "{name}"\n'
TOLERANCE_MS = 5.0
UNSTEADY_MS = 2.0
"""A machine that lets even a real-time thread wait so long, once in a thousand times, loses sound before it is ours."""
SOFTWARE_MS = 100.0
"""No synthesiser on a server of 5 ms periods is as late as this."""


class UnsteadyError(Exception):
    """The machine loses so much sound that `calibrate` measures nothing, and says so."""


@pytest.fixture
def calibrate(jack: dict[str, str], tmp_path: Path) -> Callable[[str], tuple[int, str]]:
    def run(settings: str) -> tuple[int, str]:
        (tmp_path / "box.toml").write_text(settings)
        bare = Bare(jack)
        ran = subprocess.run(
            [sys.executable, "-m", "device.cli", "calibrate", "--config", str(tmp_path / "box.toml")],
            env={**jack, "STATE_DIRECTORY": str(tmp_path / "state"), "RUNTIME_DIRECTORY": str(tmp_path / "run")},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        late_ms = bare.late_ms()["p999"]
        if ran.returncode and "Sound was lost" in ran.stderr.splitlines()[-1]:
            assert late_ms > UNSTEADY_MS, ran.stderr
            raise UnsteadyError
        return ran.returncode, ran.stdout + ran.stderr

    return run


@pytest.mark.parametrize("delay_ms", [183])
def test_a_known_delay_is_measured_within_five_milliseconds(
    delay_ms: int,
    begin: Callable[..., Process],
    calibrate: Callable[[str], tuple[int, str]],
    tmp_path: Path,
) -> None:
    begin(str(HERE / "sounding.py"), f"piano{delay_ms}", str(delay_ms)).wait_for("ready")
    try:
        status, said = calibrate(SETTINGS.format(name=f"piano{delay_ms}"))
    except UnsteadyError:
        assert not (tmp_path / "state" / FILE).exists()
        return
    assert status == 0, said
    kept = json.loads((tmp_path / "state" / FILE).read_text())
    assert kept["round_trip_ms"] == pytest.approx(delay_ms, abs=TOLERANCE_MS)
    assert kept["leak_db"] > 20
    assert "a note is heard" in said


def test_a_silent_instrument_is_refused_and_nothing_is_kept(
    begin: Callable[..., Process], calibrate: Callable[[str], tuple[int, str]], tmp_path: Path
) -> None:
    begin(str(HERE / "sounding.py"), "late", "30000").wait_for("ready")
    status, said = calibrate(SETTINGS.format(name="late"))
    assert status == 2
    assert 'Nothing of the 12 notes came back through "late [JACK]"' in said
    assert not (tmp_path / "state" / FILE).exists()


@pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="fluidsynth is not installed")
def test_the_synthesiser_is_measured_by_itself(
    box: Callable[..., Process], calibrate: Callable[[str], tuple[int, str]], tmp_path: Path
) -> None:
    settings = (
        '[audio]\ninput = "lefthand-synth"\n[play]\nsound = "synth"\n'
        '[synth]\ndevice = "jack"\nsoundfont = "/usr/share/sounds/sf2/TimGM6mb.sf2"\n'
    )
    (tmp_path / "synth.toml").write_text(settings)
    synth = box("synth", "--config", str(tmp_path / "synth.toml"))
    synth.wait_for("the synthesiser plays")
    try:
        status, said = calibrate(settings)
    except UnsteadyError:
        assert not (tmp_path / "state" / FILE).exists()
        return
    finally:
        assert synth.end(signal.SIGTERM) == 0
    assert status == 0, said
    kept = json.loads((tmp_path / "state" / FILE).read_text())
    assert kept["round_trip_ms"] is None
    assert 0 <= kept["synth_round_trip_ms"] < SOFTWARE_MS
    assert kept["synth_leak_db"] > 20
    print(kept["synth_round_trip_ms"])
