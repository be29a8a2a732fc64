"""Runs `lefthand run --wait`, the command of the service: waits for missing ports and plays when they are connected.

    starting ──models verified and warm──▶ waiting ──all ports there──▶ playing
                                             ▲                            │
                                             └──a port or input gone──────┘
    any of them ──SIGTERM──▶ stopping                  SIGHUP: new settings, a new session

If the settings cannot be used at the start, the process waits without a session until the owner changes them. It ends
on SIGTERM, if the models cannot be used, and if any thread fails. After a failure systemd starts the process again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from device.assemble import Setup
from device.bundles.slots import SHORT
from device.control.server import ControlServer
from device.engine import Engine
from device.errors import ConfigError, PortKind, UnavailableError, UserError
from device.live.monitor import Monitor, memory_mb, open_files
from device.live.opening import Opened, Opener
from device.live.session import Session
from device.outputs.synth_link import is_synth
from device.ports.drivers import left_behind
from device.ports.midi_ports import MidiPorts
from device.recording.capture import Capture
from device.recording.library import FOLDER, Library
from device.service.errands import Errands
from device.service.foreground import WATCH_S, warm_up
from device.service.journal import FIELDS
from device.service.last_lines import LastLines
from device.service.orders import OwnerOrders
from device.service.signals import Signals
from device.service.systemd import Systemd
from device.service.tapes import Tapes
from device.settings.config import DEFAULT_PATH, Config
from device.status.faults import Fault
from device.status.schema import BundleStatus, State, Status
from device.status.writer import Reporter
from device.system.paths import state_dir
from device.version import VERSION

PROBE_S = 1.0
"""Seconds between two attempts to open the missing ports."""
FAULTS_BEFORE = "LEFTHAND_FAULTS"
"""Environment variable that carries the fault counts, as JSON, across a re-exec of the process."""
LINES_BEFORE = "LEFTHAND_LINES"
"""Environment variable that carries the last lines of the log across a re-exec of the process."""
LOST: dict[PortKind, Fault] = {
    "audio input": "audio input lost",
    "MIDI input": "MIDI input lost",
    "MIDI output": "MIDI output lost",
    "MIDI control": "MIDI control lost",
}
"""The fault that is counted when a port of this kind is lost."""
LOOK_S = 1.0
"""Seconds between two checks of the memory and the open files of the process. They cost the kernel time."""
PING_S = 0.25
"""Seconds between two calls of `Systemd.alive` while waiting. Well below the watchdog's limit."""

log = logging.getLogger("lefthand")


class Opens(Protocol):
    """Opens sessions. This is `device.live.opening.Opener`, or a class for a demo that needs no ports."""

    def open(self, config: Config, engine: Engine, hop_s: float, record: Capture | None = None) -> Opened:
        """Open the ports and return the session that uses them. See `device.live.opening.Opener.open`."""
        ...


