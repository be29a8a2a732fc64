"""Joins the box's own MIDI source to the synthesiser's port, and joins them again when either has come back.

The synthesiser's process does this. The box only writes to a source of its own, so a synthesiser that dies does
not affect the box.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence

from device.events import DRUM_CHANNEL
from device.ports.port import CLIENT, Port

SOURCE = "to the synth"
"""Name of the box's port that the synthesiser listens to."""
SYNTH = "lefthand-synth"
"""Part of the name of the synthesiser's MIDI port. ALSA and JACK add words of their own."""
TIMEOUT_S = 5.0
"""Most seconds that the command which joins two ports may take."""
_ADDRESS = re.compile(r"(\d+:\d+)$")

log = logging.getLogger("lefthand")


class Link:
    """Joins the box's MIDI source to the synthesiser's port, and remembers the joined pairs.

    `join` replaces `join_ports` in tests.
    """

    def __init__(self, join: Callable[[Port, Port], bool] | None = None) -> None:
        self._join = join_ports if join is None else join
        self._joined: set[tuple[Port, Port]] = set()

    def step(self, sources: Sequence[Port], targets: Sequence[Port]) -> None:
        """Join each source of the box to each port of the synthesiser on the same system, unless they are joined.

        `sources` and `targets` are the ports present now. A pair that vanished and came back is joined again.
        """
        pairs = {
            (source, target)
            for source in sources
            if is_source(source)
            for target in targets
            if is_synth(target) and target.api == source.api
        }
        self._joined &= pairs
        for source, target in sorted(pairs - self._joined, key=str):
            if self._join(source, target):
                self._joined.add((source, target))


def is_source(port: Port) -> bool:
    """Return whether `port` is the box's source for the synthesiser."""
    return port.name.startswith(CLIENT) and f":{SOURCE}" in port.name


def is_synth(port: Port) -> bool:
    """Return whether `port` is the synthesiser's own MIDI port."""
    return SYNTH in port.name


def right_hand_channel(left: int) -> int:
    """Return the right hand's channel (0 to 15) for the left hand's channel `left`. It is never the drum channel."""
    return next(channel for channel in ((left + 1) % 16, (left + 2) % 16) if channel != DRUM_CHANNEL)


def join_ports(source: Port, target: Port) -> bool:
    """Connect the output `source` to the input `target`. Return True if they are connected, False if that fails now.

    The reason goes to the log. Raises subprocess.TimeoutExpired if the command takes longer than TIMEOUT_S.
    """
    command = connecting(source, target)
    if command is None:
        return False
    if shutil.which(command[0]) is None:
        log.error("%s is missing: run `sudo apt install %s` to join the synthesiser to the box.", *_tool(source.api))
        return False
    ran = subprocess.run(command, capture_output=True, errors="replace", timeout=TIMEOUT_S, check=False)
    if ran.returncode and "already" not in ran.stderr:
        log.warning("%s cannot be joined to %s: %s", source, target, " ".join(ran.stderr.split()))
        return False
    log.info("%s is joined to %s", source, target)
    return True


def connecting(source: Port, target: Port) -> list[str] | None:
    """Return the command, as a list of words, that connects the two ports; None if an ALSA port has no address."""
    if source.api == "JACK":
        return [_tool(source.api)[0], source.name, target.name]
    addresses = [_ADDRESS.search(port.name) for port in (source, target)]
    if addresses[0] is None or addresses[1] is None:
        return None
    return [_tool(source.api)[0], addresses[0][1], addresses[1][1]]


def _tool(api: str) -> tuple[str, str]:
    """Return the program that connects ports of `api`, and its Debian package."""
    return ("jack_connect", "jackd2") if api == "JACK" else ("aconnect", "alsa-utils")
