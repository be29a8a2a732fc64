"""The process that looks at the ports, on a JACK server: what it opens, and what it sees come and go."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from rig import PATIENCE_S, Box, Ensemble, Instrument

ROUNDS = 3


class Watch(Box):
    """Runs `python -m device.ports.watch --open`."""

    def look(self) -> dict[str, list[dict[str, Any]]]:
        """Return the next line that it prints."""
        self.text = ""
        self.wait_for("sound_inputs")
        found: dict[str, list[dict[str, Any]]] = json.loads(self.text.splitlines()[0])
        return found

    def until(self, holds: Callable[[dict[str, bool]], bool]) -> None:
        """Wait until `holds` is true for the MIDI inputs: name -> whether a message has arrived."""
        while not holds({port["name"].split(":")[0]: port["arrived"] for port in self.look()["midi_inputs"]}):
            pass


def test_an_open_list_opens_no_client_until_a_port_comes_or_goes(
    jack: dict[str, str], ensemble: Ensemble, instrument: Callable[..., Instrument]
) -> None:
    import jack as library

    instrument("keys")
    foot = instrument("foot")
    witness = library.Client("witness", no_start_server=True, servername=jack["JACK_DEFAULT_SERVER"])
    clients: list[str] = []
    witness.set_client_registration_callback(lambda name, registered: clients.append(name))
    with witness:
        watch = ensemble.begin("-m", "device.ports.watch", "--open", kind=Watch)
        watch.until(lambda there: {"keys out", "foot out"} <= set(there))
        clients.clear()
        for _ in range(ROUNDS):
            watch.look()
        assert not clients, "clients were opened although no port came or went"
        foot.play([(0.0, "control_change", 80, 127)])
        watch.until(lambda there: there["foot out"] and not there["keys out"])
        foot.close()
        watch.until(lambda there: "foot out" not in there and "keys out" in there)
        again = instrument("foot")
        watch.until(lambda there: "foot out" in there)
        again.play([(0.0, "control_change", 80, 127)])
        watch.until(lambda there: there["foot out"])
        assert watch.end(signal.SIGTERM) == 0
    witness.close()


FORBIDDEN = """
import ctypes
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0)
from device.ports.midi_ports import MidiPorts
ports = MidiPorts(output=True)
ports.refresh()
print(ports.server_ended, ports.clients > 0)
ports.close()
"""
"""Opens MIDI clients in a process that may make no memory executable, as the services of the box."""


def test_a_service_that_may_make_no_memory_executable_opens_midi_ports_on_jack(jack: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FORBIDDEN], env=jack, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert ran.stdout.split() == ["False", "True"], ran.stderr
