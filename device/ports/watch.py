"""Reports the ports of this machine again and again, with what arrives at the inputs, as lines of JSON.

The box runs it as a process of its own: `python -m device.ports.watch [--open]`. So a driver that hangs or crashes does
not touch the box. With --open the inputs are opened, which only a box that does not play may ask for.

Each client that comes or goes makes a JACK server pause for a moment, and for seconds on a machine that is far too
busy. So inputs on JACK stay open from round to round, until another port comes or goes. A sound input on ALSA can be
open in one program only, so it is open for a moment of each round.
"""

from __future__ import annotations

import contextlib
import json
import math
import signal
import sys
import time
from pathlib import Path
from typing import Any, Protocol

from device.errors import UnavailableError
from device.ports.drivers import left_behind
from device.ports.jack_clients import JackClients
from device.ports.midi_ports import MidiPorts, PolledInput
from device.ports.port import CLIENT, Port, SoundInput
from device.ports.sound_inputs import is_level, portaudio, sound_inputs
from device.system.quiet import quiet

LISTEN_S = 0.4
"""Seconds for which all inputs are open in each round."""
REST_S = 0.3
"""Seconds between two rounds. In this time another program can open the sound inputs on ALSA."""
REST_SHARE = 2.0
"""A rest is at least this many times as long as the opening and closing of the round before it. So on a machine that is
too busy, at most a third of the time goes into opening."""
BLOCK = 1024
"""Samples that PortAudio delivers at once."""
LEAST_DB = -60.0
"""dBFS. Quieter sound is not shown."""
CLOSED_S = 30.0
"""Seconds to wait at the end for drivers that close slowly. If one hangs, the box kills the process before that."""
RENEW_S = 10.0
"""Seconds after which everything is opened again if the package JACK-Client is missing. New sound inputs on JACK are
then seen in no other way."""
SOUND_CARDS = Path("/proc/asound/pcm")
"""The file in which Linux lists the inputs and outputs of the sound cards that are connected now."""


class _Level:
    """Measures the highest peak of one sound input. If the input cannot be opened, `opened` is False."""

    def __init__(self, system: Any, source: SoundInput) -> None:
        import numpy as np
        import pyaudio

        self._peak = 0.0

        def take(data: bytes, frames: int, times: object, status: int) -> tuple[None, int]:
            block = np.frombuffer(data, np.float32)
            peak = float(np.abs(block).max(initial=0.0))
            self._peak = max(self._peak, peak) if is_level(peak) else self._peak
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

    @property
    def opened(self) -> bool:
        return self._stream is not None

    def db(self) -> float | None:
        """Return the highest peak since the last call, in dBFS, at least LEAST_DB. None if the input is not open."""
        peak, self._peak = self._peak, 0.0
        return round(max(LEAST_DB, 20 * math.log10(max(peak, 1e-9))), 1) if self.opened else None

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with quiet(), contextlib.suppress(OSError):
                stream.close()


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


class _Ending:
    """Waits for SIGTERM. A handler that sets an event could interrupt the wait for that event and block for ever."""

    def __init__(self) -> None:
        self._came = False
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def is_set(self) -> bool:
        self._came = self._came or signal.SIGTERM in signal.sigpending()
        return self._came

    def wait(self, timeout: float) -> bool:
        self._came = self._came or signal.sigtimedwait({signal.SIGTERM}, timeout) is not None
        return self._came


class Over(Protocol):
    """Says whether this process is to end, as `threading.Event` does."""

    def is_set(self) -> bool:
        """Return whether it is to end."""
        ...

    def wait(self, timeout: float) -> bool:
        """Wait for `timeout` seconds, or until it is to end. Return whether it is to end."""
        ...


