"""Opens a session on a recording in place of the ports, for `lefthand run --demo`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.demo.looped_file import LoopedFile
from device.engine import Engine
from device.errors import UserError
from device.inputs.control_queue import ControlQueue
from device.live.monitor import Monitor
from device.live.opening import STALL_S, Lifetime, Opened
from device.outputs.send_queue import SendQueue
from device.outputs.sender import Sender
from device.ports.port import Port
from device.recording.capture import Capture
from device.recording.tape import Tape
from device.settings.config import Config
from device.settings.controls import Controls, CountAgain
from device.stream_time import StreamTime

SETTINGS = '[audio]\ninput = "the recording"\n\n[midi]\noutput = "no instrument"\n'
"""The settings file of a demo. The names stand for the ports that it does not open."""
NO_INSTRUMENT = Port("no instrument", "demo", 0)


@dataclass(frozen=True)
class DemoOpener:
    """Opens sessions as `device.live.opening.Opener` does, on the sound file `path` and without an instrument."""

    path: Path
    monitor: Monitor
    woken: Callable[[], None]

    @property
    def ports(self) -> dict[str, list[dict[str, Any]]]:
        """Return the ports of the demo, in the form that `device.ports.watch` prints."""
        sound = {"name": f"{self.path.name} [file]", "channels": 1, "level_db": None}
        return {"sound_inputs": [sound], "midi_inputs": [], "midi_outputs": [{"name": str(NO_INSTRUMENT)}]}

    def open(self, config: Config, engine: Engine, hop_s: float, record: Capture | None = None) -> Opened:
        """Open a session on the sound file, without ports, and reset `engine`.

        `hop_s` is the length of a hop in seconds. `record` is the place for a recording. Raises UserError if the file
        cannot be read or the settings ask for MIDI input.
        """
        if engine.hearing is None:
            raise UserError('The demo plays to a recording: [audio] input = "midi" cannot be used with it.')
        engine.reset()
        lifetime, stream_time = Lifetime(self.woken), StreamTime()
        controls = ControlQueue(Controls({}))
        tape = None if record is None else Tape(config, record, hop_s, service=True)
        spec = engine.hearing.spec
        source = LoopedFile(
            self.path,
            spec.sample_rate,
            spec.hop,
            stream_time,
            lambda: controls.ask(CountAgain(), time.monotonic()),
            None if tape is None else tape.sound,
        )
        if tape is not None:
            tape.begin(source.rate, engine)
        with contextlib.ExitStack() as stack:
            queue = SendQueue(config.midi.channel - 1, config.midi.transpose)
            sender = Sender(
                queue,
                lambda message: None,
                stream_time,
                lead_s=0.0,
                failed=lifetime.fail,
                stall_s=STALL_S,
                faults=self.monitor.faults,
            )
            stack.callback(sender.close)
            return Opened(
                engine=engine,
                monitor=self.monitor,
                lifetime=lifetime,
                stream_time=stream_time,
                source=source,
                controls=controls,
                senders=[sender],
                output=NO_INSTRUMENT,
                synth=None,
                foot_switch=None,
                tape=tape,
                watched=[],
                resources=stack.pop_all(),
            )
