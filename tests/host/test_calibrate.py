"""`lefthand calibrate` on a JACK server, with instruments that sound after a known time."""

from __future__ import annotations

import json
import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soxr
from jackserver import PERIOD, RATE
from rig import HERE, REPOSITORY, THREADS, Bare, Process
from scenes import DISTURBED
from sounding import HIGHEST, LOWEST, NOISE, tone

from device.assemble import hearing_of
from device.bundles.bundle import Bundle, default_bundle
from device.calibration.latency import FILE
from device.events import NoteHeard
from tests.pace import TIMED, in_time

pytestmark = pytest.mark.quiet

SETTINGS = '[audio]\ninput = "{name}"\n[midi]\noutput = "{name}"\n'
TOLERANCE_MS = 8.0
"""Half a hop. The mean of a dozen notes removes most of the hop's error, but not that of the server's 5 ms periods."""
PATH_MS = 1e3 * PERIOD / RATE
"""The server passes a message on in its next period. The round trip includes this delay."""
UNSTEADY_MS = 2.0
"""If a real-time thread is late by more than this once in a thousand times, the machine itself loses sound."""
ROUGH_MS = 60.0
"""Largest error of a measurement beside other work. TOLERANCE_MS is for a quiet machine: see `make timed`."""
TRIES = 3
"""Most calibrations, of which one must not be disturbed by other work."""
SOFTWARE_MS = 100.0
"""Upper limit for the delay of a synthesiser on a server with 5 ms periods."""


Calibrate = Callable[[str], tuple[int, str, float]]
"""Settings → exit status, output, and the milliseconds by which threads of this machine may be late."""


@pytest.fixture
def calibrate(jack: dict[str, str], tmp_path: Path) -> Calibrate:
    """Runs `lefthand calibrate`. The test is skipped if this machine disturbs each of several tries."""

    def run(settings: str) -> tuple[int, str, float]:
        (tmp_path / "box.toml").write_text(settings)
        said, late_ms = "", []
        for _ in range(TRIES):
            status, said, late = once()
            if not (status and any(words in said.splitlines()[-1] for words in DISTURBED)):
                return status, said, THREADS * late["p99"]
            assert not (tmp_path / "state" / FILE).exists()
            late_ms.append(late["p999"])
        assert min(late_ms) > UNSTEADY_MS, said
        pytest.skip(f"this machine lets a real-time thread wait {min(late_ms):.1f} ms: {said.splitlines()[-1]}")

    def once() -> tuple[int, str, dict[str, float]]:
        bare = Bare(jack)
        ran = subprocess.run(
            [sys.executable, "-m", "device.cli", "calibrate", "--config", str(tmp_path / "box.toml")],
            env={**jack, "STATE_DIRECTORY": str(tmp_path / "state"), "RUNTIME_DIRECTORY": str(tmp_path / "run")},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        return ran.returncode, ran.stdout + ran.stderr, bare.late_ms()

    return run


@pytest.fixture(scope="module")
def habit_ms() -> float:
    """Return the milliseconds by which the hearing dates a note too late if it gets the sound without a server."""
    hearing = hearing_of(Bundle.open(default_bundle()))
    spec, pitches = hearing.spec, range(LOWEST, HIGHEST + 1)
    # each note begins at another place in a hop
    begins_s = [1.0 + i * (round(1.0 / spec.hop_s) + 1 / len(pitches)) * spec.hop_s for i in range(len(pitches))]
    sound = NOISE * np.random.default_rng(0).standard_normal(round((begins_s[-1] + 1.0) * spec.sample_rate))
    for begin_s, pitch in zip(begins_s, pitches, strict=True):
        note = soxr.resample(tone(pitch, RATE), RATE, spec.sample_rate)
        sound[round(begin_s * spec.sample_rate) :][: len(note)] += note
    hops = sound[: len(sound) // spec.hop * spec.hop].astype(np.float32).reshape(-1, spec.hop)
    told = [event for k, hop in enumerate(hops) for event in hearing.step(hop, (k + 1) * spec.hop_s)]
    heard = [(event.note.onset_s, event.note.pitch) for event in told if isinstance(event, NoteHeard)]
    late = [
        onset_s - begin_s
        for begin_s, pitch in zip(begins_s, pitches, strict=True)
        for onset_s, found in heard
        if found == pitch and abs(onset_s - begin_s) < 0.1
    ]
    assert len(late) > 0.8 * len(pitches)
    return 1e3 * statistics.median(late)


@pytest.mark.parametrize("delay_ms", [183])
def test_a_known_delay_is_measured_as_the_hearing_hears_it(
    delay_ms: int,
    begin: Callable[..., Process],
    calibrate: Calibrate,
    tmp_path: Path,
    habit_ms: float,
) -> None:
    begin(str(HERE / "sounding.py"), f"piano{delay_ms}", str(delay_ms)).wait_for("ready")
    status, said, slack_ms = calibrate(SETTINGS.format(name=f"piano{delay_ms}"))
    assert status == 0, said
    kept = json.loads((tmp_path / "state" / FILE).read_text())
    tolerance_ms = (TOLERANCE_MS if TIMED else ROUGH_MS) + slack_ms
    assert -tolerance_ms < kept["round_trip_ms"] - (delay_ms + habit_ms) < tolerance_ms + PATH_MS
    assert kept["leak_db"] > 20
    assert "a note is heard" in said


def test_a_silent_instrument_is_refused_and_nothing_is_kept(
    begin: Callable[..., Process], calibrate: Calibrate, tmp_path: Path
) -> None:
    begin(str(HERE / "sounding.py"), "late", "30000").wait_for("ready")
    status, said, _ = calibrate(SETTINGS.format(name="late"))
    assert status == 2
    assert 'Nothing of the 12 notes came back through "late [JACK]"' in said
    assert not (tmp_path / "state" / FILE).exists()


@pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="fluidsynth is not installed")
def test_the_synthesiser_is_measured_by_itself(
    box: Callable[..., Process], calibrate: Calibrate, tmp_path: Path
) -> None:
    settings = (
        '[audio]\ninput = "lefthand-synth"\n[play]\nsound = "synth"\n'
        '[synth]\ndevice = "jack"\nsoundfont = "/usr/share/sounds/sf2/TimGM6mb.sf2"\n'
    )
    (tmp_path / "synth.toml").write_text(settings)
    synth = box("synth", "--config", str(tmp_path / "synth.toml"))
    synth.wait_for("the synthesiser plays")
    try:
        status, said, slack_ms = calibrate(settings)
    finally:
        assert synth.end(signal.SIGTERM) == 0
    assert status == 0, said
    kept = json.loads((tmp_path / "state" / FILE).read_text())
    assert kept["round_trip_ms"] is None
    assert kept["synth_round_trip_ms"] >= 0
    in_time("the synthesiser's delay", kept["synth_round_trip_ms"] / 1e3, (SOFTWARE_MS + slack_ms) / 1e3)
    assert kept["synth_leak_db"] > 20
