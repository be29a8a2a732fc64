"""Reports the ports of this machine again and again, with what arrives at the inputs, as lines of JSON.

The box runs it as a process of its own: `python -m device.ports.watch [--open]`. So a driver that hangs or crashes does
not touch the box. With --open each input is opened for a moment, which only a box that does not play may ask for.
"""

from __future__ import annotations

import contextlib
import json
import math
import signal
import sys
import threading
from typing import Any

from device.errors import UnavailableError
from device.ports.drivers import quiet
from device.ports.midi_ports import PolledInput, midi_inputs, midi_outputs
from device.ports.port import CLIENT, Port, SoundInput
from device.ports.sound_inputs import portaudio, sound_inputs

LISTEN_S = 0.4
"""Seconds for which the inputs are open in each round."""
REST_S = 0.3
"""Seconds between two rounds. In this time another program can open the inputs."""
BLOCK = 1024
"""Samples that PortAudio delivers at once."""
LEAST_DB = -60.0
"""dBFS. Quieter sound is not shown."""


class _Level:
    """Measures the highest peak of one sound input while it is open. If it cannot be opened, `db` returns None."""

    def __init__(self, system: Any, source: SoundInput) -> None:
        import numpy as np
        import pyaudio

        self._peak = 0.0

        def take(data: bytes, frames: int, times: object, status: int) -> tuple[None, int]:
            block = np.frombuffer(data, np.float32)
            peak = float(np.abs(block).max(initial=0.0))
            self._peak = max(self._peak, peak) if math.isfinite(peak) else self._peak
            return None, pyaudio.paContinue

        self._stream: Any = None
        with quiet(), contextlib.suppress(OSError, ValueError):
            self._stream = system.open(
                rate=source.default_rate,
                channels=min(2, source.channels),
                format=pyaudio.paFloat32,
                input=True,
                input_device_index=source.index,
                frames_per_buffer=BLOCK,
                stream_callback=take,
            )

    def db(self) -> float | None:
        """Close the input and return the highest peak since it was opened, in dBFS, at least LEAST_DB.

        None if the input could not be opened.
        """
        if self._stream is None:
            return None
        with contextlib.suppress(OSError):
            self._stream.close()
        return round(max(LEAST_DB, 20 * math.log10(max(self._peak, 1e-9))), 1)


class _Arrivals:
    """Finds out whether a message arrives at one MIDI input while it is open."""

    def __init__(self, port: Port) -> None:
        self._input: PolledInput | None = None
        with contextlib.suppress(UnavailableError):
            self._input = PolledInput(port)

    @property
    def any(self) -> bool:
        return self._input is not None and bool(self._input.messages())

    def close(self) -> None:
        if self._input is not None:
            self._input.close()


def look(opens: bool, over: threading.Event | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return the present ports, in lists under "sound_inputs", "midi_inputs" and "midi_outputs".

    If `opens` is true, listen to all inputs for LISTEN_S, or until `over` is set. Each port is a dict with a "name" for
    the settings. A sound input also has "channels" and "level_db" (dBFS, None if it was not open). A MIDI input also
    has "arrived": whether a message came. The ports of this program are left out. Raises UserError if pyaudio or
    python-rtmidi is missing.
    """
    arrivals = [(port, _Arrivals(port) if opens else None) for port in midi_inputs() if CLIENT not in port.name]
    with portaudio() as system:
        levels = [(source, _Level(system, source) if opens else None) for source in sound_inputs(system)]
        if opens:
            (over or threading.Event()).wait(LISTEN_S)
        sounds = [
            {"name": str(source), "channels": source.channels, "level_db": None if level is None else level.db()}
            for source, level in levels
        ]
    inputs = [{"name": str(port), "arrived": arrived is not None and arrived.any} for port, arrived in arrivals]
    for _, arrived in arrivals:
        if arrived is not None:
            arrived.close()
    outputs = [{"name": str(port)} for port in midi_outputs() if CLIENT not in port.name]
    return {"sound_inputs": sounds, "midi_inputs": inputs, "midi_outputs": outputs}


def main() -> None:
    """Look at the ports again and again, and print one line each time, until the reader has gone or SIGTERM comes."""
    opens = "--open" in sys.argv[1:]
    over = threading.Event()
    # a JACK client that is killed holds up the server, so a round is ended in good order before the process ends
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    with contextlib.suppress(BrokenPipeError):
        while not over.is_set():
            print(json.dumps(look(opens, over)), flush=True)
            over.wait(REST_S)


if __name__ == "__main__":
    main()
