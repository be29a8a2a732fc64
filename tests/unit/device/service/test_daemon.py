"""The service with simulated ports and engine: states, settings, and failures that end the process."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from device.assemble import ModelsInUse
from device.control.client import ControlClient
from device.errors import UserError
from device.hearing.features import FeatureSpec
from device.ports.port import Port
from device.recording.capture import Capture
from device.recording.library import Library
from device.service import daemon as daemon_module
from device.service.daemon import FAULTS_BEFORE, LINES_BEFORE, Daemon
from device.service.signals import Signals
from device.settings.config import parse_config
from device.status.schema import Status, read_status
from tests.unit.helpers.patience import PATIENCE_S, patiently
from tests.unit.helpers.seams import CONFIG, SYNTH, Stage, seams


class Service:
    """A daemon on a stage. It runs in the main thread while `act` controls the stage from another."""

    def __init__(self, stage: Stage, folder: Path, record: Capture | None = None) -> None:
        self.stage, self.folder = stage, folder
        self.text = ""
        self.daemon = Daemon(self._make, folder / "run", record)
        self.daemon._outputs = stage.outputs  # type: ignore[assignment]
        stage.monitor = self.daemon._monitor

    def _make(self) -> Any:
        config = parse_config(self.text, "the test") if self.text else CONFIG
        models = ModelsInUse(self.folder, "0" * 64, FeatureSpec().hop_s)
        return SimpleNamespace(config=config, models=models, engine=self.stage.pianist)

    @property
    def status(self) -> Status | None:
        return read_status(self.folder / "run")

    def until(self, state: str, words: str = "") -> None:
        def holds() -> bool:
            status = self.status
            return status is not None and status.state == state and words in status.message

        patiently(holds, f"{state} {words}: {self.status}")

    def lose_the_card(self) -> None:
        """Let the card end, and wait until the box has noticed that it cannot be opened either."""
        # busy first: the box may notice the end and open the card again before this thread's next line
        self.stage.card.busy = True
        self.stage.card.active = False
        self.until("waiting", "cannot be opened")

    def run(self, act: Callable[[], None]) -> None:
        """Run until `act` has returned. Raises the error of either thread."""
        failures: list[BaseException] = []

        def play() -> None:
            try:
                act()
            except BaseException as failure:
                failures.append(failure)
            os.kill(os.getpid(), signal.SIGTERM)

        thread = threading.Thread(target=play)
        with Signals():  # a SIGTERM after the daemon's end meets nobody
            thread.start()
            try:
                self.daemon.run()
            finally:
                thread.join()
        if failures:
            raise failures[0]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    stage = Stage(1)
    monkeypatch.setattr(daemon_module, "warm_up", lambda engine: None)
    monkeypatch.setattr(daemon_module, "PROBE_S", 0.02)
    monkeypatch.setattr(daemon_module, "WATCH_S", 0.02)
    monkeypatch.setattr("device.status.writer.PERIOD_S", 0.01)
    # a late thread of a busy machine is waited for: a box that gives up leaves its status and its recording as they are
    monkeypatch.setattr("device.status.writer.JOIN_S", PATIENCE_S)
    monkeypatch.setattr("device.recording.recorder.CLOSE_S", PATIENCE_S)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    with seams(stage):
        yield Service(stage, tmp_path)


def test_it_waits_plays_waits_again_and_comes_back(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    stage = service.stage
    stage.outputs.there = False

    def act() -> None:
        service.until("waiting", 'waiting for MIDI output "synth"')
        stage.outputs.there = True
        service.until("playing", "listening to mic [ALSA], playing on synth [ALSA]")
        stage.play(3)
        service.lose_the_card()
        stage.card.busy = False
        service.until("playing")
        stage.play(3)

    with caplog.at_level(logging.INFO, "lefthand"):
        service.run(act)
    assert all(stage.struck_and_let_go(client) for client in stage.clients)
    assert service.status is None
    # one line for each change of state, for any number of tries
    lines = [record.getMessage().split(":")[0] for record in caplog.records if hasattr(record, "journal")]
    assert lines == [
        'waiting for MIDI output "synth"',
        "listening to mic [ALSA], playing on synth [ALSA]",
        *['waiting for audio input "mic"'] * 2,
        "listening to mic [ALSA], playing on synth [ALSA]",
        "the last notes are released",
    ]


def test_a_failure_of_the_loop_is_the_failure_of_the_process(service: Service) -> None:
    def act() -> None:
        service.until("playing")
        service.stage.pianist.error = ZeroDivisionError("in the loop")
        service.stage.card.deliver()
        patiently(lambda: service.status is None, "its end")

    with pytest.raises(ZeroDivisionError, match="in the loop"):
        service.run(act)
    assert all(service.stage.struck_and_let_go(client) for client in service.stage.clients)


def test_a_failure_of_the_status_thread_is_the_failure_of_the_process(service: Service) -> None:
    def act() -> None:
        service.until("playing")
        service.daemon._monitor.hop_times = None  # type: ignore[assignment]
        patiently(lambda: service.status is None, "its end")

    with pytest.raises(AttributeError):
        service.run(act)


def test_settings_that_cannot_be_used_leave_the_old_ones(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    good = '[audio]\ninput = "mic"\nrate = 16000\n[midi]\noutput = "synth"\n'

    def act() -> None:
        service.until("playing")
        service.text = good + "channel = 17\n"
        os.kill(os.getpid(), signal.SIGHUP)
        patiently(lambda: "the settings stay as they were" in caplog.text)
        service.stage.play(2)
        assert len(service.stage.clients) == 1
        service.text = good + "channel = 5\n"
        os.kill(os.getpid(), signal.SIGHUP)
        # not the status: it says "playing" of the session before, too
        patiently(lambda: service.stage.card.starts == 2, "a second session")
        service.stage.play(2)

    with caplog.at_level(logging.INFO, "lefthand"):
        service.run(act)
    assert "[midi] channel = 17 cannot be used: it must be a whole number from 1 to 16" in caplog.text
    assert service.stage.clients[1].got[0][0] == 0x84


def test_with_settings_that_cannot_be_used_it_waits_and_says_why_until_they_can(service: Service) -> None:
    service.text = "[midi]\nchannel = 17\n"

    def act() -> None:
        service.until("waiting", "from 1 to 16")
        assert "from 1 to 16" in service.daemon._orders._problem
        service.text = "[midi]\nchannel = 0\n"
        os.kill(os.getpid(), signal.SIGHUP)
        service.until("waiting", "channel = 0")
        service.text = ""
        os.kill(os.getpid(), signal.SIGHUP)
        service.until("playing")
        assert not service.daemon._orders._problem

    service.run(act)


def test_each_session_is_recorded_in_a_folder_of_its_own_until_the_size_is_reached(
    tmp_path: Path, service: Service
) -> None:
    stage = service.stage
    second = Service(stage, tmp_path, Capture(tmp_path / "takes", most_bytes=64_000))

    def act() -> None:
        for _ in range(2):
            second.until("playing")
            stage.play(40)
            second.lose_the_card()
            stage.card.busy = False
        second.until("playing")
        stage.play(2)

    second.run(act)
    takes = sorted(path.name for path in (tmp_path / "takes").iterdir())
    assert takes == ["001", "002", "003"]
    # 1 kB a block; the rest of the size is headers and lists
    sizes = [(tmp_path / "takes" / take / "capture.wav").stat().st_size for take in takes]
    assert sizes[0] > 40_000 > 20_000 > sizes[1]
    assert sum(sizes) < 64_000


def test_a_process_that_replaces_another_has_its_lines_of_the_log(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ReplacedError(Exception):
        pass

    def replace_process(*command: object) -> None:
        raise ReplacedError

    monkeypatch.setattr(daemon_module.os, "execv", replace_process)
    with service.daemon._lines, pytest.raises(ReplacedError):
        service.daemon._restart_process()
    after = Service(Stage(1), tmp_path)
    assert "restarting the process" in after.daemon._lines.shown()[-1]
    assert not {FAULTS_BEFORE, LINES_BEFORE} & set(os.environ)


def test_a_process_started_anew_remembers_its_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FAULTS_BEFORE, json.dumps({"audio input lost": 2}))
    service = Service(Stage(1), tmp_path)
    assert service.daemon._monitor.faults.counts() == {"audio input lost": 2}
    assert FAULTS_BEFORE not in os.environ


def test_a_synthesiser_that_does_not_run_is_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Any = SimpleNamespace(source=SimpleNamespace(port="mic"), output=SYNTH, synth=object(), missing="")
    daemon: Any = service.daemon
    ports = [SYNTH]
    monkeypatch.setattr(service.stage.outputs, "ports", lambda: ports)
    without = "listening to mic, playing on synth [ALSA]; without the synthesiser, which does not run"
    assert daemon._playing(opened) == without
    ports.append(Port("lefthand-synth:midi_00", "JACK", 1))
    assert daemon._playing(opened) == "listening to mic, playing on synth [ALSA] and the synthesiser"
    ports.pop()
    opened.output, opened.missing = None, 'MIDI control "foot"'
    told = "listening to mic; without the synthesiser, which does not run; without MIDI control"
    assert daemon._playing(opened).startswith(told)


@pytest.mark.parametrize("gone", ["driver", "server"])
def test_a_driver_still_being_closed_or_a_server_that_died_begins_the_process_anew(
    gone: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StartedAgainError(Exception):
        pass

    def start_again() -> None:
        raise StartedAgainError

    left = threading.Event()
    service.stage.outputs.there = False
    monkeypatch.setattr(daemon_module, "left_behind", left.is_set)
    monkeypatch.setattr(service.daemon, "_restart_process", start_again)

    def act() -> None:
        service.until("waiting", 'waiting for MIDI output "synth"')
        if gone == "driver":
            left.set()
        else:
            service.stage.outputs.server_ended = True
        patiently(lambda: service.status is None, "its end")

    with pytest.raises(StartedAgainError):
        service.run(act)


def test_the_owner_begins_and_ends_a_recording_while_the_box_runs(
    service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    library = Library(tmp_path / "recordings")
    service.daemon._tapes.library = library

    def recording() -> str | None:
        return None if service.status is None else service.status.recording

    def act() -> None:
        service.until("playing")
        assert recording() is None
        service.daemon._orders.record(True)
        patiently(lambda: recording() == "001")
        service.stage.play(20)
        with pytest.raises(UserError, match="stop it first"):
            service.daemon._orders.delete("001")
        service.daemon._orders.record(False)
        patiently(lambda: recording() is None and service.status is not None and service.status.state == "playing")
        (made,) = service.daemon._orders.look("recordings")["recordings"]
        assert made["number"] == "001" and made["seconds"] > 0
        service.daemon._orders.delete("001")
        assert service.daemon._orders.look("recordings")["recordings"] == []
        assert any("playing" in line or "listening" in line for line in service.daemon._lines.shown())

    with caplog.at_level(logging.INFO, "lefthand"):
        service.run(act)


def test_a_recording_that_has_ended_early_is_not_shown_as_running_and_the_next_can_begin(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.daemon._tapes.library = Library(tmp_path / "recordings")
    room = 10_000
    monkeypatch.setattr("device.service.tapes.MOST_BYTES", room)

    def cut(times: int) -> bool:
        status = service.status
        return status is not None and status.faults.get("recordings ended early") == times and status.recording is None

    def act() -> None:
        service.until("playing")
        for times, number in ((1, "001"), (2, "002")):
            service.daemon._orders.record(True)
            patiently(lambda number=number: service.status is not None and service.status.recording == number)
            since = service.status.since if service.status is not None else ""
            service.stage.play(20)  # 1 kB a block
            patiently(lambda times=times: cut(times))
            service.stage.play(20)
            assert service.status is not None and service.status.since == since, "the session goes on"
        for number in ("001", "002"):
            service.daemon._orders.delete(number)
        service.lose_the_card()

    service.run(act)


def test_a_box_that_was_started_to_record_is_not_told_to_stop(tmp_path: Path, service: Service) -> None:
    second = Service(service.stage, tmp_path, Capture(tmp_path / "takes"))
    with pytest.raises(UserError, match="--record"):
        second.daemon._orders.record(False)


def test_a_calibration_gets_the_ports_and_the_box_takes_them_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, open_then, seen = service.stage, [], threading.Event()

    def measure(turn: Callable[[], bool]) -> None:
        open_then.append(stage.card.active)
        while not seen.is_set():
            assert turn()
        service.daemon._errands.end("calibration")

    def act() -> None:
        service.until("playing")
        stage.play(3)
        with ControlClient(service.folder / "run") as owner:
            owner.ask({"calibrate": ""})
        service.until("waiting", "calibrating")
        seen.set()
        service.until("playing")
        stage.play(3)

    monkeypatch.setattr(service.daemon._errands, "measure", measure)
    service.run(act)
    assert open_then == [False]
    assert all(stage.struck_and_let_go(client) for client in stage.clients)
    # a session before the calibration and one after it
    assert len(stage.clients) == 2
