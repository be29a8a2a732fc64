"""The JACK clients that give sound: PortAudio does not tell of one that ends."""

from __future__ import annotations

import contextlib
import re

from device.ports.drivers import within_reason
from device.ports.port import CLIENT, Port


class JackClients:
    """Asks the server; make and close it while no sound input is open. Raises ImportError without JACK-Client.

    Only who listens to a JACK client needs that package: on the box sound comes from ALSA.
    """

    def __init__(self) -> None:
        import jack

        self._client = None
        with contextlib.suppress(jack.JackError):
            self._client = jack.Client(f"{CLIENT} watch", no_start_server=True)

    def has(self, port: Port) -> bool:
        """Whether the client that PortAudio calls `port` has outputs now."""
        if self._client is None:
            return True
        return bool(self._client.get_ports(f"^{re.escape(port.name)}:", is_audio=True, is_output=True))

    def close(self) -> None:
        """Leave the server."""
        if self._client is not None:
            within_reason(self._client.close)