class Daemon:
    """Runs one session after another until SIGTERM. In a session the ports are open and the box plays.

    `make` reads the settings and builds the engine. It raises ConfigError if the settings cannot be used, and another
    UserError if the models cannot. `folder` is the folder of the status file and of the control socket, None for
    neither. `record` gives a new recording folder for each session. `settings` is the settings file. Clients of the
    control socket can change settings, but this file stays as it is. `opener`, if given, makes the object that opens
    the sessions, from the monitor and a function that wakes the daemon.
    """

    def __init__(
        self,
        make: Callable[[], Setup],
        folder: Path | None,
        record: Capture | None = None,
        settings: Path = DEFAULT_PATH,
        opener: Callable[[Monitor, Callable[[], None]], Opens] | None = None,
    ) -> None:
        self._make, self._folder = make, folder
        self._notify, self._signals, self._monitor = Systemd(), Signals(), Monitor()
        self._outputs, self._inputs = MidiPorts(output=True), MidiPorts(output=False)
        self._monitor.faults.restore(json.loads(os.environ.pop(FAULTS_BEFORE, "{}")))
        self._opener = None if opener is None else opener(self._monitor, self._signals.wake)
        self._setup: Setup | None = None
        self._said: tuple[State, str, str] = ("starting", "loading the models", _now())
        self._bundle = BundleStatus()
        self._failure: Exception | None = None
        self._looked_s, self._used = float("-inf"), (0.0, 0)
        self._tapes = Tapes(
            Library(state_dir() / FOLDER if record is None else record.folder), self._signals.wake, record
        )
        self._lines = LastLines(os.environ.pop(LINES_BEFORE, "[]"))
        more_ports = getattr(self._opener, "ports", None)
        self._errands = Errands(settings, self._signals.wake, real=opener is None)
        self._orders = OwnerOrders(settings, self._renew, self._tapes, more_ports, self._lines.shown, self._errands)

    def run(self) -> None:
        """Play, and wait for missing ports, until SIGTERM.

        Raises UserError if the models cannot be used. If a thread fails, its error is raised here.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._signals)
            stack.callback(self._notify.close)
            server = ControlServer(self._folder, self._orders, self._monitor.moments, self._fail)
            stack.callback(server.close)
            stack.callback(self._orders.close)
            stack.enter_context(self._lines)
            stack.callback(Reporter(self._folder, self._status, self._fail, server.publish).close)
            for ports in (self._outputs, self._inputs):
                stack.callback(ports.close)
            stack.callback(self._tell, "stopping", "the last notes are released")
            stack.callback(self._notify.stopping)
            self._notify.status("loading the models")
            self._begin()
            while not self._signals.stop:
                self._play_once()

    def _begin(self) -> None:
        """Build the engine. If the settings cannot be used, report why and wait for other settings or SIGTERM."""
        try:
            self._take(self._make())
            self._notify.ready()
        except ConfigError as error:
            log.error("%s", error)
            self._orders.refused(str(error))
            self._notify.ready()
            self._tell("waiting", str(error))
            while self._setup is None and not self._signals.stop:
                self._notify.alive()
                self._pause(PING_S)

    def _play_once(self) -> None:
        """Open the ports and play one session until it ends. If a port is missing, wait for PROBE_S instead.

        Without an engine it returns at once. If the owner has asked for a calibration, that runs instead. If PortAudio
        still holds a driver that is gone, the process is replaced at the end.
        """
        if self._setup is None:
            return
        if self._errands.calibrates:
            self._tell("waiting", "calibrating: play nothing until it has ended")
            self._errands.measure(self._turn)
            return
        setup = self._setup
        try:
            record = self._tapes.next()
            opener = self._opener or Opener(
                self._outputs, self._inputs, self._monitor, self._signals.wake, service=True
            )
            opened = opener.open(self._orders.config, setup.engine, setup.models.hop_s, record)
        except UnavailableError as error:
            self._wait(error)
            self._restart_if_left_behind()
            return
        session = Session(opened, self._notify.alive)
        try:
            session.start()
            with self._orders.playing(opened):
                self._tapes.began(record)
                while not self._ends(setup, opened, record):
                    self._tell("playing", self._playing(opened))
                    session.check()
                    record = self._recorded(opened, record)
                    self._pause(WATCH_S)
        except UnavailableError as error:
            self._monitor.faults.count(LOST[error.kind])
            session.hush()
            self._tell("waiting", error.waiting)
            session.close()
            if not self._left_behind():
                self._wait(error)
        finally:
            session.close()
            self._tapes.began(None)
        self._restart_if_left_behind()

    def _ends(self, setup: Setup, opened: Opened, record: Capture | None) -> bool:
        """Return whether the present session must end.

        It ends on SIGTERM, after new settings, when a recording begins or ends, when a missing port is connected again,
        and for a calibration.
        """
        changed = self._setup is not setup or self._tapes.on != (record is not None)
        return self._signals.stop or changed or opened.outdated or self._errands.calibrates

    def _recorded(self, opened: Opened, record: Capture | None) -> Capture | None:
        """Return `record`, or None if that recording has ended early and the owner may begin another one."""
        if self._tapes.current is None or opened.tape is None or not opened.tape.over:
            return record
        self._monitor.faults.count("recordings ended early")
        self._tapes.ended_early()
        return record if self._tapes.on else None

    def _turn(self) -> bool:
        """Wait for at most PING_S while a calibration uses the ports. Return False after SIGTERM, otherwise True."""
        self._notify.alive()
        self._pause(PING_S)
        return not self._signals.stop

    def _wait(self, error: UnavailableError) -> None:
        self._tell("waiting", error.waiting)
        until_s = time.monotonic() + PROBE_S
        while (left_s := until_s - time.monotonic()) > 0 and not self._signals.stop:
            self._notify.alive()
            self._pause(min(left_s, PING_S))

    def _pause(self, seconds: float) -> None:
        """Wait at most `seconds` for a signal, an error or a call of `wake`.

        If a thread has failed, its error is raised. After SIGHUP the settings are read again.
        """
        self._signals.wait(seconds)
        if self._failure is not None:
            raise self._failure
        self._reload_if_asked()

    def _reload_if_asked(self) -> None:
        """Read the settings again if SIGHUP came. If they cannot be used, the old ones stay."""
        if not self._signals.reload:
            return
        self._signals.reload = False
        self._notify.reloading()
        try:
            self._take(self._make())
            log.info("the settings are read again")
        except UserError as error:
            log.error("the settings stay as they were: %s", error)
            if self._setup is None:
                self._orders.refused(str(error))
                self._tell("waiting", str(error))
        finally:
            self._notify.ready()

    def _take(self, setup: Setup) -> None:
        warm_up(setup.engine)
        self._setup = setup
        self._orders.use(setup.config)
        self._monitor.hop_s = setup.models.hop_s
        self._bundle = BundleStatus(str(setup.models.path), setup.models.digest[:SHORT])

    def _restart_if_left_behind(self) -> None:
        if self._left_behind() and not self._signals.stop:
            self._restart_process()

    def _left_behind(self) -> bool:
        """Return whether PortAudio is still being closed, or a JACK server has died under the MIDI clients.

        PortAudio, opened now, would list old inputs for ever, and clients of a JACK server that died cannot be closed.
        """
        return left_behind() or self._outputs.server_ended or self._inputs.server_ended

    def _restart_process(self) -> None:
        """Replace this process by a new run of the same command.

        PortAudio keeps a driver that is gone, and this process cannot open another one while it does. All ports that
        can be closed are closed before. The process number stays the same, so systemd does not notice.
        """
        log.warning("the sound system still holds a port that is gone: restarting the process")
        for number in os.listdir("/proc/self/fd"):  # noqa: PTH208
            if int(number) > 2:
                with contextlib.suppress(OSError):
                    os.set_inheritable(int(number), False)
        os.environ[FAULTS_BEFORE] = json.dumps(self._monitor.faults.counts())
        os.environ[LINES_BEFORE] = self._lines.carried()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

    # reports to the log, systemd and the status file

    def _tell(self, state: State, message: str) -> None:
        """Log a state and its message, and send the message to systemd. If both are as before, do nothing."""
        if self._said[:2] == (state, message):
            return
        self._said = (state, message, _now())
        # another state has other ports open, so the next status counts the open files again
        self._looked_s = float("-inf")
        self._notify.status(message)
        log.info("%s", message, extra={FIELDS: {"LEFTHAND_STATE": state}})

    def _playing(self, opened: Opened) -> str:
        """Return a sentence with the input, the outputs, and what a session is without."""
        sounds = opened.synth is not None and any(is_synth(port) for port in self._outputs.ports())
        on = [str(opened.output)] if opened.output is not None else []
        on += ["the synthesiser"] if sounds else []
        words = f"listening to {opened.source.port}"
        words += f", playing on {' and '.join(on)}" if on else ""
        words += "; without the synthesiser, which does not run" if opened.synth is not None and not sounds else ""
        return f"{words}; without {opened.missing}, which is not connected" if opened.missing else words

    def _status(self) -> Status:
        """Return the status of the box now. Memory and open files are looked up every LOOK_S."""
        state, message, since = self._said
        if time.monotonic() - self._looked_s >= LOOK_S:
            self._looked_s = time.monotonic()
            self._used = round(memory_mb(), 1), open_files()
        rss_mb, fds = self._used
        return Status(
            state=state,
            message=message,
            since=since,
            pid=os.getpid(),
            version=VERSION,
            bundle=self._bundle,
            rss_mb=rss_mb,
            fds=fds,
            recording=self._tapes.current,
            errand=self._errands.status,
            clients=self._outputs.clients + self._inputs.clients + self._monitor.connected,
            **self._monitor.shown(),
        )

    def _renew(self) -> None:
        """Read the settings again, as after SIGHUP. Any thread may call this."""
        self._signals.reload = True
        self._signals.wake()

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._signals.wake()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