class PortLooks:
    """Looks at the ports again and again with `step`, and keeps open between two looks what may stay open.

    If `opens` is true, the inputs are opened to see what arrives. Raises UserError if pyaudio or python-rtmidi is
    missing.
    """

    def __init__(self, opens: bool, over: Over) -> None:
        """When `over` is set, this process is to end. Then no further port is opened."""
        self._opens, self._over = opens, over
        self._inputs, self._outputs = MidiPorts(output=False), MidiPorts(output=True)
        self._jack: JackClients | None = None
        self._there: object = None
        """All ports at the last look. If another port is there now, everything is closed and opened again."""
        self._stack = contextlib.ExitStack()
        self._arrivals: list[tuple[Port, _Arrivals | None]] = []
        self._levels: list[tuple[SoundInput, _Level | None]] = []
        self._system: Any = None

    def step(self) -> dict[str, list[dict[str, Any]]]:
        """Return the present ports, in lists under "sound_inputs", "midi_inputs" and "midi_outputs".

        If the inputs are to be opened, listen to all of them for LISTEN_S, or until `over` is set. Each port is a dict
        with a "name" for the settings. A sound input also has "channels" and "level_db" (dBFS, None if it was not
        open). A MIDI input also has "arrived": whether a message came. The ports of this program are left out.
        """
        there = self._ports()
        if there != self._there:
            self._close_inputs()
            self._open()
            # what this program has opened is not counted
            self._there = self._ports()
        exclusive = self._open_exclusive()
        if self._opens:
            self._over.wait(LISTEN_S)
        sounds = [
            {"name": str(source), "channels": source.channels, "level_db": None if level is None else level.db()}
            for source, level in [*self._levels, *exclusive]
        ]
        for _, level in exclusive:
            if level is not None:
                if self._opens and not level.opened:
                    # the card may have been exchanged for another one: look again
                    self._there = None
                level.close()
        inputs = [{"name": str(port), "arrived": come is not None and come.any} for port, come in self._arrivals]
        outputs = [{"name": str(port)} for port in _of_others(self._outputs)]
        return {"sound_inputs": sounds, "midi_inputs": inputs, "midi_outputs": outputs}

    def close(self) -> None:
        """Close everything, and wait at most CLOSED_S until that is done.

        A JACK client of a process that ends without closing it holds the server up for as much as a minute.
        """
        self._close_inputs()
        for ports in (self._inputs, self._outputs):
            ports.close()
        if self._jack is not None:
            self._jack.close()
        until_s = time.monotonic() + CLOSED_S
        while left_behind() and time.monotonic() < until_s:
            time.sleep(REST_S / 10)

    def _close_inputs(self) -> None:
        """Close all inputs. The sound inputs are closed first: see `MidiPorts`."""
        self._stack.close()
        self._arrivals, self._levels, self._system, self._there = [], [], None, None

    def _open(self) -> None:
        """Open what stays open. MIDI inputs are opened before PortAudio's: see `MidiPorts`."""
        for ports in (self._inputs, self._outputs):
            ports.refresh()
        for port in _of_others(self._inputs):
            arrivals = _Arrivals(port) if self._opens and not self._over.is_set() else None
            if arrivals is not None:
                self._stack.callback(arrivals.close)
            self._arrivals.append((port, arrivals))
        self._system = self._stack.enter_context(portaudio())
        for source in sound_inputs(self._system):
            if source.api == "JACK":
                level = self._level(source)
                if level is not None:
                    self._stack.callback(level.close)
                self._levels.append((source, level))

    def _open_exclusive(self) -> list[tuple[SoundInput, _Level | None]]:
        """Open the sound inputs that only one program can have open. Return each with its level, None if not opened."""
        return [(source, self._level(source)) for source in sound_inputs(self._system) if source.api != "JACK"]

    def _level(self, source: SoundInput) -> _Level | None:
        return _Level(self._system, source) if self._opens and not self._over.is_set() else None

    def _ports(self) -> object:
        """Return a value that is another one as soon as a port has come or gone."""
        cards = ""
        with contextlib.suppress(OSError):
            cards = SOUND_CARDS.read_text(encoding="utf-8", errors="replace")
        return cards, self._jack_names(), _of_others(self._inputs), _of_others(self._outputs)

    def _jack_names(self) -> object:
        if self._jack is not None and (names := self._jack.sources()):
            return names
        # the server has ended, or did not run before
        if self._jack is not None:
            self._jack.close()
        try:
            self._jack = JackClients()
        except ImportError:
            return int(time.monotonic() / RENEW_S)
        return self._jack.sources()


def _of_others(ports: MidiPorts) -> list[Port]:
    """Return the ports that do not belong to this program."""
    return [port for port in ports.ports() if CLIENT not in port.name]


def main() -> None:
    """Look at the ports again and again, and print one line each time, until the reader has gone or SIGTERM comes."""
    # a JACK client that is killed holds up the server, so all ports are closed before the process ends
    over = _Ending()
    looks = PortLooks("--open" in sys.argv[1:], over)
    with contextlib.closing(looks), contextlib.suppress(BrokenPipeError):
        # PortAudio shows no new inputs while it still closes an old one, so the box starts another process
        while not over.is_set() and not left_behind():
            began_s = time.monotonic()
            print(json.dumps(looks.step()), flush=True)
            over.wait(rest_s(time.monotonic() - began_s))


def rest_s(round_s: float) -> float:
    """Return the seconds of rest after a round of `round_s` seconds."""
    return max(REST_S, REST_SHARE * (round_s - LISTEN_S))


if __name__ == "__main__":
    main()
